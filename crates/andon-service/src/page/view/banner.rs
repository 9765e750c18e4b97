//! What is on every page: the line's name or the worst alarm, the navigation, and what is read aloud.

use maud::{Markup, html};

use super::icons;
use super::{Place, Scene};
use crate::live::{Alarm, Severity};
use crate::page::lang::Texts;
use crate::page::numbers::{clock, whole};
use andon_core::{Outcome, Role, Subject};
use andon_io::sinks::wire::StationInfo;

/// What an alarm is about, by its name on the box.
pub(super) fn thing(station: &StationInfo, lane: u8, subject: Subject, t: &Texts) -> String {
    let named = |word: &str, name: &str| format!("{word} {name}");
    match subject {
        Subject::Lane => station.lane(lane).to_owned(),
        Subject::Encoder => t.encoder.to_owned(),
        Subject::Camera(id) => named(t.camera, station.camera(id)),
        Subject::Ejector(n) => named(t.ejector, station.ejector(lane, n)),
        Subject::Output(n) => named(t.output, station.output(lane, n)),
        Subject::Input(n) => named(t.input, station.input(lane, n)),
    }
}

/// The form that says that somebody saw an alarm.
pub(super) fn acknowledge(scene: Scene<'_>, alarm: &Alarm, key: &str) -> Markup {
    let (visitor, t) = (scene.visitor, scene.visitor.t);
    let may = visitor.session.as_ref().is_some_and(|s| s.role >= Role::Operator);
    html! {
        @if may {
            form method="post" action={ "/alarms/" (alarm.id) "/acknowledge" } {
                input type="hidden" name="csrf" value=(visitor.csrf);
                button.(key) type="submit" { (t.acknowledge) }
            }
        } @else if !visitor.no_users {
            a.button.(key) href="/login" { (t.log_in_to_acknowledge) }
        }
    }
}

/// The bar at the top: the worst alarm that nobody has seen, or the name of the line. What only has to be looked at some time stands among the
/// alarms, and not here.
pub(in crate::page) fn banner(scene: Scene<'_>) -> Markup {
    let Scene { site, now, visitor, .. } = scene;
    let (t, station) = (visitor.t, &site.board.station);
    let worst = now.alarms.iter().find(|a| a.seen.is_none() && a.severity() > Severity::Notice);
    let stopped = now.line_stop;
    let class = match worst.map(Alarm::severity) {
        Some(_) => "alarm",
        None if stopped => "notice",
        None => "calm",
    };
    let who = html! {
        p.who {
            (station.line) " / " (station.station)
            @if station.simulated { " · " b { (t.simulated) } }
            @if let Some(session) = &visitor.session { " · " (session.user) " (" (t.role(session.role)) ")" }
        }
    };
    html! {
        header #banner.(class) hx-swap-oob="outerMorph" {
            @match worst {
                Some(alarm) => {
                    @let [what, remedy] = (t.event)(alarm.event.kind);
                    (icons::severity(alarm.severity()))
                    div.what {
                        p.title {
                            b { (what) } " · " (thing(station, alarm.lane, alarm.event.subject, t))
                        }
                        p.more { (remedy) }
                        p.since {
                            (t.since) " " (clock(alarm.since_ms))
                            @if alarm.count > 1 { " · " (whole(alarm.count)) "×" }
                            @if !alarm.standing { " · " (t.over) }
                        }
                    }
                    (who)
                    (acknowledge(scene, alarm, "key"))
                }
                None => {
                    @if stopped {
                        (icons::severity(Severity::Stop))
                        div.what { p.title { b { (t.line_stop_stands) } } p.more { (t.release_hint) } }
                        (who)
                        a.button.key href="/release" { (t.release) }
                    } @else {
                        p.name { b { (station.site) } " · " (station.line) " / " (station.station) }
                        (who)
                    }
                }
            }
        }
    }
}

/// The bar at the bottom.
pub(in crate::page) fn navigation(scene: Scene<'_>, place: Place) -> Markup {
    let Scene { now, visitor, .. } = scene;
    let t = visitor.t;
    let unseen = now.alarms.iter().filter(|a| a.seen.is_none()).count();
    let entry = |to: Place, href: &str, sign: &str, word: &str, badge: usize| {
        html! {
            a href=(href) aria-current=[(to == place).then_some("page")] {
                span.sign aria-hidden="true" { (sign) } span { (word) }
                @if badge > 0 { span.badge { (badge) span.hidden { " " (t.unseen) } } }
            }
        }
    };
    let has_recipes = scene.site.service.models().is_ok();
    let admin = visitor.session.as_ref().is_some_and(|s| s.role >= Role::Quality);
    html! {
        nav #nav aria-label=(t.pages) {
            (entry(Place::Live, "/", "◉", t.live, 0))
            (entry(Place::Review, "/review", "✓", t.review, 0))
            (entry(Place::Alarms, "/alarms", "△", t.alarms, unseen))
            (entry(Place::History, "/history", "▤", t.history, 0))
            @if has_recipes { (entry(Place::Recipes, "/recipes", "▦", t.recipes, 0)) }
            (entry(Place::Threshold, "/threshold", "⌇", t.threshold, 0))
            (entry(Place::System, "/system", "☰", t.system, 0))
            @if admin { (entry(Place::Audit, "/audit", "✎", t.audit, 0)) }
            @match &visitor.session {
                Some(session) => (entry(Place::Login, "/login", "☺", &session.user, 0)),
                None => (entry(Place::Login, "/login", "☺", t.log_in, 0)),
            }
        }
    }
}

/// What a screen reader says: rejects and alarms, not every part that passes.
pub(in crate::page) fn say(scene: Scene<'_>) -> Markup {
    let Scene { site, now, visitor, .. } = scene;
    let t = visitor.t;
    let rejected = now.strip.iter().find(|p| p.verdict.outcome == Outcome::Reject);
    let alarm = now.alarms.iter().find(|a| a.seen.is_none() && a.severity() > Severity::Notice);
    html! {
        div #say.hidden hx-swap-oob="outerMorph" {
            p aria-live="polite" {
                @if let Some(part) = rejected {
                    (t.outcome(&part.verdict.outcome)) ", " (t.part) " " (part.verdict.seq.0) ", " (part.camera)
                }
            }
            p aria-live="assertive" {
                @if let Some(alarm) = alarm {
                    ((t.event)(alarm.event.kind)[0]) ", "
                    (thing(&site.board.station, alarm.lane, alarm.event.subject, t))
                }
            }
        }
    }
}
