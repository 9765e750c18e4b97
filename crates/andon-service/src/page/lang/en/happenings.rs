//! What happened, and why a part has its outcome, in English.

use andon_core::{EventKind, Reason};

pub(super) fn event(kind: EventKind) -> [&'static str; 2] {
    match kind {
        EventKind::DuplicateTrigger => {
            ["Trigger came twice", "Look whether the sensor bounces, and at parts.min_pitch_mm."]
        }
        EventKind::FrameWithoutPart => [
            "Picture without a part",
            "A trigger was missed, or the camera fired by itself: check the sensor and its cable.",
        ],
        EventKind::TriggerWithoutFrame => ["Part without a picture", "Check the camera's trigger cable and its light."],
        EventKind::EncoderSilent => {
            ["Parts come and the encoder stands still", "Check the encoder's coupling, cable and supply."]
        }
        EventKind::EncoderReset => {
            ["The encoder's count jumped", "Positions were bridged. If it comes again, check cable and shield."]
        }
        EventKind::EncoderLost => ["The encoder cannot be read", "Check its cable and supply."],
        EventKind::EncoderBack => ["The encoder works again", "Nothing to do."],
        EventKind::CameraDown => {
            ["The camera gives no pictures", "Its parts end as UNINSPECTED. Check its supply and network cable."]
        }
        EventKind::CameraBack => ["The camera gives pictures again", "Nothing to do."],
        EventKind::ConsecutiveRejects => {
            ["Many rejects in a row", "Look at the last rejects: is it the parts, the light, or the camera's place?"]
        }
        EventKind::RejectShare => {
            ["Too many rejects", "Look at the last rejects: is it the parts, the light, or the camera's place?"]
        }
        EventKind::StuckOn => ["An output was on too long", "It was switched off. Check the valve and max_on_ms."],
        EventKind::OverDuty => {
            ["An output was on too often", "It was switched off to protect the valve. Wait, then release."]
        }
        EventKind::RejectUnconfirmed => [
            "A reject was not seen leaving",
            "Look for the part on the belt. Check air pressure and the sensor behind the ejector.",
        ],
        EventKind::ConfirmUnexpected => ["Something left that was not ejected", "Check the sensor behind the ejector."],
        EventKind::OutputFault => {
            ["An output does not do what it is told", "Check 24 V, cable and the module's address."]
        }
        EventKind::OutputBack => ["The output works again", "Nothing to do."],
        EventKind::InputFault => ["An input cannot be read", "Check 24 V, cable and the module's address."],
        EventKind::InputBack => ["The input works again", "Nothing to do."],
        EventKind::MissedEjection => [
            "A part went past its ejector",
            "Take it off by hand. Check the distance to the ejector and the belt's speed.",
        ],
        EventKind::ChallengePassed => ["A challenge was passed", "Nothing to do."],
        EventKind::ChallengeFailed => [
            "A known bad part was not rejected",
            "Do not trust the inspection: look at camera, light and threshold, then challenge again.",
        ],
        EventKind::ChallengeOverdue => {
            ["No challenge passed this shift", "Run the known bad parts: Alarms, Challenge."]
        }
        EventKind::LineStop => ["LINE STOP", "Remove the cause, then release the line."],
        EventKind::LineReleased => ["The line was released", "Nothing to do."],
    }
}

pub(super) fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::UnderThreshold => "Nothing odd was found.",
        Reason::OverThreshold => "It differs too much from good parts.",
        Reason::Overflow => "Not inspected: parts came faster than they can be judged.",
        Reason::Late => "Not inspected in time.",
        Reason::FrameMissing => "The camera gave no picture of it.",
        Reason::RecipeChanged => "The recipe was changed before all of its cameras had judged.",
        Reason::Stopped => "The line was stopped before it was judged.",
        Reason::BadFrame => "The picture is damaged.",
        Reason::WrongSize => "The picture has another size than those learned from.",
        Reason::NonFiniteScore => "The score is not a number.",
        Reason::EngineFault => "The engine failed; it is being rebuilt.",
        Reason::StagePanic => "The inspection failed; it is being restarted.",
        Reason::WrongKind => "The picture has another kind than those learned from.",
        Reason::NotAligned => "The part lies in no pose that was learned.",
        Reason::Borderline => "Just under the threshold: somebody should look at it.",
    }
}
