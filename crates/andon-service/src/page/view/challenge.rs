//! Challenges with known bad parts: what runs, what is due, and what came of the last ones.

use maud::{Markup, html};

use super::Scene;
use crate::live::{MOST_PARTS, RunningChallenge};
use crate::page::challenge::due_at;
use crate::page::kept::now_ms;
use crate::page::numbers::{clock, day, whole};
use andon_core::Role;
use andon_io::history::{Challenge, ChallengePart, ChallengeResult};

/// The page; `wrong` is why something was refused.
pub(in crate::page) fn challenge(scene: Scene<'_>, last: &[Challenge], wrong: Option<&str>) -> Markup {
    let (t, language) = (scene.visitor.t, scene.visitor.language);
    html! {
        h1 { (t.challenge) }
        @if let Some(wrong) = wrong { section.panel { p.wrong role="alert" { (wrong) } } }
        section.panel { p { (t.challenge_hint) } }
        (challenges_now(scene))
        section.panel {
            h2 { (t.challenge_last) }
            @if last.is_empty() { p.muted { (t.challenge_none) } } @else {
                div.scroll tabindex="0" role="region" aria-label=(t.challenge_last) { table.list {
                    thead { tr { @for head in [t.when, t.by_camera, t.outcome_word, t.parts, t.who] { th scope="col" { (head) } } } }
                    tbody {
                        @for c in last {
                            tr {
                                td { (day(u64::try_from(c.ended).unwrap_or(0), language)) }
                                td { (c.camera) }
                                td { (result(scene, c.result)) }
                                td { (parts(scene, c.seen.iter(), c.parts)) }
                                td { (c.user) }
                            }
                        }
                    }
                } }
            }
        }
    }
}

fn result(scene: Scene<'_>, result: ChallengeResult) -> Markup {
    let t = scene.visitor.t;
    let (class, word) = match result {
        ChallengeResult::Passed => ("said-good", t.challenge_passed),
        ChallengeResult::Failed => ("said-bad", t.challenge_failed),
        ChallengeResult::Aborted => ("muted", t.challenge_aborted),
    };
    html! { b.(class) { (word) } }
}

/// Every part by its number and what became of it.
fn parts<'a>(scene: Scene<'_>, seen: impl Iterator<Item = &'a ChallengePart>, of: u32) -> Markup {
    let t = scene.visitor.t;
    let seen: Vec<&ChallengePart> = seen.collect();
    html! {
        (whole(seen.len() as u64)) " / " (whole(u64::from(of)))
        @for part in seen {
            " · "
            @match (&part.id, &part.outcome) {
                (Some(id), Some(outcome)) => a href={ "/part/" (id) } { (whole(part.seq)) " " (t.outcome_of(outcome)) },
                _ => b { (whole(part.seq)) " " (t.challenge_unseen) },
            }
        }
    }
}

/// What runs and what is due, brought up to date while somebody looks.
pub(in crate::page) fn challenges_now(scene: Scene<'_>) -> Markup {
    let Scene { site, now, .. } = scene;
    html! {
        div #challenges hx-swap-oob="outerMorph" {
            @for (n, name) in site.board.station.cameras.iter().enumerate() {
                (one(scene, n, name, now.challenges.get(n).and_then(Option::as_ref), now.last_challenges.get(n).and_then(Option::as_ref)))
            }
        }
    }
}

fn one(scene: Scene<'_>, n: usize, name: &str, running: Option<&RunningChallenge>, last: Option<&Challenge>) -> Markup {
    let Scene { site, visitor, .. } = scene;
    let t = visitor.t;
    let may = visitor.session.as_ref().is_some_and(|s| s.role >= Role::Operator);
    let ms = |time: i64| u64::try_from(time).unwrap_or(0);
    html! {
        section.panel {
            h2 { (t.camera) " " (name) }
            @match running {
                Some(running) => {
                    p { b { (t.challenge_runs) } " · " (t.since) " " (clock(running.started_ms)) " · " (running.user) }
                    p.reason { (parts(scene, running.seen(), running.wanted)) }
                }
                None => {
                    @if let Some(last) = last {
                        p { (t.last) ": " (result(scene, last.result)) " · " (day(ms(last.ended), visitor.language)) " · " (last.user) }
                    }
                    @if let Some(due) = due_at(site)
                        && last.is_none_or(|c| c.result != ChallengeResult::Passed || c.ended < site.options.challenge.shifts.at(now_ms()).start) {
                        p.wrong { (t.challenge_due) " " (clock(ms(due))) }
                    }
                }
            }
            @if may {
                @if running.is_some() {
                    form.keys method="post" action={ "/challenge/" (n) "/abort" } {
                        input type="hidden" name="csrf" value=(visitor.csrf);
                        button type="submit" { (t.challenge_abort) }
                    }
                } @else {
                    form.inline method="post" action={ "/challenge/" (n) } {
                        input type="hidden" name="csrf" value=(visitor.csrf);
                        label { (t.challenge_parts) input name="parts" type="number" min="1" max=(MOST_PARTS) required value=(site.options.challenge.parts); }
                        button.key type="submit" { (t.challenge_start) }
                    }
                }
            } @else if !visitor.no_users { p.keys { a.button href="/login" { (t.log_in) } } }
        }
    }
}
