//! Greedy k-centre: a small subset of points that leaves no point far from it. Source: Sener and Savarese 2018; PatchCore
//! (Roth et al. 2022) algorithm 1. Exact in the feature space itself, without a projection.
//!
//! Each round takes the point that is farthest from all chosen ones. A point's distance to the chosen set only falls, so
//! an old value is a bound from above: points wait in a heap by their last known distance, and only those at its top are
//! brought up to date, with the centres that they have missed. Most points lie in dense places, never reach the top again and are never
//! touched. Of the missed centres those are passed over that the triangle inequality rules out: a centre twice as far from a point's nearest one as
//! the point itself cannot be nearer to it (Elkan 2003, for k-means).

use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering::Relaxed};
use std::sync::{Barrier, Mutex, PoisonError};

use crate::model::head::knn::squared;
use andon_core::SplitMix64;

/// Picks `k` of the points (rows of `dim` values of `points`) that `among` lists, ascending, and returns their indices in
/// the order of choice, which is the same for any number of threads. The first is drawn by `seed`; ties go to the lowest index.
/// Fewer than `k` come back when the rest are copies of chosen ones. Memory: 16 bytes a listed point besides the points, the chosen
/// points once more for each thread, and up to 128 MB for the distances between them. `progress` hears the number of chosen points.
pub fn greedy_coreset(
    points: &[f32],
    dim: usize,
    among: &[u32],
    k: usize,
    seed: u64,
    threads: usize,
    progress: &mut dyn FnMut(usize),
) -> Vec<u32> {
    let n = among.len();
    let k = k.min(n);
    if k == 0 {
        return Vec::new();
    }
    let first = among[(SplitMix64::once(seed) % n as u64) as usize];
    let threads = threads.clamp(1, n);
    let share = n.div_ceil(threads);
    let round = Round {
        barrier: Barrier::new(threads),
        bar: AtomicU32::new(0),
        bests: (0..threads).map(|_| Mutex::new(Key(0))).collect(),
        apart: Apart::new(k),
        threads,
    };
    let worker = |t: usize| Worker::new(points, dim, &among[(t * share).min(n)..((t + 1) * share).min(n)]);
    std::thread::scope(|scope| {
        for t in 1..threads {
            let (round, worker) = (&round, worker(t));
            scope.spawn(move || worker.run(t, first, k, round, &mut |_| {}));
        }
        worker(0).run(0, first, k, &round, progress)
    })
}

/// Squared distance and point, ordered: farther is greater; of two equally far, the lower index is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key(u64);

impl Key {
    /// The bits of floats that are not negative are ordered as they are.
    fn new(squared: f32, index: u32) -> Key {
        Key(u64::from(squared.to_bits()) << 32 | u64::from(!index))
    }

    fn index(self) -> u32 {
        !(self.0 as u32)
    }

    fn bits(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// How the workers agree on the next centre.
struct Round {
    barrier: Barrier,
    /// The farthest distance (bits) that anyone has found this round: who has nothing as far can stop looking.
    bar: AtomicU32,
    /// Farthest point of each worker's share.
    bests: Vec<Mutex<Key>>,
    /// How far centres lie apart.
    apart: Apart,
    threads: usize,
}

/// Distances between centres, rounded down to the upper half of their bits, which keeps them bounds from below.
struct Apart {
    /// Centres whose distances to all later ones are kept.
    rows: usize,
    /// Centres in all.
    k: usize,
    /// Row by row; a row begins with the distance of its centre to itself.
    squared: Vec<AtomicU16>,
}

impl Apart {
    /// Entries at most: 128 MB.
    const ROOM: usize = 64 << 20;

    fn new(k: usize) -> Apart {
        let rows = (0..k).scan(0, |used, row| {
            *used += k - row;
            Some(*used)
        });
        let rows = rows.take_while(|used| *used <= Apart::ROOM).count();
        let size = rows * k - rows * rows.saturating_sub(1) / 2;
        Apart { rows, k, squared: std::iter::repeat_with(|| AtomicU16::new(0)).take(size).collect() }
    }

    /// The distances of a centre to itself and all later ones; empty where they are not kept.
    fn row(&self, centre: usize) -> &[AtomicU16] {
        if centre >= self.rows {
            return &[];
        }
        let start = centre * self.k - centre * centre.saturating_sub(1) / 2;
        &self.squared[start..start + self.k - centre]
    }
}

/// One thread's share of the points.
struct Worker<'a> {
    points: &'a [f32],
    dim: usize,
    /// The points of this share, ascending.
    own: &'a [u32],
    /// Squared distance and place in `own`.
    heap: BinaryHeap<Key>,
    /// How many centres each of them has been compared with.
    seen: Vec<u32>,
    /// The nearest of those.
    nearest: Vec<u32>,
    /// The chosen points, side by side.
    centres: Vec<f32>,
}

impl<'a> Worker<'a> {
    fn new(points: &'a [f32], dim: usize, own: &'a [u32]) -> Worker<'a> {
        let heap = (0..own.len() as u32).map(|i| Key::new(f32::INFINITY, i)).collect();
        Worker { points, dim, own, heap, seen: vec![0; own.len()], nearest: vec![0; own.len()], centres: Vec::new() }
    }

