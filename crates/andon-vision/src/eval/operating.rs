//! The operating points of a model on a labelled set: what each threshold costs in good parts rejected and defects that pass.

use serde::Serialize;

use super::curve::Curve;
use super::summary::ImageResult;
use andon_core::{Interval, wilson};

/// Shares of good parts that may be rejected, for which a threshold is shown.
const SHARES: [f64; 5] = [0.0, 0.01, 0.02, 0.05, 0.10];

/// What a threshold was chosen for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Aim {
    /// The model's own threshold.
    Active,
    /// At most this share of the set's good pictures rejected.
    FalseReject(f64),
    /// The largest F1, defects being what is looked for.
    BestF1,
}

/// A threshold and its cost on a set, with 95 % intervals (Wilson). Thresholds other than the active one were chosen on the very pictures
/// that they are measured on, so new pictures will do a little worse.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct OperatingPoint {
    /// What it was chosen for.
    pub aim: Aim,
    /// Scores below it pass.
    pub threshold: f32,
    /// Good pictures that it rejects; those without a score count as rejected.
    pub false_reject: Interval,
    /// Defective pictures that it passes.
    pub miss: Interval,
}

/// The active threshold, then one for each share, ascending, then the best F1. Without good pictures or without defective ones only
/// the active one.
pub fn operating_points(images: &[ImageResult], active: f32) -> Vec<OperatingPoint> {
    let of = |bad: bool| images.iter().filter(move |r| r.bad == bad);
    let point = |aim: Aim, threshold: f32| {
        let passes = |r: &&ImageResult| r.score.is_some_and(|score| score < threshold);
        let (good, bad) = (of(false).count() as u64, of(true).count() as u64);
        OperatingPoint {
            aim,
            threshold,
            false_reject: wilson(good - of(false).filter(passes).count() as u64, good),
            miss: wilson(of(true).filter(passes).count() as u64, bad),
        }
    };
    let mut points = vec![point(Aim::Active, active)];
    let mut good: Vec<f32> = of(false).filter_map(|r| r.score).collect();
    if good.is_empty() || of(true).next().is_none() {
        return points;
    }
    good.sort_unstable_by(|a, b| b.total_cmp(a));
    for share in SHARES {
        let rejected = (share * good.len() as f64 + 1e-9) as usize;
        // Just above the highest score that has to pass.
        points.push(point(Aim::FalseReject(share), good[rejected.min(good.len() - 1)].next_up()));
    }
    let curve = Curve::new(images.iter().filter_map(|r| Some((r.score?, r.bad))).collect());
    points.extend(curve.f1_max().map(|(_, threshold)| point(Aim::BestF1, threshold)));
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(score: Option<f32>, bad: bool) -> ImageResult {
        ImageResult { path: "x".into(), kind: String::new(), bad, score, passed: false, error: None, ms: 0.0 }
    }

    #[test]
    fn each_threshold_rejects_no_more_good_parts_than_it_may_and_passes_the_fewest_defects_of_those() {
        let mut images: Vec<ImageResult> = (0..200).map(|i| image(Some(10.0 + i as f32 * 0.01), false)).collect();
        images.extend((0..10).map(|i| image(Some(11.5 + i as f32 * 0.1), true)));
        images.push(image(None, true));
        let points = operating_points(&images, 11.0);
        assert_eq!(points.len(), 7);
        assert_eq!((points[0].false_reject.count, points[0].miss.count), (100, 0));
        for (p, (rejected, missed)) in points[1..6].iter().zip([(0, 5), (2, 5), (4, 5), (10, 4), (20, 3)]) {
            assert_eq!((p.false_reject.count, p.miss.count), (rejected, missed), "{p:?}");
            assert_eq!(p.miss.of, 11, "a defect without a score is rejected, and counted");
        }
        let Aim::BestF1 = points[6].aim else { panic!("{points:?}") };
    }

    #[test]
    fn without_defects_there_is_nothing_to_choose() {
        assert_eq!(operating_points(&[image(Some(1.0), false)], 2.0).len(), 1);
        assert_eq!(operating_points(&[image(None, true), image(Some(1.0), true)], 2.0).len(), 1);
    }
}
