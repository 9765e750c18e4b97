//! SINBAD: a picture, or a part of it, as a set of patches, described by histograms of random projections and compared with the sets of good pictures: finds what is
//! there too often, too rarely or not at all, though each patch by itself is a good one. Where a patch lies inside its set does not count. Source: Cohen, Tzachor and Hoshen, "Set
//! Features for Fine-grained Anomaly Detection", 2023. Ours takes sets of the one grid of features in place of crops that each go through the network: all of it, and nine overlapping parts of half its sides.

mod model;
mod windows;

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

pub use model::SinbadModel;

use super::patches::{FeatureMethod, Learning, PatchModel};
use super::{Cost, FitSize, Param};
use crate::fit::{FitError, Phase};
use crate::model::bundle::Bundle;
use andon_core::SplitMix64;
use model::{Description, Parts};
use windows::Windows;

/// The method. See the module.
#[derive(Debug)]
pub struct Sinbad;

/// The parameters of [`Sinbad`], as [`crate::fit::FitOptions::params`] holds them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Random directions that patches are projected on; 1 to 400.
    pub projections: usize,
    /// Thresholds along each direction; 1 to 16.
    pub thresholds: usize,
    /// How far the covariance of descriptions is drawn to an even one, above 0, at most 1.
    pub shrinkage: f64,
}

impl Default for Params {
    /// Thresholds and shrinkage as published, projections fewer: the published 1,000 are for 2,048 values.
    fn default() -> Params {
        Params { projections: 100, thresholds: 5, shrinkage: 0.1 }
    }
}

/// The share of patches below the lowest and above the highest end of a direction's range.
const OUTSIDE: f64 = 0.01;

impl FeatureMethod for Sinbad {
    const ID: &'static str = "sinbad";
    const ABOUT: &'static str = "Parts of the picture as sets of patches: finds what is missing or there too often, though each patch is a good one; little sense of small defects.";
    const PARAMS: &'static [Param] = &[
        Param { name: "projections", default: "100", about: "random directions that patches are projected on" },
        Param { name: "thresholds", default: "5", about: "thresholds along each direction" },
        Param { name: "shrinkage", default: "0.1", about: "how far the covariance is drawn to an even one" },
    ];
    type Params = Params;

    fn instance() -> &'static Sinbad {
        &Sinbad
    }

    fn check(params: &Params) -> Result<(), &'static str> {
        let rules = [
            ((1..=400).contains(&params.projections), "projections: 1 to 400"),
            ((1..=16).contains(&params.thresholds), "thresholds: 1 to 16"),
            (params.projections * params.thresholds <= 2000, "projections times thresholds: at most 2000"),
            (params.shrinkage > 0.0 && params.shrinkage <= 1.0, "shrinkage: a number above 0, at most 1"),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, why)| Err(why))
    }

    fn cost(params: &Params, size: &FitSize, patches: f64) -> Cost {
        let values = (params.projections * params.thresholds) as f64;
        let descriptions = patches / size.cells as f64 * windows::MOST as f64;
        let projected = patches * (params.projections * size.dim) as f64;
        let seconds = 3.0 * projected / 1e9 + 2.0 * values.powi(3) / 1e9 + 2.0 * descriptions * values * values / 1e9;
        Cost { bytes: 8.0 * (descriptions * values + 3.0 * values * values), seconds }
    }

    fn learn(
        params: &Params,
        learning: &Learning<'_>,
        progress: &mut dyn FnMut(Phase, usize, usize),
    ) -> Result<Box<dyn PatchModel>, FitError> {
        let set = learning.set;
        let projections = directions(params.projections, set.dim, learning.options.seed);
        let thresholds = thresholds(params, learning, &projections);
        let description = Description { dim: set.dim, projections: projections.into(), thresholds: thresholds.into() };
        let windows = Windows::new(&set.cells, set.grid);
        let count = description.len();
        // Descriptions, window by window, in each as many as blocks.
        let mut all: Vec<Vec<f32>> = vec![Vec::new(); windows.count()];
        let (total, mut below) = (learning.blocks.len(), Vec::new());
        for (done, block) in learning.features().enumerate() {
            progress(Phase::Gaussians, done, total);
            description.below_into(block, &mut below);
            for (window, all) in all.iter_mut().enumerate() {
                description.describe_into(&below, windows.places(window), all);
            }
        }
        let mut whitening = Vec::with_capacity(windows::SIZES * count * count);
        for size in 0..windows::SIZES {
            let of_size: Vec<&[f32]> = windows.of_size(size).map(|window| all[window].as_slice()).collect();
            whitening.extend(whitening_of(&of_size, count, params.shrinkage));
        }
        for (window, all) in all.iter_mut().enumerate() {
            let matrix = &whitening[windows.size_of(window) * count * count..][..count * count];
            model::whiten(matrix, count, all);
        }
        let source: Vec<u32> = learning.blocks.iter().map(|b| set.blocks[*b].0).collect();
        let usual: Vec<f32> = all.iter().map(|all| usual_distance(all, count, &source)).collect();
        progress(Phase::Gaussians, total, total);
        Ok(Box::new(SinbadModel::new(
            params.clone(),
            Parts {
                description,
                whitening: whitening.into(),
                bank: all.concat().into(),
                usual: usual.into(),
                source: source.into(),
            },
            windows,
        )))
    }

    fn model(bundle: &Bundle) -> Result<Box<dyn PatchModel>, String> {
        Ok(Box::new(SinbadModel::of(bundle)?))
    }
}

