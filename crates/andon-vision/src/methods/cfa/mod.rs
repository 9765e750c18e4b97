//! CFA: a descriptor of one layer, told where on the grid a patch lies, that draws good patches to a few centres; the distance is that to the nearest centre, less where several are as near.
//! Trained by `andon-train` on features that are computed once. Source: Lee, Lee and Song, "CFA: Coupled-hypersphere-based Feature Adaptation for Target-Oriented Anomaly
//! Localization", IEEE Access 2022.

mod model;

use serde::{Deserialize, Serialize};

pub use model::{CfaModel, Descriptor, coordinates};

use super::patches::PatchModel;
use super::{Learner, Method, Param};
use crate::model::bundle::Bundle;

/// The method. See the module.
#[derive(Debug)]
pub struct Cfa;

/// Its id.
pub const ID: &str = "cfa";

/// Centres that a patch is drawn to, and by which it is scored, as published.
pub const NEAR: usize = 3;

/// The parameters of [`Cfa`], as [`crate::fit::FitOptions::params`] holds them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Centres.
    pub centres: usize,
    /// Training steps, each on [`Params::pictures`] pictures.
    pub steps: u64,
    /// Pictures of a step.
    pub pictures: usize,
    /// Radius of the sphere around a centre within which a patch is not drawn nearer, in multiples of the usual distance before training.
    pub radius: f64,
    /// Rate of learning.
    pub rate: f64,
    /// Share of the good pictures that are not trained on and give threshold and claim; above 0, at most 0.5.
    pub held_out: f64,
}

impl Default for Params {
    /// First guesses, not searched: docs/methods.md has what they come to.
    fn default() -> Params {
        Params { centres: 1000, steps: 300, pictures: 2, radius: 0.5, rate: 1e-3, held_out: 0.2 }
    }
}

impl Params {
    /// Whether the values are in their ranges.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), &'static str> {
        let rules = [
            ((2 * NEAR..=100_000).contains(&self.centres), "centres: 6 to 100000"),
            ((1..=1_000_000).contains(&self.steps), "steps: 1 to a million"),
            ((1..=64).contains(&self.pictures), "pictures: 1 to 64 for a step"),
            (self.radius >= 0.0 && self.radius <= 10.0, "radius: a number from 0 to 10"),
            (self.rate > 0.0 && self.rate <= 0.1, "rate: a number above 0, at most 0.1"),
            (self.held_out > 0.0 && self.held_out <= 0.5, "held_out: a share above 0, at most 0.5"),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, why)| Err(why))
    }
}

const PARAMS: [Param; 6] = [
    Param { name: "centres", default: "1000", about: "centres that good patches are drawn to" },
    Param { name: "steps", default: "300", about: "training steps" },
    Param { name: "pictures", default: "2", about: "pictures of a step" },
    Param { name: "radius", default: "0.5", about: "how near a patch is drawn, in multiples of the usual distance" },
    Param { name: "rate", default: "0.001", about: "rate of learning" },
    Param {
        name: "held_out",
        default: "0.2",
        about: "share of the pictures that give the threshold and are not trained on",
    },
];

impl Method for Cfa {
    fn id(&self) -> &'static str {
        ID
    }

    fn about(&self) -> &'static str {
        "A trained layer draws good patches to a few centres; the distance is that to the nearest: less to remember than patchcore, a minute or so to learn."
    }

    fn params(&self) -> &'static [Param] {
        &PARAMS
    }

    fn learner(&self) -> Option<&'static dyn Learner> {
        None
    }

    fn patch_model(&self, bundle: &Bundle) -> Result<Option<Box<dyn PatchModel>>, String> {
        Ok(Some(Box::new(CfaModel::of(bundle)?)))
    }
}

#[cfg(test)]
mod tests;
