//! From a raw score to an outcome. Pure; the only place where a PASS can be made.

use crate::{Fault, Outcome, Reason, Score, Threshold};

/// Proof that a finite score lay under the threshold. There is no other way to make one, so a PASS without it cannot be
/// written down: only [`judge`] makes one, because [`PassToken::grant`] is private to this file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PassToken {
    score: Score,
    threshold: Threshold,
}

impl PassToken {
    /// The token, if and only if `score < threshold`.
    fn grant(score: Score, threshold: Threshold) -> Option<PassToken> {
        (score.get() < threshold.get()).then_some(PassToken { score, threshold })
    }

    /// The score that passed.
    pub fn score(&self) -> Score {
        self.score
    }

    /// The limit that it was under.
    pub fn threshold(&self) -> Threshold {
        self.threshold
    }
}

/// An outcome with its reason and, where there was one, the finite score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// PASS, REJECT or ERROR; a part that was inspected is never UNINSPECTED.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// The score, if finite.
    pub score: Option<Score>,
}

/// The band below the threshold whose parts are not trusted to pass: it begins at this share of the threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReviewBand(f32);

impl ReviewBand {
    /// `None` unless the share is above 0 and below 1.
    pub fn from_share(share: f32) -> Option<ReviewBand> {
        (share > 0.0 && share < 1.0).then_some(ReviewBand(share))
    }
}

impl Judgement {
    /// The same with a band in which nothing passes: a PASS in it becomes a REJECT for being [`Reason::Borderline`]. Nothing else changes.
    pub fn with_review(self, band: Option<ReviewBand>) -> Judgement {
        match (self.outcome, band) {
            (Outcome::Pass(token), Some(ReviewBand(share))) if token.score.get() >= share * token.threshold.get() => {
                Judgement { outcome: Outcome::Reject, reason: Reason::Borderline, ..self }
            }
            _ => self,
        }
    }
}

/// Judges one inspection. Everything that is not a finite score under the threshold does not pass.
pub fn judge(result: Result<f32, Fault>, threshold: Threshold) -> Judgement {
    let raw = match result {
        Ok(raw) => raw,
        Err(fault) => return Judgement { outcome: Outcome::Error, reason: reason_of(fault), score: None },
    };
    let Some(score) = Score::new(raw) else {
        return Judgement { outcome: Outcome::Error, reason: Reason::NonFiniteScore, score: None };
    };
    match PassToken::grant(score, threshold) {
        Some(token) => Judgement { outcome: Outcome::Pass(token), reason: Reason::UnderThreshold, score: Some(score) },
        None => Judgement { outcome: Outcome::Reject, reason: Reason::OverThreshold, score: Some(score) },
    }
}

fn reason_of(fault: Fault) -> Reason {
    match fault {
        Fault::BadFrame => Reason::BadFrame,
        Fault::WrongSize { .. } => Reason::WrongSize,
        Fault::WrongKind { .. } | Fault::OutOfRange { .. } => Reason::WrongKind,
        Fault::NotAligned { .. } => Reason::NotAligned,
        Fault::Engine(_) => Reason::EngineFault,
        Fault::Panic => Reason::StagePanic,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn limit() -> Threshold {
        Threshold::new(10.0).unwrap()
    }

    #[test]
    fn only_a_finite_score_below_the_threshold_passes() {
        assert!(Score::new(f32::NAN).is_none() && Score::new(f32::INFINITY).is_none());
        assert!(Threshold::new(0.0).is_none() && Threshold::new(-1.0).is_none() && Threshold::new(f32::NAN).is_none());
        let limit = Threshold::new(2.0).unwrap();
        assert!(PassToken::grant(Score::new(1.999).unwrap(), limit).is_some());
        assert!(PassToken::grant(Score::new(2.0).unwrap(), limit).is_none());
        assert!(PassToken::grant(Score::new(9.0).unwrap(), limit).is_none());
    }

    #[test]
    fn a_score_at_the_threshold_is_rejected() {
        assert_eq!(judge(Ok(10.0), limit()).outcome, Outcome::Reject);
        assert!(matches!(judge(Ok(9.999), limit()).outcome, Outcome::Pass(_)));
    }

    #[test]
    fn a_score_that_is_not_finite_is_an_error_and_never_a_pass() {
        for raw in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let j = judge(Ok(raw), limit());
            assert_eq!((j.outcome, j.reason, j.score), (Outcome::Error, Reason::NonFiniteScore, None));
        }
    }

    #[test]
    fn in_the_band_below_the_threshold_nothing_passes_and_outside_of_it_nothing_changes() {
        assert!([0.0, 1.0, -0.5, 1.5, f32::NAN].into_iter().all(|share| ReviewBand::from_share(share).is_none()));
        let band = ReviewBand::from_share(0.9);
        for (score, passes, reason) in [
            (8.9, true, Reason::UnderThreshold),
            (9.0, false, Reason::Borderline),
            (9.99, false, Reason::Borderline),
            (10.0, false, Reason::OverThreshold),
        ] {
            let j = judge(Ok(score), limit()).with_review(band);
            assert_eq!((matches!(j.outcome, Outcome::Pass(_)), j.reason), (passes, reason), "{score}");
            assert_eq!(judge(Ok(score), limit()).with_review(None), judge(Ok(score), limit()));
        }
        let broken = judge(Err(Fault::BadFrame), limit());
        assert_eq!(broken.with_review(band), broken);
    }

    #[test]
    fn every_fault_is_an_error_with_its_own_reason() {
        let size = Fault::WrongSize { got_w: 1, got_h: 1, want_w: 2, want_h: 2 };
        for (fault, reason) in [
            (Fault::BadFrame, Reason::BadFrame),
            (size, Reason::WrongSize),
            (Fault::Engine("x"), Reason::EngineFault),
            (Fault::Panic, Reason::StagePanic),
        ] {
            let j = judge(Err(fault), limit());
            assert_eq!((j.outcome, j.reason), (Outcome::Error, reason));
        }
    }

    proptest! {
        #[test]
        fn only_finite_scores_under_the_threshold_pass(bits in any::<u32>(), limit_bits in any::<u32>()) {
            let raw = f32::from_bits(bits);
            if let Some(threshold) = Threshold::new(f32::from_bits(limit_bits)) {
                let passed = matches!(judge(Ok(raw), threshold).outcome, Outcome::Pass(_));
                prop_assert_eq!(passed, raw.is_finite() && raw < threshold.get());
            }
        }
    }
}
