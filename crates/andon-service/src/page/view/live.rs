//! The live page: the last reject in large, what passes beside it in small.

use maud::{Markup, html};

use super::facts::Facts;
use super::icons;
use super::picture;
use super::{Scene, counters, state, strip};
use crate::page::numbers::{clock, real, whole};
use andon_core::CameraId;

/// So much older, in milliseconds, may a part with a picture be that stands for the last one.
const FRESH_MS: u64 = 1000;

/// The whole page.
pub(in crate::page) fn live(scene: Scene<'_>) -> Markup {
    let t = scene.visitor.t;
    html! {
        h1.hidden { (t.live) }
        (verdict(scene))
        div.side {
            (counters(scene))
            section.panel.chart {
                h2.hidden { (t.trend_title) }
                p.legend aria-hidden="true" {
                    span.reject { (t.trend_rejects) } span.pass { (t.trend_median) } span.uninspected { (t.trend_p99) }
                }
                div #trend data-src={ "/trend.json?camera=" (scene.camera) } data-rejects=(t.trend_rejects)
                    data-median=(t.trend_median) data-p99=(t.trend_p99) data-lang=(scene.visitor.language.code())
                    role="img" aria-label=(t.trend_title) {}
            }
            (state(scene))
        }
        (strip(scene))
    }
}

/// The score as a bar in percent of the threshold, which is marked.
fn bar(scene: Scene<'_>, part: &Facts) -> Markup {
    let t = scene.visitor.t;
    let language = scene.visitor.language;
    html! {
        @if let Some(percent) = part.percent() {
            @let words = format!("{} {} {}", real(percent, 0, language), "%", t.of_threshold);
            svg.bar viewBox="0 0 1500 40" preserveAspectRatio="none" role="img" aria-label=(words) {
                rect.track width="1500" height="40" rx="8" {}
                rect.fill width=(real(percent.clamp(0.0, 150.0) * 10.0, 0, crate::page::Language::En)) height="40" rx="8" {}
                path.limit d="M1000 0v40" {}
            }
        }
    }
}

/// Score, threshold and percent in words.
fn score(scene: Scene<'_>, part: &Facts) -> Markup {
    let (t, language) = (scene.visitor.t, scene.visitor.language);
    let threshold = real(part.threshold, 2, language);
    html! {
        p {
            @match (part.score, part.percent()) {
                (Some(score), Some(percent)) => {
                    (t.score) " " b { (real(score, 2, language)) } " " (t.of) " " b { (threshold) }
                    " (" (real(percent, 0, language)) "\u{202f}%)"
                }
                _ => { (t.no_score) " · " (t.threshold) " " b { (threshold) } }
            }
        }
    }
}

/// Long words are written smaller, so that none breaks.
fn size(word: &str) -> &'static str {
    match word.chars().count() {
        0..=7 => "short",
        8..=9 => "long",
        _ => "longer",
    }
}

/// Everything about one part, beside its picture.
pub(super) fn about(scene: Scene<'_>, part: &Facts) -> Markup {
    let t = scene.visitor.t;
    html! {
        @let word = t.outcome_of(part.result);
        p class={ "outcome " (size(word)) } { (icons::outcome(part.result)) span { (word) } }
        @if let Some(reason) = part.reason { p.reason { ((t.reason)(reason)) } }
        p {
            (t.part) " " b { (whole(part.seq)) }
            @if let Some(id) = part.trigger_id && id != part.seq { " (" (id) ")" }
            " · " time { (clock(part.at_ms)) } " · " (t.camera) " " b { (part.camera) }
        }
        (score(scene, part))
        (bar(scene, part))
        @if let Some(nearest) = &part.nearest { p.nearest { (t.nearest) " " b { (nearest) } } }
        @if part.regions_total > 0 { p { (t.regions) " " b { (part.regions_total) } } }
    }
}

/// The keys of the heatmap, where there are pictures.
pub(super) fn heat_keys(scene: Scene<'_>) -> Markup {
    let t = scene.visitor.t;
    html! {
        @if scene.site.pictures.is_some() {
            div.heatkeys {
                button #heat type="button" aria-pressed="false" { (t.heatmap) }
                button #heat-less type="button" aria-label=(t.heat_less) { "−" }
                button #heat-more type="button" aria-label=(t.heat_more) { "+" }
            }
        }
    }
}

/// The class that gives a part's panel its colour.
fn class(part: Option<&Facts>) -> &'static str {
    part.map_or("none", |part| icons::class(part.result))
}

/// The last part of a camera, which is `true` if there is a picture of it. Of a fast line not every part has one: the last that has, unless
/// another one came over a second later.
fn last(scene: Scene<'_>, camera: usize) -> Option<(Facts, bool)> {
    let last = Facts::of(scene.now.cameras.get(camera)?.last.as_ref()?);
    let looked_at = scene.site.pictures.as_ref().filter(|_| camera == scene.camera);
    let pictured = looked_at.and_then(|pictures| Facts::of_wire(&pictures.latest(CameraId(camera as u8))?));
    match pictured.filter(|pictured| last.at_ms.abs_diff(pictured.at_ms) < FRESH_MS) {
        Some(pictured) => Some((pictured, true)),
        None => Some((last, false)),
    }
}

/// The large panel: the last part that was rejected on the camera that is looked at; until there is one, the last part.
pub(in crate::page) fn verdict(scene: Scene<'_>) -> Markup {
    let Scene { now, visitor, camera, .. } = scene;
    let t = visitor.t;
    let rejected = now.cameras.get(camera).and_then(|c| c.rejected.as_ref()).map(Facts::of);
    let shown = rejected.or_else(|| Some(last(scene, camera)?.0));
    html! {
        section #verdict hx-swap-oob="outerMorph" class={ "panel " (class(shown.as_ref())) } {
            @match &shown {
                Some(part) => {
                    (picture::large(scene, part))
                    div.about {
                        (about(scene, part))
                        (heat_keys(scene))
                        (last_parts(scene))
                    }
                }
                None => {
                    div.about.waiting { p.outcome { span { (t.no_part_yet) } } p { (t.no_part_hint) } (last_parts(scene)) }
                }
            }
        }
    }
}

/// What came last on each camera, calmly, with a picture on the one that is looked at: one touch looks at another one.
fn last_parts(scene: Scene<'_>) -> Markup {
    let Scene { now, visitor, .. } = scene;
    let (t, language) = (visitor.t, visitor.language);
    html! {
        div.last {
            @for (n, camera) in now.cameras.iter().enumerate() {
                @let last = last(scene, n);
                a href={ "/?camera=" (n) } class={ "chip " (class(last.as_ref().map(|(part, _)| part))) }
                    aria-current=[(n == scene.camera && now.cameras.len() > 1).then_some("true")] {
                    @match last {
                        Some((part, pictured)) => {
                            // The picture that is there already, not one more to be coded.
                            @if pictured { img src={ "/picture/" (part.id) } alt=""; }
                            span.word { (icons::outcome(part.result)) b { (t.outcome_of(part.result)) }
                                @if let Some(percent) = part.percent() { span { (real(percent, 0, language)) "\u{202f}%" } } }
                            span.muted { (camera.name) " · " (whole(part.seq)) " · " (clock(part.at_ms)) }
                        }
                        None => { span { (camera.name) } span.muted { (t.no_part_yet) } }
                    }
                }
            }
        }
    }
}
