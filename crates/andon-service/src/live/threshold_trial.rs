//! Thresholds on trial: another one for the next so many parts of a camera, and then by itself the one from before. What is counted are the
//! parts that the threshold on trial has judged; where others are judged by another one, somebody has changed it, and the trial is over.
//!
//! ```text
//! none ── start ──► running ── all parts judged, or ended by hand ──► over: the threshold from before is set again
//!                      └────── somebody sets, keeps or changes another one ──► superseded: that one stays
//! ```

use thiserror::Error;

use super::SeenPart;

/// Parts of a trial at most.
pub const MOST_TRIAL_PARTS: u32 = 100_000;
/// So many parts in a row that were judged by another threshold are no late ones.
const OTHERS: u32 = 16;

/// Why a trial was not started or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ThresholdTrialError {
    /// The camera is not on this box.
    #[error("no such camera")]
    NoSuchCamera,
    /// One runs already.
    #[error("a threshold is on trial at this camera already; end that first")]
    Running,
    /// None runs.
    #[error("no threshold is on trial at this camera")]
    NotRunning,
    /// No number of parts.
    #[error("a trial has 1 to {MOST_TRIAL_PARTS} parts")]
    Parts,
    /// Nothing to try.
    #[error("this threshold is in force already")]
    InForce,
}

/// Where a trial stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrialStage {
    /// Its threshold is in force.
    Running,
    /// It has ended, and the threshold from before is in force again.
    Over,
    /// Somebody changed the threshold meanwhile, and that one stays.
    Superseded,
}

/// A threshold on trial, or one that was.
#[derive(Clone, Debug, PartialEq)]
pub struct ThresholdTrial {
    /// The camera, by its place.
    pub camera: usize,
    /// The threshold.
    pub value: f32,
    /// That which was in force, and is again afterwards.
    pub before: f32,
    /// For how many parts.
    pub parts: u32,
    /// Who started it.
    pub user: String,
    /// When, milliseconds since 1970.
    pub started_ms: u64,
    /// Parts that it has judged, with a score.
    pub judged: u32,
    /// Those of them that it rejected.
    pub rejected: u32,
    /// Those of them that would have ended otherwise by the threshold from before.
    pub otherwise: u32,
    /// Where it stands.
    pub stage: TrialStage,
    /// Parts in a row that another threshold judged.
    others: u32,
    /// Somebody was told that its last part was judged.
    told: bool,
}

/// The last one of each camera.
#[derive(Clone, Debug, Default)]
pub(super) struct ThresholdTrials(Vec<Option<ThresholdTrial>>);

impl ThresholdTrials {
    pub fn of(cameras: usize) -> ThresholdTrials {
        ThresholdTrials(vec![None; cameras])
    }

    pub fn all(&self) -> &[Option<ThresholdTrial>] {
        &self.0
    }

    fn running(&mut self, camera: usize) -> Option<&mut ThresholdTrial> {
        self.0.get_mut(camera)?.as_mut().filter(|trial| trial.stage == TrialStage::Running)
    }

    /// Begins one: from now on the parts are counted that `value` judges. Returns the one before.
    pub fn start(
        &mut self,
        camera: usize,
        [before, value]: [f32; 2],
        parts: u32,
        user: &str,
        started_ms: u64,
    ) -> Result<Option<ThresholdTrial>, ThresholdTrialError> {
        if self.running(camera).is_some() {
            return Err(ThresholdTrialError::Running);
        }
        let place = self.0.get_mut(camera).ok_or(ThresholdTrialError::NoSuchCamera)?;
        if !(1..=MOST_TRIAL_PARTS).contains(&parts) {
            return Err(ThresholdTrialError::Parts);
        }
        if before.to_bits() == value.to_bits() {
            return Err(ThresholdTrialError::InForce);
        }
        let trial = ThresholdTrial {
            camera,
            value,
            before,
            parts,
            user: user.to_owned(),
            started_ms,
            judged: 0,
            rejected: 0,
            otherwise: 0,
            stage: TrialStage::Running,
            others: 0,
            told: false,
        };
        Ok(place.replace(trial))
    }

    /// One that was begun has not come into force; the one before is the last again.
    pub fn take_back(&mut self, camera: usize, before: Option<ThresholdTrial>) {
        if let Some(place) = self.0.get_mut(camera) {
            *place = before;
        }
    }

