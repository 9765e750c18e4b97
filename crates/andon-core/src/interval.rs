//! Shares with their confidence intervals.

use serde::Serialize;

/// A share with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Cases.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// `count / of`; 0 of 0 is 0.
    pub share: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The 95 % interval of a share after Wilson 1927.
pub fn wilson(count: u64, of: u64) -> Interval {
    const Z: f64 = 1.959_963_984_540_054;
    if of == 0 {
        return Interval { count, of, share: 0.0, low: 0.0, high: 1.0 };
    }
    let (n, p) = (of as f64, count as f64 / of as f64);
    let centre = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    // Rounding must not take the ends past 0 and 1.
    let low = if count == 0 { 0.0 } else { centre - half };
    let high = if count == of { 1.0 } else { centre + half };
    Interval { count, of, share: p, low, high }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_agrees_with_the_published_example() {
        let i = wilson(15, 148);
        assert!((i.low - 0.0624).abs() < 1e-4 && (i.high - 0.1605).abs() < 1e-4, "{i:?}");
        assert_eq!((wilson(0, 10).low, wilson(10, 10).high), (0.0, 1.0));
        assert!(wilson(0, 10).high > 0.2);
        // By hand for 1 of 20: 0.0089 .. 0.2361.
        let i = wilson(1, 20);
        assert!((i.low - 0.00888).abs() < 1e-4 && (i.high - 0.23613).abs() < 1e-4, "{i:?}");
        assert_eq!((wilson(0, 0).low, wilson(0, 0).high), (0.0, 1.0));
    }
}
