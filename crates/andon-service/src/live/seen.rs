//! A judged part as the page shows it.

use andon_core::{CameraVerdict, Outcome};

/// A judged part with what is made of it for people.
#[derive(Clone, Debug)]
pub struct SeenPart {
    /// ULID of the verdict's record; pictures of the part have it too.
    pub id: String,
    /// Name of the camera.
    pub camera: String,
    /// When the picture was taken, milliseconds since 1970.
    pub at_ms: u64,
    /// The verdict.
    pub verdict: CameraVerdict,
}

impl SeenPart {
    /// The score in percent of the threshold; `None` without a score.
    pub fn percent(&self) -> Option<f64> {
        let score = self.verdict.score?;
        Some(f64::from(score.get()) / f64::from(self.verdict.threshold) * 100.0)
    }

    /// Whether the part passed.
    pub fn passed(&self) -> bool {
        matches!(self.verdict.outcome, Outcome::Pass(_))
    }

    /// Milliseconds that were left until the deadline; negative when it was missed.
    pub fn left_ms(&self) -> f64 {
        (self.verdict.deadline.0 as f64 - self.verdict.t_verdict.0 as f64) / 1e6
    }

    /// The good picture that the worst region is nearest to.
    pub fn nearest(&self) -> Option<&str> {
        let region = self.verdict.regions.as_slice().first()?;
        self.verdict.model.sources.get(region.nearest?.source as usize).map(String::as_str)
    }
}
