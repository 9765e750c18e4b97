//! Another threshold, tried on the parts that came: the histogram as a drawing of the server, the slider, the counts, the parts that would
//! change.

use maud::{Markup, html};

use super::Scene;
use super::history::cards;
use super::operating::operating;
use super::review::stretches;
use super::threshold_trial::try_for;
use crate::page::kept::{Flips, Stretch, Trial};
use crate::page::numbers::{real, whole};
use andon_core::Role;
use andon_io::history::ReviewCounts;

/// Steps of the slider in a bar of the histogram.
const BAR: usize = 2;
/// Size of the drawing in its own units: ten to a hundredth of the threshold, so that they are the slider's steps.
const WIDTH: usize = 2000;
const HEIGHT: f64 = 300.0;

/// The page.
pub(in crate::page) fn whatif(scene: Scene<'_>, camera: usize, stretch: Stretch, trial: Option<&Trial>) -> Markup {
    let t = scene.visitor.t;
    let times = [Stretch::This, Stretch::Last, Stretch::Week];
    html! {
        h1.hidden { (t.whatif) }
        nav.tabs aria-label=(t.whatif) {
            (stretches(scene, &times, stretch, |s| format!("/whatif?camera={camera}&span={}", s.word())))
            @if scene.now.cameras.len() > 1 {
                @for (n, board) in scene.now.cameras.iter().enumerate() {
                    a href={ "/whatif?camera=" (n) "&span=" (stretch.word()) } aria-current=[(n == camera).then_some("true")] { (board.name) }
                }
            }
        }
        @match trial {
            None => section.panel.narrow.calm { p { (t.no_scores) } },
            Some(trial) if trial.spread.all.total() == 0 => section.panel.narrow.calm { p { (t.no_scores) } },
            Some(trial) => (tried(scene, trial)),
        }
    }
}

fn tried(scene: Scene<'_>, trial: &Trial) -> Markup {
    let (t, language) = (scene.visitor.t, scene.visitor.language);
    let may = scene.visitor.session.as_ref().is_some_and(|s| s.role >= Role::Quality);
    let keeps = scene.site.service.models().is_ok();
    let value = trial.thresholds.get(trial.at).copied().unwrap_or(trial.in_force);
    let steps = serde_json::json!({
        "thresholds": trial.thresholds,
        "rejected": (0..trial.thresholds.len()).map(|n| { let r = trial.rejected(n); [r.total(), r.bad, r.good] }).collect::<Vec<_>>(),
        "shifts": trial.spread.shifts,
    });
    let query = format!("camera={}&span={}", trial.camera, trial.stretch.word());
    html! {
        section #trial.panel data-steps=(steps) data-parts={ "/whatif/parts?" (query) } data-lang=(language.code()) {
            (histogram(scene, trial))
            form.slider method="get" action="/whatif" {
                input type="hidden" name="camera" value=(trial.camera);
                input type="hidden" name="span" value=(trial.stretch.word());
                button #less type="button" aria-label=(t.smaller) { "−" }
                input #at type="range" name="at" min="1" max=(trial.thresholds.len() - 1) step="1" value=(trial.at) aria-label=(t.tried);
                button #more type="button" aria-label=(t.larger) { "+" }
                noscript { button type="submit" { (t.show) } }
            }
            (counts(scene, trial, value))
            p.small { (t.not_promised) }
        }
        @if may {
            section.panel {
                form.inline method="post" action={ "/threshold/" (trial.camera) } {
                    input type="hidden" name="csrf" value=(scene.visitor.csrf);
                    input #value type="hidden" name="value" value=(value);
                    label { (t.why) input name="reason" required maxlength="300" autocomplete="off"; }
                    button type="submit" { (t.set_threshold) ":\u{a0}" span #value-shown { (real(f64::from(value), 2, language)) } }
                    @if keeps { button type="submit" name="keep" value="yes" { (t.keep_threshold) } }
                    (try_for(scene, trial.camera))
                }
                p.small { (t.until_restart) }
                @if keeps { p.small { (t.keep_hint) } }
            }
        } @else if !scene.visitor.no_users {
            section.panel { p.small { (t.set_threshold) ": " (t.needs_role) " " b { (t.role(Role::Quality)) } "." } }
        }
        (operating(scene, trial))
        (flips(scene, &trial.flips))
    }
}

/// Signed, with a true minus.
fn signed(n: i64) -> String {
    let sign = match n {
        0 => "±",
        n if n < 0 => "−",
        _ => "+",
    };
    format!("{sign}{}", whole(n.unsigned_abs()))
}

