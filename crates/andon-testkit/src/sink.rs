//! A sink that keeps what it gets.

use std::sync::{Arc, Mutex, PoisonError};

use andon_core::{Accepted, CameraVerdict, Record, Sink};

/// Keeps the verdicts that it is offered; clones share what was kept.
#[derive(Clone, Debug, Default)]
pub struct RecordingSink(Arc<Mutex<Vec<CameraVerdict>>>);

impl RecordingSink {
    /// All verdicts so far, in the order in which they came.
    pub fn verdicts(&self) -> Vec<CameraVerdict> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Sink for RecordingSink {
    fn name(&self) -> &'static str {
        "recording"
    }

    fn offer(&mut self, record: &Record) -> Accepted {
        let Record::Verdict(verdict) = record else { return Accepted::Ignored };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(verdict.clone());
        Accepted::Taken
    }
}
