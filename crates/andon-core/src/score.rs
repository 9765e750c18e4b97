//! Scores and thresholds that are known to be usable.

use thiserror::Error;

/// Why a number is no threshold.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum ThresholdError {
    /// NaN, infinite, zero or below.
    #[error("the threshold {0} is not a finite number above 0")]
    NotUsable(f32),
    /// It would let defects through which the model sees.
    #[error(
        "{wanted} is {:.0} % of the model's own threshold {own:.4}; above {:.0} % defects pass that the model sees",
        wanted / own * 100.0,
        MAX_OVER_OWN * 100.0
    )]
    FarOverOwn {
        /// What was asked for.
        wanted: f32,
        /// The model's own.
        own: f32,
    },
}

/// A finite anomaly score. NaN and infinities cannot be held, so code that has a `Score` need not ask again.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Score(f32);

impl Score {
    /// `None` for NaN and infinities.
    pub fn new(raw: f32) -> Option<Score> {
        raw.is_finite().then_some(Score(raw))
    }

    /// The raw value, in the method's units.
    pub fn get(self) -> f32 {
        self.0
    }
}

/// A finite, positive limit in the units of the score.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Threshold(f32);

impl Threshold {
    /// `None` unless finite and above zero.
    pub fn new(raw: f32) -> Option<Threshold> {
        (raw.is_finite() && raw > 0.0).then_some(Threshold(raw))
    }

    /// The raw value, in the method's units.
    pub fn get(self) -> f32 {
        self.0
    }

    /// Refuses a threshold that lies so far above the model's own that it lets defects through which the model sees.
    ///
    /// # Errors
    /// [`ThresholdError::FarOverOwn`]: more than [`MAX_OVER_OWN`] times `own`.
    pub fn near(self, own: Threshold) -> Result<(), ThresholdError> {
        if self.0 / own.0 <= MAX_OVER_OWN {
            return Ok(());
        }
        Err(ThresholdError::FarOverOwn { wanted: self.0, own: own.0 })
    }
}

/// A threshold above so many times the model's own needs a word of its own in the configuration.
pub const MAX_OVER_OWN: f32 = 1.5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_far_above_the_models_own_is_refused_with_its_share() {
        let t = |raw| Threshold::new(raw).unwrap();
        assert_eq!((t(15.0).near(t(10.0)), t(1.0).near(t(10.0))), (Ok(()), Ok(())));
        let why = t(1e9).near(t(40.0)).unwrap_err().to_string();
        assert!(why.contains("2500000000 %") && why.contains("40.0000"), "{why}");
        assert!(t(15.1).near(t(10.0)).is_err());
    }
}
