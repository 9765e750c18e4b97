//! The next parts of a camera are known to be bad.

use super::{Act, ActError, ActKind, Change, Service};
use andon_core::{Actor, CameraId, Role};

/// The next parts of a camera are known to be bad, and each has to end as REJECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartChallenge {
    /// Camera.
    pub camera: CameraId,
    /// How many.
    pub parts: u32,
}

impl Act for StartChallenge {
    const KIND: ActKind = ActKind { name: "start_challenge", role: Role::Operator, needs_reason: false };

    fn subject(&self, service: &Service) -> String {
        service.line().map(|line| line.board.station.camera(self.camera).to_owned()).unwrap_or_default()
    }

    fn perform(&self, service: &Service, by: &Actor) -> Result<Change, ActError> {
        service.line()?.board.start_challenge(self.camera.index(), self.parts, &by.user)?;
        Ok(Change { before: String::new(), after: format!("{} parts", self.parts) })
    }
}
