//! How long a sink with an outbox waits before it tries again, and how often it says why.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use andon_core::Mono;

/// Pauses between tries: each twice as long as the one before, up to a limit.
#[derive(Debug)]
pub(super) struct Backoff {
    least: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    pub fn new(least: Duration, most: Duration) -> Backoff {
        Backoff { least, most, next: least }
    }

    /// The pause after one more failure.
    pub fn failed(&mut self) -> Duration {
        let pause = self.next;
        self.next = (2 * pause).min(self.most);
        pause
    }

    /// It worked: the next failure waits for the shortest time again.
    pub fn reset(&mut self) {
        self.next = self.least;
    }
}

/// Keeps a line that repeats itself out of the log: told at once, then once a minute with the number of times.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    told: Option<Mono>,
    held_back: u64,
}

/// A line that repeats itself is told this often.
const EVERY: Duration = Duration::from_secs(60);

impl Repeats {
    /// It happened again. If it is to be told now: how often it happened since it was told last, untold.
    pub fn again(&mut self, now: Mono) -> Option<u64> {
        if self.told.is_some_and(|at| now.since(at) < EVERY) {
            self.held_back += 1;
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.held_back))
    }

    /// It is over; the next time is told at once. Returns whether it had been told.
    pub fn over(&mut self) -> bool {
        self.held_back = 0;
        self.told.take().is_some()
    }
}

/// Words for [`Repeats::again`]: nothing, or how many more there were.
pub(super) fn times(untold: u64) -> String {
    if untold == 0 { String::new() } else { format!(" ({untold} more times since this was last said)") }
}

/// Sleeps, but not when the program stops.
pub(super) fn sleep(pause: Duration, stop: &AtomicBool) {
    let until = Mono::now() + pause;
    while Mono::now() < until && !stop.load(Relaxed) {
        std::thread::sleep(Duration::from_millis(10).min(pause));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_limit_and_begin_anew() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(500));
        let pauses: Vec<u128> = (0..4).map(|_| backoff.failed().as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 500]);
        backoff.reset();
        assert_eq!(backoff.failed().as_millis(), 100);
    }

    #[test]
    fn what_repeats_itself_is_told_once_and_then_counted() {
        let (mut line, start) = (Repeats::default(), Mono::now());
        let told = |line: &mut Repeats, s: u64| line.again(start + Duration::from_secs(s));
        assert_eq!(told(&mut line, 0), Some(0));
        assert_eq!((1..60).filter(|s| told(&mut line, *s).is_some()).count(), 0);
        assert_eq!(told(&mut line, 61), Some(59));
        assert!(line.over() && !line.over());
        assert_eq!(told(&mut line, 62), Some(0));
    }
}
