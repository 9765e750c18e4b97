//! How the memory bank is learned.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fit::{FitError, FitOptions};
use crate::methods::{Cost, FitSize, Param};

/// How large the memory bank becomes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BankSize {
    /// This many patches at most.
    Patches(usize),
    /// As many as one picture can be compared with in this time on this machine.
    Within(Duration),
}

/// The parameters of [`super::PatchCore`], as [`crate::fit::FitOptions::params`] holds them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Patches in the memory bank.
    pub bank: usize,
    /// In place of `bank`: as many patches as one picture is compared with in so many milliseconds on this machine.
    pub time_budget_ms: Option<f64>,
    /// Distances are divided by `(spread of the nearest row / median spread) ^ local_scale`: a distance that is usual around one
    /// bank row is alarming around another. 0 leaves them alone; 0..=1.
    pub local_scale: f32,
    /// This share of patches, those most unlike the same place of other pictures, stays out of the bank, and distances are weighted
    /// by how unlike their neighbours the rest are (SoftPatch); 0..=0.5.
    pub denoise: Option<f64>,
}

impl Default for Params {
    /// Chosen by the comparison in docs/accuracy.md.
    fn default() -> Params {
        Params { bank: 4000, time_budget_ms: None, local_scale: 0.5, denoise: None }
    }
}

/// The same for people.
pub(super) const PARAMS: [Param; 4] = [
    Param { name: "bank", default: "4000", about: "patches in the memory bank (--bank)" },
    Param {
        name: "time_budget_ms",
        default: "none",
        about: "the largest bank that is searched in this time (--time-budget)",
    },
    Param {
        name: "local_scale",
        default: "0.5",
        about: "how much distances count relative to what is usual there, 0 to 1 (--local-scale)",
    },
    Param {
        name: "denoise",
        default: "none",
        about: "share of the most unusual patches that is kept out, up to 0.5 (--denoise)",
    },
];

impl Params {
    /// Size of the bank.
    pub fn bank_size(&self) -> BankSize {
        match self.time_budget_ms {
            Some(ms) => BankSize::Within(Duration::from_secs_f64(ms / 1e3)),
            None => BankSize::Patches(self.bank),
        }
    }

    /// The parameters as [`crate::fit::FitOptions::params`] takes them.
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    pub(super) fn check(&self) -> Result<(), FitError> {
        let rules = [
            (self.bank > 0, "--bank: the memory bank needs at least 1 patch"),
            (self.time_budget_ms.is_none_or(|ms| ms > 0.0 && ms < 1e9), "--time-budget is a time above 0"),
            ((0.0..=1.0).contains(&self.local_scale), "local_scale is not in 0..=1"),
            (self.denoise.is_none_or(|d| d > 0.0 && d <= 0.5), "--denoise is a share above 0 and at most 50 %"),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, why)| Err(FitError::Option(why)))
    }

    pub(in crate::methods) fn cost(&self, size: &FitSize, options: &FitOptions) -> Cost {
        let blocks = (size.pictures * options.augment.count()) as f64;
        let (cells, dim, threads) = (size.cells as f64, size.dim as f64, options.threads as f64);
        let patches = blocks * cells;
        let bank = match self.bank_size() {
            BankSize::Patches(n) => (n as f64).min(patches),
            BankSize::Within(_) => 4000f64.min(patches),
        };
        // Features, the coreset's 12 bytes a patch, its centres on each thread, the packed bank.
        let bytes = patches * (4.0 * dim + 12.0 + 12.0) + bank * dim * 4.0 * (threads + 3.0) + 60e6;
        // The coreset computes half of all distances (762 tiles) to three quarters (300), at some 110 GFLOP/s a thread with AVX-512
        // (measured); then every patch searches once.
        let coreset = 0.65 * patches * bank * dim * 3.0 / (110e9 * threads);
        let search = size.pictures as f64 * cells * bank * dim * 2.0 / (200e9 * threads);
        // Each group's bank is learned from the pictures of all others: together as much as the folds less one; then the whole.
        Cost { bytes, seconds: (coreset + search) * options.folds.min(size.pictures) as f64 }
    }
}
