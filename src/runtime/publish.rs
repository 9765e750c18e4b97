//! The `pub` stage: offers records to the sinks. The only thread of the line that may be slow.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::queue::Woken;
use super::status::Status;
use crate::publish::{MapRecord, Record, Sink};

/// How often the sinks are asked whether they want maps while nothing comes.
const TICK: Duration = Duration::from_millis(50);

pub(super) struct Publish {
    pub records: Woken<Record>,
    pub maps: Receiver<MapRecord>,
    pub sinks: Vec<Box<dyn Sink>>,
    pub status: Arc<Status>,
}

impl Publish {
    /// Runs until decide is gone and everything that it sent was offered.
    pub fn run(mut self) {
        loop {
            let wanted = self.sinks.iter().any(|s| s.wants_maps());
            self.status.maps_wanted.store(wanted, Relaxed);
            match self.records.recv_timeout(TICK) {
                Ok(record) => self.offer(&record),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            // Verdicts first: a map is rendered only when none waits.
            if self.records.is_empty()
                && let Ok(map) = self.maps.try_recv()
            {
                self.offer(&Record::Map(map));
            }
        }
        for sink in &mut self.sinks {
            sink.close();
        }
    }

    fn offer(&mut self, record: &Record) {
        for sink in &mut self.sinks {
            sink.offer(record);
        }
    }
}
