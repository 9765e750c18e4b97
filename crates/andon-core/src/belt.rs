//! From raw encoder counts to the position of the belt: wrap, reset, speed, and the position between two readings.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::BeltSource;
use crate::{Belt, Mono, Ticks};

/// What a reading was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadingKind {
    /// A step that the belt can have made.
    Moved,
    /// The count jumped farther than the belt can run: it was set anew, and was bridged with the speed of before.
    Reset,
}

/// What went wrong with an encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncoderFault {
    /// See [`ReadingKind::Reset`].
    Reset,
    /// It cannot be read.
    Lost,
    /// It can be read again.
    Back,
}

/// Unwraps counts and keeps the last readings.
#[derive(Debug)]
pub struct EncoderTracker {
    /// The counter goes from `modulus - 1` to 0; 2^16 for one register, 2^32 for two.
    modulus: u64,
    /// Ticks a second that the belt can run at most.
    max_rate: f64,
    /// Ticks that may be added to the last reading for the time since: 1 for a driver that sees every edge.
    max_ahead: i64,
    raw: Option<u64>,
    /// Oldest first.
    samples: VecDeque<(Mono, i64)>,
}

/// Readings that are kept; with one a millisecond, the last half second.
const SAMPLES: usize = 512;
/// Readings nearer than this replace the last one, so that a fast encoder does not shorten the memory.
const SPACING: Duration = Duration::from_micros(500);
/// The speed is that of the last so much.
const SPAN: Duration = Duration::from_millis(50);

impl EncoderTracker {
    /// A belt that has not moved.
    pub fn new(modulus: u64, max_rate: f64, max_ahead: i64) -> EncoderTracker {
        EncoderTracker { modulus, max_rate, max_ahead, raw: None, samples: VecDeque::with_capacity(SAMPLES) }
    }

    /// A reading of the counter. Readings come in the order of their times.
    pub fn push(&mut self, raw: u64, at: Mono) -> ReadingKind {
        let Some((before, ticks)) = self.samples.back().copied() else {
            self.raw = Some(raw);
            self.samples.push_back((at, 0));
            return ReadingKind::Moved;
        };
        let last = self.raw.replace(raw).unwrap_or(raw);
        let step = wrapped(raw, last, self.modulus);
        let passed = at.since(before).as_secs_f64();
        // Half as much again, and a few counts for the jitter of a poll.
        let reach = (self.max_rate * passed * 1.5) as i64 + 16;
        let (step, pushed) = if step.abs() <= reach {
            (step, ReadingKind::Moved)
        } else {
            ((self.rate(before) * passed) as i64, ReadingKind::Reset)
        };
        let next = (at.max(before), ticks + step);
        let crowded = self.samples.len() > 1
            && self.samples.get(self.samples.len() - 2).is_some_and(|(t, _)| at.since(*t) < SPACING);
        if crowded {
            self.samples.pop_back();
        } else if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(next);
        pushed
    }

    /// Position and speed at `t`: between two readings by interpolation, after the last by the speed, no farther than the
    /// driver allows.
    pub fn at(&self, t: Mono) -> Belt {
        let Some(&(last, ticks)) = self.samples.back() else { return Belt { at: t, ticks: Ticks(0), rate: 0.0 } };
        if t >= last {
            let rate = self.rate(t);
            let ahead = (rate * t.since(last).as_secs_f64()) as i64;
            return Belt { at: t, ticks: Ticks(ticks + ahead.clamp(-self.max_ahead, self.max_ahead)), rate };
        }
        let after = self.samples.partition_point(|(at, _)| *at < t).max(1);
        let rate = self.rate(t.max(self.samples[after - 1].0));
        let Some(&(t1, c1)) = self.samples.get(after) else { return Belt { at: t, ticks: Ticks(ticks), rate } };
        let (t0, c0) = self.samples[after - 1];
        let share = (t.0 as f64 - t0.0 as f64) / (t1.0 - t0.0).max(1) as f64;
        // Before the oldest reading the first two are continued backwards.
        Belt { at: t, ticks: Ticks(c0 + (share * (c1 - c0) as f64).round() as i64), rate }
    }

    /// Ticks a second over the last span before `t`. Silence means slower: one more tick would have been seen.
    fn rate(&self, t: Mono) -> f64 {
        let Some(&(last, ticks)) = self.samples.back() else { return 0.0 };
        let from = self.samples.partition_point(|(at, _)| *at + SPAN < last.min(t)).min(self.samples.len() - 1);
        let (start, first) = self.samples[from];
        let span = last.since(start).as_secs_f64();
        if span <= 0.0 {
            return 0.0;
        }
        let rate = (ticks - first) as f64 / span;
        let silence = t.since(last).as_secs_f64();
        let bound = if silence > 0.0 { self.max_ahead as f64 / silence } else { f64::INFINITY };
        rate.clamp(-bound, bound)
    }
}

/// The shortest way from `last` to `raw` on a counter that wraps.
fn wrapped(raw: u64, last: u64, modulus: u64) -> i64 {
    let (raw, last, m) = (i128::from(raw), i128::from(last), i128::from(modulus.max(2)));
    let step = (raw - last).rem_euclid(m);
    let step = if step > m / 2 { step - m } else { step };
    i64::try_from(step).unwrap_or(0)
}

/// A [`EncoderTracker`] that a reader fills and others ask.
#[derive(Debug)]
pub struct SharedEncoder {
    inner: Mutex<Readings>,
}

