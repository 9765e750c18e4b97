//! Monotonic time, in which the line reckons, and wall-clock time, in which people read.

use std::ops::{Add, Sub};
use std::time::Duration;

/// A point in time on `CLOCK_MONOTONIC`, in nanoseconds. Every decision is made on it; it is the clock that GStreamer's
/// system clock reads too, so a buffer's time stamp and [`Mono::now`] compare directly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mono(pub u64);

impl Mono {
    /// Reads the clock.
    pub fn now() -> Mono {
        let ts = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        Mono(ts.tv_sec as u64 * 1_000_000_000 + ts.tv_nsec as u64)
    }

    /// Time from `earlier` to `self`; zero if `earlier` is later.
    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Mono {
    type Output = Mono;
    fn add(self, d: Duration) -> Mono {
        Mono(self.0.saturating_add(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Mono {
    type Output = Mono;
    fn sub(self, d: Duration) -> Mono {
        Mono(self.0.saturating_sub(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Translates monotonic time to UTC for records that people and other machines read. Never used for a decision.
#[derive(Clone, Copy, Debug)]
pub struct WallClock {
    mono: Mono,
    utc: jiff::Timestamp,
}

impl WallClock {
    /// Takes a fresh pair of both clocks; take a new one now and then, because UTC may be stepped.
    pub fn read() -> WallClock {
        WallClock { mono: Mono::now(), utc: jiff::Timestamp::now() }
    }

    /// UTC of a monotonic instant, in milliseconds since 1970.
    pub fn unix_ms(&self, t: Mono) -> u64 {
        let ns = self.utc.as_nanosecond() + i128::from(t.0) - i128::from(self.mono.0);
        u64::try_from(ns / 1_000_000).unwrap_or(0)
    }

    /// UTC of a monotonic instant, as RFC 3339 with microseconds.
    pub fn rfc3339(&self, t: Mono) -> String {
        let offset = i128::from(t.0) - i128::from(self.mono.0);
        let ns = self.utc.as_nanosecond() + offset;
        match jiff::Timestamp::from_nanosecond(ns) {
            Ok(ts) => format!("{ts:.6}"),
            Err(_) => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_instant_is_never_before_an_earlier_one() {
        let a = Mono::now();
        let b = Mono::now();
        assert!(b >= a);
        assert_eq!(a.since(b + Duration::from_secs(1)), Duration::ZERO);
    }

    #[test]
    fn utc_moves_with_monotonic_time() {
        let wall = WallClock::read();
        let text = wall.rfc3339(wall.mono);
        assert!(text.ends_with('Z') && text.contains('T') && text.len() == 27, "{text}");
        assert!(wall.rfc3339(wall.mono + Duration::from_secs(1)) > text);
    }
}
