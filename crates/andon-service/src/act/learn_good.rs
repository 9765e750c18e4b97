//! "That part was good": the model learns it, after a trial that says what that changes.

use super::{Act, ActError, ActKind, Change, Service};
use crate::models::ModelError;
use andon_core::{Actor, Role};
use andon_io::history::{Expected, NewReview, ReviewState, ReviewVerdict};

/// The model that judged a part learns it as good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearnGood {
    /// The part's id.
    pub part: String,
    /// Why, for the model.
    pub why: String,
}

impl Act for LearnGood {
    const KIND: ActKind = ActKind { name: "learn_good", role: Role::Quality, needs_reason: true };

    fn subject(&self, _: &Service) -> String {
        self.part.chars().take(64).collect()
    }

    fn perform(&self, service: &Service, by: &Actor) -> Result<Change, ActError> {
        let (models, access) = (service.models()?, service.history()?);
        let part = access.history.part(&self.part)?;
        let last = part.and_then(|mut part| part.reviews.pop());
        if let Some(review) = last.as_ref().filter(|review| review.verdict.state() == ReviewState::Bad) {
            return Err(ModelError::ReviewedBad { part: self.part.clone(), user: review.user.clone() }.into());
        }
        let changed = models.learn_good(&self.part, &by.user, &self.why)?;
        // Who says that to the model says it of the part, too. The model has learned it whether or not that can be written.
        if last.is_none_or(|review| review.verdict.state() != ReviewState::Good) {
            let said = access.reviews.add(&NewReview {
                part: self.part.clone(),
                verdict: ReviewVerdict::Good,
                defect: None,
                comment: None,
                user: by.user.clone(),
                expected: Expected::Anything,
            });
            if let Err(e) = said {
                tracing::warn!(part = self.part, "the model learned it as good, but its review is not written: {e}");
            }
        }
        Ok(Change { before: changed.before, after: changed.after })
    }
}
