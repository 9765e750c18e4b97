//! Greedy k-centre: a small subset of points that leaves no point far from it. Source: Sener and Savarese 2018; PatchCore
//! (Roth et al. 2022) algorithm 1. Exact in the feature space itself, without a projection.
//!
//! Each round takes the point that is farthest from all chosen ones. Distances to a new centre `c` are not computed for a
//! point whose own centre `m` lies so that `|c - m| >= 2 d(point, m)`: by the triangle inequality it cannot be nearer
//! to `c`. After the first rounds that holds for nearly all.

use std::sync::{Barrier, Mutex, PoisonError};

/// Distances are f32 with errors of some 1e-6; skipping asks for this much more than the inequality does.
const SLACK: f32 = 1.0001;

/// Picks `k` of the points (`points.len() / dim` rows of `dim` values) and returns their indices in the order of choice,
/// which is the same for any number of threads. The first is drawn by `seed`; ties go to the lowest index. Fewer than
/// `k` come back when the rest are copies of chosen ones. Memory: 8 bytes a point besides the points.
/// `progress` hears the number of chosen points.
pub fn greedy_coreset(
    points: &[f32],
    dim: usize,
    k: usize,
    seed: u64,
    threads: usize,
    progress: &mut dyn FnMut(usize),
) -> Vec<u32> {
    let n = points.len().checked_div(dim).unwrap_or(0);
    let k = k.min(n);
    if k == 0 {
        return Vec::new();
    }
    let first = (splitmix(seed) % n as u64) as usize;
    let threads = threads.clamp(1, n);
    let share = n.div_ceil(threads);
    let round = Round { barrier: Barrier::new(threads), bests: (0..threads).map(|_| Mutex::new((0.0, 0))).collect() };
    let worker = |t: usize| Worker::new(points, dim, (t * share).min(n)..((t + 1) * share).min(n));
    std::thread::scope(|scope| {
        for t in 1..threads {
            let (round, worker) = (&round, worker(t));
            scope.spawn(move || worker.run(t, first, k, round, &mut |_| {}));
        }
        worker(0).run(0, first, k, &round, progress)
    })
}

/// One step of SplitMix64: a seed to an even draw.
fn splitmix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// How the workers agree on the next centre.
struct Round {
    barrier: Barrier,
    /// Farthest point of each worker's share: distance, index.
    bests: Vec<Mutex<(f32, usize)>>,
}

/// One thread's share of the points.
struct Worker<'a> {
    points: &'a [f32],
    dim: usize,
    start: usize,
    /// Distance of each point to its nearest centre, and which that is.
    distance: Vec<f32>,
    centre: Vec<u32>,
}

impl<'a> Worker<'a> {
    fn new(points: &'a [f32], dim: usize, share: std::ops::Range<usize>) -> Worker<'a> {
        let len = share.len();
        Worker { points, dim, start: share.start, distance: vec![f32::INFINITY; len], centre: vec![0; len] }
    }

    fn row(&self, i: usize) -> &'a [f32] {
        &self.points[i * self.dim..(i + 1) * self.dim]
    }

    fn run(mut self, t: usize, first: usize, k: usize, round: &Round, progress: &mut dyn FnMut(usize)) -> Vec<u32> {
        let mut chosen: Vec<u32> = Vec::with_capacity(k);
        let mut between = Vec::with_capacity(k);
        let mut next = first;
        loop {
            chosen.push(next as u32);
            progress(chosen.len());
            if chosen.len() == k {
                return chosen;
            }
            let c = self.row(next);
            between.clear();
            between.extend(chosen.iter().map(|m| distance(self.row(*m as usize), c)));
            let mine = self.update(c, chosen.len() as u32 - 1, &between);
            *round.bests[t].lock().unwrap_or_else(PoisonError::into_inner) = mine;
            round.barrier.wait();
            let best = round
                .bests
                .iter()
                .map(|b| *b.lock().unwrap_or_else(PoisonError::into_inner))
                .reduce(|a, b| if b.0 > a.0 { b } else { a });
            // Nobody writes the next round's best before everybody has read this one's.
            round.barrier.wait();
            match best {
                Some((far, index)) if far > 0.0 => next = index,
                _ => return chosen,
            }
        }
    }

