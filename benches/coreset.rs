//! The greedy coreset against anomalib's `KCenterGreedy` on the same points, in one run:
//!
//! ```sh
//! ANDON_ANOMALIB=PYTHON cargo bench --bench coreset
//! ```
//!
//! PYTHON has `anomalib` 2.7 from PyPI. Prints selections a second, the largest distance of a point to the chosen set (smaller covers
//! better; both run in the same space, without a projection, from the same first point), and with `--large` the size of a real
//! training set: 1,000,000 points, 10,000 chosen, with the process's largest resident memory.
#![allow(clippy::print_stdout, reason = "a bench prints")]

use std::process::Command;
use std::time::Instant;

use andon_vision::fit::greedy_coreset;

const DIM: usize = 152;

/// Points in clusters of very unequal size, as patches of pictures are.
fn points(n: usize) -> Vec<f32> {
    let mut s = 9u64;
    let mut next = || {
        s = s.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (s >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let centres: Vec<f32> = (0..300 * DIM).map(|_| 6.0 * next()).collect();
    let mut all = Vec::with_capacity(n * DIM);
    for _ in 0..n {
        let which = ((next().abs().powi(3)) * 299.0) as usize;
        let spread = 0.5 + next().abs();
        all.extend(centres[which * DIM..(which + 1) * DIM].iter().map(|c| c + spread * next()));
    }
    all
}

fn radius(points: &[f32], chosen: &[u32]) -> f32 {
    let row = |i: usize| &points[i * DIM..(i + 1) * DIM];
    let far = (0..points.len() / DIM).step_by(7).map(|i| {
        let near =
            chosen.iter().map(|c| row(i).iter().zip(row(*c as usize)).map(|(a, b)| (a - b) * (a - b)).sum::<f32>());
        near.fold(f32::INFINITY, f32::min)
    });
    far.fold(0.0, f32::max).sqrt()
}

fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<f64>().ok()).unwrap_or_default() / 1024.0
}

fn main() {
    let ours = |points: &[f32], k: usize, threads: usize| {
        let all: Vec<u32> = (0..(points.len() / DIM) as u32).collect();
        let start = Instant::now();
        let chosen = greedy_coreset(points, DIM, &all, k, 0, threads, &mut |_| {});
        (start.elapsed().as_secs_f64(), chosen)
    };
    if std::env::args().any(|a| a == "--large") {
        let all = points(1_000_000);
        let (seconds, chosen) = ours(&all, 10_000, 2);
        println!(
            "1,000,000 points of {DIM}, {} chosen: {seconds:.1} s, {:.0} MB resident at most",
            chosen.len(),
            resident_mb()
        );
        return;
    }
    println!("{:>8} {:>7} | {:>20} {:>20} | ratio", "points", "chosen", "ours (radius)", "anomalib (radius)");
    for (n, k) in [(20_000, 200), (20_000, 2000), (100_000, 1000)] {
        let all = points(n);
        let (seconds, chosen) = ours(&all, k, 2);
        let cell = |s: f64, r: f32| format!("{:.0}/s ({r:.2})", k as f64 / s);
        let peer = std::env::var("ANDON_ANOMALIB").ok().and_then(|python| {
            let dir = std::env::temp_dir();
            let path = dir.join(format!("andon-points-{}", std::process::id()));
            std::fs::write(&path, all.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>()).ok()?;
            let first = chosen[0].to_string();
            let args =
                ["tests/peers/coreset.py".to_owned(), path.to_str()?.to_owned(), DIM.to_string(), k.to_string(), first];
            let said = Command::new(python).args(args).output().ok()?;
            std::fs::remove_file(&path).ok()?;
            let text = String::from_utf8_lossy(&said.stdout).into_owned();
            let mut words = text.split_whitespace();
            let theirs: f64 = words.next()?.parse().ok()?;
            Some((theirs, words.filter_map(|w| w.parse().ok()).collect::<Vec<u32>>()))
        });
        let own = cell(seconds, radius(&all, &chosen));
        match peer {
            Some((theirs, chosen)) => {
                println!(
                    "{n:>8} {k:>7} | {own:>20} {:>20} | {:.1}",
                    cell(theirs, radius(&all, &chosen)),
                    theirs / seconds
                );
            }
            None => println!("{n:>8} {k:>7} | {own:>20} {:>20} |", "-"),
        }
    }
}
