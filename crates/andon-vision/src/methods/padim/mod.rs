//! PaDiM: one Gaussian of patch features for each place of the picture; a patch's distance is its Mahalanobis distance to the Gaussian of its
//! place. For parts that always lie alike. Source: Defard et al., "PaDiM: a Patch Distribution Modeling Framework for Anomaly Detection
//! and Localization", ICPR 2021 workshops; regularisation and unbiased covariance as anomalib's `MultiVariateGaussian` computes them. With the
//! diagonal alone it is smaller and faster.

mod gaussian;
mod model;

use serde::{Deserialize, Serialize};

pub use model::{Covariance, PadimModel};

use super::patches::{self, PatchModel, PatchTrainer, Probes, Trial};
use super::{Cost, FitSize, Learner, Method, Param};
use crate::fit::{FeatureSet, FitError, FitJob, FitOptions, Fitted, Phase};
use crate::model::bundle::Bundle;
use crate::model::head::score::ImageScore;
use andon_core::SplitMix64;

/// The method. See the module.
#[derive(Debug)]
pub struct Padim;

/// Its id.
pub const ID: &str = "padim";

/// The parameters of [`Padim`], as [`FitOptions::params`] holds them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Which entries of the covariance are learned.
    pub covariance: Covariance,
    /// How many of a feature's values are used, chosen at random by the seed; all, if there are fewer. At most 1,024 with the full covariance.
    pub channels: usize,
    /// Added to every variance, in squared units of the features.
    pub regularization: f64,
}

impl Default for Params {
    /// Chosen by the comparison in docs/accuracy.md.
    fn default() -> Params {
        Params { covariance: Covariance::Full, channels: 160, regularization: 0.01 }
    }
}

const PARAMS: [Param; 3] = [
    Param { name: "covariance", default: "full", about: "`full`, or `diagonal`: smaller, faster, coarser" },
    Param {
        name: "channels",
        default: "160, which is all of the compiled-in network's",
        about: "how many of a feature's values are used, chosen by the seed",
    },
    Param { name: "regularization", default: "0.01", about: "added to every variance" },
];

/// Matrices of more values on a side take too much memory, and a GPU's kernel takes no larger ones.
const MOST_CHANNELS: usize = 1024;

impl Params {
    /// The parameters as [`FitOptions::params`] takes them.
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn check(&self, options: &FitOptions) -> Result<(), FitError> {
        let rules = [
            (self.channels > 0, "channels: at least 1 value of a feature is needed"),
            (
                self.covariance == Covariance::Diagonal || self.channels <= MOST_CHANNELS,
                "channels: at most 1024 values with the full covariance",
            ),
            (
                self.regularization > 0.0 && self.regularization < 1e6,
                "regularization: a number above 0 and below a million",
            ),
            (
                !matches!(options.scoring.image, ImageScore::Reweighted(_)),
                "--score reweighted looks into a memory bank, and padim has none",
            ),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, why)| Err(FitError::Option(why)))
    }
}

impl Method for Padim {
    fn id(&self) -> &'static str {
        ID
    }

    fn about(&self) -> &'static str {
        "Distance of each patch to the distribution of good patches at its place: for parts that always lie alike."
    }

    fn params(&self) -> &'static [Param] {
        &PARAMS
    }

    fn learner(&self) -> Option<&'static dyn Learner> {
        Some(&Padim)
    }

    fn patch_model(&self, bundle: &Bundle) -> Result<Option<Box<dyn PatchModel>>, String> {
        Ok(Some(Box::new(PadimModel::of(bundle)?)))
    }
}

impl Learner for Padim {
    fn cost(&self, size: &FitSize, options: &FitOptions) -> Result<Cost, FitError> {
        let params: Params = options.params()?;
        let blocks = (size.pictures * options.augment.count()) as f64;
        let (cells, dim, k) = (size.cells as f64, size.dim as f64, params.channels.min(size.dim) as f64);
        let matrix = if params.covariance == Covariance::Full { k * (k + 1.0) / 2.0 } else { k };
        // Features, and two models for a moment: in the making and in the file's form.
        let bytes = blocks * cells * dim * 4.0 + 2.0 * cells * (matrix + k) * 4.0 + 60e6;
        // Sums of products, a Cholesky factor and its inverse for each cell, at some 1.5 GFLOP/s a thread (measured), by folds and once more.
        let work =
            cells * (blocks * matrix * 2.0 + if params.covariance == Covariance::Full { k.powi(3) } else { 0.0 });
        let rounds = options.folds.min(size.pictures) as f64 + 1.0;
        Ok(Cost { bytes, seconds: rounds * work / (1.5e9 * options.threads as f64) })
    }

    fn fit(&self, job: FitJob<'_>) -> Result<Fitted, FitError> {
        job.options.params::<Params>()?.check(job.options)?;
        patches::fit(ID, job, &make_trainer)
    }

    fn trial(&self, job: FitJob<'_>, probes: &Probes<'_>) -> Result<Trial, FitError> {
        job.options.params::<Params>()?.check(job.options)?;
        patches::trial(job, probes, &make_trainer)
    }
}

fn make_trainer<'a>(
    set: &'a FeatureSet,
    options: &'a FitOptions,
    _: &mut dyn FnMut(Phase, usize, usize),
) -> Result<Box<dyn PatchTrainer + 'a>, FitError> {
    let params: Params = options.params()?;
    let channels = choose(set.dim, params.channels, options.seed);
    Ok(Box::new(Trainer { set, params, channels, threads: options.threads }))
}

struct Trainer<'a> {
    set: &'a FeatureSet,
    params: Params,
    channels: Vec<u32>,
    threads: usize,
}

impl PatchTrainer for Trainer<'_> {
    fn learn(
        &self,
        keep: &dyn Fn(usize) -> bool,
        progress: &mut dyn FnMut(Phase, usize, usize),
    ) -> Result<Box<dyn PatchModel>, FitError> {
        let blocks: Vec<usize> = self
            .set
            .blocks
            .iter()
            .enumerate()
            .filter(|(_, (image, _))| keep(*image as usize))
            .map(|(b, _)| b)
            .collect();
        let cells = self.set.cells.len();
        progress(Phase::Gaussians, 0, cells);
        let fitted = gaussian::fit(self.set, &blocks, &self.channels, &self.params, self.threads);
        progress(Phase::Gaussians, cells, cells);
        let fitted = fitted.ok_or(FitError::NoSpread)?;
        Ok(Box::new(PadimModel::new(self.set, &self.params, self.channels.clone(), fitted)))
    }
}

/// `count` of the numbers below `dim`, ascending; all of them, if there are no more. Fisher and Yates' shuffle, stopped early.
fn choose(dim: usize, count: usize, seed: u64) -> Vec<u32> {
    let mut all: Vec<u32> = (0..dim as u32).collect();
    let count = count.min(dim);
    if count < dim {
        let mut random = SplitMix64::new(seed);
        for i in 0..count {
            let other = i + random.below((dim - i) as u64) as usize;
            all.swap(i, other);
        }
        all.truncate(count);
        all.sort_unstable();
    }
    all
}

#[cfg(test)]
mod tests;
