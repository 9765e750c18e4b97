//! Where the threshold goes: at an order statistic of the held-out scores of good pictures, with what that
//! promises. Nothing is assumed of how scores are distributed, only that the parts to come are like those learned from.
//!
//! With the threshold just above the `(n - m)`-th smallest of `n` scores, the share of good parts that it rejects is Beta distributed
//! with parameters `m + 1` and `n - m`. It is at most `p` with confidence `P(Bin(n, p) > m)`: the bound of Wilks, "Determination
//! of Sample Sizes for Setting Tolerance Limits", 1941.

use crate::model::bundle::{Claim, Manifest};

/// How many good parts may be thrown away, and how sure that must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// Share of good parts, 0..1.
    pub max_false_reject: f64,
    /// Confidence, 0..1.
    pub confidence: f64,
}

impl Default for Policy {
    fn default() -> Self {
        Policy { max_false_reject: 0.01, confidence: 0.95 }
    }
}

/// How learning chooses the threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ThresholdRule {
    /// Just above the highest held-out score of the pictures that do not stand out ([`stands_out_above`]); no more than a tenth is ever set
    /// aside. With fewer than 20 pictures none is, and the threshold is not below what 99 % of new ones stay under if the logarithms of
    /// scores are normally distributed: the highest of a handful is no bound.
    Ordinary {
        /// Of the claim, 0..1.
        confidence: f64,
    },
    /// Where a promise about good parts can be kept, whatever the scores.
    FalseReject(Policy),
}

impl Default for ThresholdRule {
    fn default() -> Self {
        ThresholdRule::Ordinary { confidence: 0.95 }
    }
}

impl ThresholdRule {
    /// By what a model's threshold was chosen when it was learned.
    pub fn of(manifest: &Manifest) -> ThresholdRule {
        let confidence = manifest.claim.confidence;
        match manifest.training.asked_false_reject {
            None => ThresholdRule::Ordinary { confidence },
            Some(max_false_reject) => ThresholdRule::FalseReject(Policy { max_false_reject, confidence }),
        }
    }

    /// Of the claim, 0..1.
    pub fn confidence(&self) -> f64 {
        match self {
            ThresholdRule::Ordinary { confidence } => *confidence,
            ThresholdRule::FalseReject(policy) => policy.confidence,
        }
    }
}

/// Fewer pictures than this do not show how far scores spread.
const FEW: usize = 20;

/// The threshold by this rule, and the claim that it supports. `None` without scores.
///
/// Where the pictures themselves say how many of them stand out, half of the claim's doubt pays for that: simulated with scores of six
/// distributions, from normal to heavy tails, the claim then holds at its stated rate (the tests have two of them).
pub fn threshold(scores: &[f32], rule: ThresholdRule) -> Option<(f32, Claim)> {
    let policy = match rule {
        ThresholdRule::FalseReject(policy) => return promised(scores, policy),
        ThresholdRule::Ordinary { confidence } => Policy { max_false_reject: 0.0, confidence },
    };
    let mut sorted = scores.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    // Where many stand out they are another kind of good parts, and a handful does not show what stands out.
    let set_aside = if sorted.len() < FEW { 0 } else { sorted.len() / 10 };
    let limit = stands_out_above(scores)?;
    let ordinary = sorted.len() - sorted.iter().rev().take(set_aside).filter(|score| **score > limit).count();
    let highest = sorted.get(ordinary.checked_sub(1)?)?;
    let spread = if sorted.len() < FEW { new_ones_stay_under(scores).unwrap_or(0.0) } else { 0.0 };
    // One score far below the others says nothing about how high new ones come.
    let threshold = highest.next_up().max(spread.min(1.5 * highest));
    let (n, above) = (sorted.len() as u64, sorted.iter().filter(|score| **score >= threshold).count() as u64);
    let share = at_most(above, n, 1.0 - (1.0 - policy.confidence) / 2.0);
    let claim = Claim { images: n as u32, above: above as u32, max_false_reject: share, confidence: policy.confidence };
    Some((threshold, claim))
}

/// Above this a score stands out from the others: more than four robust standard deviations (1.4826 median absolute deviations) of the
/// scores' logarithms, which are nearer to a normal distribution than the scores are; of 20 scores and more the highest alone stands out from
/// three on, if it lies one deviation above the next. `None` without scores.
pub fn stands_out_above(scores: &[f32]) -> Option<f32> {
    const APART: f32 = 4.0;
    const LONE: f32 = 3.0;
    const GAP: f32 = 1.0;
    let middle = |mut v: Vec<f32>| {
        let at = v.len() / 2;
        (!v.is_empty()).then(|| *v.select_nth_unstable_by(at, f32::total_cmp).1)
    };
    let logs: Vec<f32> = scores.iter().map(|s| s.max(f32::MIN_POSITIVE).ln()).collect();
    let median = middle(logs.clone())?;
    let deviation = 1.4826 * middle(logs.iter().map(|l| (l - median).abs()).collect())?;
    let limit = median + APART * deviation;
    let [highest, next] = logs.iter().fold([f32::NEG_INFINITY; 2], |[first, second], log| match *log > first {
        true => [*log, first],
        false => [first, second.max(*log)],
    });
    // One picture does not say how far good parts go, where all others end well below it.
    let is_lone = logs.len() >= FEW && highest > median + LONE * deviation && highest > next + GAP * deviation;
    Some(if is_lone { limit.min((highest + next) / 2.0) } else { limit }.exp())
}

