//! Outcomes beside the truth of the simulated belt.

use std::collections::BTreeMap;

use andon_core::{CameraVerdict, Outcome};

/// Outcomes against ground truth. Only parts that were judged (PASS, REJECT) count as found, missed or falsely rejected;
/// the others are counted by themselves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Parts with a verdict.
    pub parts: u64,
    /// Good parts that were judged, and those of them that were rejected.
    pub good: (u64, u64),
    /// Defective parts that were judged, and those of them that passed, by kind.
    pub defects: BTreeMap<&'static str, (u64, u64)>,
    /// PASS, REJECT, UNINSPECTED, ERROR.
    pub outcomes: [u64; 4],
}

impl Tally {
    /// Counts one verdict; see [`super::Live::verdict`].
    pub fn add(&mut self, v: &CameraVerdict, truth: Option<Option<&'static str>>) {
        self.parts += 1;
        let (slot, passed) = match v.outcome {
            Outcome::Pass(_) => (0, Some(true)),
            Outcome::Reject => (1, Some(false)),
            Outcome::Uninspected => (2, None),
            Outcome::Error => (3, None),
        };
        self.outcomes[slot] += 1;
        let (Some(passed), Some(truth)) = (passed, truth) else { return };
        match truth {
            None => {
                self.good.0 += 1;
                self.good.1 += u64::from(!passed);
            }
            Some(kind) => {
                let entry = self.defects.entry(kind).or_default();
                entry.0 += 1;
                entry.1 += u64::from(passed);
            }
        }
    }

    /// Defective parts that were judged.
    pub fn bad(&self) -> u64 {
        self.defects.values().map(|(n, _)| n).sum()
    }

    /// Defective parts that passed.
    pub fn missed(&self) -> u64 {
        self.defects.values().map(|(_, missed)| missed).sum()
    }
}
