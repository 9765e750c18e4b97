//! Exact nearest neighbours in L2, the step where PatchCore spends its time.
//!
//! For queries `q` and bank rows `b`, `|q-b|^2 = |q|^2 + |b|^2 - 2 q·b`, a matrix product. It is not needed exactly: in 8-bit
//! whole numbers, which the processor multiplies four times as fast as f32, every distance comes out with a known bound on its
//! error, and only rows that the bound cannot rule out (two or three of thousands) are measured, as `sqrt(sum (q-b)^2)`.
//! So the answer is that of the exhaustive search in f32, does not cancel (a row is at distance 0 from itself), and has
//! the same bits on every processor, in every number format, on any number of threads.
//!
//! The bound: with `q'`, `b'` the vectors as rounded, `|q-b| >= |q'-b'| - |q-q'| - |b-b'|` (triangle inequality), and the last two are
//! measured when the vectors are written down.

mod isa;
mod pack;
mod rank;
mod tile;

use std::ops::Range;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};

use self::isa::Isa;
use self::pack::{Bank, Queries};
use self::rank::{Best, Scratch, Search};

pub use self::rank::{MAX_K, squared};

/// A near bank row of one query.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Nearest {
    /// Row of the bank.
    pub index: u32,
    /// L2 distance (not squared); NaN if the query holds one, infinite if there is no (further) row.
    pub distance: f32,
}

impl Nearest {
    const NONE: Nearest = Nearest { index: 0, distance: f32::INFINITY };
}

/// Searches one bank; owns its threads and scratch memory.
pub struct KnnSearcher {
    shared: Arc<Shared>,
    dim: usize,
    isa: Isa,
    /// `|row|^2` of the excluded rows.
    norms: Vec<f32>,
    own: Scratch,
    helpers: Vec<Helper>,
}

/// What the threads read during a search.
#[derive(Clone)]
struct Shared {
    rows: Arc<[f32]>,
    bank: Bank,
    queries: Queries,
    values: Vec<f32>,
    excluded: Range<usize>,
    k: usize,
}

struct Helper {
    to: Option<Sender<Job>>,
    back: Receiver<Scratch>,
    /// The helper's memory, here between searches; away while it works.
    scratch: Option<Scratch>,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct Job {
    shared: Arc<Shared>,
    blocks: Range<usize>,
    scratch: Scratch,
}

impl KnnSearcher {
    /// `rows` holds `n * dim` values, row by row; `threads` counts the calling thread.
    ///
    /// # Panics
    /// If `dim` is 0 or does not divide the length of `rows`, or there are no rows: a bundle is checked before.
    pub fn new(rows: Arc<[f32]>, dim: usize, threads: usize) -> KnnSearcher {
        Self::with_isa(rows, dim, threads, Isa::best(true))
    }

    /// As [`KnnSearcher::new`], with candidates found in f32: for comparisons of speed.
    pub fn new_f32(rows: Arc<[f32]>, dim: usize, threads: usize) -> KnnSearcher {
        Self::with_isa(rows, dim, threads, Isa::best(false))
    }

    fn with_isa(rows: Arc<[f32]>, dim: usize, threads: usize, isa: Isa) -> KnnSearcher {
        assert!(dim > 0 && !rows.is_empty() && rows.len().is_multiple_of(dim), "a bank of whole, non-empty rows");
        let bank = Bank::pack(&rows, dim, isa);
        let shared = Shared { rows, bank, queries: Queries::default(), values: Vec::new(), excluded: 0..0, k: 1 };
        // A helper that cannot be started is only a slower search.
        let helpers = (1..threads.max(1)).map_while(|n| Helper::start(n, isa).ok()).collect();
        KnnSearcher { shared: Arc::new(shared), dim, isa, norms: Vec::new(), own: Scratch::default(), helpers }
    }

    /// The instructions in use, for people.
    pub fn instructions(&self) -> &'static str {
        self.isa.name()
    }

    /// Leaves these rows out of the following searches (leave-one-image-out scores); `None` searches all.
    pub fn exclude(&mut self, rows: Option<Range<usize>>) {
        // Alone since the last search: every helper gave its clone back before it answered.
        let shared = Arc::make_mut(&mut self.shared);
        shared.bank.norm[shared.excluded.clone()].copy_from_slice(&self.norms);
        let count = shared.bank.rows;
        shared.excluded = rows.map_or(0..0, |r| r.start.min(count)..r.end.min(count).max(r.start.min(count)));
        self.norms.clear();
        self.norms.extend_from_slice(&shared.bank.norm[shared.excluded.clone()]);
        shared.bank.norm[shared.excluded.clone()].fill(f32::INFINITY);
    }

