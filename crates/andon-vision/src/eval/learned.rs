//! The page of `andon fit --report`: the pictures that were learned from, the oddest first, each judged by a model without it, and what the
//! threshold would be without it.

use std::path::{Path, PathBuf};

use super::page::{self, escape, put};
use super::svg;
use crate::fit::{Fitted, ThresholdRule, stands_out_above, threshold};
use crate::model::bundle::{Bundle, highest_of_groups};

/// A picture that stands so much above the next one sets the threshold by itself.
const CLEARLY: f32 = 1.05;

/// Writes `report.html` into `folder`, whole or not at all, and returns its path. `picture` is where a source's file is.
///
/// # Errors
/// When the folder or the file cannot be written.
pub fn write_fit_report(
    folder: &Path,
    fitted: &Fitted,
    rule: ThresholdRule,
    picture: &dyn Fn(&str) -> Option<PathBuf>,
) -> std::io::Result<PathBuf> {
    let bundle = &fitted.bundle;
    let m = &bundle.manifest;
    let mut html = page::begin("andon fit");
    put(
        &mut html,
        format_args!("<h1>andon fit: {}</h1><p><strong>{}</strong></p>", escape(&m.name), escape(&sentence(bundle))),
    );
    let above = m.claim.above;
    html.push_str("<dl class=\"tiles\">");
    for (name, value) in [
        ("Good pictures", format!("{} <small>{} left out</small>", m.training.images(), fitted.left_out.len())),
        ("Threshold", format!("{:.4} <small>of the held-out scores {above} lie above</small>", m.threshold)),
        (
            "Good parts rejected",
            format!(
                "at most {:.1} % <small>with {:.0} % confidence, of parts like these; of defects it says nothing</small>",
                m.claim.max_false_reject * 100.0,
                m.claim.confidence * 100.0
            ),
        ),
        ("Stand out", format!("{} <small>are they good parts?</small>", fitted.suspects.len())),
    ] {
        put(&mut html, format_args!("<div><dt>{name}</dt><dd>{value}</dd></div>"));
    }
    html.push_str("</dl><div class=\"charts one\"><figure>");
    html.push_str(&svg::histogram(&bundle.train_scores, &[], m.threshold));
    html.push_str(
        "<figcaption>Held-out scores: each by a model that was learned without the picture; the line is the threshold</figcaption></figure></div>",
    );
    put(
        &mut html,
        format_args!(
            "<h3>The oddest {} of {} good pictures</h3><p>One that is no good part hides defects like its own: leave it out with \
             <code>--exclude NAME</code> and learn anew.</p><div class=\"gallery\">",
            fitted.oddest.len(),
            bundle.train_scores.len()
        ),
    );
    for (image, map) in &fitted.oddest {
        let (Some(name), Some(score)) = (m.training.sources.get(*image), bundle.train_scores.get(*image)) else {
            continue;
        };
        let without = without(bundle, *image, rule).filter(|_| m.chosen.is_none());
        let change = match without {
            Some(t) if (t / m.threshold - 1.0).abs() >= 0.005 => {
                format!("<strong>threshold without it: {t:.4}</strong>")
            }
            Some(_) => "the threshold would be the same without it".to_owned(),
            None => String::new(),
        };
        let caption =
            format!("{}: {score:.4}, {:.0} % of the threshold<br>{change}", escape(name), 100.0 * score / m.threshold);
        let path = picture(name).unwrap_or_default();
        page::figure(&mut html, &path, map, m.baseline, m.threshold, &caption);
    }
    html.push_str("</div>");
    if !fitted.left_out.is_empty() {
        html.push_str("<h3>Left out</h3><ul>");
        for line in &fitted.left_out {
            put(&mut html, format_args!("<li>{}</li>", escape(line)));
        }
        html.push_str("</ul>");
    }
    page::write(folder, html)
}

/// The threshold that the rule gives without one of the pictures.
fn without(bundle: &Bundle, image: usize, rule: ThresholdRule) -> Option<f32> {
    let (mut scores, mut groups) = (bundle.train_scores.clone(), bundle.manifest.training.groups.clone());
    scores.remove(image);
    if image < groups.len() {
        groups.remove(image);
    }
    threshold(&highest_of_groups(&scores, &groups), rule).map(|(t, _)| t)
}

/// What matters most about a threshold, in one sentence.
fn sentence(bundle: &Bundle) -> String {
    let m = &bundle.manifest;
    if let Some((name, _)) = set_by_one(bundle) {
        return format!("One picture sets this threshold: {name}. Is it a good part?");
    }
    let out = stands_out_above(&bundle.train_scores);
    let count = out.map_or(0, |limit| bundle.train_scores.iter().filter(|score| **score > limit).count());
    match (&m.chosen, count) {
        (Some(chosen), _) => format!("The threshold was chosen by {} ({}).", chosen.by, chosen.how),
        (None, 0) => "No picture stands out, and no single one sets the threshold.".to_owned(),
        (None, 1) => {
            "One picture stands out from the others and lies above the threshold: is it a good part?".to_owned()
        }
        (None, n) => format!("{n} pictures stand out from the others: are they good parts?"),
    }
}

/// The picture that sets the threshold by itself, and the next one's score, which lies clearly below it.
pub fn set_by_one(bundle: &Bundle) -> Option<(&str, f32)> {
    let m = &bundle.manifest;
    let scores = || bundle.train_scores.iter().zip(&m.training.sources);
    let (highest, name) = scores().find(|(score, _)| score.next_up() == m.threshold)?;
    let next = scores().map(|(score, _)| *score).filter(|score| score < highest).max_by(f32::total_cmp)?;
    (*highest >= CLEARLY * next).then_some((name.as_str(), next))
}
