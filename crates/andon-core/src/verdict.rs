//! A camera's verdict on a part, and the counts and statistics made of verdicts.

use std::sync::Arc;

use crate::{CameraId, Mono, Outcome, Reason, Regions, Score, Seq, StageTimes};

/// Which model and engine judged: the provenance in every verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelTag {
    /// Name in the bundle's manifest.
    pub name: String,
    /// blake3 of the bundle, hex.
    pub blake3: String,
    /// `ort`, `rten`, …
    pub engine: String,
    /// Its own threshold, in the units of the score; the active one may be another.
    pub threshold: f32,
    /// What a typical good patch has, in the units of the score: the low end of the scale of heatmaps.
    pub baseline: f32,
    /// Columns and rows at which its heatmaps are drawn: those of what its network sees.
    pub picture_size: [u32; 2],
    /// The good pictures that it learned from; regions name them.
    pub sources: Vec<String>,
    /// The recipe that it belongs to, where the line has recipes.
    pub recipe: Option<String>,
}

/// Everything known about one part's outcome. Cheap to clone and to move: no allocation.
#[derive(Clone, Debug)]
pub struct CameraVerdict {
    /// Camera.
    pub camera: CameraId,
    /// Part number.
    pub seq: Seq,
    /// The source's own frame counter, where it has one.
    pub source_index: Option<u64>,
    /// When the part was announced; in free run, when its picture was taken.
    pub t_trigger: Mono,
    /// The number that the trigger gave the part; the source's frame counter in free run.
    pub trigger_id: Option<u64>,
    /// Where the belt was at the trigger, in counts, where there is an encoder.
    pub encoder: Option<i64>,
    /// Outcome.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// The score, if there was a finite one.
    pub score: Option<Score>,
    /// The active threshold, in the units of the score.
    pub threshold: f32,
    /// Where the map is at or above the threshold; none unless the part was rejected for its score.
    pub regions: Regions,
    /// When the picture was taken (for a missing frame: when the gap was seen).
    pub t_capture: Mono,
    /// When the outcome was decided.
    pub t_verdict: Mono,
    /// Until when the outcome had to be decided.
    pub deadline: Mono,
    /// Time from capture until the inspector took the frame, in nanoseconds.
    pub queue_ns: u64,
    /// Times of the inspector's steps; zero if not inspected.
    pub times: StageTimes,
    /// Model and engine.
    pub model: Arc<ModelTag>,
    /// Working with less than was asked for (say, the fallback engine).
    pub degraded: bool,
}

impl CameraVerdict {
    /// Whether the outcome came in time.
    pub fn deadline_met(&self) -> bool {
        self.t_verdict <= self.deadline
    }

    /// Capture to outcome, in nanoseconds.
    pub fn latency_ns(&self) -> u64 {
        self.t_verdict.0.saturating_sub(self.t_capture.0)
    }

    /// The part of the latency that is not work on the picture: hand-offs, queues, ledger, decision, in nanoseconds.
    pub fn overhead_ns(&self) -> u64 {
        let t = &self.times;
        self.latency_ns().saturating_sub(t.preprocess_ns + t.infer_ns + t.aggregate_ns + t.score_ns)
    }
}

/// How many parts ended how. `offered == pass + reject + uninspected + error + in_flight`, always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Parts that came.
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
    /// Results that came after their part had ended; ignored.
    pub late_results: u64,
}

impl Counts {
    /// Whether every offered part is accounted for.
    pub fn adds_up(&self) -> bool {
        self.offered == self.pass + self.reject + self.uninspected + self.error + self.in_flight
    }
}

/// Percentiles of the capture-to-verdict latency of inspected parts since start, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct LatencySummary {
    /// How many parts are in it.
    pub count: u64,
    /// Median.
    pub p50_us: u64,
    /// 99th percentile.
    pub p99_us: u64,
    /// 99.9th percentile.
    pub p999_us: u64,
    /// Largest.
    pub max_us: u64,
}

/// How much time was left until the deadline of inspected parts since start, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct MarginSummary {
    /// How many parts are in it.
    pub count: u64,
    /// Smallest.
    pub min_us: u64,
    /// 99 % of the parts had more.
    pub p1_us: u64,
    /// Median.
    pub p50_us: u64,
}

/// What the line reports once a second for each camera.
#[derive(Clone, Copy, Debug)]
pub struct Stats {
    /// Camera.
    pub camera: CameraId,
    /// When.
    pub t: Mono,
    /// Parts by outcome.
    pub counts: Counts,
    /// Latency of inspected parts.
    pub latency: LatencySummary,
    /// Time that was left until the deadline.
    pub margin: MarginSummary,
    /// The line is asked to stop.
    pub line_stop: bool,
    /// How the camera is: `starting`, `running`, `down`, `ended`.
    pub camera_state: &'static str,
    /// Rebuilds of its pipeline.
    pub camera_restarts: u64,
    /// Rebuilds of its detector.
    pub detector_restarts: u64,
    /// Frames that belonged to no part.
    pub frames_without_part: u64,
    /// What full channels refused: events, records, maps.
    pub shed: [u64; 3],
}
