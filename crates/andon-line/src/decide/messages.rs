//! What goes into the ledger and what comes out of it.

use std::time::Duration;

use andon_core::{
    Belt, Fault, FrameNo, LineEvent, Mono, Outcome, Part, PartVerdict, Reason, Regions, ReviewBand, Score, StageTimes,
    Threshold, Ticks,
};

/// How a lane's frames find their parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matching {
    /// No trigger: every frame is a part of its own.
    Free,
    /// The picture was taken so long after the trigger, in nanoseconds, both ends included.
    Window {
        /// Earliest.
        from_ns: i64,
        /// Latest.
        to_ns: i64,
    },
    /// The picture was taken so far behind the trigger, in ticks, both ends included.
    Range {
        /// Nearest.
        from: i64,
        /// Farthest.
        to: i64,
    },
    /// The camera counts its triggers: frame number = trigger number + offset.
    Id {
        /// Difference.
        offset: i64,
    },
}

/// What holds for every part of a lane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LaneRules {
    /// Cameras that look at each part, 1 to 16.
    pub cameras: usize,
    /// How frames find their parts.
    pub matching: Matching,
    /// Trigger to outcome at most.
    pub budget: Duration,
    /// Ticks from the trigger to where the first ejector has to act for a part, its own delays not counted.
    pub commit: Option<i64>,
    /// Ticks that lie between two parts at least; a trigger nearer to the last one is no part.
    pub min_pitch: i64,
    /// Ticks come from an encoder, not from the clock.
    pub encoder: bool,
    /// The band below the threshold in which nothing passes.
    pub review: Option<ReviewBand>,
}

/// The moment at which something happens: passed in, never asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// The time.
    pub at: Mono,
    /// The belt.
    pub belt: Belt,
    /// How long before a part is at the first ejector the order has to be given.
    pub lead: Duration,
}

impl Moment {
    /// On a line without an encoder and without delays.
    pub fn of_time(at: Mono) -> Moment {
        Moment { at, belt: Belt::of_time(at), lead: Duration::ZERO }
    }

    /// Nanoseconds that are left for a part's outcome; negative when it is too late. While the belt stands or runs
    /// backwards, only the time budget counts, unless the part has already reached the ejector.
    pub(super) fn left(&self, rule: &LaneRules, part: &Part) -> i64 {
        let deadline = part.at + rule.budget;
        let time = i64::try_from(i128::from(deadline.0) - i128::from(self.at.0)).unwrap_or(i64::MIN);
        let Some(commit) = rule.commit else { return time };
        let way = (part.ticks + commit) - (self.belt.ticks + self.belt.ticks_in(self.lead));
        if way <= 0 {
            return time.min(-1);
        }
        if self.belt.rate <= 0.0 {
            return time;
        }
        let travel = (way as f64 / self.belt.rate * 1e9).min(i64::MAX as f64) as i64;
        time.min(travel)
    }

    pub(super) fn is_late(&self, rule: &LaneRules, part: &Part) -> bool {
        self.left(rule, part) < 0
    }

    pub(super) fn deadline(&self, rule: &LaneRules, part: &Part) -> Mono {
        let left = self.left(rule, part);
        Mono(self.at.0.saturating_add_signed(left))
    }
}

/// A part is announced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trigger {
    /// When.
    pub at: Mono,
    /// Where the belt was.
    pub ticks: Ticks,
    /// The trigger's own number.
    pub id: Option<u64>,
}

/// A frame that was handed to the inspector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FrameSeen {
    /// Its number.
    pub frame: FrameNo,
    /// When the picture was taken.
    pub t_capture: Mono,
    /// Where the belt was then.
    pub ticks: Ticks,
    /// The source's own frame counter.
    pub source_index: Option<u64>,
}

/// What the inspector says of a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observed {
    /// The frame.
    pub frame: FrameNo,
    /// Raw score, or why there is none.
    pub result: Result<f32, Fault>,
    /// What it is judged by.
    pub threshold: Threshold,
    /// Which of the camera's models gave it, counted since the start of the line.
    pub model: u16,
    /// Which recipe that belongs to, counted since the start of the line.
    pub recipe: u16,
    /// Capture to inspector, in nanoseconds.
    pub queue_ns: u64,
    /// Steps of the inspection.
    pub times: StageTimes,
    /// Where the map is above the threshold.
    pub regions: Regions,
}

/// A part that has its outcome from one camera.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CameraEnding {
    /// The camera, by its place in the lane.
    pub camera: usize,
    /// The part.
    pub part: Part,
    /// The frame that it is judged by; `None` if none came.
    pub frame: Option<FrameNo>,
    /// When its picture was taken; the trigger's time if there is none.
    pub t_capture: Mono,
    /// The source's own frame counter.
    pub source_index: Option<u64>,
    /// What became of it.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// The finite score, if there was one in time.
    pub score: Option<Score>,
    /// What it was judged by, if it was.
    pub threshold: Option<Threshold>,
    /// Which of the camera's models gave the score, counted since the start of the line; `None` if nothing was judged.
    pub model: Option<u16>,
    /// When it ended.
    pub at: Mono,
    /// Until when it had to, as far as the belt's speed of now tells.
    pub deadline: Mono,
    /// Capture to inspector, in nanoseconds.
    pub queue_ns: u64,
    /// Steps of the inspection.
    pub times: StageTimes,
    /// Where it is rejected for.
    pub regions: Regions,
}

impl CameraEnding {
    /// The same with what the inspector said.
    pub(super) fn seen(self, seen: &Observed, score: Option<Score>) -> CameraEnding {
        CameraEnding {
            score,
            threshold: Some(seen.threshold),
            model: Some(seen.model),
            queue_ns: seen.queue_ns,
            times: seen.times,
            regions: if self.outcome == Outcome::Reject { seen.regions } else { Regions::default() },
            ..self
        }
    }
}

/// What the ledger says.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "passed to a closure by value and never stored")]
pub enum LedgerEvent {
    /// A part was opened: the ejectors are armed for it.
    Offered(Part),
    /// A camera's outcome.
    Ended(CameraEnding),
    /// The part's outcome, after every camera's.
    Settled(PartVerdict),
    /// A frame that belongs to no part.
    Orphan {
        /// The camera, by its place in the lane.
        camera: usize,
        /// The frame.
        frame: FrameNo,
        /// When that was certain.
        at: Mono,
    },
    /// Something odd.
    Event(LineEvent),
}
