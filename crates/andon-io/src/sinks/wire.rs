//! The records as other programs see them: JSON with a schema name. Fields may be added within a version; none changes its
//! meaning. Names follow OPC 40100-1 where it has one.

mod events;
mod station;
mod stats;

use schemars::JsonSchema;
use serde::Serialize;

use andon_core::{CameraId, CameraVerdict, Mono, Region, Seq, WallClock};
use andon_core::{MapRecord, Record};

pub use events::{
    EJECT_SCHEMA, EVENT_SCHEMA, EjectRecord, EventRecord, PART_SCHEMA, PartRecord, eject, event, part, text,
};
pub use station::{Origin, SharedClock, StationInfo};
pub use stats::{LatencyUs, MarginUs, ShedRecord, SinkRecord, StatsRecord, stats};

/// Schema name of a verdict, and its Zenoh encoding.
pub const VERDICT_SCHEMA: &str = "andon.verdict.v1";
/// Schema name of the statistics.
pub const STATS_SCHEMA: &str = "andon.stats.v1";

/// A part's outcome.
#[derive(Debug, Serialize, JsonSchema)]
pub struct VerdictRecord<'a> {
    /// `andon.verdict.v1`.
    pub schema: &'a str,
    /// Which record it is, and where it comes from.
    #[serde(flatten)]
    pub origin: Origin<'a>,
    /// Part number: gap-free per camera and start.
    pub seq: u64,
    /// Camera.
    pub camera: &'a str,
    /// The source's own frame counter.
    pub source_index: Option<u64>,
    /// When the picture was taken, RFC 3339 UTC.
    pub t_capture: String,
    /// The same on `CLOCK_MONOTONIC`, nanoseconds.
    pub t_capture_mono_ns: u64,
    /// When the part was announced, on `CLOCK_MONOTONIC`, nanoseconds; in free run, when its picture was taken.
    pub t_trigger_mono_ns: u64,
    /// The number that the trigger gave the part.
    pub trigger_id: Option<u64>,
    /// Where the belt was at the trigger, in counts, where there is an encoder.
    pub encoder: Option<i64>,
    /// When the outcome was decided, RFC 3339 UTC.
    pub t_result: String,
    /// `PASS`, `REJECT`, `UNINSPECTED` or `ERROR`.
    pub result: &'a str,
    /// Why.
    pub reason: &'a str,
    /// Raw score; null unless it is finite and came in time.
    pub score: Option<f32>,
    /// `score < threshold` passes.
    pub threshold: f32,
    /// The threshold is not the model's own, but the configuration's, or one that was set since.
    pub threshold_overridden: bool,
    /// `score / threshold`.
    pub margin: Option<f32>,
    /// Where the picture is at or above the threshold, worst first; at most eight, empty unless rejected for the score.
    pub regions: Vec<RegionRecord<'a>>,
    /// How many there are in all.
    pub regions_total: u32,
    /// The recipe that was in force, where the line has recipes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipe: Option<&'a str>,
    /// What judged.
    pub model: ModelRecord<'a>,
    /// Where the time went.
    pub latency_ms: LatencyRecord,
    /// Allowed from capture to outcome.
    pub deadline_ms: f64,
    /// Whether the outcome came in time.
    pub deadline_met: bool,
    /// The picture comes from the simulator.
    pub simulated: bool,
    /// Working with less than was asked for.
    pub degraded: bool,
}

/// What judged.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ModelRecord<'a> {
    /// Name of the model.
    pub name: &'a str,
    /// blake3 of its file.
    pub blake3: &'a str,
    /// Engine.
    pub engine: &'a str,
}

/// A connected part of the picture at or above the threshold, in pixels of the frame.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RegionRecord<'a> {
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Pixels, to the size of a patch.
    pub area: u32,
    /// Largest value of the anomaly map in it, units of the score.
    pub peak: f32,
    /// The good patch that is nearest to the peak; absent where the method compares with no single patch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<NearestRecord<'a>>,
}

/// A patch of a picture that the model learned from.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NearestRecord<'a> {
    /// Picture.
    pub image: &'a str,
    /// Where in it, as a share of its width.
    pub x: f32,
    /// Where in it, as a share of its height.
    pub y: f32,
}

impl<'a> RegionRecord<'a> {
    /// A region with the name of the picture nearest to it.
    pub fn new(r: &Region, sources: &'a [String]) -> RegionRecord<'a> {
        let nearest = r.nearest.map(|n| NearestRecord {
            image: sources.get(n.source as usize).map_or("", String::as_str),
            x: n.at[0],
            y: n.at[1],
        });
        RegionRecord { x: r.x, y: r.y, width: r.width, height: r.height, area: r.area, peak: r.peak, nearest }
    }
}

/// Milliseconds.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LatencyRecord {
    /// Capture until the inspector took the frame.
    pub queue: f64,
    /// Resize and normalise.
    pub preprocess: f64,
    /// Network.
    pub infer: f64,
    /// Patch features.
    pub aggregate: f64,
    /// Nearest neighbours.
    pub score: f64,
    /// Capture until the outcome.
    pub total: f64,
}

fn ms(ns: u64) -> f64 {
    // Whole microseconds: more digits would be noise.
    (ns / 1000) as f64 / 1000.0
}

