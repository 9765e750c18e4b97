//! Teaching a new part: what is being taught, and one lesson step by step.

use maud::{Markup, html};

use super::Scene;
use super::threshold::needs;
use crate::models::{COUNTS, LearnedModel, Lesson, LessonKind, LessonState, ScoredPicture};
use crate::page::numbers::{real, whole};
use andon_core::Role;

/// Good pictures that are asked for at first.
const USUAL: usize = 100;
/// Bad parts that are asked for at first.
const FEW: usize = 10;

fn may(scene: Scene<'_>) -> bool {
    scene.visitor.session.as_ref().is_some_and(|s| s.role >= Role::Quality)
}

fn csrf(scene: Scene<'_>) -> Markup {
    html! { input type="hidden" name="csrf" value=(scene.visitor.csrf); }
}

/// All lessons, and the form of a new one.
pub(in crate::page) fn lessons(scene: Scene<'_>, lessons: &[Lesson], wrong: Option<&str>) -> Markup {
    let t = scene.visitor.t;
    html! {
        h1 { (t.teach_part) }
        @if let Some(wrong) = wrong { section.panel.narrow { p.wrong role="alert" { (wrong) } } }
        @if !lessons.is_empty() {
            section.panel { div.scroll tabindex="0" role="region" aria-label=(t.teach_part) { table.list {
                thead { tr { @for head in [t.name, t.camera, t.good_pictures, t.bad_pictures] { th scope="col" { (head) } } } }
                tbody { @for lesson in lessons { tr {
                    td { a href={ "/teach/" (lesson.name) "/" (lesson.camera) } { (lesson.name) } }
                    td { (lesson.camera) } td { (whole(lesson.good as u64)) } td { (whole(lesson.bad as u64)) }
                } } }
            } } }
        }
        section.panel.narrow {
            p { (t.teach_part_hint) }
            @if scene.site.service.lessons().is_err() { p.refusal { (t.no_models) } }
            @else if may(scene) {
                form method="post" action="/teach" {
                    (csrf(scene))
                    label for="name" { (t.name) }
                    input #name name="name" required maxlength="64" pattern="[A-Za-z0-9_][A-Za-z0-9_.\\-]*" autocomplete="off";
                    label for="camera" { (t.camera) }
                    select #camera name="camera" { @for camera in &scene.site.board.station.cameras { option { (camera) } } }
                    label for="count" { (t.how_many) }
                    input #count name="count" type="number" required min=(COUNTS.start()) max=(COUNTS.end()) value=(USUAL);
                    button.key type="submit" { (t.collect_pictures) }
                }
            } @else { (needs(scene, Role::Quality)) }
        }
    }
}

/// One lesson.
pub(in crate::page) fn lesson(scene: Scene<'_>, lesson: &Lesson, wrong: Option<&str>) -> Markup {
    let t = scene.visitor.t;
    html! {
        h1 { (t.teach_part) ": " (lesson.name) ", " (t.camera) " " (lesson.camera) }
        @if let Some(wrong) = wrong { section.panel.narrow { p.wrong role="alert" { (wrong) } } }
        (lesson_state(scene, lesson))
    }
}

/// What changes while something is being done.
pub(in crate::page) fn lesson_state(scene: Scene<'_>, lesson: &Lesson) -> Markup {
    let t = scene.visitor.t;
    let address = format!("/teach/{}/{}", lesson.name, lesson.camera);
    let busy = matches!(lesson.state, LessonState::Collecting { .. } | LessonState::Working(_));
    let again = busy.then(|| format!("{address}/state"));
    let free = may(scene) && !busy;
    html! {
        div #lesson hx-get=[again.as_deref()] hx-trigger=[busy.then_some("every 1s")] hx-swap=[busy.then_some("outerHTML")] {
            section.panel.narrow {
                p {
                    b { (whole(lesson.good as u64)) } " " (t.good_pictures) " · " b { (whole(lesson.struck as u64)) } " " (t.struck_out)
                    " · " b { (whole(lesson.bad as u64)) } " " (t.bad_pictures)
                }
                @match &lesson.state {
                    LessonState::Waiting => {}
                    LessonState::Failed(why) => { p.wrong role="alert" { (why) } }
                    LessonState::Working(words) => { p role="status" { (t.being_learned) " " (words) } }
                    LessonState::Collecting { kind, have, want } => {
                        @let word = if *kind == LessonKind::Good { t.good_pictures } else { t.bad_pictures };
                        p role="status" { (t.collecting) ": " (whole(*have as u64)) " / " (whole(*want as u64)) " " (word) }
                        progress max=(want) value=(have) aria-label=(t.collecting) {}
                        @if may(scene) { form method="post" action={ (address) "/stop" } { (csrf(scene)) button type="submit" { (t.enough) } } }
                    }
                }
                @if busy { noscript { p.keys { a.button href=(address) { (t.show) } } } }
                @if free {
                    div.keys {
                        form method="post" action={ (address) "/learn" } { (csrf(scene)) button.key type="submit" disabled[lesson.good == 0] { (t.learn_now) } }
                    }
                    (more(scene, &address, LessonKind::Good, USUAL))
                    (more(scene, &address, LessonKind::Bad, FEW))
                }
                @if !may(scene) { (needs(scene, Role::Quality)) }
            }
            @if let Some(learned) = &lesson.learned { (result(scene, lesson, learned, &address, free)) }
        }
    }
}

