//! What a camera is to see.

use std::sync::Arc;

use super::{Act, ActError, ActKind, Change, Service};
use andon_core::{Actor, Role};

/// A picture is what a camera is to see from now on: later ones are laid beside it, to find a camera that was moved.
#[derive(Clone, PartialEq, Eq)]
pub struct KeepReference {
    /// The camera's name.
    pub camera: String,
    /// Id of the verdict on the part that it shows.
    pub part: String,
    /// The picture, as a JPEG.
    pub jpeg: Arc<[u8]>,
}

impl Act for KeepReference {
    const KIND: ActKind = ActKind { name: "keep_reference", role: Role::Leader, needs_reason: false };

    fn subject(&self, _: &Service) -> String {
        self.camera.clone()
    }

    fn perform(&self, service: &Service, by: &Actor) -> Result<Change, ActError> {
        let before = service.accounts.reference(&self.camera)?.map(|reference| reference.part).unwrap_or_default();
        service.accounts.keep_reference(&self.camera, &by.user, &self.part, &self.jpeg)?;
        Ok(Change { before, after: self.part.clone() })
    }
}
