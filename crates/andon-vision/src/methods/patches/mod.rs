//! What all methods share that score patch features: the detector, the way of learning, and how other backends are told what to compute.
//!
//! ```text
//!  frame ─► features [cells, dim] ─► distance of each cell ─► anomaly map (smoothed) ─► image score
//!           PatchEmbedder            the method: PatchOp       Scorer                    Scorer
//! ```

mod affine;
mod detector;
mod feature_method;
mod finish;
mod grid;
mod learn;
mod moments;

use serde_json::Value;

pub use affine::AffineModel;
pub(super) use affine::dot;
pub use detector::{PatchDetector, explain, turn_back};
pub use feature_method::{FeatureMethod, Learning};
pub(crate) use finish::parity_set;
pub(super) use grid::Around;
pub use learn::{MakeTrainer, PatchTrainer, Probes, Trial, fit, fit_held_out, fit_threshold, trial};
pub(super) use moments::Moments;

use super::Facts;
use crate::model::head::knn::Nearest;
use crate::model::head::score::Scorer;
use crate::model::tensors::Tensors;

/// A learned model as data.
pub trait PatchModel: Send + Sync {
    /// Values of a patch's feature.
    fn dim(&self) -> usize;

    /// What has to be computed from features to distances; a backend other than the CPU goes by this. `None` if only the CPU computes it.
    fn op(&self) -> Option<PatchOp<'_>> {
        None
    }

    /// Which good picture, and which cell of its grid, a patch that [`PatchHead::score_into`] named comes from.
    fn nearest_good(&self, patch: u32) -> Option<(u32, u32)>;

    /// What scores features on the CPU with this many threads.
    fn head(&self, threads: usize) -> Box<dyn PatchHead>;

    /// The method's part of the model file: the manifest's parameters, and tensors.
    fn part(&self) -> (Value, Tensors);

    /// What it holds, for people.
    fn facts(&self) -> Facts;
}

/// Scores the features of one picture. One owner thread; allocates nothing in steady state.
pub trait PatchHead: Send {
    /// Writes the anomaly map and the good patch behind each cell that is not masked (nothing, where the method has no such evidence), and
    /// returns the image's score, which is NaN if any value is. `features` holds `dim` values for each cell that [`Scorer::cells`] names.
    fn score_into(
        &mut self,
        features: &[f32],
        scorer: &mut Scorer,
        map: &mut Vec<f32>,
        nearest: &mut Vec<Nearest>,
    ) -> f32;
}

/// What a method computes from patch features to one distance a cell.
#[derive(Clone, Copy, Debug)]
pub enum PatchOp<'a> {
    /// L2 distance to the nearest row of a memory bank, times that row's weight.
    Nearest {
        /// `rows * dim` values.
        rows: &'a [f32],
        /// One factor for each row.
        weights: &'a [f32],
    },
    /// Mahalanobis distance to the Gaussian of the cell itself.
    Gaussian {
        /// The values of a feature that are used, ascending: `k` of `dim`.
        channels: &'a [u32],
        /// `cells * k` values.
        mean: &'a [f32],
        /// How the squared differences are weighted.
        spread: Spread<'a>,
    },
}

/// The inverse covariance of each cell's Gaussian.
#[derive(Clone, Copy, Debug)]
pub enum Spread<'a> {
    /// Inverse variances: `cells * k`.
    Diagonal(&'a [f32]),
    /// Lower triangles `W`, row by row with the diagonal, of `cells * k * (k + 1) / 2` values: the inverse covariance is `W^T W`, and the
    /// distance the length of `W (x - mean)`.
    Whitening(&'a [f32]),
}
