//! The end of a threshold's trial: by hand, or because its parts were judged.

use std::time::Duration;

use super::{Act, ActError, ActKind, Change, Service};
use crate::live::{ThresholdTrial, ThresholdTrialError, TrialStage};
use andon_core::{Actor, CameraId, ControlError, Mono, Role, Via};

/// A line that is busy has time for a threshold within this.
const PATIENCE: Duration = Duration::from_secs(10);
/// It is asked this often.
const LOOK: Duration = Duration::from_millis(50);

/// The threshold that was in force before a trial is in force again, unless somebody set another one meanwhile, which stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndTrial {
    /// The camera.
    pub camera: CameraId,
}

impl Act for EndTrial {
    const KIND: ActKind = ActKind { name: "end_trial", role: Role::Quality, needs_reason: false };

    fn subject(&self, service: &Service) -> String {
        service.camera_name(self.camera)
    }

    fn perform(&self, service: &Service, by: &Actor) -> Result<Change, ActError> {
        let line = service.line()?;
        let trial = line.board.end_trial(self.camera.index(), TrialStage::Over)?;
        let counted = format!(
            "{} of {} parts judged, {} rejected, {} otherwise than before",
            trial.judged, trial.parts, trial.rejected, trial.otherwise
        );
        let until = Mono::now() + PATIENCE;
        loop {
            let turn = service.setting();
            let in_force = line.control.threshold(self.camera);
            if in_force.to_bits() != trial.value.to_bits() {
                return Ok(Change { before: in_force.to_string(), after: format!("{in_force} stays: {counted}") });
            }
            match line.control.set_threshold(self.camera, trial.before, by, "") {
                Ok(()) => break,
                Err(ControlError::Busy(_)) if Mono::now() < until => {
                    // Others may set theirs meanwhile.
                    drop(turn);
                    std::thread::sleep(LOOK);
                }
                Err(why) => {
                    line.board.run_trial_on(self.camera.index());
                    return Err(why.into());
                }
            }
        }
        Ok(Change { before: trial.value.to_string(), after: format!("{}: {counted}", trial.before) })
    }
}

impl Service {
    /// The last part of a trial was judged: the threshold of before is set again, by whoever started it. Waits for a busy line; for threads that
    /// may.
    pub fn trial_ended(&self, trial: &ThresholdTrial) {
        let Ok(camera) = u8::try_from(trial.camera) else { return };
        let by = Actor { user: trial.user.clone(), role: Role::Quality, via: Via::Page };
        match self.perform(&by, &EndTrial { camera: CameraId(camera) }, "its parts were judged") {
            // Somebody ended it by hand in that moment.
            Ok(_) | Err(ActError::Trial(ThresholdTrialError::NotRunning)) => {}
            // It was done; that it is not in the audit is in the log already.
            Err(ActError::NotAudited(_)) => {}
            Err(why) => tracing::error!(
                "the threshold on trial of camera {} stays in force until the next part: {why}",
                self.camera_name(CameraId(camera))
            ),
        }
    }

    /// Sets another threshold for a camera by `set`, whose answer is the cameras that got it too: their trials have nothing to set back. That of
    /// the camera ends before, so that it does not set its own in between, and runs on if nothing was set.
    pub(super) fn supersede_trial<T>(
        &self,
        camera: Option<usize>,
        set: impl FnOnce() -> Result<T, ActError>,
        others: impl FnOnce(&T) -> Vec<usize>,
    ) -> Result<T, ActError> {
        let board = &self.line()?.board;
        // Most cameras have none that runs.
        let end = |camera: usize| board.end_trial(camera, TrialStage::Superseded).is_ok();
        let ended = camera.filter(|camera| end(*camera));
        let done = set();
        match &done {
            Ok(done) => others(done).into_iter().for_each(|camera| {
                end(camera);
            }),
            Err(_) => ended.into_iter().for_each(|camera| board.run_trial_on(camera)),
        }
        done
    }

    /// The places of cameras by their names.
    pub(super) fn places(&self, names: &[String]) -> Vec<usize> {
        let known = self.line().map(|line| line.board.station.cameras.as_slice()).unwrap_or_default();
        names.iter().filter_map(|name| known.iter().position(|known| known == name)).collect()
    }
}
