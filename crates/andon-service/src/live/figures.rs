//! What the live page shows of the history: counters of the periods that run, and what waits for a review.

use andon_io::history::{CounterRow, QueueCounts};

/// Figures of the history at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Counters of the shift that runs, by camera and lane.
    pub shift: Vec<CounterRow>,
    /// Counters of the batch that runs; empty without one.
    pub batch: Vec<CounterRow>,
    /// Counters of the hour that runs.
    pub hour: Vec<CounterRow>,
    /// How many parts of the last seven days wait for a review.
    pub waiting: QueueCounts,
    /// Why the figures are old, or not there.
    pub trouble: Option<String>,
}

impl Figures {
    /// All parts that wait for a review.
    pub fn unreviewed(&self) -> u64 {
        self.waiting.not_passed + self.waiting.near_misses + self.waiting.samples
    }
}
