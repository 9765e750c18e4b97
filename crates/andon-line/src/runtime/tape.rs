//! Where the decide stage leaves what it was fed, for a replay.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::controller::TapeEntry;

/// Where a running line leaves what its lanes were fed. The line never waits for it: when nobody takes the entries in time they are lost and
/// counted, and the recording is then no good for a replay.
#[derive(Clone, Debug)]
pub struct Tape {
    entries: Sender<TapeEntry>,
    lost: Arc<AtomicU64>,
}

impl Tape {
    /// A tape with room for so many entries that nobody has taken yet, and where they are taken.
    pub fn new(capacity: usize) -> (Tape, Receiver<TapeEntry>) {
        let (entries, taken) = bounded(capacity);
        (Tape { entries, lost: Arc::default() }, taken)
    }

    /// Entries that found no room.
    pub fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }

    pub(super) fn record(&self, entry: TapeEntry) {
        if self.entries.try_send(entry).is_err() {
            self.lost.fetch_add(1, Relaxed);
        }
    }
}
