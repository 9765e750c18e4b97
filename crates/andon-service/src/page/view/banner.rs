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

/// Line and station, `press / outfeed`; once where both have the same name.
pub(super) fn place(station: &StationInfo) -> String {
    if station.line == station.station {
        station.line.clone()
    } else {
        format!("{} / {}", station.line, station.station)
    }
}

/// The form that says that somebody saw an alarm.
pub(super) fn acknowledge(scene: Scene<'_>, alarm: &Alarm, key: &str) -> Markup {
    let (visitor, t) = (scene.visitor, scene.visitor.t);
    let may = visitor.session.as_ref().is_some_and(|s| s.role >= Role::Operator);
    html! {
        @if may {
            // With scripts, what the answer says of bar, list and badge replaces what is there; a refusal is shown as the page that it is.
            @let address = format!("/alarms/{}/acknowledge", alarm.id);
            form method="post" action=(address) hx-post=(address) hx-target="main" hx-select="main" hx-swap="none"
                hx-status:4xx="swap:outerHTML" hx-status:5xx="swap:outerHTML" {
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
    let trouble = station.delivery.troubles().into_iter().next();
    let class = match worst.map(Alarm::severity) {
        Some(_) => "alarm",
        None if stopped || trouble.is_some() => "notice",
        None => "calm",
    };
    // Beside an alarm, where the line's own name has no room of its own, it stands here.
    let named = worst.is_some() || stopped || trouble.is_some();
    let who = html! {
        p.who {
            @if named { (place(station)) }
            @if station.simulated { @if named { " · " } b { (t.simulated) } }
            @if let Some(session) = &visitor.session {
                @if named || station.simulated { " · " }
                (session.user) " (" (t.role(session.role)) ")"
            }
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
                    } @else if let Some(trouble) = &trouble {
                        (icons::severity(Severity::Notice))
                        div.what { p.title { b { (t.trouble_beside) } } p.more { (trouble) } }
                        (who)
                        a.button.key href="/alarms" { (t.alarms) }
                    } @else {
                        p.name { b { (station.site) } " · " (place(station)) }
                        (who)
                    }
                }
            }
        }
    }
}

/// The bar at the bottom.
pub(in crate::page) fn navigation(scene: Scene<'_>, place: Place) -> Markup {
    let visitor = scene.visitor;
    let t = visitor.t;
    let entry = |to: Place, href: &str, sign: &str, word: &str| {
        html! {
            a href=(href) aria-current=[(to == place).then_some("page")] {
                span.sign aria-hidden="true" { (sign) } span { (word) }
                @if to == Place::Alarms { (unseen(scene)) }
            }
        }
    };
    let has_recipes = scene.site.service.models().is_ok();
    let admin = visitor.session.as_ref().is_some_and(|s| s.role >= Role::Quality);
    html! {
        nav #nav aria-label=(t.pages) {
            (entry(Place::Live, "/", "◉", t.live))
            (entry(Place::Review, "/review", "✓", t.review))
            (entry(Place::Alarms, "/alarms", "△", t.alarms))
            (entry(Place::History, "/history", "▤", t.history))
            @if has_recipes { (entry(Place::Recipes, "/recipes", "▦", t.recipes)) }
            (entry(Place::Threshold, "/threshold", "⌇", t.threshold))
            (entry(Place::System, "/system", "☰", t.system))
            @if admin { (entry(Place::Audit, "/audit", "✎", t.audit)) }
            @match &visitor.session {
                Some(session) => (entry(Place::Login, "/login", "☺", &session.user)),
                None => (entry(Place::Login, "/login", "☺", t.log_in)),
            }
        }
    }
}

/// How many alarms nobody has seen, beside the way to them; on every page brought up to date while somebody looks.
pub(in crate::page) fn unseen(scene: Scene<'_>) -> Markup {
    let count = scene.now.alarms.iter().filter(|a| a.seen.is_none()).count();
    html! {
        span #unseen.badge hidden[count == 0] hx-swap-oob="outerMorph" { (count) span.hidden { " " (scene.visitor.t.unseen) } }
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