fn more(scene: Scene<'_>, address: &str, kind: LessonKind, usual: usize) -> Markup {
    let t = scene.visitor.t;
    let (word, least) = match kind {
        LessonKind::Good => (t.collect_good, *COUNTS.start()),
        LessonKind::Bad => (t.collect_bad, 1),
    };
    html! {
        form.inline method="post" action={ (address) "/collect" } {
            (csrf(scene))
            input type="hidden" name="kind" value=(kind.word());
            label { (t.how_many) input name="count" type="number" required min=(least) max=(COUNTS.end()) value=(usual); }
            button type="submit" { (word) }
        }
    }
}

/// What was learned: the promise, the bad parts, the oddest good ones.
fn result(scene: Scene<'_>, lesson: &Lesson, learned: &LearnedModel, address: &str, free: bool) -> Markup {
    let (t, language) = (scene.visitor.t, scene.visitor.language);
    let found = learned.known_bad.iter().filter(|p| p.score.is_none_or(|score| score >= learned.threshold)).count();
    html! {
        section.panel.narrow {
            h2 { (t.learned_word) }
            p {
                b { (whole(learned.pictures as u64)) } " " (t.pictures_known) " · " (t.threshold) " " b { (real(f64::from(learned.threshold), 2, language)) }
                " · " code { (learned.blake3.chars().take(12).collect::<String>()) }
            }
            p {
                (t.good_rejected_at_most) " " b { (real(100.0 * learned.false_reject, 1, language)) "\u{202f}%" }
                " (" (real(100.0 * learned.confidence, 0, language)) "\u{202f}% " (t.sure) ")"
            }
            @if learned.known_bad.is_empty() { p { (t.no_bad_tried) } }
            @else {
                p.(if found == learned.known_bad.len() { "said-good" } else { "said-bad" }) {
                    b { (t.bad_found) ": " (whole(found as u64)) " / " (whole(learned.known_bad.len() as u64)) }
                }
                (grid(scene, address, LessonKind::Bad, &learned.known_bad, learned.threshold, false))
            }
            p.keys { a.button.key href={ "/recipes/" (lesson.name) } { (t.change_over) " …" } }
        }
        section.panel.parts {
            h2 { (t.oddest_first) }
            p.small { (t.oddest_hint) }
            form method="post" action={ (address) "/strike" } {
                (csrf(scene))
                (grid(scene, address, LessonKind::Good, &learned.oddest, learned.threshold, free))
                @if free { button type="submit" { (t.strike_out) } }
            }
        }
    }
}

fn grid(
    scene: Scene<'_>,
    address: &str,
    kind: LessonKind,
    pictures: &[ScoredPicture],
    threshold: f32,
    choose: bool,
) -> Markup {
    let language = scene.visitor.language;
    html! {
        ul.cards { @for picture in pictures {
            li { label.card {
                span.small-picture {
                    img src={ (address) "/" (kind.word()) "/" (picture.name) } alt=(picture.name) loading="lazy";
                }
                span.caption {
                    @if choose { input type="checkbox" name="picture" value=(picture.name); }
                    @match picture.score {
                        Some(score) => {
                            b { (real(f64::from(score / threshold) * 100.0, 0, language)) "\u{202f}%" }
                            @if score >= threshold { " " span.said-bad { (scene.visitor.t.would_reject) } }
                        }
                        None => { "–" }
                    }
                }
            } }
        } }
    }
}