    fn run(mut self, t: usize, first: u32, k: usize, round: &Round, progress: &mut dyn FnMut(usize)) -> Vec<u32> {
        let mut chosen: Vec<u32> = Vec::with_capacity(k);
        self.centres.reserve_exact(k * self.dim);
        let mut next = first;
        loop {
            chosen.push(next);
            let at = next as usize * self.dim;
            self.centres.extend_from_slice(&self.points[at..at + self.dim]);
            progress(chosen.len());
            if chosen.len() == k {
                return chosen;
            }
            self.measure(t, chosen.len() - 1, round);
            round.barrier.wait();
            let mine = self.farthest(chosen.len(), round);
            // To others, a point goes by its own index.
            let mine =
                self.own.get(mine.index() as usize).map_or(Key(0), |i| Key::new(f32::from_bits(mine.bits()), *i));
            *round.bests[t].lock().unwrap_or_else(PoisonError::into_inner) = mine;
            round.barrier.wait();
            let best = round.bests.iter().map(|b| *b.lock().unwrap_or_else(PoisonError::into_inner)).max();
            if t == 0 {
                round.bar.store(0, Relaxed);
            }
            // Nobody writes the next round's best before everybody has read this one's.
            round.barrier.wait();
            match best {
                Some(best) if best.bits() > 0 => next = best.index(),
                _ => return chosen,
            }
        }
    }

    /// This worker's part of the distances from the newest centre to the earlier ones.
    fn measure(&self, t: usize, newest: usize, round: &Round) {
        let centre = |i: usize| &self.centres[i * self.dim..(i + 1) * self.dim];
        for earlier in (t..newest.min(round.apart.rows)).step_by(round.threads) {
            let bits = squared(centre(earlier), centre(newest)).to_bits() >> 16;
            round.apart.row(earlier)[newest - earlier].store(bits as u16, Relaxed);
        }
    }

