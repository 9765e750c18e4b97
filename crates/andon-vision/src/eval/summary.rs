//! The pictures' results and the figures of an evaluation.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::curve::Curve;
use super::operating::{OperatingPoint, operating_points};
use super::pixels::PixelMetrics;
use super::saturation::SaturatedOverlap;
use andon_core::{Interval, wilson};

/// What became of one picture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ImageResult {
    /// Picture.
    pub path: PathBuf,
    /// Kind of defect, `good` for good ones.
    pub kind: String,
    /// Whether it is defective in truth.
    pub bad: bool,
    /// Score, if there was a finite one.
    pub score: Option<f32>,
    /// Whether it passed at the model's threshold.
    pub passed: bool,
    /// Why it has no score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Milliseconds from decoded pixels to score.
    pub ms: f64,
}

/// All figures of one model on one set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Whole pictures.
    pub image: ImageMetrics,
    /// Each kind of defect against the good pictures: image AUROC, missed at the threshold.
    pub kinds: BTreeMap<String, (Option<f64>, Interval)>,
    /// At the model's threshold.
    pub rates: Rates,
    /// The threshold and others that could be set, each with what it costs on this set.
    pub operating: Vec<OperatingPoint>,
    /// Pixels, where there are masks.
    pub pixel: Option<PixelMetrics>,
    /// Overlap with saturation, where the set says how much of a defect has to be found (MVTec LOCO).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saturated: Option<SaturatedOverlap>,
    /// Defective pictures without a mask, left out of the pixel metrics.
    pub without_mask: usize,
    /// Time for each picture.
    pub latency: Latency,
    /// Pictures that could not be scored: they count as rejected.
    pub failed: usize,
}

/// Whole pictures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ImageMetrics {
    /// Area under the ROC curve.
    pub auroc: Option<f64>,
    /// Average precision.
    pub average_precision: Option<f64>,
    /// Largest F1 of any threshold: an oracle's.
    pub f1_max: Option<f64>,
    /// The threshold that gives it.
    pub f1_max_threshold: Option<f32>,
    /// F1 at the model's threshold.
    pub f1: Option<f64>,
    /// Good pictures.
    pub good: u64,
    /// Defective pictures.
    pub bad: u64,
}

/// At the model's threshold, with 95 % intervals (Wilson).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rates {
    /// The threshold.
    pub threshold: f32,
    /// Good pictures that are rejected.
    pub false_reject: Interval,
    /// Defective pictures that pass.
    pub miss: Interval,
}

/// Milliseconds for each picture, from decoded pixels to score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    /// Median.
    pub p50_ms: f64,
    /// 95th percentile.
    pub p95_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// Largest.
    pub max_ms: f64,
}

impl Summary {
    /// From the pictures' results.
    pub fn new(images: &[ImageResult], threshold: f32, pixel: Option<PixelMetrics>, without_mask: usize) -> Summary {
        let scored = |keep: &dyn Fn(&ImageResult) -> bool| -> Curve {
            Curve::new(images.iter().filter(|r| keep(r)).filter_map(|r| Some((r.score?, r.bad))).collect())
        };
        let all = scored(&|_| true);
        let (bad, good) = all.counts();
        let count =
            |bad: bool, passed: bool| images.iter().filter(|r| r.bad == bad && r.passed == passed).count() as u64;
        let of = |bad: bool| images.iter().filter(|r| r.bad == bad).count() as u64;
        let mut kinds = BTreeMap::new();
        for kind in images.iter().filter(|r| r.bad).map(|r| r.kind.as_str()) {
            if !kinds.contains_key(kind) {
                let these = images.iter().filter(|r| r.kind == kind && r.bad);
                let missed = these.clone().filter(|r| r.passed).count() as u64;
                let curve = scored(&|r| !r.bad || r.kind == kind);
                kinds.insert(kind.to_owned(), (curve.auroc(), wilson(missed, these.count() as u64)));
            }
        }
        let f1_max = all.f1_max();
        Summary {
            image: ImageMetrics {
                auroc: all.auroc(),
                average_precision: all.average_precision(),
                f1_max: f1_max.map(|f| f.0),
                f1_max_threshold: f1_max.map(|f| f.1),
                f1: all.f1_at(threshold),
                good,
                bad,
            },
            kinds,
            rates: Rates {
                threshold,
                false_reject: wilson(count(false, false), of(false)),
                miss: wilson(count(true, true), of(true)),
            },
            operating: operating_points(images, threshold),
            pixel,
            saturated: None,
            without_mask,
            latency: latency(images),
            failed: images.iter().filter(|r| r.score.is_none()).count(),
        }
    }
}

fn latency(images: &[ImageResult]) -> Latency {
    let mut all: Vec<f64> = images.iter().filter(|r| r.score.is_some()).map(|r| r.ms).collect();
    all.sort_unstable_by(f64::total_cmp);
    // The smallest value that at least this share does not exceed.
    let at = |share: f64| all.get(((share * all.len() as f64).ceil() as usize).max(1) - 1).copied().unwrap_or_default();
    Latency { p50_ms: at(0.5), p95_ms: at(0.95), p99_ms: at(0.99), max_ms: at(1.0) }
}
