//! Another threshold, and the release of the line: the two acts that ask a second time.

use maud::{Markup, html};

use super::Scene;
use super::threshold_trial::{threshold_trials, try_for};
use crate::page::numbers::real;
use andon_core::{EventKind, Role};
use andon_line::telemetry::JudgeState;

/// The threshold of each camera; `wrong` is why the last change was refused.
pub(in crate::page) fn threshold(scene: Scene<'_>, wrong: Option<&str>) -> Markup {
    let Scene { site, visitor, .. } = scene;
    let t = visitor.t;
    let may = visitor.session.as_ref().is_some_and(|s| s.role >= Role::Quality);
    html! {
        h1 { (t.threshold) }
        @if let Some(wrong) = wrong { section.panel.narrow { p.wrong role="alert" { (wrong) } } }
        (threshold_trials(scene))
        @if site.service.models().is_ok() { p.narrow { a.button.wide href="/models" { (t.models_word) } } }
        @if site.service.history().is_ok() { p.narrow { a.button.wide href="/whatif" { (t.whatif_try) } } }
        @for (n, judge) in (site.judges)().iter().enumerate() {
            section.panel.narrow {
                h2 { (t.camera) " " (judge.camera) }
                (one_in_force(scene, n, judge))
                @if may {
                    form method="post" action={ "/threshold/" (n) } {
                        input type="hidden" name="csrf" value=(visitor.csrf);
                        label for={ "value-" (n) } { (t.new_threshold) }
                        input id={ "value-" (n) } name="value" type="number" step="any" min="0" inputmode="decimal" required value=(judge.threshold);
                        label for={ "reason-" (n) } { (t.why) }
                        input id={ "reason-" (n) } name="reason" required maxlength="300" autocomplete="off";
                        p.small { (t.until_restart) }
                        @if site.service.models().is_ok() { p.small { (t.keep_hint) } }
                        div.keys {
                            button.key type="submit" { (t.set_threshold) }
                            @if site.service.models().is_ok() { button.key type="submit" name="keep" value="yes" { (t.keep_threshold) } }
                        }
                        (try_for(scene, n))
                    }
                } @else { (needs(scene, Role::Quality)) }
            }
        }
    }
}

/// The threshold in force of each camera, brought up to date while somebody looks: a trial ends by itself.
pub(in crate::page) fn in_force(scene: Scene<'_>) -> Markup {
    html! { @for (n, judge) in (scene.site.judges)().iter().enumerate() { (one_in_force(scene, n, judge)) } }
}

fn one_in_force(scene: Scene<'_>, n: usize, judge: &JudgeState) -> Markup {
    let (t, language) = (scene.visitor.t, scene.visitor.language);
    html! {
        p id={ "in-force-" (n) } hx-swap-oob="outerMorph" {
            (t.in_force) " " b { (real(f64::from(judge.threshold), 2, language)) }
            " · " (t.models_own) " " b { (real(f64::from(judge.own_threshold), 2, language)) }
        }
    }
}

/// The second touch before the line is released.
pub(in crate::page) fn release(scene: Scene<'_>, wrong: Option<&str>) -> Markup {
    let Scene { now, visitor, .. } = scene;
    let t = visitor.t;
    let may = visitor.session.as_ref().is_some_and(|s| s.role >= Role::Leader);
    let cause = now.alarms.iter().find(|a| a.standing && a.event.kind == EventKind::LineStop);
    html! {
        section.panel.narrow {
            h1 { (t.release) }
            @if let Some(wrong) = wrong { p.wrong role="alert" { (wrong) } }
            @if !now.line_stop { p { (t.no_line_stop) } p.keys { a.button.key href="/" { (t.live) } } }
            @else {
                @if let Some(alarm) = cause { p { b { ((t.event)(alarm.event.kind)[0]) } " · " ((t.event)(alarm.event.kind)[1]) } }
                p { (t.release_warning) }
                @if may {
                    form.keys method="post" action="/release" {
                        input type="hidden" name="csrf" value=(visitor.csrf);
                        a.button.key href="/" { (t.back) }
                        button.key.danger type="submit" { (t.release_now) }
                    }
                } @else { (needs(scene, Role::Leader)) }
            }
        }
    }
}

/// Why nothing can be changed here, and what would help.
pub(super) fn needs(scene: Scene<'_>, role: Role) -> Markup {
    let t = scene.visitor.t;
    html! {
        p { (t.needs_role) " " b { (t.role(role)) } "." }
        @if scene.visitor.no_users { p { (t.no_users) } p { code { "andon user add NAME --role admin" } } }
        @else { p.keys { a.button.key href="/login" { (t.log_in) } } }
    }
}
