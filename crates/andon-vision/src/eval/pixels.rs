//! Metrics over pixels. All pixels of all pictures are ranked once, exactly; ties are one step.
//!
//! - AUROC and average precision: all pixels pooled.
//! - AUPRO (Bergmann et al., IJCV 2021): for each threshold the mean share of every connected defect region (8-connected, over the
//!   whole set) that is found, against the false positive rate over all pixels without defect, of all pictures; the area up to a false
//!   positive rate, linear between steps, divided by that rate.
//! - AUPIMO (Bertoldo et al., 2024): for each defective picture the share of its defect pixels that is found, against the mean over the
//!   good pictures of their false positive rates, that rate on a logarithmic scale from 1e-5 to 1e-4; linear in the rate between
//!   steps, where the authors' code samples thresholds.

use serde::Serialize;

use super::curve::Curve;

/// Limits of the false positive rate for AUPRO.
const PRO: [f64; 2] = [0.3, 0.05];
/// Limits of the false positive rate for AUPIMO.
const PIMO: (f64, f64) = (1e-5, 1e-4);

/// Collects pixels picture by picture. Memory: 8 bytes a pixel.
#[derive(Debug, Default)]
pub struct Pixels {
    /// Order-preserving bits of the score above, number of the region (0: no defect) below.
    ranked: Vec<u64>,
    /// Pixels of each region, from region 1 on.
    areas: Vec<u64>,
    /// The defect pixels of each picture that has any.
    defects: Vec<Vec<f32>>,
    /// Of each good picture: its highest scores and its number of pixels.
    good: Vec<(Vec<f32>, usize)>,
    /// Good pictures to come, for how many of their highest scores are needed.
    expected_good: usize,
}

/// The pixel metrics of a set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PixelMetrics {
    /// Pooled pixels.
    pub auroc: Option<f64>,
    /// Pooled pixels.
    pub average_precision: Option<f64>,
    /// Up to a false positive rate of 0.3.
    pub aupro_30: Option<f64>,
    /// Up to a false positive rate of 0.05.
    pub aupro_5: Option<f64>,
    /// Mean over the defective pictures with a mask.
    pub aupimo: Option<f64>,
    /// Defect regions.
    pub regions: usize,
    /// Pixels.
    pub pixels: u64,
    /// False positive rate and mean overlap, thinned out for drawing; up to a rate of 0.3.
    #[serde(skip)]
    pub pro_curve: Vec<(f64, f64)>,
}

/// Overlap with the regions: areas up to the limits, and the curve for drawing.
struct Pro {
    areas: [f64; 2],
    drawn: Vec<(f64, f64)>,
}

impl Pixels {
    /// `good` pictures will come; the number decides how much of each has to be kept.
    pub fn new(good: usize) -> Pixels {
        Pixels { expected_good: good, ..Pixels::default() }
    }

    /// Adds a picture: `scores` and `truth` (`true` where it is defective) of `width * height` pixels, row by row. Scores are finite.
    pub fn add(&mut self, scores: &[f32], truth: &[bool], width: usize, bad: bool) {
        let labels = components(truth, width);
        let first = self.areas.len() as u32;
        let count = labels.iter().copied().max().unwrap_or(0);
        self.areas.resize(self.areas.len() + count as usize, 0);
        self.ranked.reserve(scores.len());
        let mut found = Vec::new();
        for (score, label) in scores.iter().zip(&labels) {
            let region = if *label == 0 { 0 } else { first + label };
            if region > 0 {
                self.areas[region as usize - 1] += 1;
                found.push(*score);
            }
            self.ranked.push(u64::from(order(*score)) << 32 | u64::from(region));
        }
        if !found.is_empty() {
            found.sort_unstable_by(|a, b| b.total_cmp(a));
            self.defects.push(found);
        }
        if !bad {
            // Were all exceedances of the set in this picture, this many would matter, and one more to end the curve with.
            let need = (PIMO.1 * self.expected_good as f64 * scores.len() as f64) as usize + 2;
            let mut top = scores.to_vec();
            if need < top.len() {
                let last = *top.select_nth_unstable_by(need, |a, b| b.total_cmp(a)).1;
                top.retain(|s| *s >= last);
            }
            self.good.push((top, scores.len()));
        }
    }

