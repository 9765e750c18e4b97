//! Which way to learn suits a part: every candidate learns from some of the good pictures and scores the others, as they are and with
//! defects put into them. The best size within the budget is taken if it is better than the usual one by twice what the comparison may err, for the
//! best of many looks better than it is; then whatever else is better by as much. Quarter turns are tried only where turned parts look like the others.
//! Deterministic but for the time that a candidate takes, which decides what the budget allows.
//!
//! ```text
//!  good pictures ──┬─► held out ───────────────► scores of good ─┐
//!                  └─► + a defect (seeded) ────► scores of bad ──┴─► AUROC of the candidate, its error, its time
//!  known defects ──────────────────────────────► scores of bad ──┘
//! ```

mod defects;
pub mod recipe;
mod run;
pub mod synthetic;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::fit::{FitError, Picture};
use crate::model::Backbone;
use crate::model::engine::{EngineError, EngineOptions};
use crate::preprocess::align::Reference;
use defects::Defects;
pub use defects::Put;
pub use recipe::{Change, Recipe, shaped};
use run::Run;
use synthetic::Kind;

/// A network that may take the place of the first one.
#[derive(Clone, Debug)]
pub struct Network {
    /// The network; its size is that of the recipe it is put into, where it has none of its own (0 by 0).
    pub backbone: Backbone,
    /// Its sides are multiples of this.
    pub step: u32,
    /// The flags that choose it.
    pub flag: String,
}

/// What was said by hand and is not tried otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Fixed {
    /// The size.
    pub size: bool,
    /// Augmentation.
    pub augment: bool,
    /// The pose.
    pub align: bool,
    /// Smoothing.
    pub smoothing: bool,
    /// Layers.
    pub layers: bool,
    /// The neighbourhood.
    pub pool: bool,
    /// The method.
    pub method: bool,
    /// The memory bank's size.
    pub bank: bool,
    /// The network.
    pub network: bool,
}

/// A search.
pub struct Search<'a> {
    /// The good pictures that candidates are compared on, no two alike.
    pub pictures: &'a [(String, Picture)],
    /// Good pictures that will be learned from in the end.
    pub in_all: usize,
    /// Known defects; nothing is learned from them.
    pub known: &'a [Picture],
    /// The size of all pictures; `None` if there are several, which are then seen as squares.
    pub shape: Option<[u32; 2]>,
    /// What is learned without a search.
    pub base: Recipe,
    /// Outputs of the base's network that it does not use, finer than those that it does.
    pub finer: Vec<String>,
    /// The pose of the pictures, where bringing parts into it may help.
    pub pose: Option<Arc<Reference>>,
    /// Other networks.
    pub networks: Vec<Network>,
    /// What is not tried otherwise.
    pub fixed: Fixed,
    /// Which cells of a grid of so many columns and rows are judged; `None` judges all.
    pub mask: &'a dyn Fn(usize, usize) -> Option<Vec<bool>>,
    /// How networks are run.
    pub engine: &'a EngineOptions,
    /// What judging a picture may take on this machine.
    pub budget: Duration,
    /// Seed of the defects.
    pub seed: u64,
    /// Bytes that learning from all pictures may take.
    pub memory: u64,
}

/// A candidate and what it came to.
#[derive(Clone, Debug, Serialize)]
pub struct Candidate {
    /// What is changed against the base, in words; empty for the base.
    pub what: String,
    /// The flags of `andon fit` that make it.
    pub flags: String,
    /// Milliseconds that judging one picture takes.
    pub ms: f64,
    /// What candidates are compared by: AUROC, 0.5 (chance) to 1.
    pub merit: f64,
    /// Merit less that of the candidate that is taken, and the standard error of that difference.
    pub against: [f64; 2],
    /// AUROC of good pictures against all synthetic defects.
    pub synthetic: f64,
    /// The same by kind of defect.
    pub kinds: Vec<(Kind, f64)>,
    /// AUROC of good pictures against known defects.
    pub known: Option<f64>,
    /// Whether the budget allows it.
    pub affordable: bool,
    /// Held-out scores of the good pictures.
    pub good_scores: Vec<f32>,
    /// Scores of the defects that were put in, in the order of [`Found::put`], then of the known ones.
    pub defect_scores: Vec<f32>,
}

/// What a search came to.
#[derive(Clone, Debug)]
pub struct Found {
    /// Every candidate, in the order in which they were tried.
    pub candidates: Vec<Candidate>,
    /// Which is taken.
    pub chosen: usize,
    /// The recipe of the one that is taken.
    pub recipe: Recipe,
    /// The best that the budget does not allow, if it is better by more than an error.
    pub beyond: Option<usize>,
    /// The defects that were put into good pictures.
    pub put: Vec<Put>,
    /// What was not tried because learning it would take too much memory, in words.
    pub too_large: Vec<String>,
    /// AUROC by which turned parts are told from the others, where that is why quarter turns were not tried.
    pub lies_one_way: Option<f64>,
    /// Good pictures, synthetic defects and known ones that candidates were compared on.
    pub compared: [usize; 3],
}

/// Why a search came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// Learning failed.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// The network.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// No defect could be put into any picture.
    #[error("no defect could be put into the pictures: are they evenly grey, or is all of them masked?")]
    NoDefects,
    /// Not even the base fits.
    #[error("learning {what} needs more memory than is free; take fewer pictures")]
    TooLarge {
        /// What was to be learned.
        what: String,
    },
    /// Nothing is fast enough.
    #[error(
        "the fastest candidate takes {fastest:.1} ms a picture here, and the budget is {budget:.1} ms; raise --time-budget"
    )]
    TooSlow {
        /// Milliseconds of the fastest.
        fastest: f64,
        /// Milliseconds that were allowed.
        budget: f64,
    },
}

/// Tries candidates. `progress` is told how many are done, of about how many, what is tried, and how much of it is done (0..=1).
///
/// # Errors
/// [`SearchError`].
pub fn search(search: &Search<'_>, progress: &mut dyn FnMut(usize, usize, &str, f64)) -> Result<Found, SearchError> {
    let defects = Defects::draw(search).ok_or(SearchError::NoDefects)?;
    let mut run = Run::new(search, defects, progress);
    run.sizes()?;
    run.others()?;
    run.finish()
}
