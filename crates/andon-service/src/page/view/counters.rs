//! The sum of all parts, and the state of the camera beside it.

use maud::{Markup, html};

use super::Scene;
use crate::live::{Figures, TrialStage};
use crate::page::kept::CountedBy;
use crate::page::numbers::{clock, real, share, whole};
use andon_io::history::CounterRow;

/// offered = pass + reject + uninspected + error, shown as the sum that it is.
pub(in crate::page) fn counters(scene: Scene<'_>) -> Markup {
    let Scene { site, now, visitor, camera } = scene;
    let (t, language) = (visitor.t, visitor.language);
    let since_start = now.cameras.get(camera).and_then(|c| c.stats).map(|s| s.counts).unwrap_or_default();
    let by = if site.service.history().is_ok() { visitor.counted } else { CountedBy::Start };
    let figures = now.figures.as_deref();
    let counts = match period(by, figures) {
        Some(rows) => kept(rows, now.cameras.get(camera).map_or("", |c| c.name.as_str())),
        None if by == CountedBy::Start => since_start.into(),
        // The history was not asked yet.
        None => Counts::default(),
    };
    let rows = [
        ("pass", t.pass, counts.pass),
        ("reject", t.reject, counts.reject),
        ("uninspected", t.uninspected, counts.uninspected),
        ("error", t.error, counts.error),
    ];
    let ended = counts.pass + counts.reject + counts.uninspected + counts.error;
    let from = match (by, period(by, figures).and_then(|rows| rows.first())) {
        (CountedBy::Start, _) => format!("{} ({})", t.since_start, clock(site.board.started_ms)),
        (_, Some(row)) if row.label.is_empty() => time_of_day(row),
        (_, Some(row)) => format!("{} ({})", row.label, time_of_day(row)),
        (CountedBy::Batch, None) => t.no_batch.to_owned(),
        (CountedBy::Shift | CountedBy::Hour, None) => t.nothing_counted.to_owned(),
    };
    html! {
        section #counters.panel hx-swap-oob="outerMorph" {
            @if site.service.history().is_ok() { (choices(scene, by)) }
            @if figures.is_some_and(|f| f.trouble.is_some()) { p.small { (t.old_figures) } }
            table {
                caption.hidden { (t.counters_title) }
                thead { tr {
                    th scope="col" { (from) }
                    th scope="col" { (t.parts) }
                    th scope="col" { (t.share) }
                } }
                tbody {
                    @for (class, word, count) in rows {
                        tr.(class) { th scope="row" { (word) } td.count { (whole(count)) } td { (share(count, ended, language)) } }
                    }
                }
                tfoot { tr {
                    th scope="row" { "= " (t.offered) }
                    td.count { (whole(counts.offered)) }
                    td { @if since_start.in_flight > 0 { span.small { (whole(since_start.in_flight)) " " (t.on_the_way) } } }
                } }
            }
        }
    }
}

/// Parts of a period by how they ended.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    offered: u64,
    pass: u64,
    reject: u64,
    uninspected: u64,
    error: u64,
}

impl From<andon_core::Counts> for Counts {
    fn from(c: andon_core::Counts) -> Counts {
        Counts { offered: c.offered, pass: c.pass, reject: c.reject, uninspected: c.uninspected, error: c.error }
    }
}

/// The counters of the period that runs; none from the start on, and while the history was not asked.
fn period(by: CountedBy, figures: Option<&Figures>) -> Option<&[CounterRow]> {
    let figures = figures?;
    match by {
        CountedBy::Shift => Some(&figures.shift),
        CountedBy::Batch => Some(&figures.batch),
        CountedBy::Hour => Some(&figures.hour),
        CountedBy::Start => None,
    }
}

/// Those of a camera.
fn kept(rows: &[CounterRow], camera: &str) -> Counts {
    let row = rows.iter().find(|row| row.camera.as_deref() == Some(camera));
    row.map_or_else(Counts::default, |r| Counts {
        offered: r.offered,
        pass: r.pass,
        reject: r.reject,
        uninspected: r.uninspected,
        error: r.error,
    })
}