fn counts(scene: Scene<'_>, trial: &Trial, value: f32) -> Markup {
    let (t, language) = (scene.visitor.t, scene.visitor.language);
    let (now, all, more) = (trial.rejected(trial.at), trial.spread.all, trial.more(trial.at));
    let per_shift = more as f64 / trial.spread.shifts.max(1) as f64;
    html! {
        dl.trial aria-live="polite" {
            div { dt { (t.tried) } dd {
                b #tried { (real(f64::from(value), 2, language)) }
                span.small { " " span #percent { (trial.at) } "\u{202f}% " (t.at_threshold) " (" (real(f64::from(trial.in_force), 2, language)) ")" }
            } }
            div { dt { (t.more_rejects) } dd {
                b #more-rejects { (signed(more)) }
                @if trial.spread.shifts > 1 {
                    span.small { " · " span #more-shift { (real(per_shift, 1, language)) } " " (t.per_shift) }
                }
            } }
            div.bad { dt { (t.bad_found) } dd { b #bad-found { (whole(now.bad)) } " / " (whole(all.bad)) } }
            div.good { dt { (t.good_rejected) } dd { b #good-rejected { (whole(now.good)) } " / " (whole(all.good)) } }
            div { dt { (t.with_score) } dd { (whole(all.total())) } }
        }
    }
}

/// Parts of a bar: what its first step rejects and the next bar's first does not. The last bar holds all that is over.
fn bars(trial: &Trial) -> Vec<ReviewCounts> {
    let at = |step: usize| if step == 0 { trial.spread.all } else { trial.rejected(step) };
    let last = trial.thresholds.len() - 1;
    let bar = |n: usize| {
        let (from, to) = (at(n * BAR), if (n + 1) * BAR <= last { at((n + 1) * BAR) } else { ReviewCounts::default() });
        ReviewCounts { bad: from.bad - to.bad, good: from.good - to.good, unknown: from.unknown - to.unknown }
    };
    (0..=last / BAR).map(bar).collect()
}

fn histogram(scene: Scene<'_>, trial: &Trial) -> Markup {
    let t = scene.visitor.t;
    let bars = bars(trial);
    let most = bars.iter().map(ReviewCounts::total).max().unwrap_or(0).max(1);
    let width = WIDTH / (trial.thresholds.len() - 1) * BAR;
    // What holds few parts near the threshold has to be seen beside what holds thousands.
    let height = |n: u64| HEIGHT * (n as f64 / most as f64).sqrt();
    let place = |step: usize| step * WIDTH / (trial.thresholds.len() - 1);
    html! {
        p.legend aria-hidden="true" {
            span.bad { (t.known_bad) } span.good { (t.known_good) } span.unknown { (t.unknown) }
        }
        svg.histogram viewBox={ "0 0 " (WIDTH + width) " " (HEIGHT + 34.0) } role="img" aria-label={ (t.score) ", % " (t.of_threshold) } {
            @for (n, bar) in bars.iter().enumerate().filter(|(_, bar)| bar.total() > 0) {
                @let whole_height = height(bar.total()).max(3.0);
                @let unit = whole_height / bar.total() as f64;
                @let (bad, good) = (unit * bar.bad as f64, unit * bar.good as f64);
                @let unknown = unit * bar.unknown as f64;
                // Bad ones stand on the ground, where they are seen.
                @for (class, low, size) in [("bad", 0.0, bad), ("good", bad, good), ("unknown", bad + good, unknown)] {
                    @if size > 0.0 {
                        rect.(class) x=(n * width) y=(format!("{:.1}", HEIGHT - low - size)) width=(width - 3) height=(format!("{size:.1}")) {}
                    }
                }
            }
            path.ground d={ "M0 " (HEIGHT) "H" (WIDTH + width) } {}
            @for percent in [0, 25, 50, 75, 100, 125, 150, 175, 200] {
                text x=(place(percent).clamp(34, WIDTH - 30)) y=(HEIGHT + 30.0) { (percent) "\u{202f}%" }
            }
            path.limit d={ "M" (place(Trial::IN_FORCE)) " 0V" (HEIGHT) } {}
            line #tried-line.tried x1=(place(trial.at)) x2=(place(trial.at)) y1="0" y2=(HEIGHT) {}
        }
        p.small { (t.whatif_height) }
    }
}

/// The parts that would end otherwise.
pub(in crate::page) fn flips(scene: Scene<'_>, flips: &Flips) -> Markup {
    let t = scene.visitor.t;
    html! {
        section #flips.panel.parts {
            h2 { (t.would_flip) }
            @if flips.0.is_empty() { p.muted { (t.none_flip) } } @else { (cards(scene, &flips.0)) }
        }
    }
}
