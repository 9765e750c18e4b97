//! What would change if a model learned a part as good: every reviewed part of its cameras whose picture is kept as it was judged is judged
//! once more, by the model of now and by the one that has learned. On a thread of the lowest priority, by the reference on the CPU.

use std::path::Path;
use std::sync::Arc;

use super::{Models, lock, refused};
use crate::assemble::detector::open_on_cpu;
use crate::config::FrameSize;
use andon_core::{Detection, Detector, OwnedFrame, Threshold, lowest_priority};
use andon_io::history::{Filter, PartRow, ReviewState};
use andon_io::pictures::{StoredPicture, heatmap_png, save_png};
use andon_service::models::{KnownPart, ModelError, OutcomeChange, Remedy, Trial, TrialResult, TrialState};
use andon_vision::fit::raw_of_bytes;
use andon_vision::methods::{add, of};
use andon_vision::model::Accept;
use andon_vision::model::bundle::Bundle;
use andon_vision::model::embedder::PatchEmbedder;

/// A part is learned under its id with this ending.
pub(super) const ENDING: &str = ".png";
/// Rows of the history that are asked for at once.
const ROWS: u32 = 1000;

/// What would be done so that a part passes.
#[derive(Clone)]
pub(super) enum Taught {
    /// The model that has learned it.
    Learned(Arc<Bundle>),
    /// The threshold of a model that cannot learn single pictures.
    Threshold(f32),
}

/// What came of a trial.
#[derive(Clone)]
pub(super) struct Tried {
    pub camera: usize,
    /// Hash of the model before.
    pub before: String,
    pub taught: Taught,
    /// What the parts of its camera were judged by.
    pub threshold: Threshold,
    /// What was known of other parts, by their ids.
    pub reviews: Vec<(String, ReviewState)>,
}

/// Begins the trial of a part.
///
/// # Errors
/// [`ModelError`]: there is nothing to learn, or one runs.
pub(super) fn start(models: &Arc<Models>, part: &str) -> Result<(), ModelError> {
    if models.history.is_none() {
        return Err(ModelError::NoHistory);
    }
    let named: String = part.chars().take(64).collect();
    let stored = models.ring.as_ref().and_then(|ring| ring.find(part));
    let stored = stored.ok_or_else(|| ModelError::NoPicture(named.clone()))?;
    if !stored.is_lossless() {
        return Err(ModelError::Lossy(named));
    }
    let camera = models.place(&stored.summary().camera)?;
    models.of_camera(camera)?;
    {
        let mut state = lock(&models.state);
        if state.trial.as_ref().is_some_and(Trial::runs) {
            return Err(ModelError::Busy);
        }
        state.tried = None;
        let camera = stored.summary().camera;
        state.trial = Some(Trial { part: part.to_owned(), camera, state: TrialState::Running { done: 0, total: 0 } });
    }
    let (worker, part) = (models.clone(), part.to_owned());
    let work = move || {
        lowest_priority();
        let made = worker.judge_again(&part, camera, &stored);
        let mut state = lock(&worker.state);
        let (tried, ended) = match made {
            Ok((tried, result)) => (Some(tried), TrialState::Done(result)),
            Err(why) => (None, TrialState::Failed(why)),
        };
        state.tried = tried;
        if let Some(trial) = &mut state.trial {
            trial.state = ended;
        }
    };
    std::thread::Builder::new().name("trial".to_owned()).spawn(work).map(drop).map_err(|e| {
        lock(&models.state).trial = None;
        refused(e)
    })
}

/// A score, if the frame has a finite one.
fn score(detector: &mut dyn Detector, frame: &OwnedFrame, out: &mut Detection) -> Option<f32> {
    let view = frame.view()?;
    detector.detect(&view, out).ok().map(|()| out.score).filter(|score| score.is_finite())
}

/// What is known of parts but this one, by their ids.
fn known_of(rows: &[PartRow], part: &str) -> Vec<(String, ReviewState)> {
    rows.iter().filter(|row| row.id != part).map(|row| (row.id.clone(), row.review)).collect()
}

