//! Another threshold until the next start.

use super::{Act, ActError, ActKind, Change, Service};
use andon_core::{Actor, CameraId, Role};

/// Another threshold for a camera's parts, in the units of the score, until the next start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SetThreshold {
    /// The camera.
    pub camera: CameraId,
    /// Scores at or over it are rejects.
    pub value: f32,
}

impl Act for SetThreshold {
    const KIND: ActKind = ActKind { name: "set_threshold", role: Role::Quality, needs_reason: true };

    fn subject(&self, service: &Service) -> String {
        service.camera_name(self.camera)
    }

    fn perform(&self, service: &Service, by: &Actor) -> Result<Change, ActError> {
        let control = &service.line()?.control;
        let _turn = service.setting();
        let before = control.threshold(self.camera);
        let set = || Ok(control.set_threshold(self.camera, self.value, by, "")?);
        service.supersede_trial(Some(self.camera.index()), set, |()| Vec::new())?;
        Ok(Change { before: before.to_string(), after: self.value.to_string() })
    }
}
