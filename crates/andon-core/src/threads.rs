//! Threads have names that the kernel shows (15 bytes at most) and are joined within a time.

use std::io;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};

/// A named thread that can be joined with a time limit.
#[derive(Debug)]
pub struct NamedThread {
    name: String,
    done: Receiver<()>,
    handle: Option<std::thread::JoinHandle<()>>,
}

/// Starts a named thread.
///
/// # Errors
/// When the system has no room for another thread.
pub fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<NamedThread> {
    debug_assert!(name.len() <= 15, "Linux cuts `{name}`");
    let (alive, done) = bounded(0);
    let handle = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        // Dropped on return and on unwinding alike: that is what `join_within` waits for.
        let _alive = alive;
        work();
    })?;
    Ok(NamedThread { name: name.to_owned(), done, handle: Some(handle) })
}

/// Asks for real-time priority for the calling thread: SCHED_FIFO with a priority of 1 to 99. Those of this program lie above
/// everything ordinary and below the kernel's own interrupt threads (50).
///
/// # Errors
/// The permission is missing (`CAP_SYS_NICE`, or `LimitRTPRIO=` in the unit); the thread stays as it is.
pub fn real_time(priority: u8) -> Result<(), String> {
    use thread_priority::{
        RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
        thread_native_id,
    };
    let priority = priority.try_into().map(ThreadPriority::Crossplatform)?;
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    set_thread_priority_and_policy(thread_native_id(), priority, policy).map_err(|e| format!("{e:?}"))
}

/// Asks for the lowest priority for the calling thread, for long work beside a running line; where that is refused, the thread stays as
/// it is.
pub fn lowest_priority() {
    drop(thread_priority::set_current_thread_priority(thread_priority::ThreadPriority::Min));
}

impl NamedThread {
    /// Waits at most `limit`; false if the thread still runs then (it is left to itself).
    pub fn join_within(mut self, limit: Duration) -> bool {
        if self.done.recv_timeout(limit) == Err(crossbeam_channel::RecvTimeoutError::Timeout) {
            tracing::error!(thread = self.name, ?limit, "thread did not end in time; leaving it");
            return false;
        }
        if let Some(handle) = self.handle.take()
            && handle.join().is_err()
        {
            tracing::error!(thread = self.name, "thread ended by a panic");
        }
        true
    }

    /// Whether the thread has ended.
    pub fn is_done(&self) -> bool {
        self.done.try_recv() == Err(crossbeam_channel::TryRecvError::Disconnected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_hangs_does_not_hold_up_the_stop() {
        let (_keep, wait) = bounded::<()>(0);
        let stuck = spawn("stuck", move || while wait.recv().is_ok() {}).unwrap();
        assert!(!stuck.is_done());
        assert!(!stuck.join_within(Duration::from_millis(20)));
    }

    #[test]
    fn a_thread_that_panicked_counts_as_ended() {
        let t = spawn("panics", || std::panic::resume_unwind(Box::new("on purpose"))).unwrap();
        assert!(t.join_within(Duration::from_secs(5)));
    }
}
