//! What runs here: versions, cameras, models, hardware, ways out.

use std::sync::atomic::Ordering::Relaxed;

use maud::{Markup, html};

use super::Scene;
use crate::page::numbers::{day, real, whole};
use andon_core::Role;

/// The page.
pub(in crate::page) fn system(scene: Scene<'_>) -> Markup {
    html! { h1 { (scene.visitor.t.system) } (system_body(scene)) }
}

/// Its contents, brought up to date while somebody looks.
pub(in crate::page) fn system_body(scene: Scene<'_>) -> Markup {
    let Scene { site, now, visitor, .. } = scene;
    let (t, language, station) = (visitor.t, visitor.language, &site.board.station);
    let judges = (site.judges)();
    let row = |word: &str, value: String| html! { div { dt { (word) } dd { (value) } } };
    html! {
        div #system hx-swap-oob="outerMorph" {
            section.panel {
                h2 { (t.boxes) }
                dl.wide {
                    (row(t.version, format!("andon {}", env!("CARGO_PKG_VERSION"))))
                    (row(t.box_word, station.box_name.clone()))
                    (row(t.line_word, format!("{} / {} / {}", station.site, station.line, station.station)))
                    (row(t.since_start, day(site.board.started_ms, language)))
                    (row(t.refused_requests, whole(site.refused.load(Relaxed))))
                    (row(t.failed_logins, whole(site.failed_logins.load(Relaxed))))
                    (row(t.viewers, whole(site.streams.load(Relaxed) as u64)))
                }
                @for reading in station.machine.states() { p { (reading.to_string()) } }
                @if site.service.scratch().is_ok() && visitor.session.as_ref().is_some_and(|s| s.role >= Role::Admin) {
                    form.keys method="post" action="/backup" {
                        input type="hidden" name="csrf" value=(visitor.csrf);
                        button type="submit" { (t.back_up) }
                    }
                    p.small { (t.back_up_hint) }
                }
            }
            @for (n, judge) in judges.iter().enumerate() {
                @let stats = now.cameras.get(n).and_then(|c| c.stats);
                section.panel {
                    h2 { (t.camera) " " (judge.camera) }
                    @if visitor.session.as_ref().is_some_and(|s| s.role >= Role::Leader) {
                        p { a.button href={ "/aid?camera=" (n) } { (t.aid) span.hidden { " " (judge.camera) } } }
                    }
                    dl.wide {
                        (row(t.state, t.camera_state(stats.map_or("starting", |s| s.camera_state)).to_owned()))
                        (row(t.model, judge.model.clone()))
                        div { dt { (t.hash) } dd { code title=(judge.blake3) { (judge.blake3.chars().take(16).collect::<String>()) } } }
                        (row(t.engine, judge.engine.clone()))
                        (row(t.in_force, real(f64::from(judge.threshold), 3, language)))
                        (row(t.models_own, real(f64::from(judge.own_threshold), 3, language)))
                        div { dt { (t.degraded) } dd class=[judge.degraded.then_some("uninspected")] { (if judge.degraded { t.yes } else { t.no }) } }
                        @if let Some(stats) = stats {
                            (row(t.latency, format!("{} / {} ms", real(stats.latency.p50_us as f64 / 1000.0, 1, language), real(stats.latency.p99_us as f64 / 1000.0, 1, language))))
                            (row(t.restarts, format!("{} / {}", whole(stats.camera_restarts), whole(stats.detector_restarts))))
                        }
                    }
                }
            }
            section.panel {
                h2 { (t.records) }
                div.scroll tabindex="0" role="region" aria-label=(t.records) { table.list {
                    thead { tr { @for head in [t.sink, t.taken, t.shed, t.waiting, t.set_aside, t.trouble] { th scope="col" { (head) } } } }
                    tbody {
                        @for sink in station.delivery.sinks() {
                            tr {
                                td { (sink.sink) } td { (whole(sink.taken)) } td { (whole(sink.shed)) }
                                td { @match sink.waiting { Some(n) => (whole(n)), None => "–" } }
                                td { (whole(sink.set_aside)) } td { (sink.fault.unwrap_or_default()) }
                            }
                        }
                    }
                } }
                @for trouble in station.delivery.troubles() { p.wrong { (trouble) } }
            }
        }
    }
}
