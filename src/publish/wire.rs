//! The records as other programs see them: JSON with a schema name. Fields may be added within a version; none changes its
//! meaning. Names follow OPC 40100-1 where it has one.

use schemars::JsonSchema;
use serde::Serialize;
use ulid::Ulid;

use crate::types::{CameraId, LatencySummary, Region, Seq, Stats, Verdict, WallClock};

/// Schema name of a verdict, and its Zenoh encoding.
pub const VERDICT_SCHEMA: &str = "andon.verdict.v1";
/// Schema name of the statistics.
pub const STATS_SCHEMA: &str = "andon.stats.v1";

/// Where a record comes from.
#[derive(Clone, Debug)]
pub struct Names {
    /// Plant.
    pub site: String,
    /// Line.
    pub line: String,
    /// Station.
    pub station: String,
    /// Cameras by id.
    pub cameras: Vec<String>,
    /// Pictures come from the simulator.
    pub simulated: bool,
    /// This start of the program.
    pub boot: Ulid,
}

impl Names {
    /// Name of a camera.
    pub fn camera(&self, id: CameraId) -> &str {
        self.cameras.get(id.index()).map_or("", String::as_str)
    }

    /// `andon/<site>/<line>/<station>/<camera>`.
    pub fn key(&self, id: CameraId) -> String {
        format!("andon/{}/{}/{}/{}", self.site, self.line, self.station, self.camera(id))
    }
}

/// A part's outcome.
#[derive(Debug, Serialize, JsonSchema)]
pub struct VerdictRecord<'a> {
    /// `andon.verdict.v1`.
    pub schema: &'a str,
    /// ULID of this result: the same for the same part, whoever sends it again.
    pub id: String,
    /// ULID of the program's start; `seq` counts within it.
    pub boot: String,
    /// Part number: gap-free per camera and start.
    pub seq: u64,
    /// Plant.
    pub site: &'a str,
    /// Line.
    pub line: &'a str,
    /// Station.
    pub station: &'a str,
    /// Camera.
    pub camera: &'a str,
    /// The source's own frame counter.
    pub source_index: Option<u64>,
    /// When the picture was taken, RFC 3339 UTC.
    pub t_capture: String,
    /// The same on `CLOCK_MONOTONIC`, nanoseconds.
    pub t_capture_mono_ns: u64,
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
    /// `score / threshold`.
    pub margin: Option<f32>,
    /// Where the picture is at or above the threshold, worst first; at most eight, empty unless rejected for the score.
    pub regions: Vec<RegionRecord<'a>>,
    /// How many there are in all.
    pub regions_total: u32,
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
    /// The good patch that is nearest to the peak.
    pub nearest: NearestRecord<'a>,
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
        let image = sources.get(r.nearest_source as usize).map_or("", String::as_str);
        let nearest = NearestRecord { image, x: r.nearest_at[0], y: r.nearest_at[1] };
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

/// What a camera reports once a second.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StatsRecord<'a> {
    /// `andon.stats.v1`.
    pub schema: &'a str,
    /// ULID of the program's start.
    pub boot: String,
    /// Camera.
    pub camera: &'a str,
    /// When, RFC 3339 UTC.
    pub t: String,
    /// Parts that came since the start.
    pub offered: u64,
    /// Ended in PASS.
    pub pass: u64,
    /// Ended in REJECT.
    pub reject: u64,
    /// Ended in UNINSPECTED.
    pub uninspected: u64,
    /// Ended in ERROR.
    pub error: u64,
    /// Not ended yet.
    pub in_flight: u64,
    /// Results after their part had ended; ignored.
    pub late_results: u64,
    /// `offered == pass + reject + uninspected + error + in_flight`.
    pub adds_up: bool,
    /// Capture to outcome of inspected parts, microseconds.
    pub latency_us: LatencyUs,
    /// `starting`, `running`, `down` or `ended`.
    pub camera_state: &'a str,
    /// Rebuilds of the camera's pipeline.
    pub camera_restarts: u64,
    /// Rebuilds of the detector.
    pub detector_restarts: u64,
    /// What full channels refused.
    pub shed: ShedRecord,
}

