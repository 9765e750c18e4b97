//! Two models on the same pictures.

use std::path::PathBuf;

use serde::Serialize;

use super::run::Evaluation;

/// What changes from one model to the other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Pictures whose outcome differs, worst first: those that the second gets wrong.
    pub flipped: Vec<Flip>,
    /// How many of them the second model gets right.
    pub better: usize,
    /// How many of them it gets wrong.
    pub worse: usize,
    /// Whether so uneven a split is chance: exact two-sided McNemar test.
    pub p_value: f64,
}

/// One picture with two outcomes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Flip {
    /// Picture.
    pub path: PathBuf,
    /// Kind of defect.
    pub kind: String,
    /// Whether the first model passed it.
    pub first_passed: bool,
    /// Whether the second did.
    pub second_passed: bool,
    /// Whether the second is right.
    pub second_right: bool,
    /// Score by threshold of each.
    pub margins: [Option<f32>; 2],
}

/// Compares picture by picture; both evaluations are of the same samples in the same order.
pub fn compare(first: &Evaluation, second: &Evaluation) -> Comparison {
    let margin = |e: &Evaluation, score: Option<f32>| score.map(|s| s / e.summary.rates.threshold);
    let mut flipped: Vec<Flip> = (first.images.iter().zip(&second.images))
        .filter(|(a, b)| a.passed != b.passed)
        .map(|(a, b)| Flip {
            path: a.path.clone(),
            kind: a.kind.clone(),
            first_passed: a.passed,
            second_passed: b.passed,
            second_right: b.passed != b.bad,
            margins: [margin(first, a.score), margin(second, b.score)],
        })
        .collect();
    flipped.sort_by(|a, b| (a.second_right, &a.path).cmp(&(b.second_right, &b.path)));
    let better = flipped.iter().filter(|f| f.second_right).count();
    let worse = flipped.len() - better;
    Comparison { p_value: mcnemar(better, worse), flipped, better, worse }
}

/// Twice the smaller tail of a fair coin.
fn mcnemar(a: usize, b: usize) -> f64 {
    let (n, few) = (a + b, a.min(b));
    let mut term = 0.5f64.ln() * n as f64;
    let mut sum = term.exp();
    for i in 1..=few {
        term += ((n - i + 1) as f64 / i as f64).ln();
        sum += term.exp();
    }
    (2.0 * sum).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_is_that_of_the_tables() {
        // scipy.stats.binomtest(few, n).pvalue
        assert!((mcnemar(1, 9) - 0.021_484_375).abs() < 1e-12);
        assert_eq!((mcnemar(0, 0), mcnemar(5, 5)), (1.0, 1.0));
    }
}
