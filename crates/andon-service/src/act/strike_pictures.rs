//! Pictures that are no good parts after all.

use super::{Act, ActError, ActKind, Change, Service};
use andon_core::{Actor, Role};

/// Pictures of a lesson are not learned from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrikePictures {
    /// The new part's name.
    pub name: String,
    /// The camera's name.
    pub camera: String,
    /// The pictures' names.
    pub pictures: Vec<String>,
}

impl Act for StrikePictures {
    const KIND: ActKind = ActKind { name: "strike_pictures", role: Role::Quality, needs_reason: false };

    fn subject(&self, _: &Service) -> String {
        format!("{} {}", self.name, self.camera).chars().take(140).collect()
    }

    fn perform(&self, service: &Service, _: &Actor) -> Result<Change, ActError> {
        let struck = service.lessons()?.strike(&self.name, &self.camera, &self.pictures)?;
        Ok(Change { before: String::new(), after: format!("{struck}: {}", self.pictures.join(", ")) })
    }
}
