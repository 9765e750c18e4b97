//! Another threshold, kept in the model.

use super::{Act, ActError, ActKind, Change, Service};
use crate::models::NewThreshold;
use andon_core::{Actor, CameraId, Role};

/// Another threshold for a camera's parts, kept in its model with who chose it and why: it holds after the next start, too.
#[derive(Clone, Debug, PartialEq)]
pub struct KeepThreshold {
    /// The camera.
    pub camera: CameraId,
    /// Scores at or over it are rejects.
    pub value: f32,
    /// Why, for the model.
    pub why: String,
}

impl Act for KeepThreshold {
    const KIND: ActKind = ActKind { name: "keep_threshold", role: Role::Quality, needs_reason: true };

    fn subject(&self, service: &Service) -> String {
        service.camera_name(self.camera)
    }

    fn perform(&self, service: &Service, by: &Actor) -> Result<Change, ActError> {
        let (camera, by, why) = (service.camera_name(self.camera), by.user.clone(), self.why.clone());
        let changed = service.models()?.keep_threshold(&NewThreshold { camera, value: self.value, by, why })?;
        service.supersede_trials(service.places(&changed.cameras));
        Ok(Change { before: changed.before, after: changed.after })
    }
}