/// Percentiles since the start.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LatencyUs {
    /// Parts in it.
    pub count: u64,
    /// Median.
    pub p50: u64,
    /// 99 %.
    pub p99: u64,
    /// 99.9 %.
    pub p999: u64,
    /// Largest.
    pub max: u64,
}

impl From<LatencySummary> for LatencyUs {
    fn from(l: LatencySummary) -> Self {
        LatencyUs { count: l.count, p50: l.p50_us, p99: l.p99_us, p999: l.p999_us, max: l.max_us }
    }
}

/// What full channels refused.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ShedRecord {
    /// Events to decide.
    pub parts: u64,
    /// Records to the sinks.
    pub records: u64,
    /// Anomaly maps.
    pub maps: u64,
}

fn ms(ns: u64) -> f64 {
    // Whole microseconds: more digits would be noise.
    (ns / 1000) as f64 / 1000.0
}

/// A ULID that is the same for the same part: its time is the capture's, its rest a hash of start, camera and number.
fn result_id(names: &Names, v: &Verdict, wall: &WallClock) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&names.boot.to_bytes()).update(&[v.camera.0]).update(&v.seq.0.to_le_bytes());
    let mut rest = [0u8; 16];
    rest.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    Ulid::from_parts(wall.unix_ms(v.t_capture), u128::from_le_bytes(rest)).to_string()
}

/// The verdict as it goes out.
pub fn verdict<'a>(names: &'a Names, wall: &WallClock, v: &'a Verdict) -> VerdictRecord<'a> {
    let score = v.score.map(|s| s.get());
    VerdictRecord {
        schema: VERDICT_SCHEMA,
        id: result_id(names, v, wall),
        boot: names.boot.to_string(),
        seq: v.seq.0,
        site: &names.site,
        line: &names.line,
        station: &names.station,
        camera: names.camera(v.camera),
        source_index: v.source_index,
        t_capture: wall.rfc3339(v.t_capture),
        t_capture_mono_ns: v.t_capture.0,
        t_result: wall.rfc3339(v.t_verdict),
        result: v.outcome.as_str(),
        reason: v.reason.as_str(),
        score,
        threshold: v.threshold,
        margin: score.map(|s| s / v.threshold),
        regions: v.regions.as_slice().iter().map(|r| RegionRecord::new(r, &v.model.sources)).collect(),
        regions_total: v.regions.total,
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

/// The statistics as they go out.
pub fn stats<'a>(names: &'a Names, wall: &WallClock, s: &Stats) -> StatsRecord<'a> {
    let [parts, records, maps] = s.shed;
    StatsRecord {
        schema: STATS_SCHEMA,
        boot: names.boot.to_string(),
        camera: names.camera(s.camera),
        t: wall.rfc3339(s.t),
        offered: s.counts.offered,
        pass: s.counts.pass,
        reject: s.counts.reject,
        uninspected: s.counts.uninspected,
        error: s.counts.error,
        in_flight: s.counts.in_flight,
        late_results: s.counts.late_results,
        adds_up: s.counts.adds_up(),
        latency_us: s.latency.into(),
        camera_state: s.camera_state,
        camera_restarts: s.camera_restarts,
        detector_restarts: s.detector_restarts,
        shed: ShedRecord { parts, records, maps },
    }
}

/// What goes with a heatmap's PNG, as JSON in the attachment: 8-bit grey, 0 = a typical good patch, 127.5 = the threshold,
/// 255 = twice that way or more.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HeatmapNote {
    /// ULID of the program's start.
    pub boot: String,
    /// Part number.
    pub seq: u64,
    /// When the picture was taken, RFC 3339 UTC.
    pub t_capture: String,
    /// Distance that is level 0.
    pub typical: f32,
    /// Distance that is level 127.5.
    pub threshold: f32,
}

/// The note of one heatmap.
pub fn heatmap_note(
    names: &Names,
    wall: &WallClock,
    seq: Seq,
    t: crate::types::Mono,
    scale: (f32, f32),
) -> HeatmapNote {
    HeatmapNote {
        boot: names.boot.to_string(),
        seq: seq.0,
        t_capture: wall.rfc3339(t),
        typical: scale.0,
        threshold: scale.1,
    }
}

/// JSON Schema of the verdict.
pub fn verdict_schema() -> serde_json::Value {
    schemars::schema_for!(VerdictRecord<'_>).to_value()
}