/// Directions of normally distributed values: `count * dim`.
fn directions(count: usize, dim: usize, seed: u64) -> Vec<f32> {
    let mut random = SplitMix64::new(SplitMix64::mix(seed ^ 0x51_4e_42));
    let mut all = Vec::with_capacity(count * dim + 1);
    while all.len() < count * dim {
        // Box and Muller's pair.
        let (radius, turn) = ((-2.0 * random.unit().max(1e-300).ln()).sqrt(), random.unit() * std::f64::consts::TAU);
        all.extend([(radius * turn.cos()) as f32, (radius * turn.sin()) as f32]);
    }
    all.truncate(count * dim);
    all
}

/// Between the quantiles [`OUTSIDE`] and its complement of all patches, evenly: `projections * thresholds` values.
fn thresholds(params: &Params, learning: &Learning<'_>, projections: &[f32]) -> Vec<f32> {
    let dim = learning.set.dim;
    let mut all = Vec::with_capacity(params.projections * params.thresholds);
    let mut values: Vec<f64> = Vec::new();
    for direction in projections.chunks_exact(dim) {
        values.clear();
        values.extend(learning.features().flat_map(|b| b.chunks_exact(dim)).map(|x| model::project(direction, x)));
        values.sort_unstable_by(f64::total_cmp);
        let quantile = |share: f64| {
            let at = share * (values.len() - 1) as f64;
            let (low, high) = (values[at.floor() as usize], values[at.ceil() as usize]);
            low + (high - low) * (at - at.floor())
        };
        let (low, high) = (quantile(OUTSIDE), quantile(1.0 - OUTSIDE));
        let steps = (params.thresholds + 1) as f64;
        all.extend((1..=params.thresholds).map(|step| (low + (high - low) * step as f64 / steps) as f32));
    }
    all
}

/// `L^-1` of the covariance `L L^T` of descriptions about the mean of their own window, drawn to an even one: `(1 - s) C + s tr(C) / n I`, with `C` over all of one
/// size together (biased, as scikit-learn's `ShrunkCovariance` has it).
fn whitening_of(windows: &[&[f32]], count: usize, shrinkage: f64) -> Vec<f32> {
    let mut covariance = DMatrix::<f64>::zeros(count, count);
    let mut rows = 0.0;
    for window in windows {
        let n = window.len() / count;
        let mut centred = DMatrix::from_iterator(count, n, window.iter().map(|v| f64::from(*v)));
        let mean = centred.column_mean();
        centred.column_iter_mut().for_each(|mut column| column -= &mean);
        covariance += &centred * centred.transpose();
        rows += n as f64;
    }
    covariance /= f64::max(rows, 1.0);
    let even = shrinkage * covariance.trace() / count as f64;
    covariance *= 1.0 - shrinkage;
    // Good pictures that are all the same have no spread: distances are those of the descriptions themselves then.
    (0..count).for_each(|i| covariance[(i, i)] += if even > 1e-12 { even } else { 1.0 });
    let lower = covariance.cholesky().map(|c| c.unpack()).unwrap_or_else(|| DMatrix::identity(count, count));
    let inverse = lower.solve_lower_triangular(&DMatrix::identity(count, count));
    // Row by row.
    inverse.map_or_else(Vec::new, |inverse| inverse.transpose().iter().map(|v| *v as f32).collect())
}

/// The mean distance of a good picture's description from the nearest of another picture; 1 where there is none.
fn usual_distance(all: &[f32], count: usize, source: &[u32]) -> f32 {
    let mut sum = 0.0f64;
    let mut number = 0.0;
    for (own, x) in source.iter().zip(all.chunks_exact(count)) {
        let others = source.iter().zip(all.chunks_exact(count)).filter(|(other, _)| *other != own);
        let nearest = others.map(|(_, y)| crate::model::head::knn::squared(x, y)).fold(f32::INFINITY, f32::min);
        if nearest.is_finite() {
            sum += f64::from(nearest.sqrt());
            number += 1.0;
        }
    }
    let mean = (sum / f64::max(number, 1.0)) as f32;
    if mean > 1e-6 { mean } else { 1.0 }
}
