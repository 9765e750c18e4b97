//! Bounded hand-offs named after what happens when they are full.

use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, TrySendError, bounded};

/// When full, the oldest item comes out again and is returned: nothing is lost silently. One producer.
#[derive(Debug)]
pub struct EvictOldest<T> {
    to: Sender<T>,
    from: Receiver<T>,
}

impl<T> EvictOldest<T> {
    /// A queue for `capacity` items and its consumer's end.
    pub fn new(capacity: usize) -> (EvictOldest<T>, Receiver<T>) {
        let (to, from) = bounded(capacity.max(1));
        (EvictOldest { to, from: from.clone() }, from)
    }

    /// Whether the next item has room.
    pub fn has_room(&self) -> bool {
        !self.to.is_full()
    }

    /// Puts `item` in, never waiting; gives back the item that had to leave for it.
    pub fn push(&self, item: T) -> Option<T> {
        let mut item = item;
        let mut evicted = None;
        // At most twice: the consumer can only make room, and nobody else fills it.
        loop {
            match self.to.try_send(item) {
                Ok(()) => return evicted,
                Err(TrySendError::Full(back)) => {
                    item = back;
                    if let Ok(oldest) = self.from.try_recv() {
                        evicted = Some(oldest);
                    }
                }
                // Cannot be: `from` is held here.
                Err(TrySendError::Disconnected(back)) => return Some(back),
            }
        }
    }
}

/// Holds only the newest item.
#[derive(Debug)]
pub struct LatestOnly<T>(EvictOldest<T>);

impl<T> LatestOnly<T> {
    /// An empty slot and its reader's end.
    pub fn new() -> (LatestOnly<T>, Receiver<T>) {
        let (slot, reader) = EvictOldest::new(1);
        (LatestOnly(slot), reader)
    }

    /// Replaces the item; true if one that nobody had read was thrown away.
    pub fn set(&self, item: T) -> bool {
        self.0.push(item).is_some()
    }
}

/// When full, the newest item is refused. The consumer sleeps outside of the channel and is woken by a bare futex: it never takes a
/// lock that a thread of lower priority may hold, so a real-time consumer is not held up by an ordinary producer that was
/// put aside at the wrong moment.
#[derive(Debug)]
pub struct RefuseNewest<T> {
    to: Sender<T>,
    wake: Arc<OnceLock<Thread>>,
}

/// The consumer's end of a [`RefuseNewest`].
#[derive(Debug)]
pub struct ParkedReceiver<T> {
    from: Receiver<T>,
    wake: Arc<OnceLock<Thread>>,
}

impl<T> Clone for RefuseNewest<T> {
    fn clone(&self) -> Self {
        RefuseNewest { to: self.to.clone(), wake: self.wake.clone() }
    }
}

/// A queue for `capacity` items.
pub fn refuse<T>(capacity: usize) -> (RefuseNewest<T>, ParkedReceiver<T>) {
    let (to, from) = bounded(capacity.max(1));
    let wake = Arc::new(OnceLock::new());
    (RefuseNewest { to, wake: wake.clone() }, ParkedReceiver { from, wake })
}

impl<T> RefuseNewest<T> {
    /// Puts `item` in and wakes the consumer, never waiting; gives it back when full.
    ///
    /// # Errors
    /// The item.
    pub fn try_send(&self, item: T) -> Result<(), T> {
        self.to.try_send(item).map_err(TrySendError::into_inner)?;
        if let Some(consumer) = self.wake.get() {
            consumer.unpark();
        }
        Ok(())
    }

    /// The same, trying for a while.
    ///
    /// # Errors
    /// The item.
    pub fn send_timeout(&self, item: T, limit: Duration) -> Result<(), T> {
        let until = Instant::now() + limit;
        let mut item = item;
        loop {
            match self.try_send(item) {
                Ok(()) => return Ok(()),
                Err(back) if Instant::now() >= until => return Err(back),
                Err(back) => item = back,
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl<T> ParkedReceiver<T> {
    /// The next item, waiting at most `limit`. Only one thread may ever call this.
    ///
    /// # Errors
    /// Nothing came, or every producer is gone.
    pub fn recv_timeout(&self, limit: Duration) -> Result<T, RecvTimeoutError> {
        self.wake.get_or_init(std::thread::current);
        let until = Instant::now() + limit;
        loop {
            match self.from.try_recv() {
                Ok(item) => return Ok(item),
                Err(TryRecvError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
                Err(TryRecvError::Empty) => {}
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(RecvTimeoutError::Timeout);
            }
            std::thread::park_timeout(left);
        }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.from.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleeping_consumer_is_woken_by_every_item_and_by_the_end() {
        let (to, from) = refuse(4);
        let mut got = std::thread::scope(|scope| {
            let consumer = scope.spawn(move || {
                let mut got = Vec::new();
                loop {
                    match from.recv_timeout(Duration::from_millis(20)) {
                        Ok(n) => got.push(n),
                        Err(RecvTimeoutError::Timeout) => {}
                        Err(RecvTimeoutError::Disconnected) => return got,
                    }
                }
            });
            for who in 0..2u32 {
                let to = to.clone();
                scope.spawn(move || {
                    (0..5_000).for_each(|n| to.send_timeout(2 * n + who, Duration::from_secs(10)).unwrap());
                });
            }
            drop(to);
            consumer.join().unwrap()
        });
        got.sort_unstable();
        assert!(got.iter().copied().eq(0..10_000));
    }

    #[test]
    fn a_full_queue_gives_the_newest_back() {
        let (to, from) = refuse(2);
        assert_eq!((to.try_send(1), to.try_send(2), to.try_send(3)), (Ok(()), Ok(()), Err(3)));
        assert_eq!(to.send_timeout(4, Duration::from_millis(5)), Err(4));
        assert_eq!(from.recv_timeout(Duration::ZERO), Ok(1));
        assert!(!from.is_empty());
    }

    #[test]
    fn the_oldest_comes_back_when_full() {
        let (queue, out) = EvictOldest::new(2);
        assert_eq!(queue.push(1), None);
        assert_eq!(queue.push(2), None);
        assert_eq!(queue.push(3), Some(1));
        drop(queue);
        assert_eq!(out.iter().collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn latest_only_keeps_the_newest() {
        let (slot, out) = LatestOnly::new();
        assert!(!slot.set(1));
        assert!(slot.set(2));
        assert_eq!(out.try_recv(), Ok(2));
        assert!(!slot.set(3));
    }

    #[test]
    fn every_item_comes_out_once_under_contention() {
        let (queue, out) = EvictOldest::new(2);
        let mut seen = std::thread::scope(|s| {
            let reader = s.spawn(move || out.iter().collect::<Vec<u32>>());
            let mut evicted: Vec<u32> = (0..20_000).filter_map(|n| queue.push(n)).collect();
            drop(queue);
            evicted.extend(reader.join().unwrap());
            evicted
        });
        seen.sort_unstable();
        assert!(seen.iter().copied().eq(0..20_000));
    }
}
