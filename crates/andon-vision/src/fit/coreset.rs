//! Greedy k-centre: a small subset of points that leaves no point far from it. Source: Sener and Savarese 2018; PatchCore
//! (Roth et al. 2022) algorithm 1. Exact in the feature space itself, without a projection.
//!
//! Each round takes the point that is farthest from all chosen ones. A point's distance to the chosen set only falls, so
//! an old value is a bound from above: points wait in a heap by their last known distance, and only those at its top are
//! brought up to date, with all the centres that they have missed at once. Most points lie in dense places, never reach the top
//! again and are never touched. A handful from the top is brought up to date together, so that each centre is fetched once for all of them.

mod panels;

use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Barrier, Mutex, PoisonError};

use self::panels::{BATCH, Panels};
use andon_core::SplitMix64;

/// Picks `k` of the points (rows of `dim` values of `points`) that `among` lists, ascending, and returns their indices in
/// the order of choice, which is the same for any number of threads. The first is drawn by `seed`; ties go to the lowest index.
/// Fewer than `k` come back when the rest are copies of chosen ones. Memory: 12 bytes a listed point besides the points, and the
/// chosen points once more for each thread. `progress` hears the number of chosen points.
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
    };
    let worker = |t: usize| Worker::new(points, dim, &among[(t * share).min(n)..((t + 1) * share).min(n)], k);
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
    /// The chosen points.
    centres: Panels,
}

impl<'a> Worker<'a> {
    fn new(points: &'a [f32], dim: usize, own: &'a [u32], k: usize) -> Worker<'a> {
        let heap = (0..own.len() as u32).map(|i| Key::new(f32::INFINITY, i)).collect();
        Worker { points, dim, own, heap, seen: vec![0; own.len()], centres: Panels::new(dim, k) }
    }

    fn run(mut self, t: usize, first: u32, k: usize, round: &Round, progress: &mut dyn FnMut(usize)) -> Vec<u32> {
        let mut chosen: Vec<u32> = Vec::with_capacity(k);
        let mut next = first;
        loop {
            chosen.push(next);
            let at = next as usize * self.dim;
            self.centres.push(&self.points[at..at + self.dim]);
            progress(chosen.len());
            if chosen.len() == k {
                return chosen;
            }
            let mine = self.farthest(chosen.len(), &round.bar);
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

    /// The share's farthest point, or some nearer one if another worker's is farther.
    fn farthest(&mut self, centres: usize, bar: &AtomicU32) -> Key {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let enough = bar.load(Relaxed);
            while let Some(key) = self.heap.peek().copied() {
                let seen = self.seen[key.index() as usize];
                let is_done = seen as usize == centres;
                if is_done || key.bits() < enough {
                    if !batch.is_empty() {
                        break;
                    }
                    if is_done {
                        bar.fetch_max(key.bits(), Relaxed);
                    }
                    return key;
                }
                self.heap.pop();
                batch.push((seen, key));
                if batch.len() == BATCH {
                    break;
                }
            }
            if batch.is_empty() {
                return Key(0);
            }
            self.bring_up_to_date(&mut batch, centres);
        }
    }

    /// Compares these points with the centres that they have missed, and puts them back.
    fn bring_up_to_date(&mut self, batch: &mut Vec<(u32, Key)>, centres: usize) {
        // Those that have missed the most first: each stretch of centres is then missing to the first few of the batch.
        batch.sort_unstable();
        let (mut rows, mut least) = ([&[][..]; BATCH], [0.0f32; BATCH]);
        for (i, (_, key)) in batch.iter().enumerate() {
            let at = self.own[key.index() as usize] as usize * self.dim;
            (rows[i], least[i]) = (&self.points[at..at + self.dim], f32::from_bits(key.bits()));
        }
        for (i, (seen, _)) in batch.iter().enumerate() {
            let until = batch.get(i + 1).map_or(centres, |next| next.0 as usize);
            if (*seen as usize) < until {
                self.centres.closest(&rows[..=i], *seen as usize..until, &mut least[..=i]);
            }
        }
        for ((_, key), least) in batch.drain(..).zip(least) {
            self.seen[key.index() as usize] = centres as u32;
            self.heap.push(Key::new(least, key.index()));
        }
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
