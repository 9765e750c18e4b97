//! The decisions about a model's threshold: each keeps what was before it, so that it can be taken back to the byte, and so that scores that
//! the model gave before it are still known as its own.

use super::{Bundle, Chosen, Claim, Decision};
use andon_core::Threshold;

/// Decisions that a model remembers; beyond them the oldest is forgotten, but for what learning chose.
const REMEMBERED: usize = 32;

impl Bundle {
    /// Sets the threshold that somebody chose, and what it promises. The bundle has no digest of its new content until it is written.
    pub fn decide(&mut self, threshold: Threshold, claim: Claim, chosen: Chosen) {
        let m = &mut self.manifest;
        if m.earlier.len() >= REMEMBERED {
            m.earlier.remove(1);
        }
        m.earlier.push(Decision {
            threshold: m.threshold,
            claim: m.claim,
            chosen: m.chosen.take(),
            blake3: std::mem::take(&mut self.blake3),
            knew: m.training.digest(),
        });
        (m.threshold, m.claim, m.chosen) = (threshold.get(), claim, Some(chosen));
    }

    /// Takes the last decision back: threshold, claim and author are what they were before it, and so is the whole file if nothing else was
    /// changed since. False if there is none to take back.
    pub fn undo_decision(&mut self) -> bool {
        let m = &mut self.manifest;
        let Some(before) = m.earlier.pop() else { return false };
        (m.threshold, m.claim, m.chosen) = (before.threshold, before.claim, before.chosen);
        self.blake3.clear();
        true
    }

    /// The threshold that learning chose, as far as the model remembers.
    pub fn learned_threshold(&self) -> f32 {
        self.manifest.earlier.first().map_or(self.manifest.threshold, |first| first.threshold)
    }

    /// Digests of the files that this model was before decisions about its threshold: they give the same scores, since they knew the same
    /// pictures.
    pub fn scored_alike(&self) -> impl Iterator<Item = &str> {
        let knows = self.manifest.training.digest();
        let same = move |decision: &&Decision| decision.knew == knows && !decision.blake3.is_empty();
        self.manifest.earlier.iter().filter(same).map(|decision| decision.blake3.as_str())
    }
}
