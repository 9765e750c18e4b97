//! The history, as far as acts and the page reach it.

use andon_io::history::{History, Reviews};

/// The history of the box: read by queries with a time limit, written by reviews and batches alone.
#[derive(Clone, Debug)]
pub struct HistoryAccess {
    /// Asks, within the usual time.
    pub history: History,
    /// Asks what reads every row of a week, and may take longer.
    pub patient: History,
    /// Adds reviews and batches.
    pub reviews: Reviews,
    /// Of the passes that were no near misses, one in so many waits for a review; a multiple of ten.
    pub every: u64,
}
