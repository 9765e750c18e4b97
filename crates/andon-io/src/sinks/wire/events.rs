//! Records about parts, ejectors and events of a lane.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Origin, StationInfo, WallClock, ms};
use andon_core::{CameraId, Detail, Ejection, EventKind, LineEvent, PartVerdict, Subject};

/// Schema name of a part's outcome over all of its cameras.
pub const PART_SCHEMA: &str = "andon.part.v1";
/// Schema name of what an ejector did.
pub const EJECT_SCHEMA: &str = "andon.eject.v1";
/// Schema name of an event.
pub const EVENT_SCHEMA: &str = "andon.event.v1";

/// A part's outcome over all of its cameras.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PartRecord<'a> {
    /// `andon.part.v1`.
    pub schema: &'a str,
    /// Which record it is, and where it comes from.
    #[serde(flatten)]
    pub origin: Origin<'a>,
    /// Lane.
    pub lane: &'a str,
    /// Part number: gap-free per lane and start.
    pub seq: u64,
    /// When it was announced, RFC 3339 UTC.
    pub t_trigger: String,
    /// The same on `CLOCK_MONOTONIC`, nanoseconds.
    pub t_trigger_mono_ns: u64,
    /// The trigger's own number.
    pub trigger_id: Option<u64>,
    /// Position of the belt then: encoder counts, or microseconds without an encoder.
    pub ticks: i64,
    /// `PASS` only if every camera said so.
    pub result: &'a str,
    /// The reason of the camera that decided it.
    pub reason: &'a str,
    /// When it was decided, RFC 3339 UTC.
    pub t_result: String,
    /// Time that was left until its deadline, milliseconds; 0 if it was over.
    pub margin_ms: f64,
}

/// What an ejector did about a part.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EjectRecord<'a> {
    /// `andon.eject.v1`.
    pub schema: &'a str,
    /// Which record it is, and where it comes from.
    #[serde(flatten)]
    pub origin: Origin<'a>,
    /// Lane.
    pub lane: &'a str,
    /// Ejector.
    pub ejector: &'a str,
    /// Part number.
    pub seq: u64,
    /// When its output went on for this part, RFC 3339 UTC.
    pub t_on: String,
    /// The same on `CLOCK_MONOTONIC`, nanoseconds.
    pub t_on_mono_ns: u64,
    /// How long the part's window lasted, milliseconds.
    pub on_ms: f64,
    /// How late the output came against the plan, milliseconds; 0 within a merged pulse.
    pub late_ms: f64,
    /// How late the end of the part's window was acted on, milliseconds.
    pub late_off_ms: f64,
}

/// Something that people have to know.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EventRecord<'a> {
    /// `andon.event.v1`.
    pub schema: &'a str,
    /// Which record it is, and where it comes from.
    #[serde(flatten)]
    pub origin: Origin<'a>,
    /// Lane.
    pub lane: &'a str,
    /// What happened.
    pub event: &'a str,
    /// When, RFC 3339 UTC.
    pub t: String,
    /// The same on `CLOCK_MONOTONIC`, nanoseconds.
    pub t_mono_ns: u64,
    /// The camera that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera: Option<&'a str>,
    /// The ejector that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ejector: Option<&'a str>,
    /// The output that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<&'a str>,
    /// The input that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<&'a str>,
    /// The part that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// The camera's frame that it is about, numbered from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame: Option<u64>,
    /// How many parts did not pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<u64>,
    /// The event that it follows from, or whose end it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<&'a str>,
    /// How often it happened: 1, or the number of repetitions that were held back for ten seconds.
    pub times: u64,
    /// All of it in a sentence for people; programs read the other fields.
    pub text: String,
}

/// A part's outcome as it goes out.
pub fn part<'a>(names: &'a StationInfo, wall: &WallClock, lane: u8, end: &'a PartVerdict) -> PartRecord<'a> {
    PartRecord {
        schema: PART_SCHEMA,
        origin: names.origin(names.id(end.part.at, &[b"part", &[lane], &end.part.seq.0.to_le_bytes()])),
        lane: names.lane(lane),
        seq: end.part.seq.0,
        t_trigger: wall.rfc3339(end.part.at),
        t_trigger_mono_ns: end.part.at.0,
        trigger_id: end.part.id,
        ticks: end.part.ticks.0,
        result: end.outcome.as_str(),
        reason: end.reason.as_str(),
        t_result: wall.rfc3339(end.at),
        margin_ms: ms(end.slack_ns),
    }
}

