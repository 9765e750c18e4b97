//! Models, configuration, history and users in one archive.

use std::io::BufWriter;

use super::{Act, ActError, ActKind, Change, Service};
use andon_core::{Actor, Role};

/// Models, configuration, history and users in one archive. Who may take it along may read everything, so only an admin may.
#[derive(Debug)]
pub struct BackUp<'a> {
    /// Where the archive is written.
    pub to: &'a std::fs::File,
}

impl Act for BackUp<'_> {
    const KIND: ActKind = ActKind { name: "back_up", role: Role::Admin, needs_reason: false };

    fn subject(&self, service: &Service) -> String {
        service.line().map(|line| line.board.station.box_name.clone()).unwrap_or_default()
    }

    fn perform(&self, service: &Service, _: &Actor) -> Result<Change, ActError> {
        let manifest = service.back_up(BufWriter::new(self.to))?;
        let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
        Ok(Change { before: String::new(), after: format!("{} files, {bytes} bytes", manifest.files.len()) })
    }
}