#[derive(Debug)]
struct Readings {
    track: EncoderTracker,
    lost: bool,
    /// Not told yet, oldest first.
    troubles: VecDeque<EncoderFault>,
}

/// Troubles that wait to be told at most; what comes beyond that repeats them.
const TROUBLES: usize = 16;

impl Readings {
    fn note(&mut self, trouble: EncoderFault) {
        if self.troubles.len() < TROUBLES && self.troubles.back() != Some(&trouble) {
            self.troubles.push_back(trouble);
        }
    }

    fn lose(&mut self, lost: bool) {
        if std::mem::replace(&mut self.lost, lost) != lost {
            self.note(if lost { EncoderFault::Lost } else { EncoderFault::Back });
        }
    }
}

impl SharedEncoder {
    /// See [`EncoderTracker::new`].
    pub fn new(modulus: u64, max_rate: f64, max_ahead: i64) -> SharedEncoder {
        let track = EncoderTracker::new(modulus, max_rate, max_ahead);
        SharedEncoder {
            inner: Mutex::new(Readings { track, lost: false, troubles: VecDeque::with_capacity(TROUBLES) }),
        }
    }

    /// A reading.
    pub fn push(&self, raw: u64, at: Mono) {
        let mut inner = self.lock();
        if inner.track.push(raw, at) == ReadingKind::Reset {
            inner.note(EncoderFault::Reset);
        }
    }

    /// The encoder cannot be read, or can be read again; each is told once.
    pub fn lose(&self, lost: bool) {
        self.lock().lose(lost);
    }

    fn lock(&self) -> MutexGuard<'_, Readings> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BeltSource for SharedEncoder {
    fn at(&self, t: Mono) -> Belt {
        self.lock().track.at(t)
    }

    fn trouble(&self) -> Option<EncoderFault> {
        self.lock().troubles.pop_front()
    }
}

/// A line without an encoder: the clock is the belt.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClockBelt;

impl BeltSource for ClockBelt {
    fn at(&self, t: Mono) -> Belt {
        Belt::of_time(t)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(n: u64) -> Mono {
        Mono(n * 1_000_000)
    }

    #[test]
    fn a_counter_that_wraps_goes_on_and_one_that_is_reset_is_bridged() {
        let mut track = EncoderTracker::new(1 << 16, 2000.0, 100);
        // 1 tick a millisecond, read every 10 ms, wrapping at 65,536.
        for n in 0..30u64 {
            assert_eq!(track.push((65_400 + 10 * n) % 65_536, ms(10 * n)), ReadingKind::Moved);
        }
        assert_eq!(track.at(ms(290)).ticks, Ticks(290));
        assert_eq!(track.at(ms(295)).ticks, Ticks(295), "between readings by the speed");
        assert_eq!(track.at(ms(215)).ticks, Ticks(215), "in the past by interpolation");
        assert!((track.at(ms(290)).rate - 1000.0).abs() < 1.0);
        // Reset to 3 at the next reading: the belt went on meanwhile.
        assert_eq!(track.push(20_003, ms(300)), ReadingKind::Reset);
        assert_eq!(track.at(ms(300)).ticks, Ticks(300));
        assert_eq!(track.push(20_013, ms(310)), ReadingKind::Moved);
        assert_eq!(track.at(ms(310)).ticks, Ticks(310));
    }

    #[test]
    fn silence_of_a_driver_that_sees_every_edge_is_standstill() {
        let mut track = EncoderTracker::new(1 << 32, 5000.0, 1);
        for n in 0..100 {
            track.push(n, ms(n));
        }
        assert_eq!(track.at(ms(100)).ticks, Ticks(100), "one tick ahead at most");
        assert_eq!(track.at(ms(1099)).ticks, Ticks(100));
        assert!(track.at(ms(1099)).rate <= 1.0, "one tick in a second would have been seen");
        assert_eq!(track.at(Mono(0)).ticks, Ticks(0));
    }

    #[test]
    fn a_belt_may_run_backwards() {
        let mut track = EncoderTracker::new(1 << 16, 2000.0, 100);
        for n in 0..20u64 {
            track.push((65_536 - n) % 65_536, ms(n));
        }
        let belt = track.at(ms(19));
        assert!(belt.ticks == Ticks(-19) && (belt.rate + 1000.0).abs() < 1.0, "{belt:?}");
        assert_eq!(belt.ticks_in(Duration::from_secs(1)), 0);
    }

    proptest! {
        /// Any movement within the belt's speed is followed exactly, whatever the counter's width.
        #[test]
        fn every_possible_movement_is_followed(
            bits in 8u32..40,
            start in any::<u64>(),
            steps in proptest::collection::vec((1u64..50, -1.0f64..1.0), 1..200),
        ) {
            let modulus = 1u64 << bits;
            let mut track = EncoderTracker::new(modulus, 1000.0, 0);
            let (mut raw, mut sum, mut t) = (start % modulus, 0i64, 0u64);
            track.push(raw, ms(t));
            for (wait, share) in steps {
                t += wait;
                let step = (wait as f64 * share) as i64;
                sum += step;
                raw = (raw as i128 + i128::from(step)).rem_euclid(i128::from(modulus)) as u64;
                prop_assert_eq!(track.push(raw, ms(t)), ReadingKind::Moved);
            }
            prop_assert_eq!(track.at(ms(t)).ticks, Ticks(sum));
        }
    }
}
