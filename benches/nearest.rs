//! Nearest neighbours against the plain loop that they replace, in one run: `cargo bench --bench nearest`.
//! Prints medians, GFLOP/s (2 Q N D operations) and the ratio.
#![allow(clippy::print_stdout, reason = "a bench prints")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use andon::model::head::nearest::{Nearest, Searcher};

const QUERIES: usize = 1024;
const DIM: usize = 152;

fn noise(n: usize, seed: u64) -> Vec<f32> {
    let mut s = seed;
    let mut next = || {
        s = s.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (s >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

fn plain(rows: &[f32], queries: &[f32], out: &mut Vec<Nearest>) {
    out.clear();
    for q in queries.chunks_exact(DIM) {
        let mut best = (f32::INFINITY, 0);
        for (i, row) in rows.chunks_exact(DIM).enumerate() {
            let d: f32 = q.iter().zip(row).map(|(a, b)| (a - b) * (a - b)).sum();
            if d < best.0 {
                best = (d, i as u32);
            }
        }
        out.push(Nearest { index: best.1, distance: best.0.sqrt() });
    }
}

fn median_ms(runs: usize, mut work: impl FnMut()) -> f64 {
    work();
    let mut times: Vec<f64> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[runs / 2]
}

fn main() {
    println!("{QUERIES} queries of {DIM} values; median of runs, ms (GFLOP/s)");
    println!("{:>8} {:>18} {:>18} {:>18} {:>8}", "rows", "plain loop", "1 thread", "2 threads", "ratio");
    let queries = noise(QUERIES * DIM, 1);
    for n in [1000, 4000, 16_000] {
        let rows: Arc<[f32]> = noise(n * DIM, 2).into();
        let mut out = Vec::new();
        let slow = median_ms(3, || plain(black_box(&rows), black_box(&queries), &mut out));
        let fast = [1, 2].map(|threads| {
            let mut searcher = Searcher::new(rows.clone(), DIM, threads);
            median_ms(21, || searcher.search_into(black_box(&queries), &mut out))
        });
        let rate = |ms: f64| format!("{ms:.2} ({:.0})", 2.0 * (QUERIES * n * DIM) as f64 / ms / 1e6);
        println!("{n:>8} {:>18} {:>18} {:>18} {:>8.1}", rate(slow), rate(fast[0]), rate(fast[1]), slow / fast[0]);
    }
}
