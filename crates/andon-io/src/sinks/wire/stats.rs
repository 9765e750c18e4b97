//! What a camera reports once a second.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Origin, STATS_SCHEMA, StationInfo, WallClock};
use andon_core::{LatencySummary, MarginSummary, SinkState, Stats, ThermalReading};

/// What a camera reports once a second.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StatsRecord<'a> {
    /// `andon.stats.v1`.
    pub schema: &'a str,
    /// Which record it is, and where it comes from.
    #[serde(flatten)]
    pub origin: Origin<'a>,
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
    /// Time that was left until the deadline of inspected parts, microseconds.
    pub margin_us: MarginUs,
    /// The line is asked to stop.
    pub line_stop: bool,
    /// `starting`, `running`, `down` or `ended`.
    pub camera_state: &'a str,
    /// Rebuilds of the camera's pipeline.
    pub camera_restarts: u64,
    /// Rebuilds of the detector.
    pub detector_restarts: u64,
    /// Frames that belonged to no part since the start: usual for a camera that is `continuous`, a fault of the trigger else.
    pub frames_without_part: u64,
    /// What full channels refused.
    pub shed: ShedRecord,
    /// What became of the records, by sink.
    pub sinks: Vec<SinkRecord>,
    /// Records that could not be written into the history since the start.
    pub history_lost: u64,
    /// Control messages that were refused since the start.
    pub control_refused: u64,
    /// Other boxes that use the same site, line and station.
    pub same_names: Vec<String>,
    /// Temperatures and clocks of the box; empty where it does not say.
    pub machine: Vec<ThermalReading>,
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

/// The small end of the margins since the start.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MarginUs {
    /// Parts in it.
    pub count: u64,
    /// Smallest.
    pub min: u64,
    /// 99 % had more.
    pub p1: u64,
    /// Median.
    pub p50: u64,
}

impl From<MarginSummary> for MarginUs {
    fn from(m: MarginSummary) -> Self {
        MarginUs { count: m.count, min: m.min_us, p1: m.p1_us, p50: m.p50_us }
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

/// What became of the records at one sink since the start.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SinkRecord {
    /// Its name: zenoh, store, log, mqtt, webhook and so on.
    pub sink: String,
    /// Records that it took; for MQTT and webhook, those that the peer acknowledged.
    pub taken: u64,
    /// Records that it could not take.
    pub shed: u64,
    /// Records that wait in its outbox, counted up to 100,000; null where there is none.
    pub outbox: Option<u64>,
    /// Records that the peer refused for good and that were set aside.
    pub set_aside: u64,
}

impl From<SinkState> for SinkRecord {
    fn from(s: SinkState) -> Self {
        SinkRecord { sink: s.sink, taken: s.taken, shed: s.shed, outbox: s.waiting, set_aside: s.set_aside }
    }
}

/// The statistics as they go out.
pub fn stats<'a>(names: &'a StationInfo, wall: &WallClock, s: &Stats) -> StatsRecord<'a> {
    let [parts, records, maps] = s.shed;
    StatsRecord {
        schema: STATS_SCHEMA,
        origin: names.origin(names.id(s.t, &[b"stats", &[s.camera.0]])),
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
        margin_us: s.margin.into(),
        line_stop: s.line_stop,
        camera_state: s.camera_state,
        camera_restarts: s.camera_restarts,
        detector_restarts: s.detector_restarts,
        frames_without_part: s.frames_without_part,
        shed: ShedRecord { parts, records, maps },
        sinks: names.delivery.sinks().into_iter().map(SinkRecord::from).collect(),
        history_lost: names.delivery.history_lost(),
        control_refused: names.delivery.control_refused(),
        same_names: names.delivery.twins(),
        machine: names.machine.states(),
    }
}