/// The id of a verdict: that of its record, its heatmap and whatever else belongs to the part.
pub fn verdict_id(names: &StationInfo, camera: CameraId, seq: Seq, t_capture: Mono) -> String {
    names.id(t_capture, &[&[camera.0], &seq.0.to_le_bytes()])
}

/// The verdict as it goes out.
pub fn verdict<'a>(names: &'a StationInfo, wall: &WallClock, v: &'a CameraVerdict) -> VerdictRecord<'a> {
    let score = v.score.map(|s| s.get());
    VerdictRecord {
        schema: VERDICT_SCHEMA,
        origin: names.origin(verdict_id(names, v.camera, v.seq, v.t_capture)),
        seq: v.seq.0,
        camera: names.camera(v.camera),
        source_index: v.source_index,
        t_capture: wall.rfc3339(v.t_capture),
        t_capture_mono_ns: v.t_capture.0,
        t_trigger_mono_ns: v.t_trigger.0,
        trigger_id: v.trigger_id,
        encoder: v.encoder,
        t_result: wall.rfc3339(v.t_verdict),
        result: v.outcome.as_str(),
        reason: v.reason.as_str(),
        score,
        threshold: v.threshold,
        threshold_overridden: v.threshold != v.model.threshold,
        margin: score.map(|s| s / v.threshold),
        regions: v.regions.as_slice().iter().map(|r| RegionRecord::new(r, &v.model.sources)).collect(),
        regions_total: v.regions.total,
        recipe: v.model.recipe.as_deref(),
        model: ModelRecord { name: &v.model.name, blake3: &v.model.blake3, engine: &v.model.engine },
        latency_ms: LatencyRecord {
            queue: ms(v.queue_ns),
            preprocess: ms(v.times.preprocess_ns),
            infer: ms(v.times.infer_ns),
            aggregate: ms(v.times.aggregate_ns),
            score: ms(v.times.score_ns),
            total: ms(v.latency_ns()),
        },
        deadline_ms: ms(v.deadline.0.saturating_sub(v.t_capture.0)),
        deadline_met: v.deadline_met(),
        simulated: names.simulated,
        degraded: v.degraded,
    }
}

/// What goes with a heatmap's PNG, as JSON in the attachment: 8-bit grey, 0 = a typical good patch, 127.5 = the threshold,
/// 255 = twice that way or more.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HeatmapNote<'a> {
    /// Where it comes from; its id is that of the verdict that it belongs to.
    #[serde(flatten)]
    pub origin: Origin<'a>,
    /// Camera.
    pub camera: &'a str,
    /// Part number.
    pub seq: u64,
    /// When the picture was taken, RFC 3339 UTC.
    pub t_capture: String,
    /// Distance that is level 0.
    pub typical: f32,
    /// Distance that is level 127.5.
    pub threshold: f32,
}

/// The note of one heatmap; `typical` is the distance that is level 0.
pub fn heatmap_note<'a>(names: &'a StationInfo, wall: &WallClock, map: &MapRecord, typical: f32) -> HeatmapNote<'a> {
    HeatmapNote {
        origin: names.origin(verdict_id(names, map.camera, map.seq, map.t_capture)),
        camera: names.camera(map.camera),
        seq: map.seq.0,
        t_capture: wall.rfc3339(map.t_capture),
        typical,
        threshold: map.threshold,
    }
}

/// What a record is about, for the key or topic that it goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// A camera's verdict.
    Verdict(CameraId),
    /// A camera's statistics.
    Stats(CameraId),
    /// A lane's part.
    Part(u8),
    /// A lane's ejector.
    Eject(u8),
    /// A lane's event.
    Event(u8),
}

impl Topic {
    /// `andon/<site>/<line>/<station>/<camera or lane>/<word>`.
    pub fn key(self, names: &StationInfo) -> String {
        match self {
            Topic::Verdict(c) => format!("{}/verdict", names.key(c)),
            Topic::Stats(c) => format!("{}/stats", names.key(c)),
            Topic::Part(n) => format!("{}/part", names.lane_key(n)),
            Topic::Eject(n) => format!("{}/eject", names.lane_key(n)),
            Topic::Event(n) => format!("{}/event", names.lane_key(n)),
        }
    }
}

/// A record as the JSON that goes out, the same for every way out; `None` for maps, which are pictures.
pub fn json(names: &StationInfo, record: &Record) -> Option<(Topic, Vec<u8>)> {
    let wall = &names.clock.now();
    let (kind, bytes) = match record {
        Record::Verdict(v) => (Topic::Verdict(v.camera), serde_json::to_vec(&verdict(names, wall, v))),
        Record::Stats(s) => (Topic::Stats(s.camera), serde_json::to_vec(&stats(names, wall, s))),
        Record::Part(n, end) => (Topic::Part(*n), serde_json::to_vec(&part(names, wall, *n, end))),
        Record::Ejection(n, fired) => (Topic::Eject(*n), serde_json::to_vec(&eject(names, wall, *n, fired))),
        Record::Event(n, notice) => (Topic::Event(*n), serde_json::to_vec(&event(names, wall, *n, notice))),
        Record::Map(_) => return None,
    };
    bytes.ok().map(|b| (kind, b))
}

/// JSON Schema of the verdict.
pub fn verdict_schema() -> serde_json::Value {
    schemars::schema_for!(VerdictRecord<'_>).to_value()
}
