//! Bounded hand-offs named after what happens when they are full.

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

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

#[cfg(test)]
mod tests {
    use super::*;

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
