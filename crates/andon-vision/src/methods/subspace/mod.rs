//! Subspace: what is left of a patch's feature outside the directions in which good patches vary. No memory bank: one small matrix, whatever was
//! learned from. Sources: DFM (Ahuja et al., "Probabilistic Modeling of Deep Features for Out-of-Distribution and Adversarial Detection", 2019), whose
//! feature reconstruction error it is, and SubspaceAD (2026), which takes it of patches.

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::patches::{AffineModel, FeatureMethod, Learning, Moments, PatchModel};
use super::{Cost, FitSize, Param};
use crate::fit::{FitError, Phase};
use crate::model::bundle::Bundle;

/// The method. See the module.
#[derive(Debug)]
pub struct Subspace;

/// The parameters of [`Subspace`], as [`crate::fit::FitOptions::params`] holds them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// The share of the variance of good patches that the subspace explains, above 0 and below 1.
    pub variance: f64,
}

impl Default for Params {
    fn default() -> Params {
        Params { variance: 0.99 }
    }
}

const LABEL: &str = "subspace";

impl FeatureMethod for Subspace {
    const ID: &'static str = "subspace";
    const ABOUT: &'static str = "What is left of each patch outside the directions in which good patches vary: a small model, fast with large networks.";
    const PARAMS: &'static [Param] = &[Param {
        name: "variance",
        default: "0.99",
        about: "share of the variance of good patches that the subspace explains",
    }];
    type Params = Params;

    fn instance() -> &'static Subspace {
        &Subspace
    }

    fn check(params: &Params) -> Result<(), &'static str> {
        let inside = params.variance > 0.0 && params.variance < 1.0;
        inside.then_some(()).ok_or("variance: a share above 0 and below 1")
    }

    fn cost(_: &Params, size: &FitSize, patches: f64) -> Cost {
        let dim = size.dim as f64;
        Cost { bytes: 4.0 * dim * dim * 8.0, seconds: patches * dim * dim / 3e9 + 10.0 * dim.powi(3) / 1e9 }
    }

    fn learn(
        params: &Params,
        learning: &Learning<'_>,
        progress: &mut dyn FnMut(Phase, usize, usize),
    ) -> Result<Box<dyn PatchModel>, FitError> {
        progress(Phase::Gaussians, 0, 1);
        let dim = learning.set.dim;
        let moments = Moments::of(learning);
        let total: f64 = (0..dim).map(|i| moments.covariance[i * dim + i]).sum();
        if total <= 0.0 || dim < 2 {
            return Err(FitError::NoSpread);
        }
        let eigen = DMatrix::from_vec(dim, dim, moments.covariance).symmetric_eigen();
        let mut order: Vec<usize> = (0..dim).collect();
        order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]).then(a.cmp(b)));
        // `|x - mean - C C^T (x - mean)|` is the length of the coordinates along the directions that are left, which do not cancel.
        let mut explained = 0.0;
        let enough = order.iter().position(|i| {
            explained += eigen.eigenvalues[*i];
            explained >= params.variance * total
        });
        let kept = enough.map_or(dim, |at| at + 1).min(dim - 1);
        let left = order.iter().skip(kept).map(|i| eigen.eigenvectors.column(*i));
        let (mut weight, mut offset) = (Vec::with_capacity((dim - kept) * dim), Vec::with_capacity(dim - kept));
        for direction in left {
            weight.extend(direction.iter().map(|v| *v as f32));
            offset.push(direction.iter().zip(&moments.mean).map(|(d, m)| d * m).sum::<f64>() as f32);
        }
        progress(Phase::Gaussians, 1, 1);
        Ok(Box::new(AffineModel {
            params: serde_json::to_value(params).unwrap_or_default(),
            label: LABEL,
            dim,
            weight: weight.into(),
            offset: offset.into(),
        }))
    }

    fn model(bundle: &Bundle) -> Result<Box<dyn PatchModel>, String> {
        bundle.manifest.method.read::<Params>()?;
        Ok(Box::new(AffineModel::of(bundle, Self::ID, LABEL)?))
    }
}
