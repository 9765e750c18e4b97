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
    /// More than [`MAX_OVER_OWN`] times `own`; the words say how much that is.
    pub fn near(self, own: Threshold) -> Result<(), String> {
        let share = self.0 / own.0;
        if share <= MAX_OVER_OWN {
            return Ok(());
        }
        Err(format!(
            "{} is {:.0} % of the model's own threshold {:.4}; above {:.0} % defects pass that the model sees",
            self.0,
            share * 100.0,
            own.0,
            MAX_OVER_OWN * 100.0
        ))
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
        let why = t(1e9).near(t(40.0)).unwrap_err();
        assert!(why.contains("2500000000 %") && why.contains("40.0000"), "{why}");
        assert!(t(15.1).near(t(10.0)).is_err());
    }
}
