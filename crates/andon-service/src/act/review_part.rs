//! What somebody says of a part.

use super::{Act, ActError, ActKind, Change, Service};
use andon_core::{Actor, Role};
use andon_io::history::{Expected, NewReview, ReviewVerdict};

/// What somebody says of a part, or that it is taken back. The review bears the name of who says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewPart {
    /// The part's id.
    pub part: String,
    /// What is said of it.
    pub verdict: ReviewVerdict,
    /// Kind of defect.
    pub defect: Option<String>,
    /// Comment.
    pub comment: Option<String>,
    /// The review that whoever says it had before his eyes; if there is a newer one, nothing is written.
    pub expected: Expected,
}

impl Act for ReviewPart {
    const KIND: ActKind = ActKind { name: "review", role: Role::Operator, needs_reason: false };

    fn subject(&self, _: &Service) -> String {
        self.part.chars().take(64).collect()
    }

    fn perform(&self, service: &Service, by: &Actor) -> Result<Change, ActError> {
        let access = service.history()?;
        let before = access.history.part(&self.part)?.and_then(|mut part| part.reviews.pop());
        let review = access.reviews.add(&NewReview {
            part: self.part.clone(),
            verdict: self.verdict,
            defect: self.defect.clone(),
            comment: self.comment.clone(),
            user: by.user.clone(),
            expected: self.expected,
        })?;
        let words = |verdict: ReviewVerdict, defect: Option<&str>| {
            format!("{} {}", verdict.state().as_str(), defect.unwrap_or_default()).trim_end().to_owned()
        };
        let nothing = || words(ReviewVerdict::Withdrawn, None);
        Ok(Change {
            before: before.map_or_else(nothing, |b| words(b.verdict, b.defect.as_deref())),
            after: words(review.verdict, review.defect.as_deref()),
        })
    }
}
