//! The models in use, what was added to them on the line, and its undo.

use maud::{Markup, html};

use super::Scene;
use super::threshold::needs;
use crate::models::ModelInUse;
use crate::page::numbers::{day_of, real, whole};
use andon_core::Role;

/// The page; `wrong` is why the last change was refused.
pub(in crate::page) fn models(scene: Scene<'_>, wrong: Option<&str>) -> Markup {
    let t = scene.visitor.t;
    let models = scene.site.service.models().map(|models| models.in_use());
    html! {
        h1 { (t.models_word) }
        @if let Some(wrong) = wrong { section.panel.narrow { p.wrong role="alert" { (wrong) } } }
        @match &models {
            Err(_) => { section.panel.narrow { p { (t.no_models) } } }
            Ok(models) => {
                p.narrow { (t.models_hint) }
                @for model in models { (one(scene, model)) }
            }
        }
    }
}

fn one(scene: Scene<'_>, model: &ModelInUse) -> Markup {
    let t = scene.visitor.t;
    let may = scene.visitor.session.as_ref().is_some_and(|s| s.role >= Role::Quality);
    html! {
        section.panel.narrow {
            h2 { (model.name) }
            p {
                (t.camera) " " b { (model.cameras.join(", ")) } " · " (whole(model.pictures as u64)) " " (t.pictures_known)
            }
            p.small {
                code { (model.blake3.chars().take(16).collect::<String>()) }
                @if let Some(file) = &model.file { " · " (t.file_word) " " code { (file.display()) } }
            }
            h3 { (t.learned_from_line) }
            @if model.added.is_empty() { p { (t.nothing_learned) } }
            @for (n, added) in model.added.iter().enumerate().rev() {
                div.added {
                    @match &added.part {
                        Some(part) => {
                            a.small-picture href={ "/part/" (part) } { img src={ "/thumbnail/" (part) } alt={ (t.part) " " (part) } loading="lazy"; }
                            p { a href={ "/part/" (part) } { code { (part) } } }
                        }
                        None => { p { (added.name) } }
                    }
                    @if may {
                        @let camera = model.cameras.first().map(String::as_str).unwrap_or_default();
                        form.inline method="post" action={ "/models/" (camera) "/forget" } {
                            input type="hidden" name="csrf" value=(scene.visitor.csrf);
                            input type="hidden" name="picture" value=(added.name);
                            label { (t.why) input id={ "why-" (n) } name="reason" required maxlength="300" autocomplete="off"; }
                            button type="submit" { (t.undo) }
                        }
                    }
                }
            }
            @if !model.decisions.is_empty() { (decisions(scene, model, may)) }
            @let has_undo = !model.added.is_empty() || !model.decisions.is_empty();
            @if has_undo && !may { (needs(scene, Role::Quality)) }
        }
    }
}

/// Thresholds that were chosen, newest first; the newest can be taken back.
fn decisions(scene: Scene<'_>, model: &ModelInUse, may: bool) -> Markup {
    let (t, language) = (scene.visitor.t, scene.visitor.language);
    let camera = model.cameras.first().map(String::as_str).unwrap_or_default();
    let number = |value: f32| real(f64::from(value), 2, language);
    html! {
        h3 { (t.decisions_word) }
        @for (n, decision) in model.decisions.iter().enumerate() {
            div.added {
                p {
                    b { (number(decision.before)) " → " (number(decision.after)) }
                    " · " (decision.by) " · " (day_of(&decision.at, language)) " · " (decision.how)
                    @if !decision.why.is_empty() { " · " (decision.why) }
                }
                @if n == 0 && may {
                    form.inline method="post" action={ "/models/" (camera) "/threshold/undo" } {
                        input type="hidden" name="csrf" value=(scene.visitor.csrf);
                        label { (t.why) input id={ "why-" (camera) "-threshold" } name="reason" required maxlength="300" autocomplete="off"; }
                        button type="submit" { (t.undo) }
                    }
                }
            }
        }
    }
}
