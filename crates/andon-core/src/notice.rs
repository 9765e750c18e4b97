use crate::{CameraId, FrameNo, Mono, Seq};

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
    pub const ALL: [NoticeKind; 22] = [
        NoticeKind::DuplicateTrigger,
        NoticeKind::FrameWithoutPart,
        NoticeKind::TriggerWithoutFrame,
        NoticeKind::EncoderSilent,
        NoticeKind::EncoderReset,
        NoticeKind::EncoderLost,
        NoticeKind::EncoderBack,
        NoticeKind::CameraDown,
        NoticeKind::CameraBack,
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
            NoticeKind::EncoderBack => "encoder_back",
            NoticeKind::CameraDown => "camera_down",
            NoticeKind::CameraBack => "camera_back",
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
    Cause(NoticeKind),
}

/// Something odd with what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What happened.
    pub kind: NoticeKind,
    /// When; of several, the last.
    pub at: Mono,
    /// What it is about.
    pub subject: Subject,
    /// What goes with it; of several, with the last.
    pub detail: Detail,
    /// How often it happened: once, or more often where it was held back because it was repeated.
    pub times: u64,
}

impl Notice {
    /// Something that happened once to the lane.
    pub fn new(kind: NoticeKind, at: Mono) -> Notice {
        Notice { kind, at, subject: Subject::Lane, detail: Detail::None, times: 1 }
    }

    /// The same about something else than the lane.
    pub fn about(self, subject: Subject) -> Notice {
        Notice { subject, ..self }
    }

    /// The same with more to say.
    pub fn with(self, detail: Detail) -> Notice {
        Notice { detail, ..self }
    }
}
