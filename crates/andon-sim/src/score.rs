//! What became of the parts, physically: which of them the ejector took, and whether it should have.

use serde::Serialize;

/// Slices of a part along the belt; one that the jet reached counts as hit.
pub(super) const SLICES: u32 = 16;

/// Counts of parts by what should have happened to them and what did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ejections {
    /// Parts that passed and went on untouched.
    pub passed: u64,
    /// Parts that did not pass and were ejected.
    pub ejected: u64,
    /// Parts that passed and were touched by the ejector: the wrong part.
    pub wrong: u64,
    /// Parts that did not pass and were not touched.
    pub missed: u64,
    /// Parts that did not pass and were hit over less than three quarters of their length: too late, too early or too short.
    pub late: u64,
    /// Parts that no trigger announced.
    pub unannounced: u64,
}

impl Ejections {
    /// Counts one part: whether it may stay (`None` if nobody announced it), and the slices of it that were hit.
    pub fn count(&mut self, may_stay: Option<bool>, hit: u32) {
        let slices = hit.count_ones();
        match may_stay {
            None => self.unannounced += 1,
            Some(true) if slices == 0 => self.passed += 1,
            Some(true) => self.wrong += 1,
            Some(false) if slices == 0 => self.missed += 1,
            Some(false) if slices * 4 < SLICES * 3 => self.late += 1,
            Some(false) => self.ejected += 1,
        }
    }

    /// Whether every announced part went where it belongs.
    pub fn all_right(&self) -> bool {
        self.wrong == 0 && self.missed == 0 && self.late == 0
    }
}

/// The slices of a part that are reached between two positions of its leading edge behind the ejector, in millimetres.
pub(super) fn slices(from_mm: f64, to_mm: f64, part_mm: f64) -> u32 {
    let (from, to) = (from_mm.min(to_mm), from_mm.max(to_mm));
    let slice = part_mm / f64::from(SLICES);
    let mut hit = 0;
    for n in 0..SLICES {
        // The middle of the slice, behind the leading edge.
        let middle = (f64::from(n) + 0.5) * slice;
        if (from..=to).contains(&middle) {
            hit |= 1 << n;
        }
    }
    hit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_right_wrong_missed_or_late() {
        let mut e = Ejections::default();
        let all = slices(0.0, 40.0, 40.0);
        assert_eq!(all, 0xffff);
        let half = slices(20.0, 45.0, 40.0);
        assert_eq!(half.count_ones(), 8);
        for (may_stay, hit) in
            [(Some(true), 0), (Some(true), 1), (Some(false), all), (Some(false), half), (Some(false), 0), (None, 0)]
        {
            e.count(may_stay, hit);
        }
        assert_eq!(e, Ejections { passed: 1, ejected: 1, wrong: 1, missed: 1, late: 1, unannounced: 1 });
        assert!(!e.all_right());
    }
}
