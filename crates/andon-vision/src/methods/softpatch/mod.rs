//! SoftPatch: PatchCore for pictures among which some are not good. Patches that look like nothing at the same place of the other pictures stay out of the
//! memory bank, and distances to the rest are weighted by how unlike their neighbours they are. Source: Jiang et al., "SoftPatch: Unsupervised
//! Anomaly Detection with Noisy Data", NeurIPS 2022.

use serde::{Deserialize, Serialize};

use super::patchcore::{self, PatchCoreModel, Trainer};
use super::patches::{self, PatchModel, PatchTrainer, Probes, Trial};
use super::{Cost, FitSize, Learner, Method, Param};
use crate::fit::{FeatureSet, FitError, FitJob, FitOptions, Fitted, Phase};
use crate::model::bundle::Bundle;

/// The method. See the module.
#[derive(Debug)]
pub struct SoftPatch;

/// Its id.
pub const ID: &str = "softpatch";

/// The parameters of [`SoftPatch`], as [`FitOptions::params`] holds them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Patches in the memory bank.
    pub bank: usize,
    /// The share of patches, those most unlike the same place of other pictures, that stays out of it; above 0, at most 0.5.
    pub outliers: f64,
}

impl Default for Params {
    /// As published.
    fn default() -> Params {
        Params { bank: 4000, outliers: 0.15 }
    }
}

impl Params {
    fn bank(&self) -> patchcore::Params {
        patchcore::Params { bank: self.bank, time_budget_ms: None, local_scale: 0.0, denoise: Some(self.outliers) }
    }

    fn of(options: &FitOptions) -> Result<Params, FitError> {
        let params: Params = options.params()?;
        let rules = [
            (params.bank > 0, "bank: the memory bank needs at least 1 patch"),
            (params.outliers > 0.0 && params.outliers <= 0.5, "outliers: a share above 0 and at most 0.5"),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(params), |(_, why)| Err(FitError::Option(why)))
    }
}

impl Method for SoftPatch {
    fn id(&self) -> &'static str {
        ID
    }

    fn about(&self) -> &'static str {
        "PatchCore that keeps the most unusual patches out of its memory: for pictures among which some may not be good."
    }

    fn params(&self) -> &'static [Param] {
        &[
            Param { name: "bank", default: "4000", about: "patches in the memory bank" },
            Param {
                name: "outliers",
                default: "0.15",
                about: "share of the most unusual patches that stays out, up to 0.5",
            },
        ]
    }

    fn learner(&self) -> Option<&'static dyn Learner> {
        Some(&SoftPatch)
    }

    fn patch_model(&self, bundle: &Bundle) -> Result<Option<Box<dyn PatchModel>>, String> {
        Ok(Some(Box::new(PatchCoreModel::of_method(bundle, ID)?)))
    }
}

impl Learner for SoftPatch {
    fn cost(&self, size: &FitSize, options: &FitOptions) -> Result<Cost, FitError> {
        Ok(Params::of(options)?.bank().cost(size, options))
    }

    fn fit(&self, job: FitJob<'_>) -> Result<Fitted, FitError> {
        Params::of(job.options)?;
        patches::fit(ID, job, &make_trainer)
    }

    fn trial(&self, job: FitJob<'_>, probes: &Probes<'_>) -> Result<Trial, FitError> {
        Params::of(job.options)?;
        patches::trial(job, probes, &make_trainer)
    }
}

fn make_trainer<'a>(
    set: &'a FeatureSet,
    options: &'a FitOptions,
    progress: &mut dyn FnMut(Phase, usize, usize),
) -> Result<Box<dyn PatchTrainer + 'a>, FitError> {
    Ok(Box::new(Trainer::new(set, options, Params::of(options)?.bank(), progress)?))
}
