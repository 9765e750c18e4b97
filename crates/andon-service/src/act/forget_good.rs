//! The undo of "that part was good".

use super::{Act, ActError, ActKind, Change, Service};
use andon_core::{Actor, Role};

/// The model of a camera forgets a picture that it was taught after learning, and is what it was before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForgetGood {
    /// The camera's name.
    pub camera: String,
    /// The picture's name in the model.
    pub picture: String,
}

impl Act for ForgetGood {
    const KIND: ActKind = ActKind { name: "forget_good", role: Role::Quality, needs_reason: true };

    fn subject(&self, _: &Service) -> String {
        format!("{} {}", self.camera, self.picture).chars().take(100).collect()
    }

    fn perform(&self, service: &Service, _: &Actor) -> Result<Change, ActError> {
        let changed = service.models()?.forget(&self.camera, &self.picture)?;
        Ok(Change { before: changed.before, after: changed.after })
    }
}
