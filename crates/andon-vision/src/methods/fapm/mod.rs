//! FAPM: a memory bank for each region of the picture, larger where good patches vary more. A patch is compared with the banks of its own region and of those
//! around it, a fraction of what is remembered. For parts that lie alike. Source: Kim et al., "FAPM: Fast Adaptive Patch Memory for Real-time Industrial
//! Anomaly Detection", ICASSP 2023; that regions around are searched too is our own, for parts that shift.

mod model;

use serde::{Deserialize, Serialize};

pub use model::FapmModel;

use super::patches::{FeatureMethod, Learning, PatchModel};
use super::{Cost, FitSize, Param};
use crate::fit::{FitError, Phase, greedy_coreset};
use crate::model::bundle::Bundle;
use crate::model::head::knn::squared;

/// The method. See the module.
#[derive(Debug)]
pub struct Fapm;

/// The parameters of [`Fapm`], as [`crate::fit::FitOptions::params`] holds them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Patches in all banks together.
    pub bank: usize,
    /// Regions along each side of the picture.
    pub regions: usize,
    /// How many regions around its own a patch is searched in.
    pub reach: usize,
}

impl Default for Params {
    /// Seven regions a side as published.
    fn default() -> Params {
        Params { bank: 8000, regions: 7, reach: 1 }
    }
}

impl FeatureMethod for Fapm {
    const ID: &'static str = "fapm";
    const ABOUT: &'static str =
        "A memory for each region of the picture, larger where good parts vary more: for parts that lie alike.";
    const PARAMS: &'static [Param] = &[
        Param { name: "bank", default: "8000", about: "patches in all memories together" },
        Param { name: "regions", default: "7", about: "regions along each side of the picture" },
        Param { name: "reach", default: "1", about: "regions around its own in which a patch is looked for" },
    ];
    type Params = Params;

    fn instance() -> &'static Fapm {
        &Fapm
    }

    fn check(params: &Params) -> Result<(), &'static str> {
        let rules = [
            (params.bank > 0, "bank: at least 1 patch has to be remembered"),
            ((1..=64).contains(&params.regions), "regions: 1 to 64 along each side"),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, why)| Err(why))
    }

    fn cost(params: &Params, size: &FitSize, patches: f64) -> Cost {
        let (dim, regions) = (size.dim as f64, (params.regions * params.regions) as f64);
        let each = params.bank as f64 / regions;
        Cost { bytes: params.bank as f64 * dim * 90.0, seconds: 3.0 * patches * each * dim / 100e9 }
    }

    fn learn(
        params: &Params,
        learning: &Learning<'_>,
        progress: &mut dyn FnMut(Phase, usize, usize),
    ) -> Result<Box<dyn PatchModel>, FitError> {
        let set = learning.set;
        let cells = set.cells.len() as u32;
        let region_of = model::regions_of(&set.cells, set.grid, params.regions);
        let count = params.regions * params.regions;
        let mut members: Vec<Vec<u32>> = vec![Vec::new(); count];
        for patch in learning.patches() {
            members[region_of[(patch % cells) as usize] as usize].push(patch);
        }
        // Where a first bank of equal size leaves good patches further away than in half of the regions, it gets twice the size.
        let inhabited = members.iter().filter(|m| !m.is_empty()).count().max(1);
        let small = (params.bank as f64 / (1.5 * inhabited as f64)).round().max(1.0) as usize;
        let mut banks: Vec<Vec<u32>> = Vec::with_capacity(count);
        for (region, members) in members.iter().enumerate() {
            progress(Phase::Coreset, region, 2 * count);
            banks.push(coreset(learning, members, small));
        }
        let radii: Vec<f32> = banks.iter().zip(&members).map(|(bank, all)| radius(learning, bank, all)).collect();
        let mut sorted: Vec<f32> = radii.iter().zip(&members).filter(|(_, m)| !m.is_empty()).map(|(r, _)| *r).collect();
        sorted.sort_unstable_by(f32::total_cmp);
        let median = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
        for (region, (bank, members)) in banks.iter_mut().zip(&members).enumerate() {
            progress(Phase::Coreset, count + region, 2 * count);
            if radii[region] > median {
                *bank = coreset(learning, members, 2 * small);
            }
            bank.sort_unstable();
        }
        progress(Phase::Coreset, 2 * count, 2 * count);
        Ok(Box::new(FapmModel::new(params, learning, &banks)))
    }

    fn model(bundle: &Bundle) -> Result<Box<dyn PatchModel>, String> {
        Ok(Box::new(FapmModel::of(bundle)?))
    }
}

fn coreset(learning: &Learning<'_>, members: &[u32], size: usize) -> Vec<u32> {
    let (set, options) = (learning.set, learning.options);
    greedy_coreset(&set.values, set.dim, members, size, options.seed, options.threads, &mut |_| {})
}

/// The squared distance that the last patch of a greedy coreset had to those before it: no patch is further from the bank.
fn radius(learning: &Learning<'_>, bank: &[u32], members: &[u32]) -> f32 {
    let Some((last, before)) = bank.split_last() else { return 0.0 };
    if bank.len() == members.len() {
        return 0.0;
    }
    before.iter().map(|b| squared(learning.patch(*last), learning.patch(*b))).fold(f32::INFINITY, f32::min)
}
