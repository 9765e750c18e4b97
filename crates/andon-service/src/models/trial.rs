//! What would change if a model learned a part as good: found out before anything is changed.

use std::sync::Arc;

use super::ModelError;

/// What is known of a part, by its review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownPart {
    /// Somebody said that it was good.
    Good,
    /// Somebody said that it is really bad.
    Bad,
}

/// A reviewed part whose outcome would change.
#[derive(Clone, Debug, PartialEq)]
pub struct OutcomeChange {
    /// The part's id.
    pub part: String,
    /// What is known of it.
    pub known: KnownPart,
    /// Its score by the model of now, units of the threshold; `None` if it has none.
    pub before: Option<f32>,
    /// Its score by the model that has learned.
    pub after: Option<f32>,
    /// It would pass.
    pub passes: bool,
}

/// How a part comes to pass that was good.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Remedy {
    /// The model learns so many patches of it; the threshold stays.
    Patches(usize),
    /// The model cannot learn single pictures: its threshold is set just above the part's score.
    Threshold(f32),
}

/// What a trial found.
#[derive(Clone, Debug, PartialEq)]
pub struct TrialResult {
    /// Hash of the model that was tried, hexadecimal.
    pub model: String,
    /// What the scores are judged by.
    pub threshold: f32,
    /// The part's score by the model of now.
    pub before: f32,
    /// Its score by the model that has learned it; the same where only the threshold changes.
    pub after: f32,
    /// What would be done.
    pub remedy: Remedy,
    /// Reviewed parts that were judged by both models: all whose pictures are kept as they were judged.
    pub judged: usize,
    /// Reviewed parts whose pictures are gone, or kept as JPEG.
    pub without_picture: usize,
    /// Those of the judged that would end otherwise.
    pub changes: Vec<OutcomeChange>,
    /// The heatmap of the part by the model that has learned it: a PNG with transparency.
    pub heatmap: Option<Arc<[u8]>>,
}

impl TrialResult {
    /// What the scores are judged by afterwards.
    pub fn threshold_after(&self) -> f32 {
        match self.remedy {
            Remedy::Patches(_) => self.threshold,
            Remedy::Threshold(threshold) => threshold,
        }
    }

    /// Parts known to be defective that would pass: with one of them, nothing is learned.
    pub fn passing_defects(&self) -> impl Iterator<Item = &OutcomeChange> {
        self.changes.iter().filter(|change| change.known == KnownPart::Bad && change.passes)
    }
}

/// How far a trial is.
#[derive(Clone, Debug, PartialEq)]
pub enum TrialState {
    /// Parts are being judged.
    Running {
        /// So many are judged.
        done: usize,
        /// Of so many; 0 while that is not known.
        total: usize,
    },
    /// It is over.
    Done(TrialResult),
    /// It came to nothing.
    Failed(ModelError),
}

/// What would change if the model of a part's camera learned the part as good.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// The part's id.
    pub part: String,
    /// Its camera.
    pub camera: String,
    /// How far it is.
    pub state: TrialState,
}

impl Trial {
    /// Whether it still runs.
    pub fn runs(&self) -> bool {
        matches!(self.state, TrialState::Running { .. })
    }
}
