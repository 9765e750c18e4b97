//! PatchCore: the distance of each patch to the nearest patch of good parts, of which a coreset is remembered. Source: Roth et al., "Towards
//! Total Recall in Industrial Anomaly Detection", CVPR 2022. Distances are scaled by what is usual around each row (`local_scale`), and
//! patches unlike all others of their place may be kept out (`denoise`, SoftPatch: Jiang et al., NeurIPS 2022).

mod adapt;
mod denoise;
mod model;
mod params;
mod spread;
mod train;

pub use model::{About, PatchCoreModel};
pub use params::{BankSize, Params};

use super::patches::{self, PatchModel, PatchTrainer, Probes, Trial};
use super::{Cost, FitSize, Learner, Method, Param, adapt::Adapter};
use crate::fit::{FeatureSet, FitError, FitJob, FitOptions, Fitted, Phase};
use crate::model::bundle::Bundle;
pub(in crate::methods) use train::Trainer;

/// The method. See the module.
#[derive(Debug)]
pub struct PatchCore;

/// Its id.
pub const ID: &str = "patchcore";

impl Method for PatchCore {
    fn id(&self) -> &'static str {
        ID
    }

    fn about(&self) -> &'static str {
        "Distance of each patch to the nearest remembered patch of good parts: finds small defects, and parts may lie anywhere."
    }

    fn params(&self) -> &'static [Param] {
        &params::PARAMS
    }

    fn learner(&self) -> Option<&'static dyn Learner> {
        Some(&PatchCore)
    }

    fn patch_model(&self, bundle: &Bundle) -> Result<Option<Box<dyn PatchModel>>, String> {
        Ok(Some(Box::new(PatchCoreModel::of(bundle)?)))
    }

    fn adapter(&self) -> Option<&'static dyn Adapter> {
        Some(&adapt::BankAdapter)
    }
}

impl Learner for PatchCore {
    fn cost(&self, size: &FitSize, options: &FitOptions) -> Result<Cost, FitError> {
        Ok(options.params::<Params>()?.cost(size, options))
    }

    fn fit(&self, job: FitJob<'_>) -> Result<Fitted, FitError> {
        job.options.params::<Params>()?.check()?;
        patches::fit(ID, job, &make_trainer)
    }

    fn trial(&self, job: FitJob<'_>, probes: &Probes<'_>) -> Result<Trial, FitError> {
        job.options.params::<Params>()?.check()?;
        patches::trial(job, probes, &make_trainer)
    }
}

fn make_trainer<'a>(
    set: &'a FeatureSet,
    options: &'a FitOptions,
    progress: &mut dyn FnMut(Phase, usize, usize),
) -> Result<Box<dyn PatchTrainer + 'a>, FitError> {
    Ok(Box::new(Trainer::new(set, options, options.params()?, progress)?))
}

#[cfg(test)]
mod tests;
