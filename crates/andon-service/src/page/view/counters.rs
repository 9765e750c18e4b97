//! The sum of all parts, and the state of the camera beside it.

use maud::{Markup, html};

use super::Scene;
use crate::page::numbers::{clock, real, share, whole};

/// offered = pass + reject + uninspected + error, shown as the sum that it is.
pub(in crate::page) fn counters(scene: Scene<'_>) -> Markup {
    let Scene { site, now, visitor, camera } = scene;
    let (t, language) = (visitor.t, visitor.language);
    let counts = now.cameras.get(camera).and_then(|c| c.stats).map(|s| s.counts).unwrap_or_default();
    let rows = [
        ("pass", t.pass, counts.pass),
        ("reject", t.reject, counts.reject),
        ("uninspected", t.uninspected, counts.uninspected),
        ("error", t.error, counts.error),
    ];
    let ended = counts.pass + counts.reject + counts.uninspected + counts.error;
    html! {
        section #counters.panel hx-swap-oob="outerMorph" {
            table {
                caption.hidden { (t.counters) }
                thead { tr {
                    th scope="col" { (t.since_start) " (" (clock(site.board.started_ms)) ")" }
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
                    td { @if counts.in_flight > 0 { span.small { (whole(counts.in_flight)) " " (t.on_the_way) } } }
                } }
            }
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
            }
        }
    }
}