fn time_of_day(row: &CounterRow) -> String {
    clock(u64::try_from(row.start).unwrap_or(0)).chars().take(5).collect()
}

/// What the counters may be counted by.
fn choices(scene: Scene<'_>, chosen: CountedBy) -> Markup {
    let t = scene.visitor.t;
    let word = |by| match by {
        CountedBy::Shift => t.shift,
        CountedBy::Batch => t.batch,
        CountedBy::Hour => t.hour,
        CountedBy::Start => t.since_start,
    };
    html! {
        nav.counted aria-label=(t.counters_title) {
            @for by in CountedBy::ALL {
                a href={ "/counted/" (by.word()) "?camera=" (scene.camera) } aria-current=[(by == chosen).then_some("true")] { (word(by)) }
            }
            a href="/counters" aria-label=(t.open_counters) { "…" }
        }
    }
}

/// How many parts wait for a review, where there is a history.
fn unreviewed(scene: Scene<'_>) -> Markup {
    let t = scene.visitor.t;
    html! {
        @if let Some(figures) = scene.now.figures.as_deref() {
            div { dt { (t.unreviewed) } dd { a href="/review" { (whole(figures.unreviewed())) } } }
        }
    }
}

/// How the camera is, how much time is left, what the ejector did.
pub(in crate::page) fn state(scene: Scene<'_>) -> Markup {
    let Scene { site, now, visitor, camera } = scene;
    let (t, language) = (visitor.t, visitor.language);
    let board = now.cameras.get(camera);
    let stats = board.and_then(|c| c.stats);
    let recent = board.map(|c| c.recent).unwrap_or_default();
    let troubles = site.board.station.delivery.troubles().len();
    let state = stats.map_or("starting", |s| s.camera_state);
    let good = state == "running" || state == "ended";
    html! {
        section #state.panel hx-swap-oob="outerMorph" {
            dl {
                div { dt { (t.camera) } dd class=(if good { "pass" } else { "reject" }) { (t.camera_state(state)) } }
                div { dt { (t.time_left) } dd {
                    @match board.and_then(|c| c.last.as_ref()) {
                        Some(part) => { (real(part.left_ms(), 0, language)) " ms" }
                        None => "–",
                    }
                } }
                div { dt { (t.ejected_missed) } dd class=[(now.missed > 0).then_some("reject")] {
                    (whole(now.ejected)) " / " (whole(now.missed))
                } }
                div { dt { (t.good_scores) } dd {
                    @match recent.good {
                        Some((median, p99)) => {
                            (real(f64::from(median), 0, language)) " / " (real(f64::from(p99), 0, language)) "\u{202f}%"
                        }
                        None => "–",
                    }
                } }
                div { dt { (t.rejects_10_min) } dd {
                    @match recent.rejected { Some(share) => { (real(share, 1, language)) "\u{202f}%" } None => "–" }
                } }
                div { dt { (t.records) } dd class=(if troubles == 0 { "pass" } else { "uninspected" }) {
                    @if troubles == 0 { (t.fine) } @else { a href="/system" { (troubles) " " (t.troubles) } }
                } }
                (unreviewed(scene))
                (on_trial(scene))
            }
        }
    }
}

/// A threshold on trial, as long as it runs.
fn on_trial(scene: Scene<'_>) -> Markup {
    let t = scene.visitor.t;
    let trial = scene.now.threshold_trials.get(scene.camera).and_then(Option::as_ref);
    html! {
        @if let Some(trial) = trial.filter(|trial| trial.stage == TrialStage::Running) {
            div { dt { (t.trial_runs) } dd.uninspected { a href="/threshold" { (whole(u64::from(trial.judged))) " / " (whole(u64::from(trial.parts))) } } }
        }
    }
}
