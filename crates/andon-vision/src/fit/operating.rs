//! The operating point: which threshold a model judges by, who chose it by what, and what it promises. Nothing is learned here; scores are
//! those that the model keeps of its training pictures, each by a model that was learned without it, or those of reviewed pictures.

use thiserror::Error;

use super::claim::{ThresholdRule, at_most, threshold};
use crate::model::bundle::{Claim, Found};
use andon_core::{Threshold, wilson};

/// By what a threshold is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aim {
    /// By the scores of good pictures, as learning does.
    Rule(ThresholdRule),
    /// This one.
    Fixed(f32),
    /// The one whose mistakes on the given pictures cost the least.
    Cost(MistakeCosts),
}

/// What mistakes cost, in any currency, each times the share of its kind: as if the line brought as many defects as good parts. Where a defect
/// comes with one part in a hundred, `miss` is a hundredth of what a defect costs that passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MistakeCosts {
    /// All defects that pass.
    pub miss: f64,
    /// All good parts that are rejected.
    pub reject: f64,
}

/// A chosen threshold with what it promises.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// The threshold.
    pub threshold: Threshold,
    /// About good parts.
    pub claim: Claim,
    /// About defects like the given ones, if there are any.
    pub defects: Option<Found>,
}

/// Why no threshold was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum OperatingError {
    /// No good pictures.
    #[error("there are no scores of good pictures to choose a threshold by")]
    NoGood,
    /// A cost is about two kinds of mistakes.
    #[error("a cost can only be weighed with pictures of defects; give some with their kind's folder beside `good`")]
    NoDefects,
    /// Negative, not finite, or both zero.
    #[error("costs are numbers above 0, as in miss=20,reject=1")]
    Costs,
    /// Not a threshold.
    #[error("{0} is no threshold: a finite number above 0 is")]
    NotUsable(f32),
    /// Half of all patches of good pictures would be rejected.
    #[error(
        "a threshold of {threshold} lies below what is usual for good patches of this model ({baseline}); nothing would pass"
    )]
    BelowUsual {
        /// What was asked for or came out.
        threshold: f32,
        /// The median of the good pictures' maps.
        baseline: f32,
    },
}

/// Chooses a threshold by the scores of good pictures and of defective ones; the claim has this confidence.
///
/// # Errors
/// [`OperatingError`].
pub fn choose(good: &[f32], bad: &[f32], aim: Aim, confidence: f64) -> Result<Choice, OperatingError> {
    if good.is_empty() {
        return Err(OperatingError::NoGood);
    }
    let (raw, weighed) = match aim {
        Aim::Rule(rule) => {
            let (limit, claim) = threshold(good, rule).ok_or(OperatingError::NoGood)?;
            return Ok(Choice { threshold: usable(limit)?, claim, defects: found(bad, limit) });
        }
        // A fixed threshold was not chosen by these scores.
        Aim::Fixed(raw) => (raw, false),
        Aim::Cost(costs) => (cheapest(good, bad, costs)?, true),
    };
    let claim = claim_of_chosen(good, raw, confidence, weighed);
    Ok(Choice { threshold: usable(raw)?, claim, defects: found(bad, raw) })
}

/// A threshold that the scores themselves chose looks better on them than it is: four fifths of the claim's doubt pay for that. Simulated with good and
/// bad scores that overlap much, little and not at all, the claim then holds at its rate (without: in 88 % instead of 95 %).
const DOUBT_LEFT: f64 = 0.2;

/// What a threshold that somebody chose promises by the scores of these good pictures; `weighed`: they chose it too, against those of defects.
pub(crate) fn claim_of_chosen(good: &[f32], threshold: f32, confidence: f64, weighed: bool) -> Claim {
    let doubt = if weighed { DOUBT_LEFT } else { 1.0 };
    Claim { confidence, ..claim_at(good, threshold, 1.0 - doubt * (1.0 - confidence)) }
}

fn usable(raw: f32) -> Result<Threshold, OperatingError> {
    Threshold::new(raw).ok_or(OperatingError::NotUsable(raw))
}

/// What a threshold promises that these scores did not choose: of good parts like these, at most this share is rejected. The bound is
/// Clopper's and Pearson's, "The Use of Confidence or Fiducial Limits", 1934.
pub fn claim_at(good: &[f32], threshold: f32, confidence: f64) -> Claim {
    let above = good.iter().filter(|score| **score >= threshold).count() as u64;
    let share = at_most(above, good.len() as u64, confidence);
    Claim { images: good.len() as u32, above: above as u32, max_false_reject: share, confidence }
}

/// How many of these defects are found.
fn found(bad: &[f32], threshold: f32) -> Option<Found> {
    let count = bad.iter().filter(|score| **score >= threshold).count() as u64;
    let share = wilson(count, bad.len() as u64);
    (!bad.is_empty()).then_some(Found {
        defects: share.of as u32,
        found: count as u32,
        low: share.low,
        high: share.high,
    })
}

