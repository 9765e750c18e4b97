//! What is asked of [`super::fit`], what comes of it, and why nothing may.

use std::time::Duration;

use thiserror::Error;

use super::augment::Augment;
use super::claim::Policy;
use crate::model::Learned;
use crate::model::bundle::Bundle;
use crate::model::head::score::Scoring;
use andon_core::Fault;

/// How large the memory bank becomes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BankSize {
    /// This many patches at most.
    Patches(usize),
    /// As many as one picture can be compared with in this time on this machine.
    Within(Duration),
}

/// How to learn.
#[derive(Clone, Debug)]
pub struct FitOptions {
    /// Name in the manifest.
    pub name: String,
    /// Size of the memory bank.
    pub bank: BankSize,
    /// Seed of the coreset's first point.
    pub seed: u64,
    /// How distances become scores.
    pub scoring: Scoring,
    /// Where the threshold goes.
    pub policy: Policy,
    /// One entry for each cell of the grid: whether it is looked at; `None` looks everywhere.
    pub mask: Option<Vec<bool>>,
    /// Changed copies of the pictures.
    pub augment: Augment,
    /// This share of patches, those most unlike the same place of other pictures, stays out of the bank, and distances are weighted
    /// by how unlike their neighbours the rest are (SoftPatch); 0..1.
    pub denoise: Option<f64>,
    /// Groups that pictures are held out in to measure their scores, at least 2; as many as there are pictures, if fewer.
    pub folds: usize,
    /// Threads of the coreset and of scoring.
    pub threads: usize,
    /// Time stamp of the manifest; `None` is now. Fixed, equal inputs give equal bytes.
    pub created: Option<String>,
    /// Engine that makes the features, for the manifest.
    pub engine: String,
    /// What kind of pictures they are; several sizes are refused unless it says so.
    pub learned: Learned,
}

/// Fewer good pictures than this say nothing about what is normal.
pub const MIN_IMAGES: usize = 3;

/// What is being done, for progress bars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Reading pictures and computing features.
    Features,
    /// Looking for patches that do not belong.
    Outliers,
    /// Learning without some pictures and scoring them.
    HeldOut,
    /// Choosing the memory bank.
    Coreset,
    /// What distances are usual.
    Scores,
}

impl Stage {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Features => "features",
            Stage::Outliers => "outlying patches",
            Stage::Coreset => "memory bank",
            Stage::HeldOut => "held-out scores",
            Stage::Scores => "usual distances",
        }
    }
}

/// Why nothing was learned.
#[derive(Debug, Error)]
pub enum FitError {
    /// Pictures that cannot be used; nothing is learned from the rest unless they are taken out.
    #[error("{count} of {of} pictures cannot be used:\n  {shown}\ntake them out, or leave them out with --skip-bad")]
    BadImages {
        /// How many.
        count: usize,
        /// Of how many.
        of: usize,
        /// The first ten, one line each.
        shown: String,
    },
    /// Pictures of several sizes, of which nobody said that they belong together.
    #[error(
        "{name} has {got_w}x{got_h} pixels, {first} has {want_w}x{want_h}; a model judges one size unless any size is learned on purpose"
    )]
    Sizes {
        /// A picture.
        name: String,
        /// Its columns.
        got_w: u32,
        /// Its rows.
        got_h: u32,
        /// The first picture.
        first: String,
        /// Its columns.
        want_w: u32,
        /// Its rows.
        want_h: u32,
    },
    /// Too little to learn from.
    #[error(
        "{got} different good pictures; at least {MIN_IMAGES} are needed to learn, and 30 or more for a threshold that means something"
    )]
    TooFew {
        /// How many there are.
        got: usize,
    },
    /// An option out of its range.
    #[error("{0}")]
    Option(&'static str),
    /// The network could not make features.
    #[error("{name}: {fault}")]
    Embed {
        /// Picture.
        name: String,
        /// Reason.
        fault: Fault,
    },
    /// The features are useless.
    #[error(
        "the network gives values that are not finite for {name}; check the picture and the network's normalisation"
    )]
    NotFinite {
        /// Picture.
        name: String,
    },
    /// All pictures are the same.
    #[error("all pictures look the same to the network, so no threshold can be set; are they pictures of the part?")]
    NoSpread,
    /// Not even the smallest bank is fast enough.
    #[error(
        "one picture's {cells} patches cannot be compared with a bank of {smallest} patches in {budget:?}; a longer --time-budget, fewer pixels (--size) or more threads are needed"
    )]
    TooSlow {
        /// Patches of a picture.
        cells: usize,
        /// Patches of the bank.
        smallest: usize,
        /// What was asked for.
        budget: Duration,
    },
}

/// What was learned.
#[derive(Debug)]
pub struct Fitted {
    /// The model.
    pub bundle: Bundle,
    /// Pictures that were left out, each with the reason.
    pub left_out: Vec<String>,
    /// Pictures whose scores stand out from those of the others: name and score, worst first. Perhaps no good parts.
    pub suspects: Vec<(String, f32)>,
}
