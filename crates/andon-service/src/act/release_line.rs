//! The request to stop the line is taken back.

use super::{Act, ActError, ActKind, Change, Service};
use andon_core::{Actor, Role};

/// Takes the request to stop the line back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReleaseLine;

impl Act for ReleaseLine {
    const KIND: ActKind = ActKind { name: "release_line", role: Role::Leader, needs_reason: false };

    fn subject(&self, service: &Service) -> String {
        service.line().map(|line| line.board.station.line.clone()).unwrap_or_default()
    }

    fn perform(&self, service: &Service, by: &Actor) -> Result<Change, ActError> {
        let line = service.line()?;
        let before = if line.board.snapshot().line_stop { "stop" } else { "no stop" };
        line.control.release(by)?;
        Ok(Change { before: before.to_owned(), after: "released".to_owned() })
    }
}