    /// A part was judged; the trial whose last one it was, told once.
    pub fn take(&mut self, part: &SeenPart) -> Option<ThresholdTrial> {
        let verdict = &part.verdict;
        let trial = self.running(verdict.camera.index())?;
        if trial.judged == trial.parts {
            // It was ended, and its threshold could not be set back: it is tried again with this part.
            return (!std::mem::replace(&mut trial.told, true)).then(|| trial.clone());
        }
        let score = verdict.score?.get();
        if verdict.threshold.to_bits() != trial.value.to_bits() {
            trial.others += 1;
            if trial.others >= OTHERS {
                trial.stage = TrialStage::Superseded;
            }
            return None;
        }
        trial.others = 0;
        trial.judged += 1;
        trial.rejected += u32::from(score >= trial.value);
        trial.otherwise += u32::from((score >= trial.value) != (score >= trial.before));
        trial.told = trial.judged == trial.parts;
        trial.told.then(|| trial.clone())
    }

    /// Ends the one that runs.
    pub fn end(&mut self, camera: usize, stage: TrialStage) -> Result<ThresholdTrial, ThresholdTrialError> {
        if camera >= self.0.len() {
            return Err(ThresholdTrialError::NoSuchCamera);
        }
        let trial = self.running(camera).ok_or(ThresholdTrialError::NotRunning)?;
        trial.stage = stage;
        Ok(trial.clone())
    }

    /// One that ended runs on: the threshold from before could not be set, or that which was to supersede it.
    pub fn run_on(&mut self, camera: usize) {
        if let Some(Some(trial)) = self.0.get_mut(camera) {
            (trial.stage, trial.told) = (TrialStage::Running, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::tests::verdict;
    use andon_core::CameraVerdict;

    fn part(seq: u64, score: f32, threshold: f32) -> SeenPart {
        let verdict = CameraVerdict { threshold, ..verdict(seq, score, 0) };
        SeenPart { id: format!("id{seq}"), camera: "top".into(), at_ms: seq, verdict }
    }

    fn started(parts: u32) -> ThresholdTrials {
        let mut all = ThresholdTrials::of(2);
        all.start(0, [10.0, 8.0], parts, "ana", 5).unwrap();
        all
    }

    #[test]
    fn it_ends_with_the_last_part_that_it_judged_and_counts_what_it_changed() {
        let mut all = started(3);
        assert!(all.take(&part(1, 9.0, 10.0)).is_none(), "judged before it began");
        assert!(all.take(&part(2, 9.0, 8.0)).is_none());
        assert!(all.take(&part(3, 12.0, 8.0)).is_none());
        let last = all.take(&part(4, 5.0, 8.0)).unwrap();
        assert_eq!((last.judged, last.rejected, last.otherwise), (3, 2, 1));
        assert!(all.take(&part(5, 5.0, 8.0)).is_none(), "until the threshold is set back, parts count no more");
        assert_eq!(all.end(0, TrialStage::Over).unwrap().judged, 3);
        all.run_on(0);
        assert_eq!(all.take(&part(6, 5.0, 8.0)).map(|t| t.judged), Some(3), "it could not be set back: tried again");
        assert!(all.take(&part(7, 5.0, 8.0)).is_none());
        all.end(0, TrialStage::Over).unwrap();
        assert_eq!(all.end(0, TrialStage::Over), Err(ThresholdTrialError::NotRunning));
    }

    #[test]
    fn another_threshold_that_stays_ends_it_and_a_late_part_does_not() {
        let mut all = started(100);
        for seq in 0..15 {
            all.take(&part(seq, 5.0, 10.0));
        }
        all.take(&part(20, 5.0, 8.0));
        for seq in 21..36 {
            all.take(&part(seq, 5.0, 10.0));
        }
        assert_eq!(all.all()[0].as_ref().unwrap().stage, TrialStage::Running);
        all.take(&part(36, 5.0, 10.0));
        let trial = all.all()[0].clone().unwrap();
        assert_eq!((trial.stage, trial.judged), (TrialStage::Superseded, 1));
    }

    #[test]
    fn one_runs_at_a_time_with_a_number_of_parts_and_another_threshold() {
        let mut all = started(3);
        assert_eq!(all.start(0, [10.0, 9.0], 3, "otto", 0), Err(ThresholdTrialError::Running));
        assert_eq!(all.start(1, [10.0, 10.0], 3, "otto", 0), Err(ThresholdTrialError::InForce));
        assert_eq!(all.start(1, [10.0, 9.0], 0, "otto", 0), Err(ThresholdTrialError::Parts));
        assert_eq!(all.start(1, [10.0, 9.0], MOST_TRIAL_PARTS + 1, "otto", 0), Err(ThresholdTrialError::Parts));
        assert_eq!(all.start(2, [10.0, 9.0], 3, "otto", 0), Err(ThresholdTrialError::NoSuchCamera));
        assert_eq!(all.end(2, TrialStage::Over), Err(ThresholdTrialError::NoSuchCamera));
        assert_eq!(all.end(1, TrialStage::Over), Err(ThresholdTrialError::NotRunning));
    }
}
