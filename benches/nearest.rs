//! Exact nearest neighbours against faiss (`IndexFlatL2`) and numpy on the same numbers, in one run:
//!
//! ```sh
//! cargo bench --bench nearest                       # N 1,000 to 50,000, D 152 to 1,536, one and two threads
//! cargo bench --bench nearest -- --rows 4000 --dim 152 --threads 1
//! ```
//!
//! Prints medians in ms, GFLOP/s (2 Q N D operations over the time), the share of the f32 peak that was measured just before, and
//! the ratio to faiss. The neighbours are compared with faiss's; `same` counts queries with the same row, `tie` those where the
//! rows differ and both are at the same distance to 1e-5. Needs Python with faiss-cpu and numpy (`make venv`); goes on without.
#![allow(clippy::print_stdout, reason = "a bench prints")]

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use andon_vision::model::head::knn::{KnnSearcher, Nearest};

const QUERIES: usize = 1024;

fn noise(n: usize, seed: u64) -> Vec<f32> {
    let mut s = seed;
    let mut next = || {
        s = s.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (s >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

fn median_ms(budget_ms: f64, mut work: impl FnMut()) -> f64 {
    let start = Instant::now();
    work();
    let once = start.elapsed().as_secs_f64() * 1e3;
    let runs = ((budget_ms / once) as usize).clamp(3, 31) | 1;
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

/// Fused multiply-adds on registers only: GFLOP/s of one core.
#[cfg(target_arch = "x86_64")]
fn peak() -> Option<f64> {
    use std::arch::x86_64::*;
    const ROUNDS: usize = 2_000_000;
    #[target_feature(enable = "avx512f")]
    fn wide() -> f32 {
        let mut sums = [_mm512_set1_ps(1.0); 10];
        let (a, b) = (_mm512_set1_ps(black_box(0.999)), _mm512_set1_ps(black_box(0.001)));
        for _ in 0..ROUNDS {
            for j in 0..10 {
                sums[j] = _mm512_fmadd_ps(sums[j], a, b);
            }
        }
        sums.iter().map(|s| _mm512_reduce_add_ps(*s)).sum()
    }
    #[target_feature(enable = "avx2,fma")]
    fn narrow() -> f32 {
        let mut sums = [_mm256_set1_ps(1.0); 10];
        let (a, b) = (_mm256_set1_ps(black_box(0.999)), _mm256_set1_ps(black_box(0.001)));
        for _ in 0..ROUNDS {
            for j in 0..10 {
                sums[j] = _mm256_fmadd_ps(sums[j], a, b);
            }
        }
        let mut out = [0.0; 8];
        sums.iter().fold(0.0, |all, s| {
            // SAFETY: `out` holds eight values.
            unsafe { _mm256_storeu_ps(out.as_mut_ptr(), *s) };
            all + out.iter().sum::<f32>()
        })
    }
    let rate = |flops: usize, ms: f64| (2 * ROUNDS * flops) as f64 / ms / 1e6;
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: just asked for.
        return Some(rate(
            160,
            median_ms(300.0, || {
                // SAFETY: just asked for.
                black_box(unsafe { wide() });
            }),
        ));
    }
    // SAFETY: asked for on this line.
    (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then(|| {
        rate(
            80,
            median_ms(300.0, || {
                // SAFETY: asked for above.
                black_box(unsafe { narrow() });
            }),
        )
    })
}

#[cfg(not(target_arch = "x86_64"))]
fn peak() -> Option<f64> {
    None
}

/// What the peers answer: ms of faiss and numpy, and faiss's neighbours.
struct Peer {
    faiss_ms: f64,
    numpy_ms: f64,
    found: Vec<Nearest>,
}

fn peer(dir: &Path, rows: &[f32], queries: &[f32], dim: usize, threads: usize) -> Option<Peer> {
    let bytes = |v: &[f32]| v.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    std::fs::write(dir.join("rows"), bytes(rows)).ok()?;
    std::fs::write(dir.join("queries"), bytes(queries)).ok()?;
    let python = std::env::var("ANDON_PYTHON").unwrap_or_else(|_| "target/venv/bin/python".into());
    let answer = Command::new(python)
        .arg("tests/peers/nearest.py")
        .args([dir.to_str()?, &dim.to_string(), &threads.to_string()])
        .env("OMP_NUM_THREADS", threads.to_string())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&answer.stdout);
    let mut times = text.split_whitespace().map(str::parse::<f64>);
    let (faiss_ms, numpy_ms) = (times.next()?.ok()?, times.next()?.ok()?);
    let found = std::fs::read(dir.join("found")).ok()?;
    let found = found.as_chunks::<8>().0.iter().map(|b| {
        let [i0, i1, i2, i3, d0, d1, d2, d3] = *b;
        let distance = f32::from_le_bytes([d0, d1, d2, d3]).max(0.0).sqrt();
        Nearest { index: u32::from_le_bytes([i0, i1, i2, i3]), distance }
    });
    Some(Peer { faiss_ms, numpy_ms, found: found.collect() })
}

fn option(name: &str) -> Option<usize> {
    std::env::args().skip_while(|a| a != name).nth(1).and_then(|v| v.parse().ok())
}

fn main() {
    let one = |name: &str, all: &[usize]| option(name).map_or(all.to_vec(), |v| vec![v]);
    let dir = std::env::temp_dir().join(format!("andon-bench-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap_or_default();
    let top = peak();
    let shown = top.map_or("unknown".into(), |p| format!("{p:.0} GFLOP/s"));
    println!("{QUERIES} queries; f32 peak of a core as measured: {shown}; medians in ms (GFLOP/s)");
    println!(
        "{:>4} {:>6} {:>6} | {:>14} {:>14} {:>14} {:>14} | {:>7} {:>6} {:>6} | same tie",
        "thr", "D", "N", "numpy", "faiss", "f32", "reduced", "f32/pk", "f32x", "redx"
    );
    for threads in one("--threads", &[1, 2]) {
        for dim in one("--dim", &[152, 384, 1024, 1536]) {
            for n in one("--rows", &[1000, 4000, 16_000, 50_000]) {
                run(&dir, threads, dim, n, top);
            }
        }
    }
    std::fs::remove_dir_all(&dir).unwrap_or_default();
}

fn run(dir: &Path, threads: usize, dim: usize, n: usize, peak: Option<f64>) {
    let (queries, rows): (_, Arc<[f32]>) = (noise(QUERIES * dim, 1), noise(n * dim, 2).into());
    let peer = peer(dir, &rows, &queries, dim, threads);
    let mut out = Vec::new();
    let mut time =
        |mut searcher: KnnSearcher| median_ms(1500.0, || searcher.search_into(black_box(&queries), &mut out));
    let full = time(KnnSearcher::new_f32(rows.clone(), dim, threads));
    let reduced = time(KnnSearcher::new(rows, dim, threads));
    let rate = |ms: f64| 2.0 * (QUERIES * n * dim) as f64 / ms / 1e6;
    let cell = |ms: f64| format!("{ms:.2} ({:.0})", rate(ms));
    let share = peak.map_or("-".into(), |p| format!("{:.0} %", 100.0 * rate(full) / p / threads as f64));
    let Some(p) = peer else {
        println!(
            "{threads:>4} {dim:>6} {n:>6} | {:>14} {:>14} {:>14} {:>14} | {share:>7}",
            "-",
            "-",
            cell(full),
            cell(reduced)
        );
        return;
    };
    let same = out.iter().zip(&p.found).filter(|(a, b)| a.index == b.index).count();
    let close = |a: &Nearest, b: &Nearest| (a.distance - b.distance).abs() <= 1e-5 * a.distance;
    let tie = out.iter().zip(&p.found).filter(|(a, b)| a.index != b.index && close(a, b)).count();
    println!(
        "{threads:>4} {dim:>6} {n:>6} | {:>14} {:>14} {:>14} {:>14} | {share:>7} {:>6.2} {:>6.2} | {same} {tie}",
        cell(p.numpy_ms),
        cell(p.faiss_ms),
        cell(full),
        cell(reduced),
        p.faiss_ms / full,
        p.faiss_ms / reduced
    );
}
