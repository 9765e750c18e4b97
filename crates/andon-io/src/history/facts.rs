//! What the columns of a row hold, read from the JSON that the row keeps: the same for a row of now and for one of an earlier version.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// Hexadecimal digits of a model's blake3 that are kept.
const BLAKE3_PREFIX: usize = 16;

/// An outcome, as a column and a filter know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum OutcomeKind {
    /// Inspected, and the score was under the threshold.
    Pass,
    /// Inspected, and the score was at or over the threshold.
    Reject,
    /// Not inspected in time.
    Uninspected,
    /// Could not be judged.
    Error,
}

impl OutcomeKind {
    /// Every outcome, by its number in the file.
    pub const ALL: [OutcomeKind; 4] =
        [OutcomeKind::Pass, OutcomeKind::Reject, OutcomeKind::Uninspected, OutcomeKind::Error];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            OutcomeKind::Pass => "PASS",
            OutcomeKind::Reject => "REJECT",
            OutcomeKind::Uninspected => "UNINSPECTED",
            OutcomeKind::Error => "ERROR",
        }
    }

    /// The outcome of a word on the wire; capitals do not matter.
    pub fn of(word: &str) -> Option<OutcomeKind> {
        OutcomeKind::ALL.into_iter().find(|o| o.as_str().eq_ignore_ascii_case(word))
    }

    pub(super) fn code(self) -> i64 {
        self as i64
    }

    pub(super) fn from_code(code: i64) -> Option<OutcomeKind> {
        usize::try_from(code).ok().and_then(|n| OutcomeKind::ALL.get(n).copied())
    }
}

/// What the columns of a row hold.
#[derive(Debug, PartialEq)]
pub(super) enum Facts<'a> {
    Verdict(VerdictFacts<'a>),
    Lane(LaneFacts<'a>),
}

/// A camera's verdict.
#[derive(Debug, PartialEq)]
pub(super) struct VerdictFacts<'a> {
    pub id: Cow<'a, str>,
    /// When the picture was taken, milliseconds, Unix time.
    pub t: i64,
    pub camera: Cow<'a, str>,
    pub seq: i64,
    pub boot: Cow<'a, str>,
    pub recipe: Option<Cow<'a, str>>,
    pub model: Cow<'a, str>,
    pub blake3: Cow<'a, str>,
    pub outcome: OutcomeKind,
    pub reason: Cow<'a, str>,
    pub score: Option<f32>,
    pub threshold: Option<f32>,
    pub ratio: Option<f32>,
}

/// A kind of record that a lane makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LaneRecordKind {
    /// A part's outcome over all of its cameras.
    Part,
    /// What an ejector did.
    Eject,
    /// Something that people have to know.
    Event,
}

impl LaneRecordKind {
    /// Every kind.
    pub const ALL: [LaneRecordKind; 3] = [LaneRecordKind::Part, LaneRecordKind::Eject, LaneRecordKind::Event];

    /// The word in the file and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            LaneRecordKind::Part => "part",
            LaneRecordKind::Eject => "eject",
            LaneRecordKind::Event => "event",
        }
    }

    /// The kind of a word.
    pub fn of(word: &str) -> Option<LaneRecordKind> {
        LaneRecordKind::ALL.into_iter().find(|k| k.as_str() == word)
    }

    pub(super) fn code(self) -> i64 {
        self as i64 + 1
    }
}

/// A part, an ejection or an event of a lane.
#[derive(Debug, PartialEq)]
pub(super) struct LaneFacts<'a> {
    pub kind: LaneRecordKind,
    /// Milliseconds, Unix time.
    pub t: i64,
    pub lane: Cow<'a, str>,
    pub boot: Cow<'a, str>,
    pub seq: Option<i64>,
    /// The ejector or the kind of event.
    pub what: Option<Cow<'a, str>>,
    pub outcome: Option<OutcomeKind>,
    /// How often an event happened.
    pub times: i64,
}

#[derive(Deserialize)]
struct VerdictJson<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    boot: Cow<'a, str>,
    seq: i64,
    #[serde(borrow)]
    camera: Cow<'a, str>,
    #[serde(borrow)]
    t_capture: Cow<'a, str>,
    #[serde(borrow)]
    result: Cow<'a, str>,
    #[serde(borrow)]
    reason: Cow<'a, str>,
    score: Option<f32>,
    threshold: Option<f32>,
    margin: Option<f32>,
    #[serde(default)]
    recipe: Option<String>,
    #[serde(borrow)]
    model: ModelJson<'a>,
}

#[derive(Deserialize)]
struct ModelJson<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    blake3: Cow<'a, str>,
}

#[derive(Deserialize)]
struct LaneJson<'a> {
    #[serde(borrow)]
    boot: Cow<'a, str>,
    #[serde(borrow)]
    lane: Cow<'a, str>,
    seq: Option<i64>,
    result: Option<String>,
    ejector: Option<String>,
    event: Option<String>,
    times: Option<i64>,
    t: Option<String>,
    t_on: Option<String>,
    t_trigger: Option<String>,
}

/// What the columns of a row of this kind hold; `None` if the JSON is not what this program writes.
pub(super) fn of<'a>(kind: &str, json: &'a [u8]) -> Option<Facts<'a>> {
    match LaneRecordKind::of(kind) {
        Some(kind) => lane(kind, json).map(Facts::Lane),
        None if kind == "verdict" => verdict(json).map(Facts::Verdict),
        None => None,
    }
}

fn verdict(json: &[u8]) -> Option<VerdictFacts<'_>> {
    let v: VerdictJson<'_> = serde_json::from_slice(json).ok()?;
    let mut blake3 = v.model.blake3;
    if blake3.len() > BLAKE3_PREFIX {
        blake3 = Cow::Owned(blake3.chars().take(BLAKE3_PREFIX).collect());
    }
    Some(VerdictFacts {
        id: v.id,
        t: unix_ms(&v.t_capture)?,
        camera: v.camera,
        seq: v.seq,
        boot: v.boot,
        recipe: v.recipe.map(Cow::Owned),
        model: v.model.name,
        blake3,
        outcome: OutcomeKind::of(&v.result)?,
        reason: v.reason,
        score: v.score,
        threshold: v.threshold,
        ratio: v.margin.filter(|m| m.is_finite()),
    })
}

fn lane(kind: LaneRecordKind, json: &[u8]) -> Option<LaneFacts<'_>> {
    let v: LaneJson<'_> = serde_json::from_slice(json).ok()?;
    let (t, what, outcome) = match kind {
        LaneRecordKind::Part => (v.t_trigger, None, Some(OutcomeKind::of(&v.result?)?)),
        LaneRecordKind::Eject => (v.t_on, Some(v.ejector?), None),
        LaneRecordKind::Event => (v.t, Some(v.event?), None),
    };
    let times = v.times.unwrap_or(1);
    let what = what.map(Cow::Owned);
    Some(LaneFacts { kind, t: unix_ms(&t?)?, lane: v.lane, boot: v.boot, seq: v.seq, what, outcome, times })
}

fn unix_ms(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(|t| t.as_millisecond())
}
