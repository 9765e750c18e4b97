//! Reviews: one part in large with three keys, and what all of them say together.

use maud::{Markup, html};

use super::kept_part::{about, heat_keys, picture, said};
use super::{Scene, icons};
use crate::page::Language;
use crate::page::kept::{QueueChoice, Refusal, ReviewScreen, Stretch};
use crate::page::numbers::{real, whole};
use andon_core::{Interval, Role};
use andon_io::history::{PartDetail, Review, ReviewResult, ReviewResults, ReviewState};

/// The page.
pub(in crate::page) fn review(scene: Scene<'_>, screen: &ReviewScreen) -> Markup {
    let t = scene.visitor.t;
    html! {
        h1.hidden { (t.review) }
        (queues(scene, screen))
        @if let Some(done) = &screen.done { (done_line(scene, screen, done)) }
        @match &screen.part {
            Some(part) => (one(scene, screen, part)),
            None => section.panel.narrow.calm {
                h2 { (t.nothing_waits) }
                p.muted { (t.nothing_waits_hint) }
                p.keys { a.button href="/" { (t.live) } a.button href="/review/results" { (t.results) } }
            },
        }
    }
}

fn queues(scene: Scene<'_>, screen: &ReviewScreen) -> Markup {
    let (t, n) = (scene.visitor.t, &screen.counts);
    let entry = |choice: QueueChoice| match choice {
        QueueChoice::All => (t.queue_all, n.not_passed + n.near_misses + n.samples),
        QueueChoice::NotPassed => (t.queue_not_passed, n.not_passed),
        QueueChoice::NearMiss => (t.queue_near, n.near_misses),
        QueueChoice::Sample => (t.queue_sample, n.samples),
    };
    html! {
        nav.tabs aria-label=(t.waiting_reviews) {
            @for choice in QueueChoice::ALL {
                @let (word, count) = entry(choice);
                a href={ "/review?kind=" (choice.word()) } aria-current=[(choice == screen.choice).then_some("true")] {
                    (word) " " b { (whole(count)) }
                }
            }
            a href="/review/results" { (t.results) }
        }
    }
}

/// What was said just now, and the key that takes it back.
fn done_line(scene: Scene<'_>, screen: &ReviewScreen, done: &PartDetail) -> Markup {
    let (t, row) = (scene.visitor.t, &done.row);
    html! {
        section.panel.done role="status" {
            p {
                a href={ "/review?kind=" (screen.choice.word()) "&part=" (row.id) } { (t.part) " " (whole(row.seq)) } " · "
                @match done.reviews.last() { Some(last) => (said(scene, last)), None => (t.not_reviewed) }
            }
            @if row.review != ReviewState::None { (take_back(scene, screen.choice, &row.id, row.review_id)) }
        }
    }
}

/// The form that takes the review back that counts.
fn take_back(scene: Scene<'_>, choice: QueueChoice, part: &str, review: Option<i64>) -> Markup {
    let visitor = scene.visitor;
    let may = visitor.session.as_ref().is_some_and(|s| s.role >= Role::Operator);
    html! {
        @if may {
            @let address = format!("/review/{part}");
            form.taking-back method="post" action=(address) hx-post=(address) hx-target="main" hx-select="main" hx-swap="outerHTML" {
                input type="hidden" name="csrf" value=(visitor.csrf);
                input type="hidden" name="kind" value=(choice.word());
                input type="hidden" name="expected" value=(review.map(|id| id.to_string()).unwrap_or_default());
                button type="submit" name="verdict" value="withdrawn" data-key="u" { (visitor.t.take_back) kbd { "u" } }
            }
        }
    }
}

/// One part with its keys.
fn one(scene: Scene<'_>, screen: &ReviewScreen, part: &PartDetail) -> Markup {
    let (visitor, t, row) = (scene.visitor, scene.visitor.t, &part.row);
    let may = visitor.session.as_ref().is_some_and(|s| s.role >= Role::Operator);
    let kind = screen.choice.word();
    html! {
        section.panel.whole.review.(icons::class_of(row.outcome)) {
            (picture(scene, part))
            div.about {
                @match &screen.refused {
                    Some(Refusal::Conflict) => div.refusal role="alert" {
                        p.wrong { (t.conflict) }
                        @if let Some(last) = part.reviews.last() { p { (said(scene, last)) } }
                        p { (t.conflict_hint) }
                    },
                    Some(Refusal::Words(words)) => p.wrong role="alert" { (words) },
                    None => {
                        @if let (true, Some(last)) = (row.review != ReviewState::None, part.reviews.last()) {
                            p.already { (said(scene, last)) }
                        }
                    }
                }
                (about(scene, row))
                @if may {
                    // With scripts, the next part comes in place of this one; without them, as a page.
                    @let address = format!("/review/{}", row.id);
                    form.saying method="post" action=(address) hx-post=(address) hx-target="main" hx-select="main" hx-swap="outerHTML" {
                        input type="hidden" name="csrf" value=(visitor.csrf);
                        input type="hidden" name="kind" value=(kind);
                        input type="hidden" name="expected" value=(row.review_id.map(|id| id.to_string()).unwrap_or_default());
                        div.three {
                            button.key.bad type="submit" name="verdict" value="bad" data-key="1" { span { (t.really_bad) } kbd { "1" } }
                            button.key.good type="submit" name="verdict" value="good" data-key="2" { span { (t.was_good) } kbd { "2" } }
                            button.key.unsure type="submit" name="verdict" value="unsure" data-key="3" { span { (t.not_sure) } kbd { "3" } }
                        }
                        fieldset.defects {
                            legend { (t.defect) }
                            label { input type="radio" name="defect" value="" checked; span { (t.defect_none) } }
                            @for defect in &screen.defects {
                                label { input type="radio" name="defect" value=(defect); span { (defect) } }
                            }
                        }
                        div.words {
                            label { (t.defect_new) input name="new_defect" maxlength="64" autocomplete="off"; }
                            label { (t.comment) input name="comment" maxlength="500" autocomplete="off"; }
                        }
                    }
                } @else if visitor.no_users {
                    p { (t.no_users) } p { code { "andon user add NAME --role admin" } }
                } @else {
                    p.keys { a.button.key href="/login" { (t.log_in_to_review) } }
                }
                div.keys.ends {
                    @match &screen.newer {
                        Some(id) => a.button rel="prev" href={ "/review?kind=" (kind) "&part=" (id) } { "← " (t.newer) },
                        None => span.button aria-disabled="true" { "← " (t.newer) },
                    }
                    @if row.review != ReviewState::None && screen.done.is_none() { (take_back(scene, screen.choice, &row.id, row.review_id)) }
                    @match &screen.older {
                        Some(id) => a.button rel="next" href={ "/review?kind=" (kind) "&part=" (id) } { (t.older) " →" },
                        None => span.button aria-disabled="true" { (t.older) " →" },
                    }
                }
                (heat_keys(scene))
                @if may { p.small.only-keyboard { (t.keys_hint) } }
            }
        }
    }
}

