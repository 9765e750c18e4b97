//! PNI's position prior: PatchCore's memory bank, of which a patch is compared only with what good parts show around its place. What belongs somewhere else
//! (a hole where none is) is far from all of that, however common it is. For parts that lie alike. Source: Bae et al., "PNI: Industrial Anomaly
//! Detection using Position and Neighborhood Information", ICCV 2023, of which this is the part about positions; the network that predicts a patch
//! from its neighbours is not here.

mod model;

use serde::{Deserialize, Serialize};

pub use model::PniModel;

use super::patchcore::{self, Trainer};
use super::patches::{FeatureMethod, Learning, PatchModel};
use super::{Cost, FitSize, Param};
use crate::fit::{FitError, Phase};
use crate::model::bundle::Bundle;

/// The method. See the module.
#[derive(Debug)]
pub struct Pni;

/// The parameters of [`Pni`], as [`crate::fit::FitOptions::params`] holds them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Patches in the memory bank.
    pub bank: usize,
    /// How far from where good parts show it a remembered patch still belongs, in patches.
    pub reach: usize,
}

impl Default for Params {
    /// The reach as published.
    fn default() -> Params {
        Params { bank: 4000, reach: 4 }
    }
}

impl FeatureMethod for Pni {
    const ID: &'static str = "pni";
    const ABOUT: &'static str = "Distance to the nearest remembered patch that good parts show around that place: finds what is in the wrong place.";
    const PARAMS: &'static [Param] = &[
        Param { name: "bank", default: "4000", about: "patches in the memory bank" },
        Param {
            name: "reach",
            default: "4",
            about: "how far from its places a remembered patch still belongs, in patches",
        },
    ];
    type Params = Params;

    fn instance() -> &'static Pni {
        &Pni
    }

    fn check(params: &Params) -> Result<(), &'static str> {
        (params.bank > 0).then_some(()).ok_or("bank: the memory bank needs at least 1 patch")
    }

    fn cost(params: &Params, size: &FitSize, patches: f64) -> Cost {
        let (bank, dim) = (params.bank as f64, size.dim as f64);
        let seconds = 0.65 * patches * bank * dim * 3.0 / 110e9 + 2.0 * patches * bank * dim / 200e9;
        Cost { bytes: patches * 12.0 + bank * (dim * 12.0 + size.cells as f64 / 8.0), seconds }
    }

    fn learn(
        params: &Params,
        learning: &Learning<'_>,
        progress: &mut dyn FnMut(Phase, usize, usize),
    ) -> Result<Box<dyn PatchModel>, FitError> {
        let bank = patchcore::Params { bank: params.bank, local_scale: 0.0, ..patchcore::Params::default() };
        let trainer = Trainer::new(learning.set, learning.options, bank, progress)?;
        let candidates: Vec<u32> = learning.patches().collect();
        let images: Vec<u32> = learning.blocks.iter().map(|b| learning.set.blocks[*b].0).collect();
        let keep = |image: usize| images.binary_search(&(image as u32)).is_ok();
        let bank = trainer.bank_of(&candidates, &keep, progress);
        Ok(Box::new(PniModel::new(params, learning, bank, progress)))
    }

    fn model(bundle: &Bundle) -> Result<Box<dyn PatchModel>, String> {
        Ok(Box::new(PniModel::of(bundle)?))
    }
}