/// What an ejector did, as it goes out.
pub fn eject<'a>(names: &'a StationInfo, wall: &WallClock, lane: u8, fired: &Ejection) -> EjectRecord<'a> {
    // A belt that runs back brings a part to the same ejector again.
    let what: [&[u8]; 4] = [b"eject", &[lane, fired.ejector], &fired.seq.0.to_le_bytes(), &fired.on.0.to_le_bytes()];
    EjectRecord {
        schema: EJECT_SCHEMA,
        origin: names.origin(names.id(fired.on, &what)),
        lane: names.lane(lane),
        ejector: names.ejector(lane, fired.ejector),
        seq: fired.seq.0,
        t_on: wall.rfc3339(fired.on),
        t_on_mono_ns: fired.on.0,
        on_ms: ms(fired.off.0.saturating_sub(fired.on.0)),
        late_ms: ms(fired.late_ns),
        late_off_ms: ms(fired.late_off_ns),
    }
}

/// An event as it goes out.
pub fn event<'a>(names: &'a StationInfo, wall: &WallClock, lane: u8, notice: &LineEvent) -> EventRecord<'a> {
    let (kind, at) = (notice.kind.as_str(), notice.at);
    let (subject, n): (&[u8], u8) = match notice.subject {
        Subject::Lane => (b"lane", 0),
        Subject::Encoder => (b"encoder", 0),
        Subject::Camera(camera) => (b"camera", camera.0),
        Subject::Ejector(n) => (b"ejector", n),
        Subject::Output(n) => (b"output", n),
        Subject::Input(n) => (b"input", n),
    };
    let (mut seq, mut frame, mut parts, mut cause) = (None, None, None, None);
    match notice.detail {
        Detail::None => {}
        Detail::Part(part) => seq = Some(part.0),
        Detail::Frame(number) => frame = Some(number.0),
        Detail::Count(count) => parts = Some(count),
        Detail::Cause(kind) => cause = Some(kind.as_str()),
    }
    // Two events of one kind in the same nanosecond are about different parts or frames.
    let number = seq.or(frame).unwrap_or_default();
    let what: [&[u8]; 6] = [kind.as_bytes(), &[lane], subject, &[n], &number.to_le_bytes(), &at.0.to_le_bytes()];
    let named = |this: &[u8], name: &'a str| (subject == this).then_some(name);
    EventRecord {
        schema: EVENT_SCHEMA,
        origin: names.origin(names.id(at, &what)),
        lane: names.lane(lane),
        event: kind,
        t: wall.rfc3339(at),
        t_mono_ns: at.0,
        camera: named(b"camera", names.camera(CameraId(n))),
        ejector: named(b"ejector", names.ejector(lane, n)),
        output: named(b"output", names.output(lane, n)),
        input: named(b"input", names.input(lane, n)),
        seq,
        frame,
        parts,
        cause,
        times: notice.times,
        text: text(names, lane, notice),
    }
}

