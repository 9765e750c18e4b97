//! What a threshold promises, in words.

use super::output;
use andon_vision::eval::set_by_one;
use andon_vision::fit::{Policy, images_for_claim};
use andon_vision::model::bundle::{Bundle, Claim, Manifest};

/// What a threshold promises, and what would be needed for what was asked.
pub(super) fn lines(m: &Manifest) -> Vec<String> {
    let Claim { max_false_reject, confidence, images, .. } = m.claim;
    let mut lines = vec![format!(
        "  claim         with {} % confidence, at most {} % of good parts like these are rejected",
        confidence * 100.0,
        figures(max_false_reject * 100.0)
    )];
    if let Some(asked) = m.training.asked_false_reject.filter(|asked| max_false_reject > *asked && m.chosen.is_none()) {
        let needed = images_for_claim(Policy { max_false_reject: asked, confidence });
        lines.push(format!(
            "                ({} % needs {needed} good pictures; these are {images})",
            figures(asked * 100.0)
        ));
    }
    let pictures = m.training.sources.len() - m.training.added as usize;
    if !m.training.groups.is_empty() && m.chosen.as_ref().is_none_or(|c| !c.reviewed) {
        lines.push(format!(
            "                counted by group: {images} groups of {pictures} pictures, each as good as its worst"
        ));
    }
    lines.push(match m.chosen.as_ref().and_then(|c| c.defects) {
        None => {
            "                it promises nothing about defects: pictures of some do (andon threshold --from)".to_owned()
        }
        Some(f) => format!(
            "  defects       {} of {} known ones are found: {} to {} % of such defects",
            f.found,
            f.defects,
            figures(f.low * 100.0),
            figures(f.high * 100.0)
        ),
    });
    lines
}

/// Which picture sets the threshold, if a single one does: the next lies clearly below it.
pub(super) fn set_by(bundle: &Bundle) -> Option<String> {
    let (name, next) = set_by_one(bundle)?;
    Some(format!(
        "                one picture sets it, {name}; the next lies at {next:.4}: look at it, and --exclude it if it is no good part"
    ))
}

/// What the threshold promises, and who chose it.
pub(super) fn print(m: &Manifest) -> std::io::Result<()> {
    for line in lines(m) {
        output::line(&line)?;
    }
    if let Some(c) = &m.chosen {
        let why = if c.why.is_empty() { String::new() } else { format!(": {}", c.why) };
        let basis = if c.reviewed { "reviewed pictures" } else { "held-out scores of the pictures learned from" };
        if c.weighed {
            output::line(
                "                measured on the pictures that chose the threshold: of new defects a little less is found",
            )?;
        }
        output::line(&format!("  chosen        by {} at {} ({}){why}; the claim rests on {basis}", c.by, c.at, c.how))?;
    }
    Ok(())
}

/// Two significant digits.
pub(super) fn figures(value: f64) -> String {
    let digits = (1 - value.abs().max(1e-9).log10().floor() as i32).clamp(0, 9) as usize;
    format!("{value:.digits$}")
}
