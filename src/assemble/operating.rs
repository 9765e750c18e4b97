//! Choosing a model's threshold after it was learned: what reviewed pictures score, and writing the choice down. Nothing is learned.

use std::path::Path;
use std::sync::Arc;

use thiserror::Error;

use super::{OpenError, open};
use crate::config::FrameSize;
use andon_core::Threshold;
use andon_vision::eval::{Dataset, DatasetError, evaluate, reviewed};
use andon_vision::fit::{Aim, Choice, OperatingError, choose};
use andon_vision::model::bundle::{Bundle, Chosen};
use andon_vision::model::engine::EngineOptions;

/// Why no threshold was chosen.
#[derive(Debug, Error)]
pub enum ChooseError {
    /// The pictures.
    #[error(transparent)]
    Pictures(#[from] DatasetError),
    /// The detector that judges them.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// What was asked for.
    #[error(transparent)]
    Aim(#[from] OperatingError),
    /// None of them could be judged.
    #[error("none of the pictures has a score: {0}")]
    NoScore(String),
}

/// What a model makes of pictures whose truth is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    /// Scores of the good ones.
    pub good: Vec<f32>,
    /// Scores of the defective ones.
    pub bad: Vec<f32>,
    /// Pictures without a score, and what else was left out, a line each. Such parts are rejected whatever the threshold is.
    pub left_out: Vec<String>,
    /// Names that the model was learned from: their scores flatter it.
    pub learned: Vec<String>,
}

/// Scores the pictures of a folder: [`reviewed`] says how it is read. With `all_bad` every one is a defect, whatever its folder is called.
///
/// # Errors
/// [`ChooseError`].
pub fn score_folder(
    bundle: &Arc<Bundle>,
    folder: &Path,
    all_bad: bool,
    options: &EngineOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Scores, ChooseError> {
    let mut data = reviewed(folder)?;
    if all_bad {
        data.samples.iter_mut().for_each(|sample| sample.bad = true);
    }
    score(bundle, data, options, progress)
}

/// Scores pictures whose truth is known.
///
/// # Errors
/// [`ChooseError`].
pub fn score(
    bundle: &Arc<Bundle>,
    data: Dataset,
    options: &EngineOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Scores, ChooseError> {
    let Dataset { samples, notes, .. } = data;
    let mut detector = open(bundle, options, FrameSize::AsTrained)?.detector;
    // The outcome is not asked for, only the score.
    let any =
        Threshold::new(bundle.manifest.threshold).or(Threshold::new(1.0)).ok_or(OperatingError::NotUsable(0.0))?;
    let total = samples.len();
    let seen = evaluate(bundle, detector.as_mut(), any, &samples, None, &mut |done| progress(done, total));
    let mut scores = Scores { left_out: notes, ..Scores::default() };
    for image in seen.images {
        let name = image.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        match image.score {
            Some(score) if image.bad => scores.bad.push(score),
            Some(score) => {
                scores.good.push(score);
                if bundle.manifest.training.knows(&name) {
                    scores.learned.push(name);
                }
            }
            None => scores.left_out.push(format!("{}: {}", image.path.display(), image.error.unwrap_or_default())),
        }
    }
    if scores.good.is_empty() && scores.bad.is_empty() {
        return Err(ChooseError::NoScore(scores.left_out.join("; ")));
    }
    Ok(scores)
}

/// Who chose a threshold, by what and why.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Author {
    /// Who.
    pub by: String,
    /// When, RFC 3339 UTC.
    pub at: String,
    /// By what: the flags.
    pub how: String,
    /// In somebody's words.
    pub why: String,
}

/// Chooses the threshold by these scores and writes it into the model. Without good ones among them the good pictures that were learned
/// from stand in, each with the score that a model without it gave.
///
/// # Errors
/// [`OperatingError`]; the model is unchanged then.
pub fn set(bundle: &mut Bundle, scores: &Scores, aim: Aim, author: Author) -> Result<Choice, OperatingError> {
    let is_reviewed = !scores.good.is_empty();
    let good = if is_reviewed { scores.good.clone() } else { bundle.fair_scores() };
    let choice = choose(&good, &scores.bad, aim, bundle.manifest.claim.confidence)?;
    let weighed = matches!(aim, Aim::Cost(_));
    let (threshold, baseline) = (choice.threshold.get(), bundle.manifest.baseline);
    if threshold <= baseline {
        return Err(OperatingError::BelowUsual { threshold, baseline });
    }
    let Author { by, at, how, why } = author;
    let (before, defects) = (bundle.manifest.threshold, choice.defects);
    let chosen = Chosen { by, at, how, why, reviewed: is_reviewed, weighed, before, defects };
    bundle.decide(choice.threshold, choice.claim, chosen);
    Ok(choice)
}
