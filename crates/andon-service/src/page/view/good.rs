//! "That part was good": what its model would make of it, and of every other part that somebody reviewed.

use maud::{Markup, html};

use super::Scene;
use super::threshold::needs;
use crate::act::ActError;
use crate::models::{KnownPart, OutcomeChange, Remedy, Trial, TrialResult, TrialState};
use crate::page::numbers::{real, whole};
use andon_core::Role;

/// The page of a part; `wrong` is why the last step was refused.
pub(in crate::page) fn good(scene: Scene<'_>, part: &str, trial: Option<&Trial>, wrong: Option<&str>) -> Markup {
    let t = scene.visitor.t;
    html! {
        h1 { (t.part_was_good) }
        @if let Some(wrong) = wrong { section.panel { p.wrong role="alert" { (wrong) } } }
        (good_state(scene, part, trial))
    }
}

/// What changes while parts are judged.
pub(in crate::page) fn good_state(scene: Scene<'_>, part: &str, trial: Option<&Trial>) -> Markup {
    let (t, language) = (scene.visitor.t, scene.visitor.language);
    let may = scene.visitor.session.as_ref().is_some_and(|s| s.role >= Role::Quality);
    let address = format!("/good/{part}");
    let again = trial.is_some_and(Trial::runs).then(|| format!("{address}/state"));
    html! {
        div #good-trial hx-get=[again.as_deref()] hx-trigger=[again.as_deref().map(|_| "every 1s")] hx-swap=[again.as_deref().map(|_| "outerHTML")] {
            @match trial.map(|trial| &trial.state) {
                None => section.panel.narrow {
                    p { (t.good_hint) }
                    @if may { (begin(scene, &address)) } @else { (needs(scene, Role::Quality)) }
                },
                Some(TrialState::Running { done, total }) => section.panel.narrow {
                    p role="status" { (t.good_running) ": " (whole(*done as u64)) " / " (whole(*total as u64)) }
                    progress max=(total.max(&1)) value=(done) aria-label=(t.good_running) {}
                    noscript { p.keys { a.button href=(address) { (t.show) } } }
                },
                Some(TrialState::Failed(why)) => section.panel.narrow {
                    p.wrong role="alert" { ((t.refusal)(&ActError::Model(why.clone()))) }
                    @if may { (begin(scene, &address)) }
                },
                Some(TrialState::Done(result)) => {
                    (pictures(scene, part, result))
                    (changes(scene, result))
                    @let passes = result.after < result.threshold_after();
                    section.panel.narrow {
                        @if !passes { p.refusal { (t.still_rejected) } }
                        @if result.passing_defects().next().is_some() { p.refusal role="alert" { (t.defect_passes) } }
                        @else if may {
                            form method="post" action=(address) {
                                input type="hidden" name="csrf" value=(scene.visitor.csrf);
                                label for="reason" { (t.why) }
                                input #reason name="reason" required maxlength="300" autocomplete="off";
                                @match result.remedy {
                                    Remedy::Patches(n) => {
                                        p.small { (t.teach_hint) " " (whole(n as u64)) " " (t.patches_learned) "." }
                                        button.key type="submit" { (t.teach) }
                                    }
                                    Remedy::Threshold(threshold) => {
                                        p { (t.remedy_threshold) }
                                        p.small { (t.teach_hint) }
                                        button.key type="submit" { (t.keep_threshold) ": " (real(f64::from(threshold), 2, language)) }
                                    }
                                }
                            }
                        } @else { (needs(scene, Role::Quality)) }
                    }
                }
            }
        }
    }
}

fn begin(scene: Scene<'_>, address: &str) -> Markup {
    html! {
        form method="post" action={ (address) "/try" } {
            input type="hidden" name="csrf" value=(scene.visitor.csrf);
            button.key type="submit" { (scene.visitor.t.good_try) }
        }
    }
}

/// The part with the heatmaps of both models, and both scores.
fn pictures(scene: Scene<'_>, part: &str, result: &TrialResult) -> Markup {
    let t = scene.visitor.t;
    html! {
        div.twice {
            (one(scene, part, &format!("/heatmap/{part}"), t.score_before, result.before, result.threshold))
            (one(scene, part, &format!("/good/{part}/heatmap"), t.score_after, result.after, result.threshold_after()))
        }
    }
}

fn one(scene: Scene<'_>, part: &str, heatmap: &str, word: &str, score: f32, threshold: f32) -> Markup {
    let (t, language) = (scene.visitor.t, scene.visitor.language);
    let passes = score < threshold;
    html! {
        section.panel.(if passes { "pass" } else { "reject" }) {
            h2 { (word) }
            figure.picture.shown {
                img src={ "/picture/" (part) } alt={ (t.part) " " (part) };
                img.heat src=(heatmap) alt="";
            }
            p {
                b { (real(f64::from(score), 2, language)) } " " (t.of) " " (real(f64::from(threshold), 2, language))
                " · " b { (if passes { t.would_pass } else { t.would_reject }) }
            }
        }
    }
}

/// Reviewed parts that would end otherwise, known defects first.
fn changes(scene: Scene<'_>, result: &TrialResult) -> Markup {
    let (t, language) = (scene.visitor.t, scene.visitor.language);
    let bad = |change: &&OutcomeChange| change.known == KnownPart::Bad;
    let sorted = result.changes.iter().filter(bad).chain(result.changes.iter().filter(|change| !bad(change)));
    html! {
        section.panel.parts {
            h2 { (t.would_change) }
            p {
                b { (whole(result.judged as u64)) } " " (t.judged_again)
                @if result.without_picture > 0 { ", " b { (whole(result.without_picture as u64)) } " " (t.without_picture) }
            }
            @if result.changes.is_empty() { p { (t.none_would_change) } }
            ul.cards {
                @for change in sorted {
                    li { a.(if change.passes { "pass" } else { "reject" }) href={ "/part/" (change.part) } {
                        span.small-picture { img src={ "/thumbnail/" (change.part) } alt={ (t.part) " " (change.part) } loading="lazy"; }
                        span.caption {
                            b.(if change.known == KnownPart::Bad { "said-bad" } else { "said-good" }) { (if change.known == KnownPart::Bad { t.known_bad } else { t.known_good }) }
                            span { (score(change.before, language)) " → " (score(change.after, language)) }
                            b { (if change.passes { t.would_pass } else { t.would_reject }) }
                        }
                    } }
                }
            }
        }
    }
}

fn score(score: Option<f32>, language: crate::page::Language) -> String {
    score.map_or_else(|| "–".to_owned(), |score| real(f64::from(score), 2, language))
}
