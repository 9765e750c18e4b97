//! The table that the demo ends with, and the same as JSON.

use serde::Serialize;

use super::tally::Tally;
use andon_core::{Counts, LatencySummary, MarginSummary, wilson};
use andon_sim::Ejections;

/// What is known at the end of a demonstration.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Outcomes against ground truth.
    pub tally: Tally,
    /// The ledger's own counts.
    pub counts: Counts,
    /// Latency of inspected parts.
    pub latency: LatencySummary,
    /// What of it is hand-offs, queues and decision.
    pub overhead: LatencySummary,
    /// What became of the parts at the ejector.
    pub ejections: Ejections,
    /// Time that was left until the ejector had to decide.
    pub margin: MarginSummary,
    /// How late the ejector's output came.
    pub edges: LatencySummary,
    /// Seconds from the program's start to the first verdict.
    pub first_verdict_s: Option<f64>,
    /// Seconds that the line ran.
    pub seconds: f64,
    /// Engine.
    pub engine: String,
}

/// The summary for machines.
#[derive(Debug, Serialize)]
pub struct Report {
    engine: String,
    counts: Counts,
    adds_up: bool,
    good_parts: u64,
    false_rejects: u64,
    false_reject_rate_95: (f64, f64),
    defective_parts: u64,
    missed: u64,
    miss_rate_95: (f64, f64),
    missed_by_kind: std::collections::BTreeMap<&'static str, (u64, u64)>,
    latency: LatencySummary,
    overhead: LatencySummary,
    ejections: Ejections,
    margin: MarginSummary,
    edge_lateness: LatencySummary,
    first_verdict_s: Option<f64>,
    parts_per_second: f64,
}

impl Summary {
    /// As a record.
    pub fn report(&self) -> Report {
        let (good, false_rejects) = self.tally.good;
        let (bad, missed) = (self.tally.bad(), self.tally.missed());
        Report {
            engine: self.engine.clone(),
            counts: self.counts,
            adds_up: self.counts.adds_up(),
            good_parts: good,
            false_rejects,
            false_reject_rate_95: ends(false_rejects, good),
            defective_parts: bad,
            missed,
            miss_rate_95: ends(missed, bad),
            missed_by_kind: self.tally.defects.clone(),
            latency: self.latency,
            overhead: self.overhead,
            ejections: self.ejections,
            margin: self.margin,
            edge_lateness: self.edges,
            first_verdict_s: self.first_verdict_s,
            parts_per_second: if self.seconds > 0.0 { self.counts.offered as f64 / self.seconds } else { 0.0 },
        }
    }

    /// As a table for people.
    pub fn table(&self) -> String {
        let c = &self.counts;
        let l = &self.latency;
        let (good, false_rejects) = self.tally.good;
        let (bad, missed) = (self.tally.bad(), self.tally.missed());
        let range = |hits, n| {
            let (low, high) = ends(hits, n);
            format!("{:.1} .. {:.1} %", low * 100.0, high * 100.0)
        };
        let ms = |us: u64| us as f64 / 1000.0;
        let mut lines = vec![
            String::new(),
            format!("{:<16}{:>7}", "parts offered", c.offered),
            format!("{:<16}{:>7}", "  PASS", c.pass),
            format!("{:<16}{:>7}", "  REJECT", c.reject),
            format!("{:<16}{:>7}", "  UNINSPECTED", c.uninspected),
            format!("{:<16}{:>7}", "  ERROR", c.error),
            format!("{:<16}{:>7}", "adds up", if c.adds_up() && c.in_flight == 0 { "yes" } else { "NO" }),
            String::new(),
            format!("{:<16}{:>7} of {good:<6} (95 %: {})", "false rejects", false_rejects, range(false_rejects, good)),
            format!("{:<16}{:>7} of {bad:<6} (95 %: {})", "missed", missed, range(missed, bad)),
        ];
        for (kind, (n, missed)) in &self.tally.defects {
            lines.push(format!("  {kind:<14}{:>7} of {n:<6}", missed));
        }
        let e = &self.ejections;
        lines.extend([
            String::new(),
            format!("{:<16}{:>7}", "ejected", e.ejected),
            format!("{:<16}{:>7}", "  wrong part", e.wrong),
            format!("{:<16}{:>7}", "  missed", e.missed),
            format!("{:<16}{:>7}", "  too late", e.late),
            String::new(),
            format!(
                "capture to verdict, {} on this machine: p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
                self.engine,
                ms(l.p50_us),
                ms(l.p99_us),
                ms(l.max_us)
            ),
            format!(
                "of that hand-offs, ledger and decision: p50 {:.2} ms, p99 {:.2} ms",
                ms(self.overhead.p50_us),
                ms(self.overhead.p99_us)
            ),
            format!(
                "left until the ejector had to decide: smallest {:.1} ms, median {:.1} ms; its output was late by p99 {:.2} ms, max {:.2} ms",
                ms(self.margin.min_us),
                ms(self.margin.p50_us),
                ms(self.edges.p99_us),
                ms(self.edges.max_us)
            ),
            match self.first_verdict_s {
                Some(s) => format!("first verdict {s:.1} s after the start, learning included"),
                None => "no verdict".to_owned(),
            },
        ]);
        lines.join("\n")
    }
}

/// The ends of the 95 % interval of a share.
fn ends(count: u64, of: u64) -> (f64, f64) {
    let interval = wilson(count, of);
    (interval.low, interval.high)
}
