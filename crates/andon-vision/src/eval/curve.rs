//! Ranking metrics from scores and labels. Ties are one step of the curve, never an order.

/// What the thresholds of a set of labelled scores do, one point for each different score, highest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Score, and how many bad and good ones are at or above it.
    points: Vec<(f32, u64, u64)>,
    bad: u64,
    good: u64,
}

impl Curve {
    /// From scores with their truth (`true` is bad); none of the scores is NaN.
    pub fn new(mut scores: Vec<(f32, bool)>) -> Curve {
        scores.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        Self::sorted(scores.into_iter())
    }

    /// From scores that come highest first.
    pub(super) fn sorted(scores: impl Iterator<Item = (f32, bool)>) -> Curve {
        let mut points: Vec<(f32, u64, u64)> = Vec::new();
        let (mut bad, mut good) = (0, 0);
        for (score, is_bad) in scores {
            (bad, good) = (bad + u64::from(is_bad), good + u64::from(!is_bad));
            match points.last_mut() {
                // `==` so that 0 and -0 are one score.
                Some(last) if last.0 == score => (last.1, last.2) = (bad, good),
                _ => points.push((score, bad, good)),
            }
        }
        Curve { points, bad, good }
    }

    /// Area under the receiver operating characteristic: the share of pairs of a bad and a good one that are in the right order,
    /// ties counting half (Mann and Whitney). `None` unless there are both.
    pub fn auroc(&self) -> Option<f64> {
        let (mut twice, mut before) = (0u128, (0, 0));
        for (_, bad, good) in &self.points {
            twice += u128::from(good - before.1) * u128::from(before.0 + bad);
            before = (*bad, *good);
        }
        (self.bad > 0 && self.good > 0).then(|| twice as f64 / 2.0 / self.bad as f64 / self.good as f64)
    }

    /// Average precision as scikit-learn defines it: precision at each score times the recall it adds, not interpolated.
    pub fn average_precision(&self) -> Option<f64> {
        let (mut sum, mut before) = (0.0, 0);
        for (_, bad, good) in &self.points {
            sum += (bad - before) as f64 * (*bad as f64 / (bad + good) as f64);
            before = *bad;
        }
        (self.bad > 0).then(|| sum / self.bad as f64)
    }

    /// The largest F1 that any threshold gives, and that threshold (at or above it is bad). An oracle's: it needs the truth.
    pub fn f1_max(&self) -> Option<(f64, f32)> {
        let f1 = |bad: u64, good: u64| 2.0 * bad as f64 / (bad + good + self.bad) as f64;
        let best = self.points.iter().map(|(score, bad, good)| (f1(*bad, *good), *score));
        best.reduce(|a, b| if b.0 > a.0 { b } else { a }).filter(|_| self.bad > 0)
    }

    /// F1 when everything at or above `threshold` is called bad.
    pub fn f1_at(&self, threshold: f32) -> Option<f64> {
        let (bad, good) = self.at(threshold);
        (self.bad > 0).then(|| 2.0 * bad as f64 / (bad + good + self.bad) as f64)
    }

    /// How many bad and good ones are at or above `threshold`.
    pub fn at(&self, threshold: f32) -> (u64, u64) {
        let n = self.points.partition_point(|p| p.0 >= threshold);
        n.checked_sub(1).map_or((0, 0), |i| (self.points[i].1, self.points[i].2))
    }

    /// How many bad and good ones there are.
    pub fn counts(&self) -> (u64, u64) {
        (self.bad, self.good)
    }

    /// False and true positive rates for drawing, from (0, 0) to (1, 1).
    pub fn roc(&self) -> Vec<(f64, f64)> {
        let rate = |n: u64, of: u64| n as f64 / of.max(1) as f64;
        let points = self.points.iter().map(|(_, bad, good)| (rate(*good, self.good), rate(*bad, self.bad)));
        std::iter::once((0.0, 0.0)).chain(points).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_count_half_and_one_class_alone_has_no_auroc() {
        let curve = Curve::new(vec![(1.0, false), (2.0, true), (2.0, false), (3.0, true)]);
        assert_eq!(curve.auroc(), Some(0.875));
        assert_eq!(curve.at(2.0), (2, 1));
        assert_eq!(curve.at(2.5), (1, 0));
        assert_eq!(curve.at(9.0), (0, 0));
        assert_eq!(Curve::new(vec![(1.0, true)]).auroc(), None);
        assert_eq!(Curve::new(vec![(1.0, false)]).average_precision(), None);
        assert_eq!(Curve::new(vec![(0.0, true), (-0.0, false)]).auroc(), Some(0.5));
    }

    #[test]
    fn f1_is_largest_where_it_should_be() {
        let curve = Curve::new(vec![(1.0, false), (2.0, true), (3.0, false), (4.0, true)]);
        assert_eq!(curve.f1_max(), Some((0.8, 2.0)));
        assert_eq!(curve.f1_at(3.5), Some(2.0 / 3.0));
        assert_eq!(curve.f1_at(9.0), Some(0.0));
    }
}