/// What 99 % of new scores stay under, if the logarithms are normally distributed: the one-sided prediction bound by Student's t.
/// `None` for fewer than three scores, or [`FEW`] and more.
fn new_ones_stay_under(scores: &[f32]) -> Option<f32> {
    // The 99 % quantiles for 2 to 18 degrees of freedom, of any table.
    const T: [f64; 17] = [
        6.965, 4.541, 3.747, 3.365, 3.143, 2.998, 2.896, 2.821, 2.764, 2.7181, 2.681, 2.650, 2.624, 2.602, 2.583,
        2.567, 2.552,
    ];
    let t = T.get(scores.len().checked_sub(3)?)?;
    let n = scores.len() as f64;
    let logs: Vec<f64> = scores.iter().map(|s| f64::from(s.max(f32::MIN_POSITIVE)).ln()).collect();
    let mean = logs.iter().sum::<f64>() / n;
    let variance = logs.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / (n - 1.0);
    Some((mean + t * (variance * (1.0 + 1.0 / n)).sqrt()).exp() as f32)
}

/// The lowest threshold that keeps the policy, and the claim that it supports. Where `scores` are too few for the policy, it is
/// the one above all of them, with the strongest claim that they support. `None` without scores.
fn promised(scores: &[f32], policy: Policy) -> Option<(f32, Claim)> {
    let mut sorted = scores.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    let n = sorted.len() as u64;
    let doubt = 1.0 - policy.confidence;
    // The doubt about leaving m above grows with m.
    let above = (0..n).take_while(|m| binomial_at_most(n, policy.max_false_reject, *m) <= doubt).last();
    let left = above.unwrap_or(0);
    let kept = sorted.get((n - left).checked_sub(1)? as usize)?;
    let share = if above.is_some() { policy.max_false_reject } else { strongest(n, policy.confidence) };
    let claim = Claim { images: n as u32, above: left as u32, max_false_reject: share, confidence: policy.confidence };
    Some((kept.next_up(), claim))
}

/// The smallest share that `n` scores support when all of them pass.
fn strongest(n: u64, confidence: f64) -> f64 {
    1.0 - (1.0 - confidence).powf(1.0 / n as f64)
}

/// Good images that a claim of this share needs.
pub fn images_for_claim(policy: Policy) -> u64 {
    ((1.0 - policy.confidence).ln() / (1.0 - policy.max_false_reject).ln()).ceil() as u64
}

