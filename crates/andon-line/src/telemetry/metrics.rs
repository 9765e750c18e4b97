//! The counters behind `/metrics`.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::plain::plain;
use super::state::LineState;
use andon_core::{CameraId, CameraVerdict, Delivery, EventKind, HardwareHealth, Outcome, Reason};

/// Upper bounds of the latency buckets, in seconds.
const BUCKETS: [f64; 26] = [
    0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.06, 0.075, 0.1, 0.125, 0.15, 0.2, 0.25,
    0.3, 0.4, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0,
];
/// Upper bounds of the buckets of score over threshold; 1 and above is a reject.
const RATIOS: [f64; 16] = [0.1, 0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.25, 1.5, 2.0, 5.0];

/// Tells the line's state.
struct Watch(Box<dyn Fn() -> LineState + Send + Sync>);

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

/// Counters for Prometheus. The line writes them with atomics; only a scrape reads them.
#[derive(Debug)]
pub struct Metrics {
    cameras: Vec<PerCamera>,
    notices: [AtomicU64; EventKind::ALL.len()],
    ejected: AtomicU64,
    /// Temperatures and clocks, for whoever reads them to leave here.
    pub machine: HardwareHealth,
    /// Where a scrape finds the line's state.
    line: OnceLock<Watch>,
    /// What became of the records, for the sinks to count in.
    pub delivery: Delivery,
}

#[derive(Debug)]
struct PerCamera {
    name: String,
    offered: AtomicU64,
    /// PASS has one reason, REJECT one, and so on: the reason alone names the outcome.
    ended: [AtomicU64; Reason::ALL.len()],
    latency: [AtomicU64; BUCKETS.len() + 1],
    latency_us: AtomicU64,
    ratio: [AtomicU64; RATIOS.len() + 1],
    /// Sum of the ratios, in millionths.
    ratio_millionths: AtomicU64,
    up: AtomicU64,
    camera_restarts: AtomicU64,
    detector_restarts: AtomicU64,
}

impl Metrics {
    /// Counters for these cameras, by id.
    pub fn new(cameras: &[String]) -> Arc<Metrics> {
        let zero = || AtomicU64::new(0);
        let per_camera = |name: &String| PerCamera {
            name: name.clone(),
            offered: zero(),
            ended: std::array::from_fn(|_| zero()),
            latency: std::array::from_fn(|_| zero()),
            latency_us: zero(),
            ratio: std::array::from_fn(|_| zero()),
            ratio_millionths: zero(),
            up: zero(),
            camera_restarts: zero(),
            detector_restarts: zero(),
        };
        Arc::new(Metrics {
            cameras: cameras.iter().map(per_camera).collect(),
            notices: std::array::from_fn(|_| zero()),
            ejected: zero(),
            machine: HardwareHealth::default(),
            line: OnceLock::new(),
            delivery: Delivery::default(),
        })
    }

    /// Parts that came.
    pub fn offered(&self, camera: CameraId, count: u64) {
        if let Some(c) = self.cameras.get(camera.index()) {
            c.offered.fetch_add(count, Relaxed);
        }
    }

    /// A part that has its outcome.
    pub fn ended(&self, camera: CameraId, verdict: &CameraVerdict) {
        let Some(c) = self.cameras.get(camera.index()) else { return };
        if let Some(i) = Reason::ALL.iter().position(|r| *r == verdict.reason) {
            c.ended[i].fetch_add(1, Relaxed);
        }
        if let Some(score) = verdict.score {
            let ratio = f64::from(score.get()) / f64::from(verdict.threshold);
            let bucket = RATIOS.iter().position(|b| ratio <= *b).unwrap_or(RATIOS.len());
            c.ratio[bucket].fetch_add(1, Relaxed);
            // A ratio beyond all measure counts as a million, so that the sum never wraps.
            c.ratio_millionths.fetch_add((ratio.clamp(0.0, 1e6) * 1e6) as u64, Relaxed);
            let us = verdict.latency_ns() / 1000;
            let bucket = BUCKETS.iter().position(|b| us as f64 <= b * 1e6).unwrap_or(BUCKETS.len());
            c.latency[bucket].fetch_add(1, Relaxed);
            c.latency_us.fetch_add(us, Relaxed);
        }
    }

