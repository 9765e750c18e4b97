//! Options, job, result and error of learning.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;

use super::augment::Augment;
use super::claim::ThresholdRule;
use super::groups::{self, Grouping};
use super::images::{ImageError, Picture};
use crate::model::bundle::Bundle;
use crate::model::head::score::Scoring;
use crate::model::{Backbone, Embed, Learned};
use andon_core::{AnomalyMap, Fault};

/// How to learn.
#[derive(Clone, Debug)]
pub struct FitOptions {
    /// Name in the manifest.
    pub name: String,
    /// Id of the method: [`crate::methods::ALL`].
    pub method: String,
    /// The method's parameters, an object; those that are not in it have their defaults, and `Null` is all defaults.
    pub params: Value,
    /// Seed of whatever the method chooses at random.
    pub seed: u64,
    /// How the anomaly map is smoothed and becomes the image's score.
    pub scoring: Scoring,
    /// Where the threshold goes.
    pub rule: ThresholdRule,
    /// One entry for each cell of the grid: whether it is judged; `None` judges all.
    pub mask: Option<Vec<bool>>,
    /// Changed copies of the pictures.
    pub augment: Augment,
    /// Groups that pictures are held out in to measure their scores, at least 2; as many as there are pictures, if fewer.
    pub folds: usize,
    /// Which pictures belong together, and are held out together.
    pub grouping: Grouping,
    /// Threads of the coreset and of scoring.
    pub threads: usize,
    /// Time stamp of the manifest; `None` is now. Fixed, equal inputs give equal bytes.
    pub created: Option<String>,
    /// Engine that makes the features, for the manifest.
    pub engine: String,
    /// What kind of pictures they are; several sizes are refused unless it says so.
    pub learned: Learned,
}

impl FitOptions {
    /// The parameters as the method's own type.
    ///
    /// # Errors
    /// [`FitError::Params`]: a key that the method does not have, or a value of another type.
    pub fn params<T: DeserializeOwned>(&self) -> Result<T, FitError> {
        let given = match &self.params {
            Value::Null => Value::Object(serde_json::Map::new()),
            given => given.clone(),
        };
        let method = self.method.clone();
        serde_json::from_value(given).map_err(|e| FitError::Params { method, why: e.to_string() })
    }
}

/// A picture with its name, or why there is none.
pub type NamedPicture = Result<(String, Picture), ImageError>;

/// What is learned from, by what, and who is told how far it is.
pub struct FitJob<'a> {
    /// The good pictures.
    pub pictures: &'a mut dyn ExactSizeIterator<Item = NamedPicture>,
    /// Leaves pictures out that cannot be read, instead of refusing all.
    pub skip_bad: bool,
    /// Makes the features.
    pub embedder: &'a mut dyn Embed,
    /// The network behind it.
    pub backbone: &'a Backbone,
    /// How to learn.
    pub options: &'a FitOptions,
    /// Called with the phase, and how much of it is done.
    pub progress: &'a mut dyn FnMut(Phase, usize, usize),
}

/// Fewer good pictures than this say nothing about what is normal.
pub const MIN_IMAGES: usize = 3;

/// What is being done, for progress bars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Reading pictures and computing features.
    Features,
    /// Looking for patches that do not belong.
    Outliers,
    /// Learning without some pictures and scoring them.
    HeldOut,
    /// Choosing the memory bank.
    Coreset,
    /// The distribution of each cell's features.
    Gaussians,
    /// What distances are usual.
    Scores,
    /// Training a small network.
    Training,
}

impl Phase {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Features => "features",
            Phase::Outliers => "outlying patches",
            Phase::Coreset => "memory bank",
            Phase::Gaussians => "distributions",
            Phase::HeldOut => "held-out scores",
            Phase::Scores => "usual distances",
            Phase::Training => "training",
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
    /// Nothing can be held out.
    #[error(
        "all pictures belong to one group (one video, one part), so nothing says how high a new one's score would be; take pictures of several parts, or say which belong together: --groups"
    )]
    OneGroup,
    /// An option out of its range.
    #[error("{0}")]
    Option(&'static str),
    /// No such method.
    #[error("there is no method `{id}`; this andon knows {known}")]
    Method {
        /// What was asked for.
        id: String,
        /// The methods that there are.
        known: String,
    },
    /// A method that learns in another way.
    #[error(
        "the method `{id}` trains a network of its own and cannot be compared like this; learn it by itself: --method {id}"
    )]
    OwnTraining {
        /// The method.
        id: &'static str,
    },
    /// Parameters that the method does not take.
    #[error("the method `{method}` does not take these parameters: {why}; `andon fit --help` lists them")]
    Params {
        /// The method.
        method: String,
        /// What is wrong.
        why: String,
    },
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
    /// A network could not be trained.
    #[error("the training failed: {0}")]
    Training(#[source] Box<dyn std::error::Error + Send + Sync>),
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
    /// Which pictures belong together, if that was looked for.
    pub grouped: Option<groups::Found>,
    /// Pictures whose scores stand out from those of the others: name and score, worst first. Perhaps no good parts.
    pub suspects: Vec<(String, f32)>,
    /// The held-out maps of the oddest pictures, each with the number of its picture among the model's sources, the highest score first; none
    /// from a method that has no maps.
    pub oddest: Vec<(usize, AnomalyMap)>,
}
