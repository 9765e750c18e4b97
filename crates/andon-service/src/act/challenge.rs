//! What becomes of a challenge when it has ended: told to everybody, kept in the history, written into the audit.

use std::time::Duration;

use super::Service;
use crate::accounts::AuditEntry;
use andon_core::{CameraId, ChallengeSign};
use andon_io::history::{Challenge, ChallengeResult, Expected, NewReview, ReviewError, ReviewVerdict};

/// The kind of defect that parts of a challenge are reviewed with: they stand in the results as a group of their own, and wait for no review.
pub const CHALLENGE_DEFECT: &str = "challenge";
/// The history writes a row within this.
const WRITTEN: Duration = Duration::from_secs(10);
/// It is looked for this often.
const LOOK: Duration = Duration::from_millis(200);

impl Service {
    /// A challenge was passed or failed. Waits for the history; for threads that may.
    pub fn challenge_ended(&self, challenge: &Challenge) {
        let sign = match challenge.result {
            ChallengeResult::Passed => ChallengeSign::Passed,
            ChallengeResult::Failed | ChallengeResult::Aborted => ChallengeSign::Failed,
        };
        if let Ok(line) = self.line()
            && let Some(n) = line.board.station.cameras.iter().position(|name| *name == challenge.camera)
            && let Ok(n) = u8::try_from(n)
            && let Err(e) = line.control.challenge(CameraId(n), sign)
        {
            tracing::error!("what became of a challenge of camera {} is not told: {e}", challenge.camera);
        }
        let rejected = challenge.seen.iter().filter(|part| part.is_rejected()).count();
        let entry = AuditEntry {
            user: challenge.user.clone(),
            role: self.accounts.user(&challenge.user).map(|user| user.role.as_str().to_owned()).unwrap_or_default(),
            via: "page".to_owned(),
            act: "challenge".to_owned(),
            subject: challenge.camera.clone(),
            before: format!("{} known bad parts", challenge.parts),
            after: format!("{}: {rejected} rejected", challenge.result.as_str()),
            done: true,
            ..AuditEntry::default()
        };
        if let Err(e) = self.accounts.note(&entry) {
            tracing::error!("a challenge of camera {} is not in the audit: {e}", challenge.camera);
        }
        self.keep_challenge(challenge);
    }

    /// Keeps an ended challenge in the history, where there is one, and reviews its parts as what they are. Of one that was given up nobody knows what
    /// they are.
    pub(super) fn keep_challenge(&self, challenge: &Challenge) {
        let Ok(access) = self.history() else { return };
        let number = match access.reviews.add_challenge(challenge) {
            Ok(number) => number,
            Err(e) => {
                tracing::error!("a challenge of camera {} is not in the history: {e}", challenge.camera);
                return;
            }
        };
        if challenge.result == ChallengeResult::Aborted {
            return;
        }
        let until = andon_core::Mono::now() + WRITTEN;
        for part in challenge.seen.iter().filter_map(|part| part.id.as_ref()) {
            let review = NewReview {
                part: part.clone(),
                verdict: ReviewVerdict::Bad,
                defect: Some(CHALLENGE_DEFECT.to_owned()),
                comment: Some(format!("challenge {number}")),
                user: challenge.user.clone(),
                expected: Expected::Anything,
            };
            // A verdict comes here before its row is written.
            let mut said = access.reviews.add(&review);
            while matches!(said, Err(ReviewError::NoSuchPart(_))) && andon_core::Mono::now() < until {
                std::thread::sleep(LOOK);
                said = access.reviews.add(&review);
            }
            if let Err(e) = said {
                tracing::warn!("a part of challenge {number} is not reviewed as bad: {e}");
            }
        }
    }
}
