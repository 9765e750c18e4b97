//! Where the threshold goes: at an order statistic of the held-out scores of good pictures, with what that
//! promises. Nothing is assumed of how scores are distributed, only that the parts to come are like those learned from.
//!
//! With the threshold just above the `(n - m)`-th smallest of `n` scores, the share of good parts that it rejects is Beta distributed
//! with parameters `m + 1` and `n - m`. It is at most `p` with confidence `P(Bin(n, p) > m)`: the bound of Wilks, "Determination
//! of Sample Sizes for Setting Tolerance Limits", 1941.

use crate::model::bundle::Claim;

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

/// The lowest threshold that keeps the policy, and the claim that it supports. Where `scores` are too few for the policy, it is
/// the one above all of them, with the strongest claim that they support. `None` without scores.
pub fn threshold(scores: &[f32], policy: Policy) -> Option<(f32, Claim)> {
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
        let (limit, claim) = threshold(&scores, policy(0.01)).unwrap();
        assert_eq!((limit, claim.above, claim.max_false_reject), (298.0f32.next_up(), 0, 0.01));
        let (_, claim) = threshold(&scores[..298], policy(0.01)).unwrap();
        assert!(claim.above == 0 && claim.max_false_reject > 0.01, "too few: {claim:?}");
        let (_, claim) = threshold(&(0..3000).map(|i| i as f32).collect::<Vec<_>>(), policy(0.01)).unwrap();
        assert_eq!(claim.above, 20);
        assert!(threshold(&[], Policy::default()).is_none());
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
                let (limit, claim) = threshold(&scores, policy).unwrap();
                held += usize::from(f64::from(limit).powi(-4) <= claim.max_false_reject);
            }
            let (rate, c) = (held as f64 / draws as f64, policy.confidence);
            let error = (c * (1.0 - c) / draws as f64).sqrt();
            assert!(rate >= c - 3.0 * error, "{n} {policy:?}: held in {rate}");
        }
    }
}
