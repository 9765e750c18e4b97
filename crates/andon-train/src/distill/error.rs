//! Why nothing was taught.

use std::path::Path;

use andon_vision::model::engine::EngineError;
use thiserror::Error;

use super::SIDE;
use crate::checkpoint::CheckpointError;

/// Why nothing was taught.
#[derive(Debug, Error)]
pub enum DistillError {
    /// A file cannot be read or written.
    #[error("{file}: {source}")]
    File {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// A picture cannot be used.
    #[error("{file}: {why}; take it out")]
    Picture {
        /// The picture.
        file: String,
        /// Why.
        why: String,
    },
    /// The folder holds other targets.
    #[error("{folder} holds targets of another network or of other pictures; name another --work folder, or empty it")]
    OtherTargets {
        /// The folder.
        folder: String,
    },
    /// The weights to begin with are of another network.
    #[error("--start holds weights of the network `{got}`, and `{want}` is taught; give one of that size")]
    OtherStart {
        /// Of the file.
        got: &'static str,
        /// Of the plan.
        want: &'static str,
    },
    /// The large network has too few values.
    #[error("the large network gives {dim} values for each place, and {outputs} are to be learned; take more layers")]
    Narrow {
        /// Values of the large network.
        dim: usize,
        /// Of the small one.
        outputs: usize,
    },
    /// The large network's output has another grid.
    #[error(
        "the large network has {got:?} rows and columns of values for a picture of {picture} pixels, and the small one {want:?} for one of {SIDE}; take the layer of stride 8 as its finest"
    )]
    Grid {
        /// Of the large network.
        got: [usize; 2],
        /// Of the small one.
        want: [usize; 2],
        /// Side of the large network's picture.
        picture: usize,
    },
    /// Too few pictures.
    #[error("{0} pictures; at least 20 are needed, and thousands make a good teacher")]
    TooFew(usize),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// It does not learn.
    #[error("the loss is {loss} after {step} steps; a smaller --rate may help")]
    Diverged {
        /// The loss.
        loss: f32,
        /// Steps.
        step: u64,
    },
    /// It learned less than nothing.
    #[error(
        "after {steps} steps the mean square on pictures that were held out is {reached}, and saying the mean would have {mean}; a smaller --rate may help"
    )]
    NotLearned {
        /// Mean square.
        reached: f32,
        /// Of the targets themselves.
        mean: f32,
        /// Steps.
        steps: u64,
    },
    /// It was told to stop; what is done is kept.
    #[error("stopped; the same command goes on from here")]
    Stopped,
}

impl DistillError {
    pub(super) fn picture(file: &Path, why: &str) -> DistillError {
        DistillError::Picture { file: file.display().to_string(), why: why.to_owned() }
    }
}