    /// Something odd happened.
    pub fn notice(&self, kind: EventKind) {
        if let Some(i) = EventKind::ALL.iter().position(|k| *k == kind) {
            self.notices[i].fetch_add(1, Relaxed);
        }
    }

    /// An ejector acted on a part.
    pub fn ejected(&self) {
        self.ejected.fetch_add(1, Relaxed);
    }

    /// State of a camera: whether frames come, rebuilds of its pipeline and of its detector.
    pub fn camera(&self, camera: CameraId, up: bool, restarts: u64, detector_restarts: u64) {
        if let Some(c) = self.cameras.get(camera.index()) {
            c.up.store(u64::from(up), Relaxed);
            c.camera_restarts.store(restarts, Relaxed);
            c.detector_restarts.store(detector_restarts, Relaxed);
        }
    }

    /// From now on a scrape asks this for the line's state; the first call counts.
    pub fn watch(&self, state: impl Fn() -> LineState + Send + Sync + 'static) {
        self.line.get_or_init(|| Watch(Box::new(state)));
    }

    /// The same as Prometheus' text format 0.0.4, for collectors that know no other.
    ///
    /// # Errors
    /// As [`Metrics::encode`].
    pub fn encode_plain(self: &Arc<Metrics>) -> Result<String, fmt::Error> {
        Ok(plain(&self.encode()?))
    }

    /// The OpenMetrics text.
    ///
    /// # Errors
    /// Never in practice: writing to a string.
    pub fn encode(self: &Arc<Metrics>) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix("andon");
        registry.register_collector(Box::new(Arc::clone(self)));
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }
}