    /// The metrics; needs no more memory.
    pub fn finish(mut self) -> PixelMetrics {
        self.ranked.sort_unstable_by(|a, b| b.cmp(a));
        let scores = self.ranked.iter().map(|r| (score((*r >> 32) as u32), *r as u32 != 0));
        let curve = Curve::sorted(scores);
        let pro = self.pro();
        PixelMetrics {
            auroc: curve.auroc(),
            average_precision: curve.average_precision(),
            aupro_30: pro.as_ref().map(|p| p.areas[0]),
            aupro_5: pro.as_ref().map(|p| p.areas[1]),
            aupimo: self.aupimo(),
            regions: self.areas.len(),
            pixels: self.ranked.len() as u64,
            pro_curve: pro.map(|p| p.drawn).unwrap_or_default(),
        }
    }

    /// Areas under the curve of false positive rate and mean overlap, up to each limit, and the curve for drawing. Point by point:
    /// there are as many as different scores.
    fn pro(&self) -> Option<Pro> {
        let clean = self.ranked.iter().filter(|r| **r as u32 == 0).count();
        if self.areas.is_empty() || clean == 0 {
            return None;
        }
        let regions = self.areas.len() as f64;
        let mut areas = [Area::new(PRO[0]), Area::new(PRO[1])];
        let mut drawn = vec![(0.0, 0.0)];
        let (mut false_positives, mut overlap) = (0u64, 0.0f64);
        for (i, r) in self.ranked.iter().enumerate() {
            match *r as u32 {
                0 => false_positives += 1,
                region => overlap += 1.0 / self.areas[region as usize - 1] as f64,
            }
            let ends_step = self.ranked.get(i + 1).is_none_or(|next| next >> 32 != r >> 32);
            if ends_step {
                let point = (false_positives as f64 / clean as f64, overlap / regions);
                areas.iter_mut().for_each(|a| a.add(point));
                let last = drawn[drawn.len() - 1];
                if point.0 <= PRO[0] && (point.0 - last.0 >= PRO[0] / 300.0 || point.1 - last.1 >= 0.005) {
                    drawn.push(point);
                }
            }
        }
        Some(Pro { areas: areas.map(|a| a.share()), drawn })
    }

    fn aupimo(&self) -> Option<f64> {
        let mut top: Vec<(f32, f64)> = Vec::new();
        let count = self.good.len() as f64;
        for (scores, pixels) in &self.good {
            top.extend(scores.iter().map(|s| (*s, 1.0 / (*pixels as f64 * count))));
        }
        if top.is_empty() || self.defects.is_empty() {
            return None;
        }
        top.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        // Thresholds with the mean false positive rate of each, until past the upper limit.
        let mut steps: Vec<(f32, f64)> = vec![(f32::INFINITY, 0.0)];
        let mut rate = 0.0;
        for (i, (score, share)) in top.iter().enumerate() {
            rate += share;
            if top.get(i + 1).is_none_or(|next| next.0 != *score) {
                steps.push((*score, rate));
                if rate > PIMO.1 {
                    break;
                }
            }
        }
        let each = self.defects.iter().map(|defect| {
            let recall = |threshold: f32| defect.partition_point(|s| *s >= threshold) as f64 / defect.len() as f64;
            // Above the highest good pixel there is no false positive, and all defects above it are found.
            let highest = steps.get(1).map_or(f32::INFINITY, |s| s.0);
            let free = defect.partition_point(|s| *s > highest) as f64 / defect.len() as f64;
            let points: Vec<(f64, f64)> = (steps.iter().enumerate())
                .map(|(i, (threshold, rate))| (*rate, if i == 0 { free } else { recall(*threshold) }))
                .collect();
            log_area(&points, PIMO) / (PIMO.1 / PIMO.0).ln()
        });
        Some(each.sum::<f64>() / self.defects.len() as f64)
    }
}

