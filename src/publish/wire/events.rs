//! Records about parts, ejectors and oddities of a lane.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Names, WallClock, ms};
use crate::types::{Fired, Notice, PartEnd};

/// Schema name of a part's outcome over all of its cameras.
pub const PART_SCHEMA: &str = "andon.part.v1";
/// Schema name of what an ejector did.
pub const EJECT_SCHEMA: &str = "andon.eject.v1";
/// Schema name of an oddity.
pub const EVENT_SCHEMA: &str = "andon.event.v1";

/// A part's outcome over all of its cameras.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PartRecord<'a> {
    /// `andon.part.v1`.
    pub schema: &'a str,
    /// ULID of the program's start; `seq` counts within it.
    pub boot: String,
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
    /// ULID of the program's start.
    pub boot: String,
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
    /// ULID of the program's start.
    pub boot: String,
    /// Lane.
    pub lane: &'a str,
    /// What happened.
    pub event: &'a str,
    /// When, RFC 3339 UTC.
    pub t: String,
    /// The same on `CLOCK_MONOTONIC`, nanoseconds.
    pub t_mono_ns: u64,
    /// Number of the camera, ejector, output or input that it is about.
    pub who: u8,
    /// The part, or how many, as the event says.
    pub value: u64,
}

/// A part's outcome as it goes out.
pub fn part<'a>(names: &'a Names, wall: &WallClock, lane: u8, end: &'a PartEnd) -> PartRecord<'a> {
    PartRecord {
        schema: PART_SCHEMA,
        boot: names.boot.to_string(),
        lane: names.lane(lane),
        seq: end.part.seq.0,
        t_trigger: wall.rfc3339(end.part.at),
        t_trigger_mono_ns: end.part.at.0,
        trigger_id: end.part.id,
        ticks: end.part.ticks.0,
        result: end.outcome.as_str(),
        reason: end.reason.as_str(),
        t_result: wall.rfc3339(end.at),
        margin_ms: ms(end.left_ns),
    }
}

/// What an ejector did, as it goes out.
pub fn eject<'a>(names: &'a Names, wall: &WallClock, lane: u8, fired: &Fired) -> EjectRecord<'a> {
    EjectRecord {
        schema: EJECT_SCHEMA,
        boot: names.boot.to_string(),
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

/// An oddity as it goes out.
pub fn event<'a>(names: &'a Names, wall: &WallClock, lane: u8, notice: &Notice) -> EventRecord<'a> {
    EventRecord {
        schema: EVENT_SCHEMA,
        boot: names.boot.to_string(),
        lane: names.lane(lane),
        event: notice.kind.as_str(),
        t: wall.rfc3339(notice.at),
        t_mono_ns: notice.at.0,
        who: notice.who,
        value: notice.value,
    }
}
