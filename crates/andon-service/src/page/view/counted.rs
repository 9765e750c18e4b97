//! Counters of many periods as a table, and the start of a batch.

use maud::{Markup, html};

use super::Scene;
use super::kept_part::moment;
use crate::page::numbers::{share, whole};
use andon_core::Role;
use andon_io::history::{Batch, CounterRow, Period};

/// The page.
pub(in crate::page) fn counted(
    scene: Scene<'_>,
    by: Period,
    rows: &[CounterRow],
    batch: Option<&Batch>,
    wrong: Option<&str>,
) -> Markup {
    let (t, language) = (scene.visitor.t, scene.visitor.language);
    let all = [(Period::Shift, "shift", t.shift), (Period::Batch, "batch", t.batch), (Period::Hour, "hour", t.hour)];
    let word = all.iter().find(|(period, ..)| *period == by).map_or("shift", |(_, word, _)| word);
    html! {
        nav.tabs aria-label=(t.counters_title) {
            @for (period, word, shown) in all {
                a href={ "/counters?by=" (word) } aria-current=[(period == by).then_some("true")] { (shown) }
            }
            a href={ "/counters.csv?by=" (word) } { "CSV" }
        }
        @if by == Period::Batch { (start(scene, batch, wrong)) }
        section.panel {
            h1 { (t.counters_title) }
            @if rows.is_empty() { p.muted { (t.nothing_counted) } } @else {
                div.scroll tabindex="0" role="region" aria-label=(t.counters_title) { table.list.numbers {
                    thead { tr {
                        @for head in [t.when, t.lane, t.by_camera] { th scope="col" { (head) } }
                        @for head in [t.offered, t.pass, t.reject, t.uninspected, t.error, t.rejects_share, t.ejected_word, t.missed_word] { th.n scope="col" { (head) } }
                    } }
                    tbody {
                        @for r in rows {
                            tr class=[r.camera.is_none().then_some("lane")] {
                                td { (moment(r.start, language)) @if !r.label.is_empty() { " " b { (r.label) } } }
                                td { (r.lane) }
                                td { @match &r.camera { Some(camera) => (camera), None => i { (t.whole_lane) } } }
                                td.n { b { (whole(r.offered)) } }
                                @for (sign, count) in [("=", r.pass), ("+", r.reject), ("+", r.uninspected), ("+", r.error)] {
                                    td.n { span.muted { (sign) " " } (whole(count)) }
                                }
                                td.n { (share(r.offered - r.pass, r.offered, language)) }
                                @if r.camera.is_none() { td.n { (whole(r.ejected)) } td.n { (whole(r.missed)) } } @else { td {} td {} }
                            }
                        }
                    }
                } }
            }
        }
    }
}

fn start(scene: Scene<'_>, batch: Option<&Batch>, wrong: Option<&str>) -> Markup {
    let (visitor, t, language) = (scene.visitor, scene.visitor.t, scene.visitor.language);
    let may = visitor.session.as_ref().is_some_and(|s| s.role >= Role::Leader);
    html! {
        section.panel {
            p {
                (t.batch_runs) ": "
                @match batch {
                    Some(batch) => { b { (batch.name) } " · " (t.since) " " (moment(batch.at, language)) " · " (batch.actor) },
                    None => (t.no_batch),
                }
            }
            @if let Some(wrong) = wrong { p.wrong role="alert" { (wrong) } }
            @if may {
                form.inline method="post" action="/batch" {
                    input type="hidden" name="csrf" value=(visitor.csrf);
                    label { (t.batch_name) input name="name" required maxlength="64" autocomplete="off"; }
                    button type="submit" { (t.batch_start) }
                }
                p.small { (t.batch_hint) }
            } @else if !visitor.no_users {
                p.small { (t.needs_role) " " b { (t.role(Role::Leader)) } "." }
            }
        }
    }
}
