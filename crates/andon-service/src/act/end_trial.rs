//! The end of a threshold's trial: by hand, or because its parts were judged.

use std::time::Duration;

use super::{Act, ActError, ActKind, Change, Service};
use crate::live::{ThresholdTrial, TrialStage};
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
        let _turn = service.setting();
        let trial = line.board.end_trial(self.camera.index(), TrialStage::Over)?;
        let in_force = line.control.threshold(self.camera);
        let counted = format!(
            "{} of {} parts judged, {} rejected, {} otherwise than before",
            trial.judged, trial.parts, trial.rejected, trial.otherwise
        );
        if in_force.to_bits() != trial.value.to_bits() {
            return Ok(Change { before: in_force.to_string(), after: format!("{in_force} stays: {counted}") });
        }
        let until = Mono::now() + PATIENCE;
        loop {
            match line.control.set_threshold(self.camera, trial.before, by, "") {
                Ok(()) => break,
                Err(ControlError::Busy(_)) if Mono::now() < until => std::thread::sleep(LOOK),
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
        if let Err(why) = self.perform(&by, &EndTrial { camera: CameraId(camera) }, "its parts were judged") {
            tracing::error!("the threshold on trial of camera {} stays in force: {why}", trial.camera);
        }
    }

    /// Somebody set another threshold for these cameras: a trial of theirs has nothing to set back.
    pub(super) fn supersede_trials(&self, cameras: impl Iterator<Item = usize>) {
        let Ok(line) = self.line() else { return };
        for camera in cameras {
            // Most cameras have none that runs.
            drop(line.board.end_trial(camera, TrialStage::Superseded));
        }
    }

    /// The places of cameras by their names.
    pub(super) fn places<'a>(&'a self, names: &'a [String]) -> impl Iterator<Item = usize> + 'a {
        let known = self.line().map(|line| line.board.station.cameras.as_slice()).unwrap_or_default();
        names.iter().filter_map(|name| known.iter().position(|known| known == name))
    }
}
