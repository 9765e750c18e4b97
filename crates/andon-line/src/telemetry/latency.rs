//! Histogram of latencies, of fixed size.

use hdrhistogram::Histogram;

use andon_core::{LatencySummary, MarginSummary};

/// Latencies from 1 us to 60 s with three digits; recording allocates nothing, longer ones count as 60 s.
#[derive(Debug)]
pub struct LatencyHistogram(Option<Histogram<u64>>);

impl Default for LatencyHistogram {
    fn default() -> Self {
        Self::new()
    }
}

impl LatencyHistogram {
    /// An empty histogram (about 180 kB).
    pub fn new() -> LatencyHistogram {
        // The bounds are constants that the crate accepts; without a histogram nothing is recorded.
        LatencyHistogram(Histogram::new_with_bounds(1, 60_000_000, 3).ok())
    }

    /// Adds one latency in nanoseconds.
    pub fn record_ns(&mut self, ns: u64) {
        if let Some(h) = &mut self.0 {
            h.saturating_record((ns / 1000).max(1));
        }
    }

    /// The same of margins, where the small ones matter.
    pub fn margins(&self) -> MarginSummary {
        let Some(h) = self.0.as_ref().filter(|h| !h.is_empty()) else { return MarginSummary::default() };
        MarginSummary {
            count: h.len(),
            min_us: h.min(),
            p1_us: h.value_at_quantile(0.01),
            p50_us: h.value_at_quantile(0.5),
        }
    }

    /// Percentiles of everything so far.
    pub fn summary(&self) -> LatencySummary {
        let Some(h) = &self.0 else { return LatencySummary::default() };
        LatencySummary {
            count: h.len(),
            p50_us: h.value_at_quantile(0.5),
            p99_us: h.value_at_quantile(0.99),
            p999_us: h.value_at_quantile(0.999),
            max_us: h.max(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_was_recorded() {
        let mut h = LatencyHistogram::new();
        (1..=1000u64).for_each(|us| h.record_ns(us * 1000));
        h.record_ns(u64::MAX);
        let s = h.summary();
        assert_eq!(s.count, 1001);
        assert!(s.p50_us.abs_diff(501) <= 1 && s.p99_us.abs_diff(991) <= 1, "{s:?}");
        assert!(s.max_us >= 60_000_000);
    }
}
