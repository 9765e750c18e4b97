//! The next batch begins.

use super::{Act, ActError, ActKind, Change, Service};
use andon_core::{Actor, Role};

/// The next batch begins: parts whose pictures are taken from now on count for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartBatch {
    /// Its name, up to 64 letters.
    pub name: String,
}

impl Act for StartBatch {
    const KIND: ActKind = ActKind { name: "start_batch", role: Role::Leader, needs_reason: false };

    fn subject(&self, service: &Service) -> String {
        service.line().map(|line| line.board.station.line.clone()).unwrap_or_default()
    }

    fn perform(&self, service: &Service, by: &Actor) -> Result<Change, ActError> {
        let access = service.history()?;
        let before = access.history.batches(1)?.pop().map(|batch| batch.name).unwrap_or_default();
        let batch = access.reviews.start_batch(&self.name, &by.user)?;
        Ok(Change { before, after: batch.name })
    }
}