/// Bits whose order as whole numbers is that of the scores.
pub(super) fn order(score: f32) -> u32 {
    // -0 is 0.
    let bits = (score + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

fn score(order: u32) -> f32 {
    f32::from_bits(if order >> 31 == 1 { order & !(1 << 31) } else { !order })
}

/// Area under a curve from (0, 0), linear between its points, up to a limit.
pub(super) struct Area {
    limit: f64,
    last: (f64, f64),
    area: f64,
}

impl Area {
    pub(super) fn new(limit: f64) -> Area {
        Area { limit, last: (0.0, 0.0), area: 0.0 }
    }

    pub(super) fn add(&mut self, (x, y): (f64, f64)) {
        let (x0, y0) = self.last;
        if x0 >= self.limit {
            return;
        }
        let end = x.min(self.limit);
        let at_end = if x > end { y0 + (y - y0) * (end - x0) / (x - x0) } else { y };
        self.area += (end - x0) * (y0 + at_end) / 2.0;
        self.last = (end, at_end);
    }

    /// The curve ends at rate 1, so the limit was reached.
    pub(super) fn share(&self) -> f64 {
        self.area / self.limit
    }
}

/// The integral of `y d(ln x)` between two rates, `y` linear in `x` between the points.
fn log_area(points: &[(f64, f64)], (low, high): (f64, f64)) -> f64 {
    let mut area = 0.0;
    for pair in points.windows(2) {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        let (a, b) = (x0.max(low), x1.min(high));
        if b > a {
            let slope = (y1 - y0) / (x1 - x0);
            area += (y0 - slope * x0) * (b / a).ln() + slope * (b - a);
        }
    }
    let last = points.last().copied().unwrap_or_default();
    area + if last.0 < high { last.1 * (high / last.0.max(low)).ln() } else { 0.0 }
}

/// Numbers the 8-connected regions of `truth` from 1 on; 0 where it is false.
fn components(truth: &[bool], width: usize) -> Vec<u32> {
    let mut labels = vec![0u32; truth.len()];
    let height = truth.len() / width.max(1);
    let (mut stack, mut count) = (Vec::new(), 0);
    for start in 0..truth.len() {
        if !truth[start] || labels[start] != 0 {
            continue;
        }
        count += 1;
        labels[start] = count;
        stack.push(start);
        while let Some(at) = stack.pop() {
            let (x, y) = (at % width, at / width);
            for ny in y.saturating_sub(1)..=(y + 1).min(height - 1) {
                for nx in x.saturating_sub(1)..=(x + 1).min(width - 1) {
                    let next = ny * width + nx;
                    if truth[next] && labels[next] == 0 {
                        labels[next] = count;
                        stack.push(next);
                    }
                }
            }
        }
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_keep_their_order_as_bits() {
        let all = [-2.0f32, -1e-30, 0.0, 1e-30, 1.0, 3e38];
        assert!(all.windows(2).all(|w| order(w[0]) < order(w[1])));
        assert!(all.iter().all(|v| score(order(*v)) == *v));
        assert_eq!(order(-0.0), order(0.0));
    }

    #[test]
    fn diagonal_neighbours_are_one_region() {
        let truth = [[1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 1]].concat().iter().map(|t| *t == 1).collect::<Vec<_>>();
        assert_eq!(components(&truth, 4), [1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 2]);
    }

    #[test]
    fn without_defects_or_without_clean_pixels_there_is_no_overlap() {
        let mut none = Pixels::new(1);
        none.add(&[1.0, 2.0], &[false, false], 2, false);
        let m = none.finish();
        assert_eq!((m.aupro_30, m.auroc, m.aupimo, m.regions), (None, None, None, 0));
        let mut all = Pixels::new(0);
        all.add(&[1.0, 2.0], &[true, true], 2, true);
        assert_eq!(all.finish().aupro_30, None);
    }

    #[test]
    fn a_perfect_map_has_areas_of_one() {
        let mut p = Pixels::new(1);
        p.add(&[0.0, 0.1, 0.2, 0.0], &[false; 4], 2, false);
        p.add(&[0.0, 0.1, 0.9, 0.8], &[false, false, true, true], 2, true);
        let m = p.finish();
        for v in [m.auroc, m.average_precision, m.aupimo] {
            assert_eq!(v, Some(1.0));
        }
        for v in [m.aupro_30, m.aupro_5] {
            assert!((v.unwrap() - 1.0).abs() < 1e-12, "{v:?}");
        }
    }
}
