//! The undo of a threshold that is kept in a model.

use super::{Act, ActError, ActKind, Change, Service};
use crate::models::ModelChanged;
use andon_core::{Actor, Role};

/// The model of a camera gets the threshold back that it had before the last decision about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UndoThreshold {
    /// The camera's name.
    pub camera: String,
}

impl Act for UndoThreshold {
    const KIND: ActKind = ActKind { name: "undo_threshold", role: Role::Quality, needs_reason: true };

    fn subject(&self, _: &Service) -> String {
        self.camera.chars().take(64).collect()
    }

    fn perform(&self, service: &Service, _: &Actor) -> Result<Change, ActError> {
        let models = service.models()?;
        let camera = service.places(std::slice::from_ref(&self.camera)).first().copied();
        let others = |changed: &ModelChanged| service.places(&changed.cameras);
        let changed = service.supersede_trial(camera, || Ok(models.undo_threshold(&self.camera)?), others)?;
        Ok(Change { before: changed.before, after: changed.after })
    }
}
