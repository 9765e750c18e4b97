//! A part as the history has it: its picture, its verdict, what was said of it.

use maud::{Markup, html};
use serde_json::Value;

use super::{Scene, icons};
use crate::page::Language;
use crate::page::numbers::{day, real, whole};
use andon_core::Role;
use andon_io::history::{OutcomeKind, PartDetail, PartRow, Review, ReviewState};

/// Columns, rows and place of a region.
fn number(region: &Value, name: &str) -> Option<u64> {
    region.get(name).and_then(Value::as_u64)
}

/// The regions of a verdict as boxes over its picture.
fn boxes(scene: Scene<'_>, detail: &PartDetail) -> Markup {
    let camera = scene.now.cameras.iter().find(|c| c.name == detail.row.camera);
    let frame = camera.and_then(|c| c.frame);
    let none = Vec::new();
    let regions = detail.verdict.as_ref().and_then(|v| v.get("regions")?.as_array()).unwrap_or(&none);
    html! {
        // Without the size of its frame nobody knows where a region is.
        @if let Some([w, h]) = frame {
            @let line = f64::from(w.max(h)) / 130.0;
            svg.boxes viewBox={ "0 0 " (w) " " (h) } aria-hidden="true" focusable="false" preserveAspectRatio="xMidYMid meet" {
                @for r in regions {
                    @if let (Some(x), Some(y), Some(w), Some(h)) = (number(r, "x"), number(r, "y"), number(r, "width"), number(r, "height")) {
                        rect.halo x=(x) y=(y) width=(w) height=(h) stroke-width=(2.2 * line) {}
                        rect.region x=(x) y=(y) width=(w) height=(h) stroke-width=(line) {}
                    }
                }
            }
        }
    }
}

/// The picture of a part; a calm place where none is kept.
pub(super) fn picture(scene: Scene<'_>, detail: &PartDetail) -> Markup {
    let (t, row) = (scene.visitor.t, &detail.row);
    let words = format!("{} {}, {}", t.part, row.seq, row.camera);
    html! {
        figure.picture.kept {
            p.gone { (icons::of_kind(row.outcome)) span { (t.picture_gone) } }
            @if scene.site.pictures.is_some() {
                img src={ "/picture/" (row.id) } alt=(words);
                img.heat src={ "/heatmap/" (row.id) } alt="";
            }
            (boxes(scene, detail))
        }
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

/// A moment of the history on the box's clock.
pub(super) fn moment(ms: i64, language: Language) -> String {
    day(u64::try_from(ms).unwrap_or(0), language)
}

/// The score as a bar in percent of the threshold that it was judged by.
pub(super) fn bar(scene: Scene<'_>, row: &PartRow) -> Markup {
    let (t, language) = (scene.visitor.t, scene.visitor.language);
    html! {
        @if let Some(ratio) = row.ratio {
            @let percent = f64::from(ratio) * 100.0;
            @let words = format!("{} % {}", real(percent, 0, language), t.of_threshold);
            svg.bar viewBox="0 0 1500 40" preserveAspectRatio="none" role="img" aria-label=(words) {
                rect.track width="1500" height="40" rx="8" {}
                rect.fill width=(real(percent.clamp(0.0, 150.0) * 10.0, 0, Language::En)) height="40" rx="8" {}
                path.limit d="M1000 0v40" {}
            }
        }
    }
}

/// Verdict, reason, score, when and where.
pub(super) fn about(scene: Scene<'_>, row: &PartRow) -> Markup {
    let (t, language) = (scene.visitor.t, scene.visitor.language);
    html! {
        p.outcome.short { (icons::of_kind(row.outcome)) span { (t.outcome_kind(row.outcome)) } }
        p.reason { (t.reason_code(&row.reason)) }
        p {
            (t.part) " " b { (whole(row.seq)) } " · " time { (moment(row.t, language)) } " · " (t.camera) " " b { (row.camera) }
        }
        p {
            @match (row.score, row.threshold, row.ratio) {
                (Some(score), Some(threshold), Some(ratio)) => {
                    (t.score) " " b { (real(f64::from(score), 2, language)) } " " (t.of) " " b { (real(f64::from(threshold), 2, language)) }
                    " (" (real(f64::from(ratio) * 100.0, 0, language)) "\u{202f}%)"
                }
                _ => (t.no_score),
            }
        }
        (bar(scene, row))
    }
}

/// The way to "that part was good", for those who may.
pub(super) fn was_good(scene: Scene<'_>, id: &str, is_reject: bool) -> Markup {
    let may = scene.visitor.session.as_ref().is_some_and(|s| s.role >= Role::Quality);
    html! {
        @if is_reject && may && scene.site.service.models().is_ok() {
            a.button href={ "/good/" (id) } { (scene.visitor.t.part_was_good) " …" }
        }
    }
}

/// What somebody said, in a line.
pub(super) fn said(scene: Scene<'_>, review: &Review) -> Markup {
    let (t, language) = (scene.visitor.t, scene.visitor.language);
    let state = review.verdict.state();
    html! {
        @if state == ReviewState::None { b { (t.take_back) } } @else { b.{ "said-" (state.as_str()) } { (t.review_state(state)) } }
        @if let Some(defect) = &review.defect { " · " b { (defect) } }
        " · " (review.user) " · " time { (moment(review.at, language)) }
        @if let Some(comment) = &review.comment { br; q.comment { (comment) } }
    }
}

/// The page of a part that is not among the last that did not pass.
pub(in crate::page) fn kept_part(scene: Scene<'_>, detail: &PartDetail) -> Markup {
    let t = scene.visitor.t;
    let row = &detail.row;
    let may = scene.visitor.session.as_ref().is_some_and(|s| s.role >= Role::Operator);
    html! {
        section.panel.whole.(icons::class_of(row.outcome)) {
            (picture(scene, detail))
            div.about {
                h1.hidden { (t.part) " " (row.seq) }
                (about(scene, row))
                (heat_keys(scene))
                (reviews(scene, &detail.reviews))
                @if !detail.others.is_empty() {
                    p { (t.other_cameras) ": " @for (n, other) in detail.others.iter().enumerate() {
                        @if n > 0 { ", " }
                        a href={ "/part/" (other.id) } { (other.camera) " " (t.outcome_kind(other.outcome)) }
                    } }
                }
                p.small { (row.model) " · " code { (row.id) } }
                div.keys {
                    a.button href={ "/review?part=" (row.id) } { (if may { t.review_this } else { t.review_word }) }
                    (was_good(scene, &row.id, row.outcome == OutcomeKind::Reject))
                    a.button rel="up" href="/history" { (t.history) }
                }
                @if let Some(verdict) = &detail.verdict {
                    details { summary { (t.details_json) } pre.scroll tabindex="0" { (format!("{verdict:#}")) } }
                }
            }
        }
    }
}

/// What was said of a part, newest first.
pub(super) fn reviews(scene: Scene<'_>, reviews: &[Review]) -> Markup {
    html! {
        @if !reviews.is_empty() {
            h2 { (scene.visitor.t.reviews_of) }
            ol.said { @for review in reviews.iter().rev() { li { (said(scene, review)) } } }
        }
    }
}
