//! SPADE: first the pictures most like this one, then each patch against the patches of those pictures at and around its place. No learning, and one
//! model for several products, because a picture is compared with those of its own product only. Sources: Cohen and Hoshen, "Sub-Image Anomaly Detection with Deep Pyramid
//! Correspondences", 2020; that only places nearby are compared is of RAD (2026).

mod model;

use serde::{Deserialize, Serialize};

pub use model::SpadeModel;

use super::patches::{FeatureMethod, Learning, PatchModel};
use super::{Cost, FitSize, Param};
use crate::fit::{FitError, Phase, greedy_coreset};
use crate::model::bundle::Bundle;

/// The method. See the module.
#[derive(Debug)]
pub struct Spade;

/// The parameters of [`Spade`], as [`crate::fit::FitOptions::params`] holds them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Pictures that are kept at most; if there are more, those that cover them all best.
    pub pictures: usize,
    /// The most alike pictures that a picture is compared with.
    pub neighbors: usize,
    /// How far around its place a patch is looked for, in patches.
    pub reach: usize,
}

impl Default for Params {
    /// First guesses, not searched: docs/methods.md has what they come to.
    fn default() -> Params {
        Params { pictures: 150, neighbors: 30, reach: 2 }
    }
}

impl FeatureMethod for Spade {
    const ID: &'static str = "spade";
    const ABOUT: &'static str = "Each patch against those around its place in the most similar good pictures: for parts that lie alike, several products in one model.";
    const PARAMS: &'static [Param] = &[
        Param { name: "pictures", default: "150", about: "pictures that are kept at most" },
        Param { name: "neighbors", default: "30", about: "pictures that a picture is compared with" },
        Param { name: "reach", default: "2", about: "how far around its place a patch is looked for, in patches" },
    ];
    type Params = Params;

    fn instance() -> &'static Spade {
        &Spade
    }

    fn check(params: &Params) -> Result<(), &'static str> {
        let rules = [
            (params.pictures > 0, "pictures: at least 1 has to be kept"),
            (params.neighbors > 0, "neighbors: at least 1 picture to compare with"),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, why)| Err(why))
    }

    fn cost(params: &Params, size: &FitSize, patches: f64) -> Cost {
        let kept = (params.pictures as f64).min(patches / size.cells as f64) * (size.cells * size.dim) as f64;
        Cost { bytes: kept * 8.0, seconds: patches * size.dim as f64 / 1e9 }
    }

    fn learn(
        params: &Params,
        learning: &Learning<'_>,
        progress: &mut dyn FnMut(Phase, usize, usize),
    ) -> Result<Box<dyn PatchModel>, FitError> {
        let (set, options) = (learning.set, learning.options);
        let mut vectors = Vec::with_capacity(learning.blocks.len() * set.dim);
        for block in learning.features() {
            model::vector_of(block, set.dim, &mut vectors);
        }
        let all: Vec<u32> = (0..learning.blocks.len() as u32).collect();
        let count = params.pictures.min(all.len());
        let mut report = |done| progress(Phase::Coreset, done, count);
        let mut chosen = greedy_coreset(&vectors, set.dim, &all, count, options.seed, options.threads, &mut report);
        chosen.sort_unstable();
        Ok(Box::new(SpadeModel::new(params, learning, &chosen)))
    }

    fn model(bundle: &Bundle) -> Result<Box<dyn PatchModel>, String> {
        Ok(Box::new(SpadeModel::of(bundle)?))
    }
}
