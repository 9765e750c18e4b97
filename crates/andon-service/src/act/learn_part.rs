//! A new part is learned beside the line. Nothing judges by it until the line is changed over to it.

use super::{Act, ActError, ActKind, Change, Service};
use andon_core::{Actor, Role};

/// A model is learned from the good pictures of a lesson.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearnPart {
    /// The new part's name.
    pub name: String,
    /// The camera's name.
    pub camera: String,
}

impl Act for LearnPart {
    const KIND: ActKind = ActKind { name: "learn_part", role: Role::Quality, needs_reason: false };

    fn subject(&self, _: &Service) -> String {
        format!("{} {}", self.name, self.camera).chars().take(140).collect()
    }

    fn perform(&self, service: &Service, _: &Actor) -> Result<Change, ActError> {
        let lessons = service.lessons()?;
        let lesson = lessons.one(&self.name, &self.camera);
        lessons.clone().learn(&self.name, &self.camera)?;
        let word = |model: &crate::models::LearnedModel| model.blake3.chars().take(12).collect();
        let before = lesson.as_ref().and_then(|l| l.learned.as_ref()).map(word).unwrap_or_default();
        Ok(Change { before, after: format!("begun, {} pictures", lesson.map_or(0, |l| l.good)) })
    }
}