/// The outcome that a reason belongs to.
fn outcome_of(reason: Reason) -> &'static str {
    match reason {
        Reason::UnderThreshold => "PASS",
        Reason::OverThreshold | Reason::Borderline => Outcome::Reject.as_str(),
        Reason::Overflow | Reason::Late | Reason::FrameMissing | Reason::Stopped | Reason::RecipeChanged => {
            Outcome::Uninspected.as_str()
        }
        Reason::BadFrame
        | Reason::WrongSize
        | Reason::WrongKind
        | Reason::NotAligned
        | Reason::NonFiniteScore
        | Reason::EngineFault
        | Reason::StagePanic => Outcome::Error.as_str(),
    }
}

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        const NONE: Option<&prometheus_client::metrics::exemplar::Exemplar<NoLabelSet, f64>> = None;
        let mut family = encoder.encode_descriptor("build", "Version of the program", None, MetricType::Info)?;
        family.encode_info(&[("version", env!("CARGO_PKG_VERSION"))])?;

        let mut family = encoder.encode_descriptor("parts_offered", "Parts that came", None, MetricType::Counter)?;
        for c in &self.cameras {
            let labels = [("camera", c.name.as_str())];
            family.encode_family(&labels)?.encode_counter(&c.offered.load(Relaxed), NONE)?;
        }
        let mut family =
            encoder.encode_descriptor("parts", "Parts by outcome and reason", None, MetricType::Counter)?;
        for c in &self.cameras {
            for (reason, count) in Reason::ALL.iter().zip(&c.ended) {
                let labels =
                    [("camera", c.name.as_str()), ("outcome", outcome_of(*reason)), ("reason", reason.as_str())];
                family.encode_family(&labels)?.encode_counter(&count.load(Relaxed), NONE)?;
            }
        }
        let help = "Capture to outcome of inspected parts";
        let mut family = encoder.encode_descriptor("latency", help, Some(&Unit::Seconds), MetricType::Histogram)?;
        for c in &self.cameras {
            let sum = c.latency_us.load(Relaxed) as f64 / 1e6;
            let (count, buckets) = filled(&BUCKETS, &c.latency);
            let labels = [("camera", c.name.as_str())];
            family.encode_family(&labels)?.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
        }
        let help = "Score over threshold of inspected parts; 1 and above is a reject";
        let mut family = encoder.encode_descriptor("score_ratio", help, None, MetricType::Histogram)?;
        for c in &self.cameras {
            let sum = c.ratio_millionths.load(Relaxed) as f64 / 1e6;
            let (count, buckets) = filled(&RATIOS, &c.ratio);
            let labels = [("camera", c.name.as_str())];
            family.encode_family(&labels)?.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
        }
        let mut family = encoder.encode_descriptor("parts_ejected", "Parts ejected", None, MetricType::Counter)?;
        family.encode_counter(&self.ejected.load(Relaxed), NONE)?;
        let mut family = encoder.encode_descriptor("notices", "Oddities by kind", None, MetricType::Counter)?;
        for (kind, count) in EventKind::ALL.iter().zip(&self.notices) {
            family.encode_family(&[("kind", kind.as_str())])?.encode_counter(&count.load(Relaxed), NONE)?;
        }
        let mut family = encoder.encode_descriptor("camera_up", "1 while frames come", None, MetricType::Gauge)?;
        for c in &self.cameras {
            let up = i64::from(c.up.load(Relaxed) > 0);
            family.encode_family(&[("camera", c.name.as_str())])?.encode_gauge(&up)?;
        }
        let help = "Rebuilds of the camera's pipeline";
        let mut family = encoder.encode_descriptor("camera_restarts", help, None, MetricType::Counter)?;
        for c in &self.cameras {
            let n = c.camera_restarts.load(Relaxed);
            family.encode_family(&[("camera", c.name.as_str())])?.encode_counter(&n, NONE)?;
        }
        let help = "Rebuilds of the detector";
        let mut family = encoder.encode_descriptor("detector_restarts", help, None, MetricType::Counter)?;
        for c in &self.cameras {
            let n = c.detector_restarts.load(Relaxed);
            family.encode_family(&[("camera", c.name.as_str())])?.encode_counter(&n, NONE)?;
        }
        if let Some(Watch(state)) = self.line.get() {
            state().encode(&mut encoder)?;
        }
        super::delivery::encode(&self.delivery, &mut encoder)?;
        encode_machine(&self.machine, &mut encoder)
    }
}

/// How many there are in all, and each bucket's bound with what lies in it; the last one has no bound.
fn filled(bounds: &[f64], counts: &[AtomicU64]) -> (u64, Vec<(f64, u64)>) {
    let bounds = bounds.iter().copied().chain([f64::INFINITY]);
    let buckets: Vec<(f64, u64)> = bounds.zip(counts.iter().map(|n| n.load(Relaxed))).collect();
    (buckets.iter().map(|(_, n)| n).sum(), buckets)
}

fn encode_machine(machine: &HardwareHealth, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let states = machine.states();
    let help = "1 while it is held back, by heat or power";
    let mut family = encoder.encode_descriptor("slowed", help, None, MetricType::Gauge)?;
    for s in &states {
        family.encode_family(&[("what", s.what.as_str())])?.encode_gauge(&i64::from(s.slowed.is_some()))?;
    }
    let help = "The hottest sensor";
    let mut family = encoder.encode_descriptor("temperature", help, Some(&Unit::Celsius), MetricType::Gauge)?;
    for (s, celsius) in states.iter().filter_map(|s| Some((s, s.celsius?))) {
        family.encode_family(&[("what", s.what.as_str())])?.encode_gauge(&celsius)?;
    }
    let hertz = Unit::Other("hertz".to_owned());
    let mut family = encoder.encode_descriptor("clock", "The clock now", Some(&hertz), MetricType::Gauge)?;
    for (s, mhz) in states.iter().filter_map(|s| Some((s, s.mhz?))) {
        family.encode_family(&[("what", s.what.as_str())])?.encode_gauge(&(i64::from(mhz) * 1_000_000))?;
    }
    Ok(())
}