/// A share with its interval: `12.5 % (3 of 24; 4.3 to 31.0 %)`.
pub(super) fn interval(i: Interval, language: Language) -> Markup {
    let percent = |share: f64| real(100.0 * share, 1, language);
    html! {
        @if i.of == 0 { "–" } @else {
            b { (percent(i.share)) "\u{202f}%" }
            span.small { " " (whole(i.count)) " / " (whole(i.of)) " · " (percent(i.low)) "–" (percent(i.high)) "\u{202f}%" }
        }
    }
}

fn row(group: &str, result: &ReviewResult, language: Language) -> Markup {
    html! {
        tr {
            th scope="row" { (group) }
            @for share in [result.false_rejects, result.misses, Some(result.found)] {
                td { @match share { Some(share) => (interval(share, language)), None => "" } }
            }
            td { (whole(result.unsure)) }
        }
    }
}

/// The group of a shift: its start as people write it, and its name.
fn shift(group: &str, language: Language) -> String {
    match group.split_once(' ') {
        Some((start, name)) => format!("{} {name}", crate::page::numbers::day_of(start, language)),
        None => group.to_owned(),
    }
}

/// Words and addresses of the times that are offered.
pub(super) fn stretches(
    scene: Scene<'_>,
    stretches: &[Stretch],
    chosen: Stretch,
    address: impl Fn(Stretch) -> String,
) -> Markup {
    let t = scene.visitor.t;
    let word = |stretch| match stretch {
        Stretch::This => t.this_shift,
        Stretch::Last => t.last_shift,
        Stretch::Week => t.seven_days,
        Stretch::All => t.all_time,
    };
    html! {
        @for stretch in stretches {
            a href=(address(*stretch)) aria-current=[(*stretch == chosen).then_some("true")] { (word(*stretch)) }
        }
    }
}

/// What the reviews say of the inspection; below it the last of them.
pub(in crate::page) fn review_results(
    scene: Scene<'_>,
    span: Stretch,
    results: &ReviewResults,
    last: &[Review],
    older: Option<i64>,
) -> Markup {
    let (t, language) = (scene.visitor.t, scene.visitor.language);
    let all = [Stretch::This, Stretch::Last, Stretch::Week, Stretch::All];
    html! {
        nav.tabs aria-label=(t.results) {
            a href="/review" { "← " (t.review) }
            (stretches(scene, &all, span, |s| format!("/review/results?span={}", s.word())))
        }
        section.panel {
            h1 { (t.results) }
            div.scroll tabindex="0" role="region" aria-label=(t.results) { table.list.results {
                thead { tr { td {} th scope="col" { (t.false_rejects) } th scope="col" { (t.misses) } th scope="col" { (t.bad_found) } th scope="col" { (t.not_sure) } } }
                tbody { (row(t.all_reviewed, &results.all, language)) }
                @if !results.by_defect.is_empty() {
                    tbody {
                        tr { th.group colspan="5" scope="rowgroup" { (t.by_defect) } }
                        @for result in &results.by_defect { (row(&result.group, result, language)) }
                    }
                }
                @if !results.by_shift.is_empty() {
                    tbody {
                        tr { th.group colspan="5" scope="rowgroup" { (t.by_shift) } }
                        @for result in results.by_shift.iter().rev() { (row(&shift(&result.group, language), result, language)) }
                    }
                }
            } }
            p.small { (t.results_hint) }
        }
        section.panel {
            h2 { (t.last_reviews) }
            @if last.is_empty() { p.muted { (t.not_reviewed) } }
            ol.said.long {
                @for review in last {
                    li { a href={ "/review?part=" (review.part) } { (t.part) } " · " (said(scene, review)) }
                }
            }
            @if let Some(older) = older { p.keys { a.button href={ "/review/results?span=" (span.word()) "&before=" (older) } { (t.older) " →" } } }
        }
    }
}
