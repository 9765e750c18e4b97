use std::ops::{Add, Sub};

use super::{Mono, Outcome, Reason, Seq};

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
pub struct PartEnd {
    /// The part.
    pub part: Part,
    /// PASS only if every camera said so; else the worst of what they said: REJECT, ERROR, UNINSPECTED, in this order.
    pub outcome: Outcome,
    /// The reason of the camera that decided it.
    pub reason: Reason,
    /// When it ended.
    pub at: Mono,
    /// The time that was left until its deadline, in nanoseconds.
    pub left_ns: u64,
}

/// What an ejector did about a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fired {
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

/// Something that people have to know; the text is part of the wire schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoticeKind {
    /// A trigger came nearer to the last one than any two parts can lie; ignored.
    DuplicateTrigger,
    /// A frame that belongs to no part: a trigger was missed, or the camera fired by itself.
    FrameWithoutPart,
    /// No camera gave a frame of the part: the trigger fired by itself, or every camera missed it.
    TriggerWithoutFrame,
    /// Triggers keep coming and the belt does not move: the encoder is dead.
    EncoderSilent,
    /// The encoder's count jumped; it was bridged with the speed of before.
    EncoderReset,
    /// The encoder cannot be read.
    EncoderLost,
    /// So many rejects in a row; the value says how many.
    ConsecutiveRejects,
    /// Too many rejects among the last parts; the value says how many.
    RejectShare,
    /// An output was on longer than its guard allows and was switched off.
    StuckOn,
    /// An output was on for a larger share of the time than it bears and was switched off.
    OverDuty,
    /// The sensor did not see the ejected part.
    RejectUnconfirmed,
    /// The sensor saw something ejected that nobody ejected.
    ConfirmUnexpected,
    /// An output does not do what it is told.
    OutputFault,
    /// An output works again.
    OutputBack,
    /// An input (trigger, sensor) cannot be read.
    InputFault,
    /// An input works again.
    InputBack,
    /// A part was to be ejected and its window went by without the output.
    MissedEjection,
    /// The line is asked to stop.
    LineStop,
    /// Somebody released the line.
    LineReleased,
}

impl NoticeKind {
    /// Every kind, for tables and metrics.
    pub const ALL: [NoticeKind; 19] = [
        NoticeKind::DuplicateTrigger,
        NoticeKind::FrameWithoutPart,
        NoticeKind::TriggerWithoutFrame,
        NoticeKind::EncoderSilent,
        NoticeKind::EncoderReset,
        NoticeKind::EncoderLost,
        NoticeKind::ConsecutiveRejects,
        NoticeKind::RejectShare,
        NoticeKind::StuckOn,
        NoticeKind::OverDuty,
        NoticeKind::RejectUnconfirmed,
        NoticeKind::ConfirmUnexpected,
        NoticeKind::OutputFault,
        NoticeKind::OutputBack,
        NoticeKind::InputFault,
        NoticeKind::InputBack,
        NoticeKind::MissedEjection,
        NoticeKind::LineStop,
        NoticeKind::LineReleased,
    ];

    /// The code on the wire and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            NoticeKind::DuplicateTrigger => "duplicate_trigger",
            NoticeKind::FrameWithoutPart => "frame_without_part",
            NoticeKind::TriggerWithoutFrame => "trigger_without_frame",
            NoticeKind::EncoderSilent => "encoder_silent",
            NoticeKind::EncoderReset => "encoder_reset",
            NoticeKind::EncoderLost => "encoder_lost",
            NoticeKind::ConsecutiveRejects => "consecutive_rejects",
            NoticeKind::RejectShare => "reject_share",
            NoticeKind::StuckOn => "stuck_on",
            NoticeKind::OverDuty => "over_duty",
            NoticeKind::RejectUnconfirmed => "reject_unconfirmed",
            NoticeKind::ConfirmUnexpected => "confirm_unexpected",
            NoticeKind::OutputFault => "output_fault",
            NoticeKind::OutputBack => "output_back",
            NoticeKind::InputFault => "input_fault",
            NoticeKind::InputBack => "input_back",
            NoticeKind::MissedEjection => "missed_ejection",
            NoticeKind::LineStop => "line_stop",
            NoticeKind::LineReleased => "line_released",
        }
    }

    /// Faults after which rejects can no longer be trusted to leave the belt: the line has to stop.
    pub fn stops_line(self) -> bool {
        matches!(
            self,
            NoticeKind::EncoderSilent
                | NoticeKind::EncoderLost
                | NoticeKind::ConsecutiveRejects
                | NoticeKind::RejectShare
                | NoticeKind::StuckOn
                | NoticeKind::OverDuty
                | NoticeKind::RejectUnconfirmed
                | NoticeKind::OutputFault
                | NoticeKind::InputFault
                | NoticeKind::MissedEjection
        )
    }
}

/// A notice with what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What happened.
    pub kind: NoticeKind,
    /// When.
    pub at: Mono,
    /// Which camera, ejector, output or input, by its number; 0 where there is only one.
    pub who: u8,
    /// The part, or how many, as the kind says.
    pub value: u64,
}