    /// Brings the share up to date with the new centre and returns its farthest point.
    fn update(&mut self, c: &[f32], c_index: u32, between: &[f32]) -> (f32, usize) {
        let mut best = (0.0, self.start);
        for i in 0..self.distance.len() {
            let d = self.distance[i];
            if between[self.centre[i] as usize] < 2.0 * d * SLACK {
                let to_c = distance(self.row(self.start + i), c);
                if to_c < d {
                    self.distance[i] = to_c;
                    self.centre[i] = c_index;
                }
            }
            if self.distance[i] > best.0 {
                best = (self.distance[i], self.start + i);
            }
        }
        best
    }
}

/// Sixteen partial sums, so that the compiler can use vectors; always in the same order.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 16];
    let (ca, ra) = a.as_chunks::<16>();
    let (cb, rb) = b.as_chunks::<16>();
    for (x, y) in ca.iter().zip(cb) {
        for j in 0..16 {
            let d = x[j] - y[j];
            sums[j] += d * d;
        }
    }
    for (j, (x, y)) in ra.iter().zip(rb).enumerate() {
        sums[j] += (x - y) * (x - y);
    }
    sums.iter().sum::<f32>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(n: usize, seed: u64) -> Vec<f32> {
        (0..n as u64).map(|i| (splitmix(seed ^ splitmix(i)) >> 40) as f32 / (1 << 24) as f32).collect()
    }

    /// The definition, in f64 and without skipping anything.
    fn naive(points: &[f32], dim: usize, k: usize, first: usize) -> Vec<u32> {
        let row = |i: usize| &points[i * dim..(i + 1) * dim];
        let d = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(x - y).powi(2)).sum::<f64>();
        let mut nearest = vec![f64::INFINITY; points.len() / dim];
        let mut chosen = vec![first as u32];
        while chosen.len() < k {
            let c = row(*chosen.last().unwrap() as usize);
            for (i, n) in nearest.iter_mut().enumerate() {
                *n = n.min(d(row(i), c));
            }
            let far = nearest.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0))).unwrap();
            chosen.push(far.0 as u32);
        }
        chosen
    }

    #[test]
    fn agrees_with_the_definition() {
        for (n, dim, k) in [(50, 3, 10), (400, 17, 60), (300, 40, 100)] {
            // Whole numbers: no rounding, so ties are ties in f32 and f64 alike.
            let points: Vec<f32> = noise(n * dim, 5).iter().map(|v| (v * 16.0).floor()).collect();
            let first = (splitmix(1) % n as u64) as usize;
            assert_eq!(greedy_coreset(&points, dim, k, 1, 1, &mut |_| {}), naive(&points, dim, k, first));
        }
    }

    #[test]
    fn any_number_of_threads_chooses_the_same() {
        let points = noise(1000 * 20, 9);
        let one = greedy_coreset(&points, 20, 150, 3, 1, &mut |_| {});
        for threads in [2, 3, 7] {
            assert_eq!(greedy_coreset(&points, 20, 150, 3, threads, &mut |_| {}), one);
        }
        assert_ne!(greedy_coreset(&points, 20, 150, 4, 1, &mut |_| {})[0], one[0], "the seed draws the first point");
    }

    #[test]
    fn copies_are_not_chosen_twice_and_small_sets_are_taken_whole() {
        let points = [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0];
        assert_eq!(greedy_coreset(&points, 2, 4, 0, 2, &mut |_| {}).len(), 2);
        assert!(greedy_coreset(&[], 2, 4, 0, 2, &mut |_| {}).is_empty());
        assert_eq!(greedy_coreset(&noise(30, 1), 3, 99, 0, 4, &mut |_| {}).len(), 10);
    }
}
