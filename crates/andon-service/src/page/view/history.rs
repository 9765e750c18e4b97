//! Parts of the history: the form of the filter, and a page of small pictures.

use maud::{Markup, html};

use super::kept_part::moment;
use super::{Scene, icons};
use crate::page::kept::ListFilter;
use crate::page::numbers::{real, whole};
use andon_core::Reason;
use andon_io::history::{HistoryError, OutcomeKind, Page, ParameterError, PartRow, ReviewState};

/// Why there is no history, and how there will be one.
pub(in crate::page) fn no_history(scene: Scene<'_>) -> Markup {
    let t = scene.visitor.t;
    html! {
        section.panel.narrow.calm {
            h1 { (t.history) }
            p role="alert" { (t.no_history) }
            p { code { "[store]" br; "enabled = true" } }
            p.keys { a.button.key href="/" { (t.live) } }
        }
    }
}

/// The page.
pub(in crate::page) fn history(
    scene: Scene<'_>,
    asked: &ListFilter,
    defects: &[String],
    page: Result<&Page<PartRow>, &ParameterError>,
) -> Markup {
    let t = scene.visitor.t;
    html! {
        h1.hidden { (t.history) }
        (form(scene, asked, defects))
        @match page {
            Err(wrong) => section.panel { p.wrong role="alert" { ((t.unanswered)(&HistoryError::Parameter(wrong.clone()))) } },
            Ok(page) => {
                section.panel.parts {
                    @if page.rows.is_empty() { p.muted { (t.found_none) } }
                    (cards(scene, &page.rows))
                    @if page.without_columns > 0 { p.small { (whole(page.without_columns)) " " (t.rows_left) } }
                    div.keys.ends {
                        @if !asked.value("after").is_empty() { a.button href=(asked.address("/history", None)) { "⇤ " (t.first_page) } }
                        @if let Some(next) = page.next {
                            a.button rel="next" href=(asked.address("/history", Some(&next.to_string()))) { (t.further) " →" }
                        }
                        span.exports {
                            span.hidden { (t.exports) }
                            a.button href=(asked.address("/history.csv", None)) { "CSV" }
                            a.button href=(asked.address("/history.json", None)) { "JSON" }
                            @if scene.site.pictures.is_some() { a.button href=(asked.address("/history.zip", None)) { "ZIP" } }
                        }
                        a.button href="/counters" { (t.counters_title) }
                        a.button href="/whatif" { (t.whatif) }
                    }
                }
            }
        }
    }
}

/// A field that is one of several values.
fn choice<'a>(
    name: &str,
    word: &str,
    any: &str,
    value: &str,
    of: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Markup {
    html! {
        label { (word)
            select name=(name) {
                option value="" { (any) }
                @for (code, shown) in of { option value=(code) selected[code == value] { (shown) } }
            }
        }
    }
}

fn form(scene: Scene<'_>, asked: &ListFilter, defects: &[String]) -> Markup {
    let t = scene.visitor.t;
    let cameras = scene.now.cameras.iter().map(|c| (c.name.as_str(), c.name.as_str()));
    let outcomes = OutcomeKind::ALL.map(|o| (o.as_str(), t.outcome_kind(o)));
    let reasons = Reason::ALL.map(|r| (r.as_str(), (t.reason)(r)));
    let reviews = ReviewState::ALL.map(|r| (r.as_str(), t.review_state(r)));
    let field = |name: &str, word: &str, kind: &str| {
        html! { label { (word) input name=(name) type=(kind) value=(asked.value(name)) step="any"; } }
    };
    let is_narrow = ["reason", "ratio_from", "ratio_to", "review", "defect"].iter().any(|f| !asked.value(f).is_empty());
    html! {
        form.panel.filter method="get" action="/history" {
            (field("from", t.from, "datetime-local"))
            (field("to", t.to, "datetime-local"))
            (choice("camera", t.by_camera, t.any, asked.value("camera"), cameras))
            (choice("outcome", t.outcome_word, t.any, asked.value("outcome"), outcomes))
            details.further open[is_narrow] {
                summary { (t.reason_word) ", " (t.score) ", " (t.review_word) }
                div.filter {
                    (choice("reason", t.reason_word, t.any, asked.value("reason"), reasons))
                    (choice("review", t.review_word, t.any, asked.value("review"), reviews))
                    (choice("defect", t.defect, t.any, asked.value("defect"), defects.iter().map(|d| (d.as_str(), d.as_str()))))
                    fieldset.band { legend { (t.ratio_word) }
                        input name="ratio_from" inputmode="decimal" aria-label=(t.from) value=(asked.value("ratio_from")); "–"
                        input name="ratio_to" inputmode="decimal" aria-label=(t.to) value=(asked.value("ratio_to"));
                    }
                }
            }
            button type="submit" { (t.show) }
        }
    }
}

/// Small pictures with what they are.
pub(super) fn cards(scene: Scene<'_>, rows: &[PartRow]) -> Markup {
    let (t, language) = (scene.visitor.t, scene.visitor.language);
    html! {
        ol.cards {
            @for row in rows {
                li {
                    a href={ "/part/" (row.id) } class=(icons::class_of(row.outcome)) {
                        span.small-picture {
                            (icons::of_kind(row.outcome))
                            @if scene.site.pictures.is_some() { img src={ "/thumbnail/" (row.id) } alt="" loading="lazy"; }
                        }
                        span.caption {
                            (icons::of_kind(row.outcome))
                            span.hidden { (t.outcome_kind(row.outcome)) " " }
                            span { (whole(row.seq)) }
                            @if let Some(ratio) = row.ratio { span { " · " (real(f64::from(ratio) * 100.0, 0, language)) "\u{202f}%" } }
                        }
                        span.caption.muted {
                            time { (moment(row.t, language)) }
                        }
                        span.caption {
                            span.camera { (row.camera) }
                            @if row.review != ReviewState::None { span.{ "said-" (row.review.as_str()) } { (t.review_state(row.review)) } }
                        }
                    }
                }
            }
        }
    }
}
