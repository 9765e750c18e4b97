//! Paces the work on rows of an earlier version, so that the thread is there for the line's rows in between.

use std::time::Duration;

use rusqlite::Connection;

use crate::history::{Columns, SLICE_ROWS, slice};
use andon_core::Mono;

/// Nothing else to do: rows are waited for so long.
const IDLE: Duration = Duration::from_millis(200);
/// The work rests so long after a slice that failed, as when the disk is full.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// How far the rows of an earlier version have come.
pub(super) struct Filling {
    is_needed: bool,
    rest: Duration,
    not_before: Mono,
    since: Option<Mono>,
    is_told: bool,
}

impl Filling {
    pub fn new() -> Filling {
        Filling { is_needed: true, rest: Duration::ZERO, not_before: Mono(0), since: None, is_told: false }
    }

    /// How long the thread waits for rows before it looks here again: as long as the last slice took, so that half of the time is rest.
    pub fn rest(&self) -> Duration {
        if self.is_needed { self.rest } else { IDLE }
    }

    /// Does a slice of the work, if there is some and it is time.
    pub fn slice(&mut self, connection: &mut Connection, columns: &mut Columns) {
        let begun = Mono::now();
        if !self.is_needed || begun < self.not_before {
            return;
        }
        match slice(connection, columns, SLICE_ROWS) {
            Ok(true) => {
                if self.since.is_none() {
                    self.since = Some(begun);
                    tracing::info!(
                        "the history is of an earlier version; its rows get their columns while the line runs"
                    );
                }
                (self.rest, self.is_told) = (Mono::now().since(begun), false);
            }
            Ok(false) => {
                self.is_needed = false;
                if let Some(since) = self.since {
                    let seconds = begun.since(since).as_secs();
                    let left = columns.not_understood();
                    tracing::info!(seconds, not_understood = left, "all rows of the history have their columns");
                }
            }
            Err(e) => {
                (self.rest, self.not_before) = (IDLE, begun + AFTER_FAILURE);
                if !std::mem::replace(&mut self.is_told, true) {
                    tracing::warn!("rows of an earlier version wait for their columns: {e}");
                }
            }
        }
    }
}
