//! Thresholds that are kept in a model: with who chose them and why, what they promise by the model's own held-out scores and by the known
//! defects of the history, and a way back.

use std::path::Path;
use std::sync::Arc;

use super::{Models, lock, refused};
use crate::assemble::operating::{Author, Scores, set};
use andon_core::{ControlError, Threshold, ThresholdError};
use andon_io::history::ReviewState;
use andon_service::models::{ModelChanged, ModelError, NewThreshold, ThresholdDecision};
use andon_vision::fit::{Aim, OperatingError};
use andon_vision::model::bundle::{Bundle, Chosen};

/// The present, RFC 3339 UTC.
pub(super) fn now() -> String {
    format!("{:.0}", jiff::Timestamp::now())
}

/// The decisions of a model that can be taken back, newest first.
pub(super) fn decisions(bundle: &Bundle) -> Vec<ThresholdDecision> {
    let m = &bundle.manifest;
    let mut after = (m.threshold, m.chosen.as_ref());
    let mut decisions = Vec::new();
    for earlier in m.earlier.iter().rev() {
        if let (threshold, Some(Chosen { by, at, how, why, .. })) = after {
            let (by, at, how, why) = (by.clone(), at.clone(), how.clone(), why.clone());
            decisions.push(ThresholdDecision { before: earlier.threshold, after: threshold, by, at, how, why });
        }
        after = (earlier.threshold, earlier.chosen.as_ref());
    }
    decisions
}

impl Models {
    /// See [`andon_service::models::LineModels::keep_threshold`].
    pub(super) fn keep(&self, new: &NewThreshold) -> Result<ModelChanged, ModelError> {
        let _one = self.changing()?;
        let (old, file, cameras) = self.of_camera(self.place(&new.camera)?)?;
        let author = Author { by: new.by.clone(), at: now(), how: "page".to_owned(), why: new.why.clone() };
        self.decide(&old, new.value, author, &file, &cameras)
    }

    /// See [`andon_service::models::LineModels::undo_threshold`].
    pub(super) fn undo(&self, camera: &str) -> Result<ModelChanged, ModelError> {
        let _one = self.changing()?;
        let (old, file, cameras) = self.of_camera(self.place(camera)?)?;
        self.judged_by_their_model(&cameras)?;
        let mut new = Bundle::clone(&old);
        if !new.undo_decision() {
            return Err(ModelError::NoDecision);
        }
        new.to_bytes().map_err(refused)?;
        let threshold = Threshold::new(new.manifest.threshold).ok_or(ModelError::NoDecision)?;
        self.put(&old, new, Some(threshold), &file, &cameras)
    }

    /// Whether a threshold in the model would hold after the next start.
    pub(super) fn judged_by_their_model(&self, cameras: &[usize]) -> Result<(), ModelError> {
        let state = lock(&self.state);
        // A recipe's other model judges by its own.
        let configured =
            |n: &&usize| self.cameras[**n].threshold_configured && state.active[**n].1 == self.cameras[**n].file;
        match cameras.iter().find(configured) {
            Some(n) => Err(ModelError::Configured(self.cameras[*n].name.clone())),
            None => Ok(()),
        }
    }

    /// A threshold that these cameras may be given: one far above what was learned needs a word in the configuration.
    pub(super) fn allowed(&self, model: &Bundle, value: f32, cameras: &[usize]) -> Result<Threshold, ModelError> {
        let unusable = || ControlError::Threshold(ThresholdError::NotUsable(value));
        let threshold = Threshold::new(value).ok_or_else(unusable)?;
        let Some(learned) = Threshold::new(model.learned_threshold()) else { return Ok(threshold) };
        for camera in cameras.iter().map(|n| &self.cameras[*n]).filter(|camera| !camera.threshold_unsafe) {
            let unsafe_for = |source| ControlError::Unsafe { camera: camera.name.clone(), source };
            threshold.near(learned).map_err(unsafe_for)?;
        }
        Ok(threshold)
    }

    /// Keeps a threshold in a model. Called with the changes' lock.
    pub(super) fn decide(
        &self,
        old: &Arc<Bundle>,
        value: f32,
        author: Author,
        file: &Path,
        cameras: &[usize],
    ) -> Result<ModelChanged, ModelError> {
        self.judged_by_their_model(cameras)?;
        let threshold = self.allowed(old, value, cameras)?;
        let mut new = Bundle::clone(old);
        // The good parts that people reviewed are mostly those that were rejected, no fair sample; the model's held-out scores are one.
        let scores = Scores { bad: self.known_defects(cameras)?, ..Scores::default() };
        set(&mut new, &scores, Aim::Fixed(threshold.get()), author).map_err(|why| match why {
            OperatingError::BelowUsual { threshold, baseline } => ModelError::BelowUsual { threshold, baseline },
            other => refused(other),
        })?;
        new.to_bytes().map_err(refused)?;
        self.put(old, new, Some(threshold), file, cameras)
    }

    /// The scores by the present model of parts that were reviewed as bad.
    fn known_defects(&self, cameras: &[usize]) -> Result<Vec<f32>, ModelError> {
        if self.history.is_none() {
            return Ok(Vec::new());
        }
        let models: Vec<String> = {
            let state = lock(&self.state);
            let bundles = cameras.iter().map(|n| &state.active[*n].0);
            bundles
                .flat_map(|b| b.scored_alike().chain([b.blake3.as_str()]).map(str::to_owned).collect::<Vec<_>>())
                .collect()
        };
        let by_this = |digits: &str| !digits.is_empty() && models.iter().any(|hash| hash.starts_with(digits));
        let rows = self.reviewed(cameras)?;
        let bad = rows.iter().filter(|row| row.review == ReviewState::Bad && by_this(&row.blake3));
        Ok(bad.filter_map(|row| row.score).collect())
    }
}
