//! A part on the belt: where it is, its verdict, its ejections.

use std::ops::{Add, Sub};

use crate::{Mono, Outcome, Reason, Seq};

/// Position of the belt: counts of the encoder, unwrapped, growing forwards. Where there is no encoder it is time itself,
/// in microseconds of [`Mono`], so that a distance becomes a duration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticks(pub i64);

impl Add<i64> for Ticks {
    type Output = Ticks;
    fn add(self, distance: i64) -> Ticks {
        Ticks(self.0.saturating_add(distance))
    }
}

impl Sub for Ticks {
    type Output = i64;
    fn sub(self, earlier: Ticks) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Where the belt is at one moment and how fast it goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Belt {
    /// The moment.
    pub at: Mono,
    /// Position then.
    pub ticks: Ticks,
    /// Ticks a second; negative while it runs backwards.
    pub rate: f64,
}

impl Belt {
    /// The belt of a line without an encoder: microseconds of monotonic time.
    pub fn of_time(at: Mono) -> Belt {
        Belt { at, ticks: Ticks(i64::try_from(at.0 / 1000).unwrap_or(i64::MAX)), rate: 1e6 }
    }

    /// Ticks that pass within a duration at the speed of now; none while it runs backwards.
    pub fn ticks_in(&self, time: std::time::Duration) -> i64 {
        (self.rate.max(0.0) * time.as_secs_f64()).ceil() as i64
    }
}

/// Number of a frame: counted by the capture stage, for each camera from 0, those included that never arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FrameNo(pub u64);

/// Something on the belt that the line has to decide about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// Its number: gap-free for each lane and boot.
    pub seq: Seq,
    /// When it was triggered; in free run, when its picture was taken.
    pub at: Mono,
    /// Where the belt was then.
    pub ticks: Ticks,
    /// The number that the trigger gave it, if it gave one.
    pub id: Option<u64>,
}

/// A part of which all cameras have spoken, or that had to end without them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PartVerdict {
    /// The part.
    pub part: Part,
    /// PASS only if every camera said so; else the worst of what they said: REJECT, ERROR, UNINSPECTED, in this order.
    pub outcome: Outcome,
    /// The reason of the camera that decided it.
    pub reason: Reason,
    /// When it ended.
    pub at: Mono,
    /// The time that was left until its deadline, in nanoseconds.
    pub slack_ns: u64,
}

/// What an ejector did about a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ejection {
    /// Number of the ejector in the configuration's order (by name).
    pub ejector: u8,
    /// The part.
    pub seq: Seq,
    /// When its output was asked to go on for this part; with a merged pulse, when the part's window began.
    pub on: Mono,
    /// When the part's window was over.
    pub off: Mono,
    /// How late the output came against the plan, in nanoseconds; 0 within a merged pulse.
    pub late_ns: u64,
    /// How late the end of the part's window was acted on, in nanoseconds.
    pub late_off_ns: u64,
}