/// The smallest share that `m` of `n` rule out being exceeded, with this confidence: the `p` at which `P(Bin(n, p) <= m)` is what is left
/// of it.
pub(super) fn at_most(m: u64, n: u64, confidence: f64) -> f64 {
    if m >= n {
        return 1.0;
    }
    let (mut low, mut high) = (0.0, 1.0);
    // Each step halves what is unknown.
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if binomial_at_most(n, middle, m) > 1.0 - confidence {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// `P(Bin(n, p) <= m)`, summed from the terms' logarithms.
fn binomial_at_most(n: u64, p: f64, m: u64) -> f64 {
    let (yes, no) = (p.ln(), (-p).ln_1p());
    let mut term = n as f64 * no;
    let mut sum = term.exp();
    for i in 1..=m.min(n) {
        term += ((n - i + 1) as f64 / i as f64).ln() + yes - no;
        sum += term.exp();
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(seed: &mut u64) -> f64 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 11) as f64 / (1u64 << 53) as f64
    }

    #[test]
    fn the_binomial_sums_are_those_of_the_tables() {
        // scipy.stats.binom.cdf
        for (n, p, m, want) in [
            (20, 0.1, 2, 0.676_926_805),
            (299, 0.01, 0, 0.049_536_257),
            (1000, 0.001, 3, 0.981_073_167),
            (5, 0.5, 5, 1.0),
        ] {
            assert!((binomial_at_most(n, p, m) - want).abs() < 1e-6, "{n} {p} {m}");
        }
    }

    #[test]
    fn known_sample_sizes() {
        let policy = |max_false_reject| Policy { max_false_reject, confidence: 0.95 };
        assert_eq!((images_for_claim(policy(0.01)), images_for_claim(policy(0.001))), (299, 2995));
        let scores: Vec<f32> = (0..299).map(|i| i as f32).collect();
        let (limit, claim) = promised(&scores, policy(0.01)).unwrap();
        assert_eq!((limit, claim.above, claim.max_false_reject), (298.0f32.next_up(), 0, 0.01));
        let (_, claim) = promised(&scores[..298], policy(0.01)).unwrap();
        assert!(claim.above == 0 && claim.max_false_reject > 0.01, "too few: {claim:?}");
        let (_, claim) = promised(&(0..3000).map(|i| i as f32).collect::<Vec<_>>(), policy(0.01)).unwrap();
        assert_eq!(claim.above, 20);
        assert!(threshold(&[], ThresholdRule::default()).is_none() && promised(&[], Policy::default()).is_none());
    }

    /// The promise itself: 2,000 draws of n good scores from a skewed distribution whose true exceedance is known. The claim must hold
    /// in at least its stated share of the draws, less three standard errors.
    #[test]
    fn the_claim_holds_at_its_stated_rate() {
        let mut seed = 1;
        for (n, policy) in [
            (60, Policy::default()),
            (299, Policy::default()),
            (762, Policy { max_false_reject: 0.01, confidence: 0.9 }),
            (762, Policy { max_false_reject: 0.05, confidence: 0.95 }),
        ] {
            let draws = 2000;
            let mut held = 0;
            for _ in 0..draws {
                // Score = (1 - u)^-0.25, so a share t^-4 of good parts is at t or above.
                let scores: Vec<f32> = (0..n).map(|_| (1.0 - noise(&mut seed)).powf(-0.25) as f32).collect();
                let (limit, claim) = promised(&scores, policy).unwrap();
                held += usize::from(f64::from(limit).powi(-4) <= claim.max_false_reject);
            }
            let (rate, c) = (held as f64 / draws as f64, policy.confidence);
            let error = (c * (1.0 - c) / draws as f64).sqrt();
            assert!(rate >= c - 3.0 * error, "{n} {policy:?}: held in {rate}");
        }
    }

    /// The same for the rule that nobody has to choose: scores with a heavy tail, and ordinary ones with some bad pictures among them.
    #[test]
    fn the_ordinary_rules_claim_holds_too_though_the_pictures_say_how_many_stand_out() {
        let mut seed = 5;
        for n in [30, 140, 762] {
            for heavy in [true, false] {
                let draws = 1000;
                let mut held = 0;
                for _ in 0..draws {
                    // Share of scores at or above t: t^-4, or (t + 9)^-40.
                    let score = |u: f64| if heavy { (1.0 - u).powf(-0.25) } else { (1.0 - u).powf(-1.0 / 40.0) };
                    let scores: Vec<f32> = (0..n).map(|_| score(noise(&mut seed)) as f32).collect();
                    let (limit, claim) = threshold(&scores, ThresholdRule::default()).unwrap();
                    let above = f64::from(limit).powi(if heavy { -4 } else { -40 });
                    held += usize::from(above <= claim.max_false_reject);
                }
                let rate = held as f64 / f64::from(draws);
                assert!(rate >= 0.95 - 3.0 * (0.95 * 0.05 / f64::from(draws)).sqrt(), "{n} {heavy}: held in {rate}");
            }
        }
    }

    #[test]
    fn pictures_that_stand_out_do_not_set_the_threshold_and_are_counted() {
        let mut scores: Vec<f32> = (0..60).map(|i| 20.0 + 0.1 * (i % 20) as f32).collect();
        let (plain, claim) = threshold(&scores, ThresholdRule::default()).unwrap();
        assert_eq!((plain, claim.above), (21.9f32.next_up(), 0));
        scores.extend([40.0, 50.0]);
        let (limit, claim) = threshold(&scores, ThresholdRule::default()).unwrap();
        assert_eq!((limit, claim.above, claim.images), (plain, 2, 62));
        assert!(claim.max_false_reject > 0.1, "what stood out may be good parts: {claim:?}");
    }

    #[test]
    fn one_picture_far_above_all_others_does_not_set_the_threshold_two_do() {
        // Robust deviation of the logarithms 0.052, so 25.7 lies 3.4 above the median, and 22.9 lies 1.2 above it.
        let mut scores: Vec<f32> = (0..30).map(|i| 20.0 + i as f32 * 0.1).collect();
        scores.push(25.7);
        let (limit, claim) = threshold(&scores, ThresholdRule::default()).unwrap();
        assert_eq!((limit, claim.above), (22.9f32.next_up(), 1));
        scores.push(25.0);
        let (limit, claim) = threshold(&scores, ThresholdRule::default()).unwrap();
        assert_eq!((limit, claim.above), (25.7f32.next_up(), 0), "two that lie together are how far good parts go");
    }

    #[test]
    fn the_highest_of_a_handful_is_no_bound() {
        let (limit, claim) = threshold(&[16.4, 15.7, 15.2, 14.2], ThresholdRule::default()).unwrap();
        // scipy: exp(mean + t.ppf(0.99, 3) * std(ddof=1) * sqrt(1 + 1/4)) of the logarithms.
        assert!((limit - 20.88).abs() < 0.05 && claim.above == 0, "{limit}");
        assert!(claim.max_false_reject > 0.5, "{claim:?}");
    }
}