impl Models {
    fn judge_again(
        &self,
        part: &str,
        camera: usize,
        stored: &StoredPicture,
    ) -> Result<(Tried, TrialResult), ModelError> {
        let (old, _, cameras) = self.of_camera(camera)?;
        let options = self.reference(camera);
        let frame = stored.frame().map_err(refused)?;
        let open = |bundle: &Arc<Bundle>| {
            open_on_cpu(bundle, &bundle.network(), &options, self.cameras[camera].frame_size).map_err(refused)
        };
        let mut by_old = open(&old)?.detector;
        let mut out = Detection::default();
        let no_score = || refused(format!("the picture of part {part} has no score"));
        let before = score(by_old.as_mut(), &frame, &mut out).ok_or_else(no_score)?;
        let threshold = self.threshold(camera);
        let can_learn = of(&old).map_err(refused)?.adapter().is_some();
        let (new, remedy) = if can_learn {
            let (bundle, patches) = self.taught(&old, part, &frame, camera)?;
            (Arc::new(bundle), Remedy::Patches(patches))
        } else if before < threshold.get() {
            return Err(ModelError::Passes(part.to_owned()));
        } else {
            self.judged_by_their_model(&cameras)?;
            // The engine in force may differ from the reference by so much.
            let above = (before * (1.0 + old.manifest.parity_tolerance)).next_up();
            (old.clone(), Remedy::Threshold(self.allowed(&old, above, &cameras)?.get()))
        };
        let mut by_new = open(&new)?.detector;
        let after = score(by_new.as_mut(), &frame, &mut out).ok_or_else(no_score)?;
        let heatmap = heatmap_png(&out.map, new.manifest.baseline, threshold.get()).map_err(refused)?;
        let rows = self.reviewed(&cameras)?;
        let mut result = TrialResult {
            model: old.blake3.clone(),
            threshold: threshold.get(),
            before,
            after,
            remedy,
            judged: 0,
            without_picture: 0,
            changes: Vec::new(),
            heatmap: heatmap.map(Into::into),
        };
        for (done, row) in rows.iter().enumerate() {
            if let Some(trial) = &mut lock(&self.state).trial {
                trial.state = TrialState::Running { done, total: rows.len() };
            }
            // The part itself is in question, whatever was said of it.
            if row.id == part {
                continue;
            }
            let kept = self.ring.as_ref().and_then(|ring| ring.find(&row.id)).filter(StoredPicture::is_lossless);
            // One that is removed as the oldest meanwhile is gone, too.
            let Some(frame) = kept.and_then(|kept| kept.frame().ok()) else {
                result.without_picture += 1;
                continue;
            };
            result.judged += 1;
            let before = score(by_old.as_mut(), &frame, &mut out);
            let after = score(by_new.as_mut(), &frame, &mut out);
            let now = self.place(&row.camera).map_or(threshold, |n| self.threshold(n)).get();
            let then = if can_learn { now } else { result.threshold_after() };
            let passes = |score: Option<f32>, threshold: f32| score.is_some_and(|score| score < threshold);
            if passes(before, now) != passes(after, then) {
                let known = if row.review == ReviewState::Bad { KnownPart::Bad } else { KnownPart::Good };
                result.changes.push(OutcomeChange {
                    part: row.id.clone(),
                    known,
                    before,
                    after,
                    passes: passes(after, then),
                });
            }
        }
        let reviews = known_of(&rows, part);
        let taught = match remedy {
            Remedy::Patches(_) => Taught::Learned(new),
            Remedy::Threshold(threshold) => Taught::Threshold(threshold),
        };
        Ok((Tried { camera, before: old.blake3.clone(), taught, threshold, reviews }, result))
    }

    /// The model with the part among its good pictures, and how many patches it has learned.
    fn taught(
        &self,
        old: &Arc<Bundle>,
        part: &str,
        frame: &OwnedFrame,
        camera: usize,
    ) -> Result<(Bundle, usize), ModelError> {
        let name = format!("{part}{ENDING}");
        let raw = raw_of_bytes(Path::new(&name), &save_png(frame).map_err(refused)?).map_err(refused)?;
        let any_size = self.cameras[camera].frame_size == FrameSize::Any;
        let view = raw.view().ok_or_else(|| refused(format!("{name}: a picture of no pixels")))?;
        Accept::learned(&old.manifest, any_size).check(&view).map_err(|fault| refused(format!("{name}: {fault}")))?;
        let (mut embedder, _) = PatchEmbedder::open(&old.network(), &self.reference(camera)).map_err(refused)?;
        let mut new = Bundle::clone(old);
        let picture = raw.into_8_bit(old.manifest.input.range);
        let added = add(&mut new, &[(name, picture)], &mut embedder, 1).map_err(refused)?;
        // Also gives it its digest.
        new.to_bytes().map_err(refused)?;
        Ok((new, added.iter().map(|a| a.rows).sum()))
    }

    /// What is known now of the parts of these cameras but this one.
    pub(super) fn reviews_beside(
        &self,
        part: &str,
        cameras: &[usize],
    ) -> Result<Vec<(String, ReviewState)>, ModelError> {
        Ok(known_of(&self.reviewed(cameras)?, part))
    }

    /// Every part of these cameras that somebody reviewed as good or bad.
    pub(super) fn reviewed(&self, cameras: &[usize]) -> Result<Vec<PartRow>, ModelError> {
        let history = self.history.as_ref().ok_or(ModelError::NoHistory)?;
        let mut filter = Filter {
            cameras: cameras.iter().map(|n| self.cameras[*n].name.clone()).collect(),
            reviews: vec![ReviewState::Good, ReviewState::Bad],
            limit: Some(ROWS),
            ..Filter::default()
        };
        let mut rows = Vec::new();
        loop {
            let page = history.query(&filter).map_err(refused)?;
            rows.extend(page.rows);
            match page.next {
                Some(next) => filter.after = Some(next),
                None => return Ok(rows),
            }
        }
    }
}