    /// One result per query; ties go to the lowest row. `queries` holds `q * dim` values. Allocates nothing once the
    /// buffers have grown to the largest number of queries. If every row is excluded the distance is infinite.
    pub fn search_into(&mut self, queries: &[f32], out: &mut Vec<Nearest>) {
        self.search_k_into(queries, 1, out);
    }

    /// `k` results per query, nearest first, ties to the lowest row; infinite distances where there are fewer rows.
    ///
    /// # Panics
    /// If `k` is not in `1..=MAX_K`.
    pub fn search_k_into(&mut self, queries: &[f32], k: usize, out: &mut Vec<Nearest>) {
        assert!((1..=MAX_K).contains(&k), "k is 1 to {MAX_K}");
        let count = queries.len() / self.dim;
        let shared = Arc::make_mut(&mut self.shared);
        shared.k = k;
        shared.bank.pack_queries(queries, &mut shared.queries);
        if !self.helpers.is_empty() {
            shared.values.clear();
            shared.values.extend_from_slice(queries);
        }
        let blocks = count.div_ceil(self.isa.block());
        let share = blocks.div_ceil(self.helpers.len() + 1).max(1);
        let mut given = share.min(blocks);
        let mine = 0..given;
        for helper in &mut self.helpers {
            let part = given..(given + share).min(blocks);
            given = part.end;
            helper.give(&self.shared, part);
        }
        self.shared.search(self.isa, queries, mine, &mut self.own);
        out.clear();
        // Every answer is waited for before any is read: one that stayed behind would be taken for the next search's.
        self.helpers.iter_mut().for_each(Helper::wait);
        for best in self.own.best.iter().chain(self.helpers.iter().flat_map(Helper::found)).take(count) {
            let from = out.len() / k * self.dim;
            put(best, &queries[from..from + self.dim], k, out);
        }
    }
}

fn put(best: &Best, query: &[f32], k: usize, out: &mut Vec<Nearest>) {
    let found = best.found().iter().map(|(d, index)| Nearest { index: *index, distance: d.sqrt() });
    let none = match query.iter().any(|v| v.is_nan()) {
        true => Nearest { distance: f32::NAN, ..Nearest::NONE },
        false => Nearest::NONE,
    };
    out.extend(found.chain(std::iter::repeat(none)).take(k));
}

impl Shared {
    fn search(&self, isa: Isa, values: &[f32], blocks: Range<usize>, scratch: &mut Scratch) {
        let (rows, bank, queries) = (&self.rows[..], &self.bank, &self.queries);
        Search { isa, bank, rows, queries, values, excluded: &self.excluded, k: self.k }.run(blocks, scratch);
    }
}

impl Helper {
    #[allow(clippy::disallowed_methods, reason = "a pool of this module's own, joined by drop below")]
    fn start(n: usize, isa: Isa) -> std::io::Result<Helper> {
        let (to, jobs) = bounded::<Job>(1);
        let (answer, back) = bounded::<Scratch>(1);
        let thread = std::thread::Builder::new().name(format!("nn-{n}")).spawn(move || {
            for mut job in jobs {
                job.shared.search(isa, &job.shared.values, job.blocks, &mut job.scratch);
                // Before the answer, so that the searcher owns its buffers alone when it has it.
                drop(job.shared);
                if answer.send(job.scratch).is_err() {
                    break;
                }
            }
        })?;
        Ok(Helper { to: Some(to), back, scratch: Some(Scratch::default()), thread: Some(thread) })
    }

    fn give(&mut self, shared: &Arc<Shared>, blocks: Range<usize>) {
        if blocks.is_empty() {
            if let Some(scratch) = &mut self.scratch {
                scratch.best.clear();
            }
            return;
        }
        let job = Job { shared: shared.clone(), blocks, scratch: self.scratch.take().unwrap_or_default() };
        if let Some(to) = &self.to {
            // The helper ends only when this end is dropped.
            drop(to.send(job));
        }
    }

    fn wait(&mut self) {
        if self.scratch.is_none() {
            self.scratch = self.back.recv().ok();
        }
    }

    fn found(&self) -> &[Best] {
        self.scratch.as_ref().map(|s| s.best.as_slice()).unwrap_or_default()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.to = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests;
