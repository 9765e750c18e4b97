//! Why nothing was learned.

use andon_vision::fit::FitError;
use andon_vision::model::engine::EngineError;
use thiserror::Error;

use crate::checkpoint::CheckpointError;

/// Why nothing was learned.
#[derive(Debug, Error)]
pub enum LearnError {
    /// Pictures or options.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Where the run stands cannot be kept or read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Too little to hold some out.
    #[error(
        "{got} pictures, in {groups} groups; at least {least} groups are needed: some are held out, for the threshold"
    )]
    TooFew {
        /// Pictures.
        got: usize,
        /// Groups of them.
        groups: usize,
        /// How many groups are needed.
        least: usize,
    },
    /// A size that the networks do not take.
    #[error(
        "--size {width}x{height}: the networks take sides of {least} to {most} pixels that are multiples of {step}"
    )]
    PictureSize {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// Smallest side.
        least: u32,
        /// Largest side.
        most: u32,
        /// Sides are multiples of it.
        step: u32,
    },
    /// The teacher is of another size.
    #[error("the teacher is a network of size {got}, and {want} is to be learned")]
    OtherTeacher {
        /// The teacher's.
        got: &'static str,
        /// What is learned.
        want: &'static str,
    },
    /// The teacher says the same of everything.
    #[error(
        "the teacher says the same of all places of these pictures in {dead} of its {all} values; is it a teacher, and are they pictures?"
    )]
    DeadTeacher {
        /// Values without variance.
        dead: usize,
        /// All values.
        all: usize,
    },
    /// A photograph that cannot be used.
    #[error("--natural: {file}: {why}; take it out")]
    Natural {
        /// The file.
        file: String,
        /// Why.
        why: String,
    },
    /// The engine's gradients are wrong.
    #[error(
        "the engine {engine} does not compute gradients as it should: along its gradient the loss changes {ratio:.3} times as much as it says; use another (--engine)"
    )]
    Gradients {
        /// Which engine.
        engine: &'static str,
        /// Measured change over the predicted one.
        ratio: f64,
    },
    /// It does not learn.
    #[error("the loss is {loss} after {step} steps, so nothing can come of it; a smaller --param rate=… may help")]
    Diverged {
        /// The loss.
        loss: f32,
        /// Steps.
        step: u64,
    },
    /// It learned nothing.
    #[error(
        "after {steps} steps the student is off by {off:.3} on good pictures that were held out, and saying always the same would be off by 1; it needs more steps or time, or a smaller --param rate=…"
    )]
    NotLearned {
        /// Steps.
        steps: u64,
        /// Mean square.
        off: f32,
    },
    /// All its values are the same everywhere.
    #[error(
        "after {steps} steps the student says the same of all places ({dead} of {all} values): it died; a smaller --param rate=… may help"
    )]
    Dead {
        /// Steps.
        steps: u64,
        /// Values without variance.
        dead: usize,
        /// All values.
        all: usize,
    },
    /// It was told to stop; what is done is kept.
    #[error("stopped; the same command goes on from here")]
    Stopped,
}
