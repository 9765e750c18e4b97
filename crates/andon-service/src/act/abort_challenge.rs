//! A challenge is given up.

use super::{Act, ActError, ActKind, Change, Service};
use andon_core::{Actor, CameraId, Role};

/// A challenge is given up; it counts as none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortChallenge {
    /// Camera.
    pub camera: CameraId,
}

impl Act for AbortChallenge {
    const KIND: ActKind = ActKind { name: "abort_challenge", role: Role::Operator, needs_reason: false };

    fn subject(&self, service: &Service) -> String {
        service.line().map(|line| line.board.station.camera(self.camera).to_owned()).unwrap_or_default()
    }

    fn perform(&self, service: &Service, _: &Actor) -> Result<Change, ActError> {
        let ended = service.line()?.board.abort_challenge(self.camera.index())?;
        let came = ended.seen.len();
        service.keep_challenge(&ended);
        Ok(Change { before: format!("{} parts", ended.parts), after: format!("aborted after {came}") })
    }
}