/// The threshold whose mistakes cost the least: half way between two neighbouring scores, so that it is as far as can be from both. Of
/// equally good places the widest gap, and of equally wide ones the lowest.
fn cheapest(good: &[f32], bad: &[f32], costs: MistakeCosts) -> Result<f32, OperatingError> {
    let sound = |v: f64| v.is_finite() && v > 0.0;
    if !(sound(costs.miss) && sound(costs.reject)) {
        return Err(OperatingError::Costs);
    }
    if bad.is_empty() {
        return Err(OperatingError::NoDefects);
    }
    let mut all: Vec<(f32, bool)> =
        good.iter().map(|s| (*s, false)).chain(bad.iter().map(|s| (*s, true))).filter(|(s, _)| s.is_finite()).collect();
    all.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let unscored = |scores: &[f32]| scores.iter().filter(|s| !s.is_finite()).count();
    // Below every score all are rejected; each score that comes under the threshold passes.
    let (mut rejected, mut missed) = ((good.len() - unscored(good)) as f64, 0.0);
    let mut best: Option<(f64, f32, f32)> = None;
    for (i, (score, is_bad)) in all.iter().enumerate() {
        if *is_bad {
            missed += 1.0;
        } else {
            rejected -= 1.0;
        }
        let next = all.get(i + 1).map(|n| n.0);
        if next == Some(*score) {
            continue;
        }
        let cost = costs.miss * missed / bad.len() as f64 + costs.reject * rejected / good.len() as f64;
        // Above all scores there is no neighbour: as far as the last gap was.
        let high = next.unwrap_or(*score * 1.05);
        let (gap, middle) = (high - score, score + (high - score) / 2.0);
        if best.is_none_or(|(least, wide, _)| cost < least || (cost == least && gap > wide)) {
            best = Some((cost, gap, middle));
        }
    }
    best.map(|(_, _, middle)| middle).ok_or(OperatingError::NoGood)
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::SplitMix64;

    #[test]
    fn the_promise_of_a_given_threshold_is_the_exact_bound() {
        let good: Vec<f32> = (0..100).map(|i| i as f32).collect();
        let claim = |t: f32| claim_at(&good, t, 0.95);
        // scipy.stats.beta.ppf(0.95, m + 1, n - m)
        for (t, above, want) in [(1000.0, 0, 0.029_513), (99.0, 1, 0.046_559), (90.0, 10, 0.163_718), (0.0, 100, 1.0)] {
            let got = claim(t);
            assert_eq!(got.above, above);
            assert!((got.max_false_reject - want).abs() < 1e-5, "{t}: {got:?}");
        }
    }

    #[test]
    fn costs_move_the_threshold_and_a_clean_gap_is_halved() {
        let (good, bad) = ([1.0, 2.0, 3.0, 6.0], [5.0, 8.0, 9.0]);
        let at =
            |miss, reject| choose(&good, &bad, Aim::Cost(MistakeCosts { miss, reject }), 0.95).unwrap().threshold.get();
        assert_eq!(at(20.0, 1.0), 4.0, "a good part is the price of a defect");
        assert_eq!(at(1.0, 20.0), 7.0, "a defect is the price of a good part");
        let clean = choose(&[1.0, 2.0], &[4.0, 5.0], Aim::Cost(MistakeCosts { miss: 1.0, reject: 1.0 }), 0.95).unwrap();
        assert_eq!(clean.threshold.get(), 3.0);
        assert_eq!(clean.defects.map(|d| (d.found, d.defects)), Some((2, 2)));
        let none = choose(&good, &[], Aim::Cost(MistakeCosts { miss: 1.0, reject: 1.0 }), 0.95);
        assert_eq!(none, Err(OperatingError::NoDefects));
        let costs = MistakeCosts { miss: f64::NAN, reject: 1.0 };
        assert_eq!(choose(&good, &bad, Aim::Cost(costs), 0.95), Err(OperatingError::Costs));
        assert!(
            choose(&[], &bad, Aim::Fixed(1.0), 0.95).is_err() && choose(&good, &bad, Aim::Fixed(-1.0), 0.95).is_err()
        );
    }

    /// Good and bad scores that overlap: the claim about good parts holds at its rate though the threshold was chosen by the very scores.
    #[test]
    fn the_claim_of_the_cheapest_threshold_holds_at_its_rate() {
        let mut random = SplitMix64::new(7);
        // Share of good scores at or above t: t^-8; of bad ones: (t / 1.35)^-8.
        let mut draw =
            |from: f64| (from * (1.0 - (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64).powf(-0.125)) as f32;
        let draws = 1000;
        let mut held = 0;
        for _ in 0..draws {
            let good: Vec<f32> = (0..140).map(|_| draw(1.0)).collect();
            let bad: Vec<f32> = (0..80).map(|_| draw(1.35)).collect();
            let aim = Aim::Cost(MistakeCosts { miss: 1.0, reject: 1.0 });
            let choice = choose(&good, &bad, aim, 0.95).unwrap();
            assert_eq!(choice.claim.confidence, 0.95);
            let rejected = f64::from(choice.threshold.get()).powi(-8).min(1.0);
            held += usize::from(rejected <= choice.claim.max_false_reject);
        }
        let rate = held as f64 / f64::from(draws);
        assert!(rate >= 0.95 - 3.0 * (0.95 * 0.05 / f64::from(draws)).sqrt(), "held in {rate}");
    }

    #[test]
    fn a_defect_that_has_no_score_is_neither_a_gap_nor_a_miss() {
        let choice =
            choose(&[1.0, 2.0], &[f32::NAN, 4.0], Aim::Cost(MistakeCosts { miss: 1.0, reject: 1.0 }), 0.95).unwrap();
        assert_eq!(choice.threshold.get(), 3.0);
    }
}
