//! Another threshold, kept in the model.

use super::{Act, ActError, ActKind, Change, Service};
use crate::models::{ModelChanged, NewThreshold};
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
        let models = service.models()?;
        let keep = || Ok(models.keep_threshold(&NewThreshold { camera, value: self.value, by, why })?);
        let others = |changed: &ModelChanged| service.places(&changed.cameras);
        let changed = service.supersede_trial(Some(self.camera.index()), keep, others)?;
        Ok(Change { before: changed.before, after: changed.after })
    }
}
