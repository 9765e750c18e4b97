//! Exact nearest neighbours in L2, the step where PatchCore spends its time.
//!
//! For queries `q` and bank rows `b`: `argmin |q-b|^2 = argmin |b|^2 - 2 q·b`, a matrix product with the minimum taken while
//! a block of products is still in registers. The winner's distance is then computed again as `sqrt(sum (q-b)^2)`, which
//! does not cancel: a row's distance to itself is exactly 0.
//!
//! Every product is summed over the dimensions in the same order with fused multiply-adds, whatever the vector width, so
//! all processors and thread counts give the same bits.

mod kernel;

use std::ops::Range;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};

use self::kernel::{Best, Isa, Panels};

/// The nearest bank row of one query.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Nearest {
    /// Row of the bank.
    pub index: u32,
    /// L2 distance (not squared); NaN if the query holds one.
    pub distance: f32,
}

/// Searches one bank; owns its threads and scratch memory.
pub struct Searcher {
    rows: Arc<[f32]>,
    dim: usize,
    isa: Isa,
    panels: Arc<Panels>,
    /// `|b|^2` of each row, infinite for excluded and padding rows.
    norms: Arc<Vec<f32>>,
    excluded: Range<usize>,
    /// Queries in blocks, see [`kernel`].
    packed: Arc<Vec<f32>>,
    own: Vec<Best>,
    helpers: Vec<Helper>,
}

struct Helper {
    to: Option<Sender<Job>>,
    back: Receiver<Vec<Best>>,
    /// The buffer for this helper's results, here between searches.
    results: Option<Vec<Best>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct Job {
    panels: Arc<Panels>,
    norms: Arc<Vec<f32>>,
    packed: Arc<Vec<f32>>,
    blocks: Range<usize>,
    results: Vec<Best>,
}

impl Searcher {
    /// `rows` holds `n * dim` values, row by row; `threads` counts the calling thread.
    ///
    /// # Panics
    /// If `dim` is 0 or does not divide the length of `rows`, or there are no rows: a bundle is checked before.
    pub fn new(rows: Arc<[f32]>, dim: usize, threads: usize) -> Searcher {
        Self::with_isa(rows, dim, threads, Isa::best())
    }

    fn with_isa(rows: Arc<[f32]>, dim: usize, threads: usize, isa: Isa) -> Searcher {
        assert!(dim > 0 && !rows.is_empty() && rows.len().is_multiple_of(dim), "a bank of whole, non-empty rows");
        let panels = Arc::new(Panels::pack(&rows, dim, isa));
        let norms = Arc::new(norms(&rows, dim, panels.padded_rows()));
        // A helper that cannot be started is only a slower search.
        let helpers = (1..threads.max(1)).map_while(|n| Helper::start(n, isa).ok()).collect();
        Searcher {
            rows,
            dim,
            isa,
            panels,
            norms,
            excluded: 0..0,
            packed: Arc::new(Vec::new()),
            own: Vec::new(),
            helpers,
        }
    }

    /// Leaves these rows out of the following searches (leave-one-image-out scores); `None` searches all.
    pub fn exclude(&mut self, rows: Option<Range<usize>>) {
        let norms = Arc::make_mut(&mut self.norms);
        for i in self.excluded.clone() {
            norms[i] = norm(&self.rows[i * self.dim..(i + 1) * self.dim]);
        }
        let count = self.rows.len() / self.dim;
        self.excluded = rows.map_or(0..0, |r| r.start.min(count)..r.end.min(count));
        norms[self.excluded.clone()].fill(f32::INFINITY);
    }

    /// One result per query; ties go to the lowest row. `queries` holds `q * dim` values. Allocates nothing once the
    /// buffers have grown to the largest number of queries. If every row is excluded the distance is infinite.
    pub fn search_into(&mut self, queries: &[f32], out: &mut Vec<Nearest>) {
        let count = queries.len() / self.dim;
        // Unique again since the last search: every helper gave its clone back before it answered.
        kernel::pack_queries(queries, self.dim, self.isa, Arc::make_mut(&mut self.packed));
        let blocks = count.div_ceil(self.isa.block());
        let share = blocks.div_ceil(self.helpers.len() + 1).max(1);
        let mut given = share.min(blocks);
        let mine = 0..given;
        for helper in &mut self.helpers {
            let part = given..(given + share).min(blocks);
            given = part.end;
            helper.give(&self.panels, &self.norms, &self.packed, part);
        }
        self.isa.search(&self.panels, &self.norms, &self.packed, mine, &mut self.own);
        out.clear();
        for best in self.own.iter().chain(self.helpers.iter_mut().flat_map(Helper::take)).take(count) {
            let q = &queries[out.len() * self.dim..(out.len() + 1) * self.dim];
            let distance = match best.index {
                Best::NONE if q.iter().all(|v| !v.is_nan()) => f32::INFINITY,
                Best::NONE => f32::NAN,
                row => distance(q, &self.rows[row as usize * self.dim..(row as usize + 1) * self.dim]),
            };
            out.push(Nearest { index: if best.index == Best::NONE { 0 } else { best.index }, distance });
        }
    }
}

impl Helper {
    #[allow(clippy::disallowed_methods, reason = "a pool of this module's own, joined by drop below")]
    fn start(n: usize, isa: Isa) -> std::io::Result<Helper> {
        let (to, jobs) = bounded::<Job>(1);
        let (answer, back) = bounded::<Vec<Best>>(1);
        let thread = std::thread::Builder::new().name(format!("nn-{n}")).spawn(move || {
            for mut job in jobs {
                isa.search(&job.panels, &job.norms, &job.packed, job.blocks.clone(), &mut job.results);
                let results = std::mem::take(&mut job.results);
                // Before the answer, so that the searcher owns its buffers alone when it has it.
                drop(job);
                if answer.send(results).is_err() {
                    break;
                }
            }
        })?;
        Ok(Helper { to: Some(to), back, results: Some(Vec::new()), thread: Some(thread) })
    }

    fn give(&mut self, panels: &Arc<Panels>, norms: &Arc<Vec<f32>>, packed: &Arc<Vec<f32>>, blocks: Range<usize>) {
        let results = self.results.take().unwrap_or_default();
        let job = Job { panels: panels.clone(), norms: norms.clone(), packed: packed.clone(), blocks, results };
        if let Some(to) = &self.to {
            // The helper ends only when this end is dropped.
            drop(to.send(job));
        }
    }

    fn take(&mut self) -> &[Best] {
        self.results = self.back.recv().ok();
        self.results.as_deref().unwrap_or_default()
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

fn norm(row: &[f32]) -> f32 {
    row.iter().fold(0.0, |sum, v| v.mul_add(*v, sum))
}

fn norms(rows: &[f32], dim: usize, padded: usize) -> Vec<f32> {
    let mut norms: Vec<f32> = rows.chunks_exact(dim).map(norm).collect();
    norms.resize(padded, f32::INFINITY);
    norms
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).fold(0.0f32, |sum, (x, y)| (x - y).mul_add(x - y, sum)).sqrt()
}

#[cfg(test)]
mod tests;
