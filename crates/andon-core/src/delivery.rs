//! What becomes of records on their way out: taken, shed, set aside, by sink. Counters that sinks write and monitoring reads.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What became of the records behind the line, by sink, and who else claims this box's names. Counters that the sinks write and
/// the metrics and statistics read; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Delivery(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    sinks: Mutex<Vec<(String, Arc<SinkCounts>)>>,
    history_lost: AtomicU64,
    control_refused: AtomicU64,
    pictures: PictureCounts,
    /// Where another box with the same names was seen, and which.
    twins: Mutex<Vec<(&'static str, String)>>,
}

/// Counters of one sink.
#[derive(Debug, Default)]
pub struct SinkCounts {
    /// Records that it took; for a sink with an outbox, records that its peer acknowledged.
    pub taken: AtomicU64,
    /// Records that it could not take.
    pub shed: AtomicU64,
    /// Records that its peer refused for good and that were set aside.
    pub set_aside: AtomicU64,
    /// Records that wait in its outbox, plus one; 0 where there is no outbox.
    waiting: AtomicU64,
    /// What is wrong with it now.
    fault: Mutex<Option<String>>,
}

/// Why a picture that was wanted is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureLoss {
    /// Every buffer of its camera was in use: pictures come faster than they are coded and written.
    Buffer,
    /// The `pictures` thread's queue was full.
    Queue,
    /// Its part had its outcome and the frame never came out of the inspector.
    Frame,
    /// It could not be written: the disk is full, or refuses.
    Disk,
}

impl PictureLoss {
    /// Every cause, for tables and metrics.
    pub const ALL: [PictureLoss; 4] = [PictureLoss::Buffer, PictureLoss::Queue, PictureLoss::Frame, PictureLoss::Disk];

    /// The word in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            PictureLoss::Buffer => "buffer",
            PictureLoss::Queue => "queue",
            PictureLoss::Frame => "frame",
            PictureLoss::Disk => "disk",
        }
    }
}

/// Counters of the pictures that are kept on disk.
#[derive(Debug, Default)]
pub struct PictureCounts {
    /// Pictures that were written since the start.
    pub kept: AtomicU64,
    /// Pictures in the ring now.
    pub files: AtomicU64,
    /// Their bytes.
    pub bytes: AtomicU64,
    lost: [AtomicU64; PictureLoss::ALL.len()],
}

impl PictureCounts {
    /// One picture that was wanted is not kept.
    pub fn lose(&self, why: PictureLoss) {
        self.lost[why as usize].fetch_add(1, Relaxed);
    }

    /// Pictures that were wanted and are not kept, for this cause.
    pub fn lost(&self, why: PictureLoss) -> u64 {
        self.lost[why as usize].load(Relaxed)
    }

    /// The same for every cause.
    pub fn lost_in_all(&self) -> u64 {
        PictureLoss::ALL.iter().map(|why| self.lost(*why)).sum()
    }
}

/// Counters of one sink at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkState {
    /// Its name.
    pub sink: String,
    /// Records that it took; for a sink with an outbox, records that its peer acknowledged.
    pub taken: u64,
    /// Records that it could not take.
    pub shed: u64,
    /// Records that wait in its outbox; `None` where there is none.
    pub waiting: Option<u64>,
    /// Records that its peer refused for good and that were set aside.
    pub set_aside: u64,
    /// What is wrong with it now, in words.
    pub fault: Option<String>,
}

impl SinkCounts {
    /// Records that wait in the outbox now.
    pub fn set_waiting(&self, records: u64) {
        self.waiting.store(records.saturating_add(1), Relaxed);
    }

    /// What is wrong with the sink from now on; `None` when it works.
    pub fn set_fault(&self, why: Option<String>) {
        *lock(&self.fault) = why;
    }
}

impl Delivery {
    /// The counters of the sink of this name, made when they are asked for first.
    pub fn sink(&self, name: &str) -> Arc<SinkCounts> {
        let mut sinks = lock(&self.0.sinks);
        if let Some((_, counts)) = sinks.iter().find(|(n, _)| n == name) {
            return counts.clone();
        }
        let counts = Arc::<SinkCounts>::default();
        sinks.push((name.to_owned(), counts.clone()));
        counts
    }

    /// Every sink as it is now, in the order in which they came.
    pub fn sinks(&self) -> Vec<SinkState> {
        let state = |(name, c): &(String, Arc<SinkCounts>)| SinkState {
            sink: name.clone(),
            taken: c.taken.load(Relaxed),
            shed: c.shed.load(Relaxed),
            waiting: c.waiting.load(Relaxed).checked_sub(1),
            set_aside: c.set_aside.load(Relaxed),
            fault: lock(&c.fault).clone(),
        };
        lock(&self.0.sinks).iter().map(state).collect()
    }

    /// Records that could not be written into the history.
    pub fn lose_history(&self, records: u64) {
        self.0.history_lost.fetch_add(records, Relaxed);
    }

    /// Records that could not be written into the history since the start.
    pub fn history_lost(&self) -> u64 {
        self.0.history_lost.load(Relaxed)
    }

    /// One control message was refused; returns how many there were.
    pub fn refuse_control(&self) -> u64 {
        self.0.control_refused.fetch_add(1, Relaxed) + 1
    }

    /// Control messages that were refused since the start.
    pub fn control_refused(&self) -> u64 {
        self.0.control_refused.load(Relaxed)
    }

    /// Counters of the pictures.
    pub fn pictures(&self) -> &PictureCounts {
        &self.0.pictures
    }

    /// Another box with the same names was seen on the network `seen_on`, or (`None`) is there no more.
    pub fn set_twin(&self, seen_on: &'static str, who: Option<String>) {
        let mut twins = lock(&self.0.twins);
        twins.retain(|(network, _)| *network != seen_on);
        twins.extend(who.map(|who| (seen_on, who)));
    }

    /// Other boxes that use the same site, line and station.
    pub fn twins(&self) -> Vec<String> {
        lock(&self.0.twins).iter().map(|(network, who)| format!("{who} on {network}")).collect()
    }

    /// What is wrong behind the line now, one sentence each; empty when all is well.
    pub fn troubles(&self) -> Vec<String> {
        let faults = self.sinks().into_iter().filter_map(|s| Some(format!("{}: {}", s.sink, s.fault?)));
        let twins = self.twins().into_iter().map(|who| format!("another box has the same names: {who}"));
        faults.chain(twins).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_a_name_are_shared_and_faults_come_and_go() {
        let delivery = Delivery::default();
        delivery.sink("mqtt").taken.fetch_add(2, Relaxed);
        delivery.clone().sink("mqtt").set_waiting(0);
        assert_eq!(delivery.sinks().len(), 1);
        assert_eq!((delivery.sinks()[0].taken, delivery.sinks()[0].waiting), (2, Some(0)));
        assert_eq!(delivery.sink("log").set_aside.load(Relaxed), 0);
        assert_eq!(delivery.sinks()[1].waiting, None, "no outbox");
        delivery.sink("mqtt").set_fault(Some("the broker is away".into()));
        delivery.set_twin("zenoh", Some("box b".into()));
        assert_eq!(delivery.troubles(), ["mqtt: the broker is away", "another box has the same names: box b on zenoh"]);
        delivery.sink("mqtt").set_fault(None);
        delivery.set_twin("zenoh", None);
        assert!(delivery.troubles().is_empty());
    }
}
