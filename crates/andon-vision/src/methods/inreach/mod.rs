//! InReaCh: a memory bank of patches that recur from picture to picture, learned from pictures of which nobody knows which are good. A patch of one of the
//! first pictures and its counterparts, its nearest patches in other pictures that are nearest to it in turn, are a channel; what belongs to no channel
//! of some length is not remembered. Source: McIntosh and Branzan Albu, "Inter-Realization Channels: Unsupervised Anomaly Detection Beyond
//! One-Class Classification", ICCV 2023.

use serde::{Deserialize, Serialize};

use super::patchcore::{self, PatchCoreModel, Trainer};
use super::patches::{FeatureMethod, Learning, PatchModel};
use super::{Cost, FitSize, Param};
use crate::fit::{FitError, Phase};
use crate::model::bundle::Bundle;
use crate::model::head::knn::{KnnSearcher, Nearest};

/// The method. See the module.
#[derive(Debug)]
pub struct InReaCh;

/// The parameters of [`InReaCh`], as [`crate::fit::FitOptions::params`] holds them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Patches in the memory bank.
    pub bank: usize,
    /// Pictures whose patches begin channels.
    pub depth: usize,
    /// A channel of no more patches than this is not remembered.
    pub shortest: usize,
    /// Patches further from their channel's mean than so many standard deviations are not remembered.
    pub deviations: f64,
}

impl Default for Params {
    /// Depth, length and deviations as published.
    fn default() -> Params {
        Params { bank: 4000, depth: 10, shortest: 3, deviations: 5.0 }
    }
}

impl FeatureMethod for InReaCh {
    const ID: &'static str = "inreach";
    const ABOUT: &'static str =
        "Remembers what recurs from picture to picture: for pictures of which nobody knows which are good.";
    const PARAMS: &'static [Param] = &[
        Param { name: "bank", default: "4000", about: "patches in the memory bank" },
        Param { name: "depth", default: "10", about: "pictures whose patches are looked for in all others" },
        Param { name: "shortest", default: "3", about: "what recurs in no more pictures than this is not remembered" },
        Param { name: "deviations", default: "5", about: "standard deviations within which a counterpart has to lie" },
    ];
    const HAS_BANK: bool = true;
    type Params = Params;

    fn instance() -> &'static InReaCh {
        &InReaCh
    }

    fn check(params: &Params) -> Result<(), &'static str> {
        let rules = [
            (params.bank > 0, "bank: the memory bank needs at least 1 patch"),
            (params.depth > 0, "depth: at least 1 picture has to begin channels"),
            (params.deviations > 0.0 && params.deviations.is_finite(), "deviations: a number above 0"),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, why)| Err(why))
    }

    fn cost(params: &Params, size: &FitSize, patches: f64) -> Cost {
        let (cells, dim) = (size.cells as f64, size.dim as f64);
        let associate = 4.0 * params.depth as f64 * patches * cells * dim / 100e9;
        let coreset = 2.0 * patches.min(patches * 0.6) * params.bank as f64 * dim / 110e9;
        Cost { bytes: patches * 12.0 + params.bank as f64 * dim * 12.0, seconds: associate + coreset }
    }

    fn learn(
        params: &Params,
        learning: &Learning<'_>,
        progress: &mut dyn FnMut(Phase, usize, usize),
    ) -> Result<Box<dyn PatchModel>, FitError> {
        let mut candidates = recurring(params, learning, progress);
        if candidates.is_empty() {
            // Nothing recurs in pictures that have nothing in common; they are all that is known.
            candidates = learning.patches().collect();
        }
        let bank = patchcore::Params { bank: params.bank, local_scale: 0.0, ..patchcore::Params::default() };
        let trainer = Trainer::new(learning.set, learning.options, bank, progress)?;
        let images: Vec<u32> = learning.blocks.iter().map(|b| learning.set.blocks[*b].0).collect();
        let keep = |image: usize| images.binary_search(&(image as u32)).is_ok();
        Ok(Box::new(trainer.bank_of(&candidates, &keep, progress)))
    }

    fn model(bundle: &Bundle) -> Result<Box<dyn PatchModel>, String> {
        Ok(Box::new(PatchCoreModel::of_method(bundle, Self::ID)?))
    }
}

/// The numbers of the patches that belong to a channel of some length and lie within its spread, ascending.
fn recurring(params: &Params, learning: &Learning<'_>, progress: &mut dyn FnMut(Phase, usize, usize)) -> Vec<u32> {
    let (set, threads) = (learning.set, learning.options.threads);
    let (cells, dim) = (set.cells.len(), set.dim);
    let mut kept = vec![false; set.blocks.len() * cells];
    let seeds = params.depth.min(learning.blocks.len());
    let (mut there, mut back): (Vec<Nearest>, Vec<Nearest>) = (Vec::new(), Vec::new());
    for (done, seed) in learning.blocks.iter().take(seeds).enumerate() {
        progress(Phase::Outliers, done, seeds);
        let own = learning.block(*seed);
        let mut in_seed = KnnSearcher::new(own.into(), dim, threads);
        let mut channels: Vec<Vec<u32>> = (0..cells).map(|cell| vec![(*seed * cells + cell) as u32]).collect();
        for other in learning.blocks.iter().filter(|other| *other != seed) {
            let theirs = learning.block(*other);
            in_seed.search_into(theirs, &mut back);
            KnnSearcher::new(theirs.into(), dim, threads).search_into(own, &mut there);
            for (cell, near) in there.iter().enumerate() {
                if back[near.index as usize].index as usize == cell {
                    channels[cell].push((*other * cells) as u32 + near.index);
                }
            }
        }
        for channel in channels.iter().filter(|channel| channel.len() > params.shortest) {
            for patch in within(channel, params.deviations, learning) {
                kept[patch as usize] = true;
            }
        }
    }
    progress(Phase::Outliers, seeds, seeds);
    (0u32..).zip(kept).filter(|(_, kept)| *kept).map(|(i, _)| i).collect()
}

/// The patches of a channel whose distance to its mean is at most the mean of those distances and so many of their standard deviations.
fn within(channel: &[u32], deviations: f64, learning: &Learning<'_>) -> Vec<u32> {
    let n = channel.len() as f64;
    let mut mean = vec![0.0f64; learning.set.dim];
    for patch in channel {
        mean.iter_mut().zip(learning.patch(*patch)).for_each(|(sum, v)| *sum += f64::from(*v) / n);
    }
    let distance = |patch: &u32| {
        let squares = learning.patch(*patch).iter().zip(&mean).map(|(v, m)| (f64::from(*v) - m).powi(2));
        squares.sum::<f64>().sqrt()
    };
    let distances: Vec<f64> = channel.iter().map(distance).collect();
    let usual = distances.iter().sum::<f64>() / n;
    let spread = (distances.iter().map(|d| (d - usual).powi(2)).sum::<f64>() / n).sqrt();
    let limit = usual + deviations * spread;
    channel.iter().zip(distances).filter(|(_, d)| *d <= limit).map(|(patch, _)| *patch).collect()
}
