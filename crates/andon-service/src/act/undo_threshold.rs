//! The undo of a threshold that is kept in a model.

use super::{Act, ActError, ActKind, Change, Service};
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
        let changed = service.models()?.undo_threshold(&self.camera)?;
        service.supersede_trials(service.places(&changed.cameras));
        Ok(Change { before: changed.before, after: changed.after })
    }
}
