//! A threshold on trial: how far it is, what it changed, and its end by hand.

use maud::{Markup, html};

use super::Scene;
use crate::live::{MOST_TRIAL_PARTS, ThresholdTrial, TrialStage};
use crate::page::numbers::{clock, real, whole};
use andon_core::Role;

/// Parts that are offered at first.
const OFFERED: u32 = 100;

/// The trials of all cameras, brought up to date while somebody looks.
pub(in crate::page) fn threshold_trials(scene: Scene<'_>) -> Markup {
    html! {
        div #trials hx-swap-oob="outerMorph" {
            @for trial in scene.now.threshold_trials.iter().flatten() { (one(scene, trial)) }
        }
    }
}

fn one(scene: Scene<'_>, trial: &ThresholdTrial) -> Markup {
    let (t, language) = (scene.visitor.t, scene.visitor.language);
    let may = scene.visitor.session.as_ref().is_some_and(|s| s.role >= Role::Quality);
    let number = |value: f32| real(f64::from(value), 2, language);
    let is_running = trial.stage == TrialStage::Running;
    let title = match trial.stage {
        TrialStage::Running => t.trial_runs,
        TrialStage::Over => t.trial_over,
        TrialStage::Superseded => t.trial_superseded,
    };
    html! {
        section.panel.narrow {
            h2 { (title) @if scene.now.cameras.len() > 1 { " · " (t.camera) " " (scene.now.cameras[trial.camera].name) } }
            p { b { (number(trial.value)) } " " (t.trial_instead) " " b { (number(trial.before)) } " · " (t.since) " " (clock(trial.started_ms)) " · " (trial.user) }
            dl.trial {
                div { dt { (t.trial_judged) } dd { b { (whole(u64::from(trial.judged))) } " / " (whole(u64::from(trial.parts))) } }
                div { dt { (t.trial_rejected) } dd { b { (whole(u64::from(trial.rejected))) } } }
                div { dt { (t.trial_otherwise) } dd { b { (whole(u64::from(trial.otherwise))) } } }
            }
            @if is_running {
                p.small { (t.trial_ends) }
                @if may {
                    form.keys method="post" action={ "/threshold/" (trial.camera) "/end" } {
                        input type="hidden" name="csrf" value=(scene.visitor.csrf);
                        button.key type="submit" { (t.trial_end) }
                    }
                }
            }
        }
    }
}

/// What a form for a threshold has for one that is only tried: the number of parts, and the key.
pub(super) fn try_for(scene: Scene<'_>, camera: usize) -> Markup {
    let t = scene.visitor.t;
    let running = |trial: &ThresholdTrial| trial.stage == TrialStage::Running;
    html! {
        @if !scene.now.threshold_trials.get(camera).and_then(Option::as_ref).is_some_and(running) {
            label { (t.trial_parts) input name="parts" type="number" min="1" max=(MOST_TRIAL_PARTS) inputmode="numeric" value=(OFFERED); }
            button type="submit" name="keep" value="trial" { (t.trial_start) }
        }
    }
}
