//! Why a model stays as it is.

use thiserror::Error;

use andon_core::ControlError;

/// Why a model stays as it is.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ModelError {
    /// Nobody changes models here.
    #[error("the models of this line are not in files, so that they cannot be changed here")]
    NoFiles,
    /// Nothing is known of parts.
    #[error("without a history nobody knows which parts are defective; [store] with enabled = true keeps one")]
    NoHistory,
    /// No picture is kept.
    #[error("no picture of part {0} is kept; [pictures] with enabled = true keeps those of parts that do not pass")]
    NoPicture(String),
    /// It is not what was judged.
    #[error(
        "the picture of part {0} is kept as JPEG, which is not quite what was judged; pictures.format = \"lossless\" keeps what can be learned"
    )]
    Lossy(String),
    /// The camera is not on this line.
    #[error("no camera `{0}` judges on this line")]
    NoCamera(String),
    /// The method or the pictures.
    #[error("{0}")]
    Refused(String),
    /// No threshold that this line may be given.
    #[error(transparent)]
    Threshold(#[from] ControlError),
    /// Nothing would pass.
    #[error(
        "a threshold of {threshold} lies below what is usual for good patches of this model ({baseline}); nothing would pass"
    )]
    BelowUsual {
        /// The threshold.
        threshold: f32,
        /// What is usual for good patches.
        baseline: f32,
    },
    /// Somebody said that it is bad.
    #[error("part {part} was reviewed as really bad by {user}; take that back first")]
    ReviewedBad {
        /// The part.
        part: String,
        /// Who said so.
        user: String,
    },
    /// A known defect would pass.
    #[error("{} known to be defective would pass by it: {}", if .0.len() == 1 { "a part" } else { "parts" }, .0.join(", "))]
    DefectPasses(Vec<String>),
    /// What it would change is not known.
    #[error("part {0} was not tried, or the trial is not over")]
    NotTried(String),
    /// The model is another than the one that was tried, or more is known by now.
    #[error("model, threshold or reviews were changed after the trial; try once more")]
    Changed,
    /// One at a time.
    #[error("another change of the models is under way; try again when it is over")]
    Busy,
    /// The inspector did not take it.
    #[error("camera `{0}` did not take the model within {SECONDS} s; everything is as it was")]
    NotTaken(String),
    /// The configuration says what it is judged by.
    #[error(
        "cameras.{0}.threshold in the configuration is what this camera is judged by from every start on, whatever its model says; change it there, or take it out"
    )]
    Configured(String),
    /// It passes as it is.
    #[error("part {0} passes as it is: nothing has to be changed for it")]
    Passes(String),
    /// No decision that could be taken back.
    #[error("the threshold is the one that learning chose; there is nothing to take back")]
    NoDecision,
    /// The file.
    #[error("the model's file cannot be written: {0}")]
    File(String),
    /// There is no such recipe.
    #[error("there is no recipe `{0}`")]
    NoRecipe(String),
}

/// So long an inspector has time to take another model.
pub const SECONDS: u64 = 5;
