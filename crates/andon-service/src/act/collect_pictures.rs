//! Pictures of the next parts, to learn a new part from or to try its model on.

use super::{Act, ActError, ActKind, Change, Service};
use crate::models::LessonKind;
use andon_core::{Actor, Role};

/// The pictures of a camera's next parts are collected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectPictures {
    /// The new part's name.
    pub name: String,
    /// The camera's name.
    pub camera: String,
    /// What the parts are known to be.
    pub kind: LessonKind,
    /// How many.
    pub count: usize,
}

impl Act for CollectPictures {
    const KIND: ActKind = ActKind { name: "collect_pictures", role: Role::Quality, needs_reason: false };

    fn subject(&self, _: &Service) -> String {
        format!("{} {}", self.name, self.camera).chars().take(140).collect()
    }

    fn perform(&self, service: &Service, _: &Actor) -> Result<Change, ActError> {
        service.lessons()?.collect(&self.name, &self.camera, self.kind, self.count)?;
        Ok(Change { before: String::new(), after: format!("{} {}", self.count, self.kind.word()) })
    }
}
