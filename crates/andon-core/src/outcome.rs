//! The four outcomes of a part and the reasons for them.

use crate::PassToken;

/// What became of a part. Exactly one for every part that was offered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// Inspected, and the score was finite and under the threshold; the token is the proof.
    Pass(PassToken),
    /// Inspected, and the score was at or over the threshold.
    Reject,
    /// Not inspected in time: dropped, late, no frame, camera down.
    Uninspected,
    /// Could not be judged: bad frame, score that is not finite, fault of the engine.
    Error,
}

impl Outcome {
    /// The word on the wire.
    pub fn as_str(&self) -> &'static str {
        match self {
            Outcome::Pass(_) => "PASS",
            Outcome::Reject => "REJECT",
            Outcome::Uninspected => "UNINSPECTED",
            Outcome::Error => "ERROR",
        }
    }
}

/// Why a part has its outcome. The text is part of the wire schema and never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// PASS: score under the threshold.
    UnderThreshold,
    /// REJECT: score at or over the threshold.
    OverThreshold,
    /// UNINSPECTED: newer frames pushed it out of the full queue.
    Overflow,
    /// UNINSPECTED: no result before the deadline.
    Late,
    /// UNINSPECTED: the camera numbered a frame that never arrived.
    FrameMissing,
    /// UNINSPECTED: the line was stopped while the part was in flight.
    Stopped,
    /// ERROR: the frame could not be read (short buffer, unknown format).
    BadFrame,
    /// ERROR: the frame's size is not the one the model was learned on.
    WrongSize,
    /// ERROR: the score was NaN or infinite.
    NonFiniteScore,
    /// ERROR: the inference engine failed on this frame.
    EngineFault,
    /// ERROR: the inspecting code panicked on this frame; it was caught and restarted.
    StagePanic,
    /// ERROR: the frame's bit depth, range or colour is not what the model was learned on.
    WrongKind,
    /// ERROR: the part could not be brought into the pose that was learned.
    NotAligned,
    /// REJECT: score under the threshold, but in the band whose parts somebody looks at.
    Borderline,
    /// UNINSPECTED: the recipe was changed while the part was in flight, and its cameras judged by different ones.
    RecipeChanged,
}

impl Reason {
    /// Every reason, for tables and metrics.
    pub const ALL: [Reason; 15] = [
        Reason::UnderThreshold,
        Reason::OverThreshold,
        Reason::Overflow,
        Reason::Late,
        Reason::FrameMissing,
        Reason::Stopped,
        Reason::BadFrame,
        Reason::WrongSize,
        Reason::NonFiniteScore,
        Reason::EngineFault,
        Reason::StagePanic,
        Reason::WrongKind,
        Reason::NotAligned,
        Reason::Borderline,
        Reason::RecipeChanged,
    ];

    /// The code on the wire and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::UnderThreshold => "under_threshold",
            Reason::OverThreshold => "over_threshold",
            Reason::Overflow => "overflow",
            Reason::Late => "late",
            Reason::FrameMissing => "frame_missing",
            Reason::Stopped => "stopped",
            Reason::BadFrame => "bad_frame",
            Reason::WrongSize => "wrong_size",
            Reason::NonFiniteScore => "non_finite_score",
            Reason::EngineFault => "engine_fault",
            Reason::StagePanic => "stage_panic",
            Reason::WrongKind => "wrong_kind",
            Reason::NotAligned => "not_aligned",
            Reason::Borderline => "borderline",
            Reason::RecipeChanged => "recipe_changed",
        }
    }
}