    /// The share's farthest point, or some nearer one if another worker's is farther.
    fn farthest(&mut self, centres: usize, round: &Round) -> Key {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has just been asked.
            return unsafe { self.farthest_avx512(centres, round) };
        } else if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has just been asked.
            return unsafe { self.farthest_avx2(centres, round) };
        }
        self.farthest_here(centres, round)
    }

    /// The same code, compiled for wider vectors.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f")]
    fn farthest_avx512(&mut self, centres: usize, round: &Round) -> Key {
        self.farthest_here(centres, round)
    }

    /// The same code, compiled for wider vectors.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn farthest_avx2(&mut self, centres: usize, round: &Round) -> Key {
        self.farthest_here(centres, round)
    }

    #[inline(always)]
    fn farthest_here(&mut self, centres: usize, round: &Round) -> Key {
        let Round { bar, apart, .. } = round;
        while let Some(mut top) = self.heap.peek_mut() {
            let key = *top;
            let place = key.index() as usize;
            if self.seen[place] as usize == centres {
                bar.fetch_max(key.bits(), Relaxed);
                return key;
            }
            let enough = bar.load(Relaxed);
            if key.bits() < enough {
                return key;
            }
            let at = self.own[place] as usize * self.dim;
            let row = &self.points[at..at + self.dim];
            let (mut least, mut nearest) = (f32::from_bits(key.bits()), self.nearest[place] as usize);
            let mut next = self.seen[place] as usize;
            let mut beside = apart.row(nearest);
            // A bit more than four times, for what rounding does to either side.
            let mut far = (4.001 * least).to_bits() >> 16;
            while next < centres {
                let ruled_out = next > 0 && beside.get(next - nearest).is_some_and(|d| u32::from(d.load(Relaxed)) > far);
                if !ruled_out {
                    let distance = squared(row, &self.centres[next * self.dim..(next + 1) * self.dim]);
                    if distance < least {
                        (least, nearest) = (distance, next);
                        beside = apart.row(nearest);
                        far = (4.001 * least).to_bits() >> 16;
                        if least.to_bits() < enough {
                            // Another point is farther; the rest can wait until this one is at the top again.
                            next += 1;
                            break;
                        }
                    }
                }
                next += 1;
            }
            self.seen[place] = next as u32;
            self.nearest[place] = nearest as u32;
            *top = Key::new(least, key.index());
        }
        Key(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(n: usize, seed: u64) -> Vec<f32> {
        (0..n as u64).map(|i| (SplitMix64::once(seed ^ SplitMix64::once(i)) >> 40) as f32 / (1 << 24) as f32).collect()
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

    fn all(n: usize) -> Vec<u32> {
        (0..n as u32).collect()
    }

    #[test]
    fn only_listed_points_are_chosen_as_if_there_were_no_others() {
        let points = noise(400 * 12, 7);
        let among: Vec<u32> = (0..400).filter(|i| i % 3 != 1).collect();
        let alone: Vec<f32> = among.iter().flat_map(|i| &points[*i as usize * 12..][..12]).copied().collect();
        let chosen = greedy_coreset(&points, 12, &among, 90, 5, 2, &mut |_| {});
        let want = greedy_coreset(&alone, 12, &all(among.len()), 90, 5, 1, &mut |_| {});
        assert_eq!(chosen, want.iter().map(|i| among[*i as usize]).collect::<Vec<_>>());
    }

    #[test]
    fn agrees_with_the_definition() {
        for (n, dim, k) in [(50, 3, 10), (400, 17, 60), (300, 40, 100)] {
            // Whole numbers: no rounding, so ties are ties in f32 and f64 alike.
            let points: Vec<f32> = noise(n * dim, 5).iter().map(|v| (v * 16.0).floor()).collect();
            let first = (SplitMix64::once(1) % n as u64) as usize;
            assert_eq!(greedy_coreset(&points, dim, &all(n), k, 1, 1, &mut |_| {}), naive(&points, dim, k, first));
        }
    }

    #[test]
    fn any_number_of_threads_chooses_the_same() {
        let points = noise(1000 * 20, 9);
        let one = greedy_coreset(&points, 20, &all(1000), 150, 3, 1, &mut |_| {});
        for threads in [2, 3, 7] {
            assert_eq!(greedy_coreset(&points, 20, &all(1000), 150, 3, threads, &mut |_| {}), one);
        }
        assert_ne!(
            greedy_coreset(&points, 20, &all(1000), 150, 4, 1, &mut |_| {})[0],
            one[0],
            "the seed draws the first point"
        );
    }

    #[test]
    fn copies_are_not_chosen_twice_and_small_sets_are_taken_whole() {
        let points = [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0];
        assert_eq!(greedy_coreset(&points, 2, &all(4), 4, 0, 2, &mut |_| {}).len(), 2);
        assert!(greedy_coreset(&[], 2, &[], 4, 0, 2, &mut |_| {}).is_empty());
        assert_eq!(greedy_coreset(&noise(30, 1), 3, &all(10), 99, 0, 4, &mut |_| {}).len(), 10);
    }
}