/// A notice in a sentence for people.
pub fn text(names: &StationInfo, lane: u8, notice: &LineEvent) -> String {
    let thing = match notice.subject {
        Subject::Lane => format!("lane {}", names.lane(lane)),
        Subject::Encoder => format!("the encoder of lane {}", names.lane(lane)),
        Subject::Camera(camera) => format!("camera {}", names.camera(camera)),
        Subject::Ejector(n) => format!("ejector {}", names.ejector(lane, n)),
        Subject::Output(n) => format!("output {}", names.output(lane, n)),
        Subject::Input(n) => format!("input {}", names.input(lane, n)),
    };
    let part = match notice.detail {
        Detail::Part(seq) => format!("part {seq}"),
        Detail::None | Detail::Frame(_) | Detail::Count(_) | Detail::Cause(_) => "a part".to_owned(),
    };
    let parts = if let Detail::Count(n) = notice.detail { n } else { 0 };
    let what = match notice.kind {
        EventKind::DuplicateTrigger => {
            format!("{thing}: a trigger came nearer to the last one than parts.min_pitch_mm and was ignored")
        }
        EventKind::FrameWithoutPart => match notice.detail {
            Detail::Frame(frame) => format!("{thing} took frame {} of which no part was announced", frame.0),
            _ => format!("{thing} took a frame of which no part was announced"),
        },
        EventKind::TriggerWithoutFrame => format!("{thing}: no camera took a picture of {part}"),
        EventKind::EncoderSilent => format!("parts come, and {thing} stands still"),
        EventKind::EncoderReset => format!("the count of {thing} jumped; it goes on with the last speed"),
        EventKind::EncoderLost => format!("{thing} cannot be read; positions go on with the last speed"),
        EventKind::EncoderBack => format!("{thing} works again"),
        EventKind::CameraDown => {
            format!("{thing} gives no frames; parts that are announced meanwhile end as UNINSPECTED")
        }
        EventKind::CameraBack => format!("{thing} gives frames again"),
        EventKind::ConsecutiveRejects => format!("{thing}: {parts} parts in a row did not pass"),
        EventKind::RejectShare => format!("{thing}: {parts} of the last parts did not pass"),
        EventKind::StuckOn => format!("{thing} was on longer than max_on_ms allows and was switched off"),
        EventKind::OverDuty => {
            format!("{thing} was on for more of the time than max_duty allows and was switched off")
        }
        EventKind::RejectUnconfirmed => format!("the sensor behind {thing} did not see {part}"),
        EventKind::ConfirmUnexpected => format!("the sensor behind {thing} saw something that was not ejected"),
        EventKind::OutputFault => format!("{thing} does not do what it is told"),
        EventKind::OutputBack => format!("{thing} does what it is told again"),
        EventKind::InputFault => format!("{thing} cannot be read"),
        EventKind::InputBack => format!("{thing} can be read again"),
        EventKind::MissedEjection => format!("{part} went past {thing}, which did not act"),
        EventKind::ChallengePassed => format!("{thing}: every known bad part of the challenge was rejected"),
        EventKind::ChallengeFailed => format!("{thing}: a known bad part of the challenge was not rejected"),
        EventKind::ChallengeOverdue => format!("{thing}: no challenge was passed in time since the shift began"),
        EventKind::LineStop => match notice.detail {
            Detail::Cause(kind) => format!("the line is asked to stop because of {} ({thing})", kind.as_str()),
            _ => "the line is asked to stop".to_owned(),
        },
        EventKind::LineReleased => "the line was released".to_owned(),
    };
    match notice.times {
        1 => what,
        n => format!("{n} times: {what}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use andon_core::{FrameNo, Mono, Seq};

    fn names() -> StationInfo {
        StationInfo {
            cameras: vec!["top".to_owned(), "side".to_owned()],
            lanes: vec!["belt".to_owned()],
            ejectors: vec![vec!["blow".to_owned()]],
            outputs: vec![vec!["valve".to_owned(), "lamp".to_owned()]],
            inputs: vec![vec!["eye".to_owned()]],
            box_name: "press-7".to_owned(),
            ..StationInfo::default()
        }
    }

    fn record(names: &StationInfo, notice: LineEvent) -> serde_json::Value {
        let wall = names.clock.now();
        serde_json::to_value(event(names, &wall, 0, &notice)).expect("plain data")
    }

    #[test]
    fn events_carry_names_of_what_they_are_about() {
        let (names, at) = (names(), Mono(5));
        let fault = record(&names, LineEvent::new(EventKind::OutputFault, at).about(Subject::Output(1)));
        assert_eq!(
            (&fault["output"], &fault["box"], &fault["text"]),
            (&"lamp".into(), &"press-7".into(), &"output lamp does not do what it is told".into())
        );
        assert!(fault.get("camera").is_none() && fault.get("seq").is_none(), "{fault}");
        let missed =
            LineEvent::new(EventKind::MissedEjection, at).about(Subject::Ejector(0)).with(Detail::Part(Seq(12)));
        let missed = record(&names, missed);
        assert_eq!((&missed["ejector"], &missed["seq"]), (&"blow".into(), &12.into()));
        let stop = LineEvent::new(EventKind::LineStop, at).with(Detail::Cause(EventKind::StuckOn));
        assert_eq!(record(&names, stop)["cause"], "stuck_on");
    }

    #[test]
    fn every_kind_has_a_sentence_and_an_id_of_its_own_that_stays() {
        let (names, mut ids) = (names(), HashSet::new());
        for (n, kind) in EventKind::ALL.into_iter().enumerate() {
            for subject in [Subject::Lane, Subject::Camera(CameraId(1)), Subject::Input(0)] {
                let detail = Detail::Frame(FrameNo(n as u64));
                let notice = LineEvent::new(kind, Mono(7)).about(subject).with(detail);
                let first = record(&names, notice);
                assert_eq!(first, record(&names, notice), "whoever sends it again");
                assert!(ids.insert(first["id"].to_string()) && !first["text"].to_string().is_empty());
            }
        }
        let often = LineEvent { times: 357, ..LineEvent::new(EventKind::InputFault, Mono(7)).about(Subject::Input(0)) };
        assert_eq!(text(&names, 0, &often), "357 times: input eye cannot be read");
    }
}
