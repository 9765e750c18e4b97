//! Alarms in full: what, since when, how often, what to do, who saw it.

use maud::{Markup, html};

use super::banner::{acknowledge, thing};
use super::{Scene, icons};
use crate::live::{Alarm, Severity};
use crate::page::numbers::{clock, day, whole};

/// The page.
pub(in crate::page) fn alarms(scene: Scene<'_>) -> Markup {
    let t = scene.visitor.t;
    html! {
        h1 { (t.alarms) }
        p { a.button href="/challenge" { (t.challenge) } }
        (alarms_list(scene))
    }
}

/// Its contents, brought up to date while somebody looks.
pub(in crate::page) fn alarms_list(scene: Scene<'_>) -> Markup {
    let Scene { site, now, visitor, .. } = scene;
    let (t, language) = (visitor.t, visitor.language);
    html! {
        div #alarms hx-swap-oob="outerMorph" {
            @if now.line_stop {
                section.panel.alarm-card.stop {
                    (icons::severity(Severity::Stop))
                    div { h2 { (t.line_stop_stands) } p { (t.release_hint) } }
                    a.button.key href="/release" { (t.release) }
                }
            }
            @let troubles = site.board.station.delivery.troubles();
            @if now.alarms.is_empty() && troubles.is_empty() { section.panel { p.muted { (t.no_alarms) } } }
            @for trouble in &troubles { (beside(scene, trouble)) }
            @for alarm in &now.alarms { (card(scene, alarm)) }
            section.panel {
                h2 { (t.log) }
                @if now.log.is_empty() { p.muted { (t.log_empty) } } @else {
                    div.scroll tabindex="0" role="region" aria-label=(t.log) { table.list {
                        thead { tr { th scope="col" { (t.when) } th scope="col" { (t.what) } th scope="col" { (t.where_) } th scope="col" { (t.count) } } }
                        tbody {
                            @for entry in &now.log {
                                tr {
                                    td { (day(entry.at_ms, language)) }
                                    td { ((t.event)(entry.event.kind)[0]) }
                                    td { (thing(&site.board.station, entry.lane, entry.event.subject, t)) }
                                    td { (whole(entry.event.times)) }
                                }
                            }
                        }
                    } }
                }
            }
        }
    }
}

/// What is in trouble beside the line: pictures, history, a sink. It lasts until it is over, and nobody has to say that he saw it.
fn beside(scene: Scene<'_>, trouble: &str) -> Markup {
    html! {
        section.panel.alarm-card.mild {
            (icons::severity(Severity::Notice))
            div {
                h2 { (scene.visitor.t.trouble_beside) }
                p { (trouble) }
                p.small { (scene.visitor.t.trouble_hint) }
            }
            a.button.key href="/system" { (scene.visitor.t.system) }
        }
    }
}

fn card(scene: Scene<'_>, alarm: &Alarm) -> Markup {
    let (site, t, language) = (scene.site, scene.visitor.t, scene.visitor.language);
    let [what, remedy] = (t.event)(alarm.event.kind);
    let class = match alarm.severity() {
        Severity::Stop => "stop",
        Severity::Fault => "fault",
        Severity::Notice => "mild",
    };
    html! {
        section.panel.alarm-card.(class) #{ "alarm-" (alarm.id) } {
            (icons::severity(alarm.severity()))
            div {
                h2 { (what) " · " (thing(&site.board.station, alarm.lane, alarm.event.subject, t)) }
                p { (remedy) }
                p.small {
                    (t.since) " " (day(alarm.since_ms, language))
                    @if alarm.count > 1 { " · " (whole(alarm.count)) "× · " (t.last) " " (clock(alarm.last_ms)) }
                    " · " (if alarm.standing { t.standing } else { t.over })
                    @if let Some(seen) = &alarm.seen { " · " (t.seen_by) " " (seen.user) " " (clock(seen.at_ms)) }
                }
            }
            @if alarm.seen.is_none() { (acknowledge(scene, alarm, "key")) }
        }
    }
}
