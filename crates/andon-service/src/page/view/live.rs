//! The live page: the last reject in large, what passes beside it in small.

use maud::{Markup, html};

use super::icons;
use super::picture;
use super::{Scene, counters, state, strip};
use crate::live::SeenPart;
use crate::page::numbers::{clock, real, whole};

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
pub(super) fn bar(scene: Scene<'_>, part: &SeenPart) -> Markup {
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
pub(super) fn score(scene: Scene<'_>, part: &SeenPart) -> Markup {
    let (t, language) = (scene.visitor.t, scene.visitor.language);
    let threshold = real(f64::from(part.verdict.threshold), 2, language);
    html! {
        p {
            @match (part.verdict.score, part.percent()) {
                (Some(score), Some(percent)) => {
                    (t.score) " " b { (real(f64::from(score.get()), 2, language)) } " " (t.of) " " b { (threshold) }
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
pub(super) fn about(scene: Scene<'_>, part: &SeenPart) -> Markup {
    let t = scene.visitor.t;
    let outcome = &part.verdict.outcome;
    html! {
        @let word = t.outcome(outcome);
        p class={ "outcome " (size(word)) } { (icons::outcome(outcome)) span { (word) } }
        p.reason { ((t.reason)(part.verdict.reason)) }
        p {
            (t.part) " " b { (whole(part.verdict.seq.0)) }
            @if let Some(id) = part.verdict.trigger_id && id != part.verdict.seq.0 { " (" (id) ")" }
            " · " time { (clock(part.at_ms)) } " · " (t.camera) " " b { (part.camera) }
        }
        (score(scene, part))
        (bar(scene, part))
        @if let Some(nearest) = part.nearest() { p.nearest { (t.nearest) " " b { (nearest) } } }
        @if part.verdict.regions.total > 0 { p { (t.regions) " " b { (part.verdict.regions.total) } } }
    }
}

/// The class that gives a part's panel its colour.
fn class(part: Option<&SeenPart>) -> &'static str {
    part.map_or("none", |part| icons::class(&part.verdict.outcome))
}

/// The large panel: the last part that was rejected on the camera that is looked at; until there is one, the last part.
pub(in crate::page) fn verdict(scene: Scene<'_>) -> Markup {
    let Scene { now, visitor, camera, .. } = scene;
    let t = visitor.t;
    let board = now.cameras.get(camera);
    let shown = board.and_then(|c| c.rejected.as_ref().or(c.last.as_ref()));
    html! {
        section #verdict hx-swap-oob="outerMorph" class={ "panel " (class(shown)) } {
            @match shown {
                Some(part) => {
                    (picture::large(scene, part))
                    div.about {
                        (about(scene, part))
                        @if scene.site.pictures.is_some() {
                            div.heatkeys {
                                button #heat type="button" aria-pressed="false" { (t.heatmap) }
                                button #heat-less type="button" aria-label=(t.heat_less) { "−" }
                                button #heat-more type="button" aria-label=(t.heat_more) { "+" }
                            }
                        }
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

/// What came last on each camera, calmly: one touch looks at that camera.
fn last_parts(scene: Scene<'_>) -> Markup {
    let Scene { now, visitor, .. } = scene;
    let (t, language) = (visitor.t, visitor.language);
    html! {
        div.last {
            @for (n, camera) in now.cameras.iter().enumerate() {
                @let last = camera.last.as_ref();
                a href={ "/?camera=" (n) } class={ "chip " (class(last)) }
                    aria-current=[(n == scene.camera && now.cameras.len() > 1).then_some("true")] {
                    @match last {
                        Some(part) => {
                            (icons::outcome(&part.verdict.outcome))
                            span { b { (t.outcome(&part.verdict.outcome)) }
                                @if let Some(percent) = part.percent() { " " (real(percent, 0, language)) "\u{202f}%" } }
                            span.muted { (camera.name) " · " (whole(part.verdict.seq.0)) " · " (clock(part.at_ms)) }
                        }
                        None => { span { (camera.name) } span.muted { (t.no_part_yet) } }
                    }
                }
            }
        }
    }
}
