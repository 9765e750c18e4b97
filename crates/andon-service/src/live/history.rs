//! Rejects and scores over the last two hours, in memory: what drifts, before it rejects.

use std::collections::VecDeque;

use serde::Serialize;

use super::SeenPart;
use andon_core::Outcome;

/// Length of a step.
const STEP_MS: u64 = 30_000;
/// Steps that are kept: two hours.
const STEPS: usize = 240;
/// Steps over which the share of rejects is taken: ten minutes.
const WINDOW: usize = 20;
/// Scores of good parts that are kept of a step; a fast line has more, and the first so many are as good as all.
const SCORES: usize = 1000;

#[derive(Clone, Debug, Default)]
struct Step {
    number: u64,
    judged: u32,
    rejected: u32,
    /// Of good parts, percent of the threshold.
    good: Vec<f32>,
    /// Their median and 99 %, once the step is over.
    figures: Option<(f32, f32)>,
}

impl Step {
    fn figures(&self) -> Option<(f32, f32)> {
        let mut good = self.good.clone();
        good.sort_by(f32::total_cmp);
        Some((quantile(&good, 0.5)?, quantile(&good, 0.99)?))
    }
}

/// What a camera did in the last ten minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Recent {
    /// Share of rejects among judged parts, percent.
    pub rejected: Option<f64>,
    /// Median and 99 % of the scores of good parts, percent of the threshold.
    pub good: Option<(f32, f32)>,
}

/// Rejects and scores of one camera over the last two hours.
#[derive(Clone, Debug, Default)]
pub struct Trend(VecDeque<Step>);

/// A point of the trend.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TrendPoint {
    /// End of the step, seconds since 1970.
    pub t: u64,
    /// Share of rejects in the ten minutes before, percent.
    pub rejected: f64,
    /// Median score of good parts in the step, percent of the threshold; `None` without good parts.
    pub median: Option<f32>,
    /// Score under which 99 % of the good parts in the step lie, percent of the threshold.
    pub p99: Option<f32>,
}

impl Trend {
    pub(super) fn take(&mut self, part: &SeenPart) {
        let number = part.at_ms / STEP_MS;
        // A part that is late, or a clock that was set back, counts in the newest step.
        if self.0.back().is_none_or(|newest| newest.number < number) {
            if let Some(over) = self.0.back_mut() {
                over.figures = over.figures();
            }
            self.0.push_back(Step { number, ..Step::default() });
            while self.0.len() > STEPS {
                self.0.pop_front();
            }
        }
        let Some(step) = self.0.back_mut() else { return };
        match part.verdict.outcome {
            Outcome::Pass(_) => {
                step.judged += 1;
                if step.good.len() < SCORES {
                    step.good.extend(part.percent().map(|p| p as f32));
                }
            }
            Outcome::Reject => {
                step.judged += 1;
                step.rejected += 1;
            }
            Outcome::Uninspected | Outcome::Error => {}
        }
    }

    /// The points, oldest first; at most 240.
    pub fn points(&self) -> Vec<TrendPoint> {
        let steps: Vec<&Step> = self.0.iter().collect();
        let point = |n: usize| {
            let step = steps[n];
            let window = steps[..=n].iter().rev().take_while(|s| s.number + WINDOW as u64 > step.number);
            let (judged, rejected) = window.fold((0u32, 0u32), |(j, r), s| (j + s.judged, r + s.rejected));
            let figures = step.figures.or_else(|| step.figures());
            TrendPoint {
                t: (step.number + 1) * STEP_MS / 1000,
                rejected: 100.0 * f64::from(rejected) / f64::from(judged.max(1)),
                median: figures.map(|f| f.0),
                p99: figures.map(|f| f.1),
            }
        };
        (0..steps.len()).map(point).collect()
    }

    /// The last ten minutes.
    pub(super) fn recent(&self) -> Recent {
        let Some(newest) = self.0.back().map(|step| step.number) else { return Recent::default() };
        let steps = self.0.iter().filter(|s| s.number + WINDOW as u64 > newest);
        let (mut judged, mut rejected, mut good) = (0u32, 0u32, Vec::new());
        for step in steps {
            judged += step.judged;
            rejected += step.rejected;
            good.extend_from_slice(&step.good);
        }
        good.sort_by(f32::total_cmp);
        Recent {
            rejected: (judged > 0).then(|| 100.0 * f64::from(rejected) / f64::from(judged)),
            good: quantile(&good, 0.5).zip(quantile(&good, 0.99)),
        }
    }
}

/// The smallest value that the share `q` of the sorted values does not exceed.
fn quantile(sorted: &[f32], q: f64) -> Option<f32> {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}
