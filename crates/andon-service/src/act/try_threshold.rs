//! Another threshold for the next so many parts.

use super::{Act, ActError, ActKind, Change, Service};
use andon_core::{Actor, CameraId, Role};

/// Another threshold for the next so many parts of a camera; then, by itself, the one of before ([`super::EndTrial`]).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TryThreshold {
    /// The camera.
    pub camera: CameraId,
    /// Scores at or over it are rejects.
    pub value: f32,
    /// For how many parts with a score.
    pub parts: u32,
}

impl Act for TryThreshold {
    const KIND: ActKind = ActKind { name: "try_threshold", role: Role::Quality, needs_reason: true };

    fn subject(&self, service: &Service) -> String {
        service.camera_name(self.camera)
    }

    fn perform(&self, service: &Service, by: &Actor) -> Result<Change, ActError> {
        let line = service.line()?;
        let _turn = service.setting();
        let (camera, before) = (self.camera.index(), line.control.threshold(self.camera));
        // The first part that is judged by it has to be counted.
        let last = line.board.start_trial(camera, [before, self.value], self.parts, &by.user)?;
        if let Err(why) = line.control.set_threshold(self.camera, self.value, by, "") {
            line.board.take_trial_back(camera, last);
            return Err(why.into());
        }
        Ok(Change { before: before.to_string(), after: format!("{} for {} parts", self.value, self.parts) })
    }
}
