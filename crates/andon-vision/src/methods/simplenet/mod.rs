//! SimpleNet: a small network that learned to tell features of good patches from the same with noise added. No memory bank, and a frame costs two small
//! matrix products a patch. Trained by `andon-train` on features that are computed once. Source: Liu et al., "SimpleNet: A Simple Network for Image
//! Anomaly Detection and Localization", CVPR 2023.

mod model;

use serde::{Deserialize, Serialize};

pub use model::{Network, SimpleNetModel};

use super::patches::PatchModel;
use super::{Learner, Method, Param};
use crate::model::bundle::Bundle;

/// The method. See the module.
#[derive(Debug)]
pub struct SimpleNet;

/// Its id.
pub const ID: &str = "simplenet";

/// The parameters of [`SimpleNet`], as [`crate::fit::FitOptions::params`] holds them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Training steps, each on [`Params::pictures`] pictures.
    pub steps: u64,
    /// Pictures of a step.
    pub pictures: usize,
    /// Standard deviation of the noise, in standard deviations of each value of a good patch.
    pub noise: f64,
    /// Values of the hidden layer.
    pub hidden: usize,
    /// Rate of learning.
    pub rate: f64,
    /// Share of the good pictures that are not trained on and give threshold and claim; above 0, at most 0.5.
    pub held_out: f64,
}

impl Default for Params {
    /// First guesses but for the steps, of which 100, 400 and 2,000 were tried: docs/methods.md has what they come to.
    fn default() -> Params {
        Params { steps: 400, pictures: 4, noise: 0.3, hidden: 128, rate: 2e-3, held_out: 0.2 }
    }
}

impl Params {
    /// Whether the values are in their ranges.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), &'static str> {
        let rules = [
            ((1..=1_000_000).contains(&self.steps), "steps: 1 to a million"),
            ((1..=64).contains(&self.pictures), "pictures: 1 to 64 for a step"),
            (self.noise > 0.0 && self.noise <= 10.0, "noise: a number above 0, at most 10"),
            ((1..=4096).contains(&self.hidden), "hidden: 1 to 4096 values"),
            (self.rate > 0.0 && self.rate <= 0.1, "rate: a number above 0, at most 0.1"),
            (self.held_out > 0.0 && self.held_out <= 0.5, "held_out: a share above 0, at most 0.5"),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, why)| Err(why))
    }
}

const PARAMS: [Param; 6] = [
    Param { name: "steps", default: "400", about: "training steps" },
    Param { name: "pictures", default: "4", about: "pictures of a step" },
    Param {
        name: "noise",
        default: "0.3",
        about: "noise that it learns to tell, in standard deviations of good patches",
    },
    Param { name: "hidden", default: "128", about: "values of the hidden layer" },
    Param { name: "rate", default: "0.002", about: "rate of learning" },
    Param {
        name: "held_out",
        default: "0.2",
        about: "share of the pictures that give the threshold and are not trained on",
    },
];

impl Method for SimpleNet {
    fn id(&self) -> &'static str {
        ID
    }

    fn about(&self) -> &'static str {
        "A small network that tells good patches from the same with noise: trained in a minute or two, fast with large networks."
    }

    fn params(&self) -> &'static [Param] {
        &PARAMS
    }

    fn learner(&self) -> Option<&'static dyn Learner> {
        None
    }

    fn patch_model(&self, bundle: &Bundle) -> Result<Option<Box<dyn PatchModel>>, String> {
        Ok(Some(Box::new(SimpleNetModel::of(bundle)?)))
    }
}

#[cfg(test)]
mod tests;
