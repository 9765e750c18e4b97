//! Setting a camera up: the picture in large, what is said of it, and the picture that it is to see.

use std::time::Duration;

use maud::{Markup, html};

use super::Scene;
use crate::accounts::Reference;
use crate::page::numbers::day_of;
use andon_core::Role;

/// What is drawn on the picture: the band in which parts are seen, and the cells that the model looks away from.
fn marks(scene: Scene<'_>) -> Option<serde_json::Value> {
    let site = scene.site;
    let band = site.options.bands.get(scene.camera).copied().flatten();
    let cells = site.service.models().ok().and_then(|models| models.judged_cells(scene.camera));
    if band.is_none() && cells.is_none() {
        return None;
    }
    let bits = |judged: &[bool]| judged.iter().map(|judged| if *judged { '1' } else { '0' }).collect::<String>();
    let cells = cells.map(|cells| serde_json::json!({ "grid": cells.grid, "judged": bits(&cells.judged) }));
    Some(serde_json::json!({ "band": band, "cells": cells }))
}

/// The page; it ends by itself after `lasts`.
pub(in crate::page) fn aid(scene: Scene<'_>, reference: Option<&Reference>, lasts: Duration) -> Markup {
    let Scene { site, visitor, camera, .. } = scene;
    let (t, cameras) = (visitor.t, &site.board.station.cameras);
    let name = cameras.get(camera).map(|name| name.to_string()).unwrap_or_default();
    html! {
        nav.tabs aria-label=(t.aid) {
            a href="/system" { "← " (t.system) }
            @for (n, name) in cameras.iter().enumerate() {
                a href={ "/aid?camera=" (n) } aria-current=[(n == camera).then_some("true")] { (t.camera) " " (name) }
            }
        }
        @let marks = marks(scene);
        section.panel.whole.aid #aid data-camera=(camera) data-marks=[marks.as_ref().map(ToString::to_string)] data-lasts=(lasts.as_secs()) data-lang=(visitor.language.code())
            data-reference=[reference.map(|_| format!("/aid/{camera}/reference"))] {
            figure.picture {
                canvas #aid-picture role="img" aria-label={ (t.camera) " " (name) } {}
                p.gone #aid-gone hidden {
                    span #aid-none hidden { (t.aid_no_picture) }
                    span #aid-ended hidden { (t.aid_ended) }
                    a.button.key #aid-again hidden href={ "/aid?camera=" (camera) } { (t.aid_again) }
                }
            }
            div.about {
                h1 { (t.aid) " · " (name) }
                noscript { p.wrong { (t.needs_scripts) } }
                dl.sharp {
                    div { dt { (t.sharpness) } dd.large #aid-sharpness { "–" } }
                    div { dt { (t.best) } dd.large #aid-best { "–" } }
                    div { dt { (t.of_best) } dd.large #aid-share { "–" } }
                }
                canvas #aid-trend role="img" aria-label=(t.sharpness_trend) {}
                canvas #aid-histogram role="img" aria-label=(t.brightness) {}
                dl.sharp {
                    div { dt { (t.clipped_dark) } dd #aid-dark { "–" } }
                    div { dt { (t.clipped_bright) } dd #aid-bright { "–" } }
                    div { dt { (t.pace) } dd #aid-pace { "–" } }
                }
                div.keys {
                    button #aid-grid type="button" aria-pressed="false" { (t.grid) }
                    @if marks.is_some() { button #aid-marks type="button" aria-pressed="true" { (t.aid_marks) } }
                    @if reference.is_some() {
                        button #aid-half type="button" aria-pressed="false" { (t.reference_half) }
                        button #aid-blend type="button" aria-pressed="false" { (t.reference_blend) }
                    }
                    button #aid-forget type="button" { (t.forget_best) }
                }
                @match reference {
                    Some(reference) => p.small {
                        (t.reference) ": " (day_of(&reference.at, visitor.language)) ", " (reference.user)
                    },
                    None => p.small { (t.reference_none) },
                }
                @if visitor.session.as_ref().is_some_and(|s| s.role >= Role::Leader) {
                    form.keys method="post" action={ "/aid/" (camera) "/reference" } {
                        input type="hidden" name="csrf" value=(visitor.csrf);
                        input type="hidden" name="part" value="" #aid-part;
                        button #aid-keep type="submit" disabled { (t.reference_keep) }
                    }
                }
                p.small { (t.aid_hint) " " span #aid-left {} }
            }
        }
    }
}
