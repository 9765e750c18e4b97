//! Line events: what is out of the ordinary and has to be known (a missed ejection, a camera that is down), and the end of it.

use crate::{CameraId, FrameNo, Mono, Seq};

/// Something that people have to know; the text is part of the wire schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
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
    /// The encoder can be read, or moves with the belt, again.
    EncoderBack,
    /// A camera gives no frames.
    CameraDown,
    /// A camera gives frames again.
    CameraBack,
    /// So many rejects in a row.
    ConsecutiveRejects,
    /// Too many rejects among the last parts.
    RejectShare,
    /// An output was on longer than its guard allows and was switched off.
    StuckOn,
    /// An output was on for a larger share of the time than it bears and was switched off.
    OverDuty,
    /// The sensor did not see the ejected part.
    RejectUnconfirmed,
    /// The sensor saw something ejected that nobody ejected.
    ConfirmUnexpected,
    /// An output does not follow its command.
    OutputFault,
    /// An output works again.
    OutputBack,
    /// An input (trigger, sensor) cannot be read.
    InputFault,
    /// An input works again.
    InputBack,
    /// A part was to be ejected and its window went by without the output.
    MissedEjection,
    /// Every known bad part of a challenge was rejected.
    ChallengePassed,
    /// A known bad part of a challenge was not rejected, or not seen.
    ChallengeFailed,
    /// No challenge was passed in time.
    ChallengeOverdue,
    /// The line is asked to stop.
    LineStop,
    /// Somebody released the line.
    LineReleased,
}

impl EventKind {
    /// Every kind, for tables and metrics.
    pub const ALL: [EventKind; 25] = [
        EventKind::DuplicateTrigger,
        EventKind::FrameWithoutPart,
        EventKind::TriggerWithoutFrame,
        EventKind::EncoderSilent,
        EventKind::EncoderReset,
        EventKind::EncoderLost,
        EventKind::EncoderBack,
        EventKind::CameraDown,
        EventKind::CameraBack,
        EventKind::ConsecutiveRejects,
        EventKind::RejectShare,
        EventKind::StuckOn,
        EventKind::OverDuty,
        EventKind::RejectUnconfirmed,
        EventKind::ConfirmUnexpected,
        EventKind::OutputFault,
        EventKind::OutputBack,
        EventKind::InputFault,
        EventKind::InputBack,
        EventKind::MissedEjection,
        EventKind::ChallengePassed,
        EventKind::ChallengeFailed,
        EventKind::ChallengeOverdue,
        EventKind::LineStop,
        EventKind::LineReleased,
    ];

    /// The code on the wire and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            EventKind::DuplicateTrigger => "duplicate_trigger",
            EventKind::FrameWithoutPart => "frame_without_part",
            EventKind::TriggerWithoutFrame => "trigger_without_frame",
            EventKind::EncoderSilent => "encoder_silent",
            EventKind::EncoderReset => "encoder_reset",
            EventKind::EncoderLost => "encoder_lost",
            EventKind::EncoderBack => "encoder_back",
            EventKind::CameraDown => "camera_down",
            EventKind::CameraBack => "camera_back",
            EventKind::ConsecutiveRejects => "consecutive_rejects",
            EventKind::RejectShare => "reject_share",
            EventKind::StuckOn => "stuck_on",
            EventKind::OverDuty => "over_duty",
            EventKind::RejectUnconfirmed => "reject_unconfirmed",
            EventKind::ConfirmUnexpected => "confirm_unexpected",
            EventKind::OutputFault => "output_fault",
            EventKind::OutputBack => "output_back",
            EventKind::InputFault => "input_fault",
            EventKind::InputBack => "input_back",
            EventKind::MissedEjection => "missed_ejection",
            EventKind::ChallengePassed => "challenge_passed",
            EventKind::ChallengeFailed => "challenge_failed",
            EventKind::ChallengeOverdue => "challenge_overdue",
            EventKind::LineStop => "line_stop",
            EventKind::LineReleased => "line_released",
        }
    }

    /// Faults after which rejects can no longer be trusted to be found and to leave the belt: the line has to stop.
    pub fn stops_line(self) -> bool {
        matches!(
            self,
            EventKind::EncoderSilent
                | EventKind::EncoderLost
                | EventKind::ConsecutiveRejects
                | EventKind::RejectShare
                | EventKind::StuckOn
                | EventKind::OverDuty
                | EventKind::RejectUnconfirmed
                | EventKind::OutputFault
                | EventKind::InputFault
                | EventKind::MissedEjection
                | EventKind::ChallengeFailed
        )
    }
}

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// The lane as a whole: its triggers, its parts.
    Lane,
    /// The lane's encoder.
    Encoder,
    /// A camera.
    Camera(CameraId),
    /// An ejector of the lane, by its number in the configuration's order (by name).
    Ejector(u8),
    /// An output of the lane: its ejectors by number, then line stop and heartbeat, as far as there are any.
    Output(u8),
    /// An input of the lane: its trigger, then the sensors behind its ejectors, as far as there are any.
    Input(u8),
}

/// What goes with a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Nothing.
    None,
    /// The part.
    Part(Seq),
    /// The camera's frame.
    Frame(FrameNo),
    /// How many parts.
    Count(u64),
    /// What it follows from, or what it ends.
    Cause(EventKind),
}

/// Something odd with what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineEvent {
    /// What happened.
    pub kind: EventKind,
    /// When; of several, the last.
    pub at: Mono,
    /// What it is about.
    pub subject: Subject,
    /// What goes with it; of several, with the last.
    pub detail: Detail,
    /// How often it happened: once, or more often where it was held back because it was repeated.
    pub times: u64,
}

impl LineEvent {
    /// Something that happened once to the lane.
    pub fn new(kind: EventKind, at: Mono) -> LineEvent {
        LineEvent { kind, at, subject: Subject::Lane, detail: Detail::None, times: 1 }
    }

    /// The same about something else than the lane.
    pub fn about(self, subject: Subject) -> LineEvent {
        LineEvent { subject, ..self }
    }

    /// The same with more to say.
    pub fn with(self, detail: Detail) -> LineEvent {
        LineEvent { detail, ..self }
    }
}
