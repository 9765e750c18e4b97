//! FastRecon: the difference of a patch's feature to its reconstruction from a few remembered patches, drawn towards the mean of its place. For few
//! pictures. Source: Fang et al., "FastRecon: Few-shot Industrial Anomaly Detection via Fast Feature Reconstruction", ICCV 2023.
//!
//! With the remembered patches as rows of `S` and the mean `m` of the place, the paper's `min_W |x - W S|² + l |m - W S|²` has the solution
//! `x' = (x + l m) P / (1 + l)` with the projection `P = S^T (S S^T)^-1 S`, so that `x - x' = (I - P / (1 + l)) x - l / (1 + l) P m`: one matrix for
//! all patches, and one offset a place.

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::patches::{AffineModel, FeatureMethod, Learning, PatchModel};
use super::{Cost, FitSize, Param};
use crate::fit::{FitError, Phase, greedy_coreset};
use crate::model::bundle::Bundle;

/// The method. See the module.
#[derive(Debug)]
pub struct FastRecon;

/// The parameters of [`FastRecon`], as [`crate::fit::FitOptions::params`] holds them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Remembered patches as a share of a feature's values, above 0 and below 1: as many as there are values would reconstruct everything.
    pub share: f64,
    /// How strongly reconstructions are drawn towards the mean of their place, from 0 on: the paper's lambda.
    pub pull: f64,
}

impl Default for Params {
    fn default() -> Params {
        Params { share: 0.5, pull: 2.0 }
    }
}

const LABEL: &str = "reconstruction";

/// Added to the diagonal of `S S^T`, as a share of its mean: remembered patches may be nearly dependent.
const RIDGE: f64 = 1e-6;

impl FeatureMethod for FastRecon {
    const ID: &'static str = "fastrecon";
    const ABOUT: &'static str = "Difference of each patch to its reconstruction from a few remembered ones and the mean of its place: for few pictures.";
    const PARAMS: &'static [Param] = &[
        Param { name: "share", default: "0.5", about: "remembered patches as a share of a feature's values" },
        Param {
            name: "pull",
            default: "2",
            about: "how strongly reconstructions are drawn to the mean of their place",
        },
    ];
    type Params = Params;

    fn instance() -> &'static FastRecon {
        &FastRecon
    }

    fn check(params: &Params) -> Result<(), &'static str> {
        let rules = [
            (params.share > 0.0 && params.share < 1.0, "share: a share above 0 and below 1"),
            ((0.0..=1e3).contains(&params.pull), "pull: 0 to 1000"),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, why)| Err(why))
    }

    fn cost(params: &Params, size: &FitSize, patches: f64) -> Cost {
        let (dim, cells) = (size.dim as f64, size.cells as f64);
        let rows = params.share * dim;
        let seconds = (patches * rows * dim + 4.0 * dim.powi(3) + cells * dim * dim) / 2e9;
        Cost { bytes: 4.0 * dim * dim * 8.0 + cells * dim * 8.0, seconds }
    }

    fn learn(
        params: &Params,
        learning: &Learning<'_>,
        progress: &mut dyn FnMut(Phase, usize, usize),
    ) -> Result<Box<dyn PatchModel>, FitError> {
        let (set, options) = (learning.set, learning.options);
        let (dim, cells) = (set.dim, set.cells.len());
        let wanted = ((params.share * dim as f64).round() as usize).clamp(1, dim.max(2) - 1);
        let among: Vec<u32> = learning.patches().collect();
        let mut report = |done| progress(Phase::Coreset, done, wanted);
        let rows = greedy_coreset(&set.values, dim, &among, wanted, options.seed, options.threads, &mut report);
        let remembered = DMatrix::from_row_iterator(
            rows.len(),
            dim,
            rows.iter().flat_map(|i| learning.patch(*i)).map(|v| f64::from(*v)),
        );
        let mut products = &remembered * remembered.transpose();
        let ridge = RIDGE * products.trace() / rows.len() as f64;
        (0..rows.len()).for_each(|i| products[(i, i)] += ridge);
        let solved = products.cholesky().ok_or(FitError::NoSpread)?.solve(&remembered);
        let projection = remembered.transpose() * solved;
        let share = 1.0 / (1.0 + params.pull);
        let weight = DMatrix::identity(dim, dim) - &projection * share;
        let mut mean = vec![0.0f64; cells * dim];
        for block in learning.features() {
            mean.iter_mut().zip(block).for_each(|(sum, v)| *sum += f64::from(*v) / learning.blocks.len() as f64);
        }
        let mean = DMatrix::from_column_slice(dim, cells, &mean);
        let offset = projection * mean * (params.pull * share);
        let model = AffineModel {
            params: serde_json::to_value(params).unwrap_or_default(),
            label: LABEL,
            dim,
            // Row by row; the matrix is kept column by column.
            weight: weight.transpose().iter().map(|v| *v as f32).collect(),
            offset: offset.iter().map(|v| *v as f32).collect(),
        };
        Ok(Box::new(model))
    }

    fn model(bundle: &Bundle) -> Result<Box<dyn PatchModel>, String> {
        bundle.manifest.method.read::<Params>()?;
        Ok(Box::new(AffineModel::of(bundle, Self::ID, LABEL)?))
    }
}
