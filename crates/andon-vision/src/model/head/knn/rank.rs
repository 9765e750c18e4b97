//! From products to proven neighbours. The products give every row's distance up to a known error, so only rows whose
//! smallest possible distance is not above the k-th best true distance so far can belong to the answer; those few are measured
//! exactly. The answer is the same as that of measuring all: the k rows of smallest [`squared`], ties to the lowest row.

use std::ops::Range;

use super::isa::{Format, Isa};
use super::pack::{Bank, Queries, Query};

/// Most neighbours that can be asked for.
pub const MAX_K: usize = 9;
/// Bytes of the bank that are searched at a time, so that they stay in the second-level cache while all queries go by.
const SLAB: usize = 384 << 10;
/// Rows of a slab at most: their products have to stay near, too.
const SLAB_ROWS: usize = 4096;

/// The best rows of one query so far, by squared distance and row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Best {
    found: [(f32, u32); MAX_K],
    pub len: usize,
}

impl Best {
    const NONE: Best = Best { found: [(f32::INFINITY, u32::MAX); MAX_K], len: 0 };

    pub fn found(&self) -> &[(f32, u32)] {
        &self.found[..self.len]
    }

    /// The k-th best squared distance; infinite as long as there are fewer.
    fn limit(&self, k: usize) -> f32 {
        self.found[k - 1].0
    }

    fn offer(&mut self, k: usize, distance: f32, row: u32) {
        let at = self.found[..self.len].partition_point(|f| *f < (distance, row));
        // NaN never gets in: nothing is known of such a row.
        if at >= k || distance.is_nan() || self.found[..self.len].iter().any(|f| f.1 == row) {
            return;
        }
        self.len = (self.len + 1).min(k);
        self.found[at..self.len].rotate_right(1);
        self.found[at] = (distance, row);
    }
}

/// What a search works on.
pub(super) struct Search<'a> {
    pub isa: Isa,
    pub bank: &'a Bank,
    /// The bank as given, row by row.
    pub rows: &'a [f32],
    pub queries: &'a Queries,
    /// The queries as given.
    pub values: &'a [f32],
    /// Rows that cannot be found.
    pub excluded: &'a Range<usize>,
    pub k: usize,
}

/// The products of one query, the `i`-th of its block, with a run of panels.
struct Slab<'a> {
    panels: Range<usize>,
    products: &'a [f32],
    least: &'a [f32],
    i: usize,
    mr: usize,
    nr: usize,
}

impl<'a> Slab<'a> {
    /// The smallest product of each panel.
    #[inline(always)]
    fn least(&self) -> impl Iterator<Item = f32> + 'a {
        self.least.iter().skip(self.i).step_by(self.mr).copied()
    }

    /// The products with the rows of the `p`-th panel.
    #[inline(always)]
    fn products(&self, p: usize) -> &'a [f32] {
        let at = (p * self.mr + self.i) * self.nr;
        &self.products[at..at + self.nr]
    }
}

/// A thread's own memory.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    products: Vec<f32>,
    least: Vec<f32>,
    kth: Vec<f32>,
    pub best: Vec<Best>,
}

impl Search<'_> {
    /// Finds the neighbours of the queries of these blocks.
    pub fn run(&self, blocks: Range<usize>, scratch: &mut Scratch) {
        match self.isa {
            // SAFETY: these variants exist only after the processor was asked for these features.
            #[cfg(target_arch = "x86_64")]
            Isa::Vnni | Isa::Avx512 => unsafe { self.run_avx512(blocks, scratch) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2Int | Isa::Avx2 => unsafe { self.run_avx2(blocks, scratch) },
            _ => self.run_here(blocks, scratch),
        }
    }

    /// The same code, compiled for wider vectors.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f")]
    fn run_avx512(&self, blocks: Range<usize>, scratch: &mut Scratch) {
        self.run_here(blocks, scratch);
    }

    /// The same code, compiled for wider vectors.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn run_avx2(&self, blocks: Range<usize>, scratch: &mut Scratch) {
        self.run_here(blocks, scratch);
    }

    #[inline(always)]
    fn run_here(&self, blocks: Range<usize>, scratch: &mut Scratch) {
        let (mr, nr) = (self.isa.block(), self.isa.panel());
        let slab = (SLAB / (4 * self.bank.steps)).clamp(nr, SLAB_ROWS) / nr;
        scratch.best.clear();
        scratch.best.resize(blocks.len() * mr, Best::NONE);
        scratch.products.resize(slab * mr * nr, 0.0);
        scratch.least.resize(slab * mr, 0.0);
        let count = self.values.len() / self.bank.dim;
        for first in (0..self.bank.panels()).step_by(slab) {
            let panels = first..(first + slab).min(self.bank.panels());
            for block in blocks.clone() {
                let words = self.queries.block(block, self.isa, self.bank.steps);
                let about = &self.queries.about[block * mr..(block + 1) * mr];
                let products = &mut scratch.products[..panels.len() * mr * nr];
                let least = &mut scratch.least[..panels.len() * mr];
                self.isa.products(self.bank, panels.clone(), words, about, products, least);
                for i in 0..mr.min(count - (block * mr).min(count)) {
                    let best = &mut scratch.best[(block - blocks.start) * mr + i];
                    let slab = Slab { panels: panels.clone(), products, least, i, mr, nr };
                    self.pick(block * mr + i, &slab, &mut scratch.kth, best);
                }
            }
        }
    }

    /// Takes what this slab has for query `q`.
    #[inline(always)]
    fn pick(&self, q: usize, slab: &Slab<'_>, kth: &mut Vec<f32>, best: &mut Best) {
        let about = self.queries.about[q];
        if !self.bank.in_range(&about) {
            return self.measure_all(q, slab.panels.clone(), best);
        }
        if best.len < self.k {
            // A first limit: k panels have a row that is not above the k-th smallest of their minima.
            kth.clear();
            kth.extend(slab.least());
            let limit = match self.k <= kth.len() {
                true => *kth.select_nth_unstable_by(self.k - 1, f32::total_cmp).1,
                false => f32::INFINITY,
            };
            for (p, least) in slab.least().enumerate() {
                if least <= limit {
                    self.measure(q, slab, p, limit, best);
                }
            }
        }
        let rest = self.slack(&about) - about.norm;
        let reach = |best: &Best| best.limit(self.k).sqrt() * (1.0 + 1e-5) + about.error;
        let mut near = reach(best);
        for (p, least) in slab.least().enumerate() {
            let far = near + self.bank.error[slab.panels.start + p];
            let limit = far * far + rest;
            if least <= limit {
                self.measure(q, slab, p, limit, best);
                near = reach(best);
            }
        }
    }

    /// What rounding in f32 can do to a product, for vectors within their lengths.
    fn slack(&self, about: &Query) -> f32 {
        let summing = match self.bank.format() {
            Format::F32 => 1.2e-7 * self.bank.dim as f32,
            Format::I8 | Format::I16 => 0.0,
        };
        (2e-6 + summing) * (about.norm + self.bank.largest)
    }

    /// Measures the rows of the slab's panel `p` whose product is not above the limit.
    #[inline(always)]
    fn measure(&self, q: usize, slab: &Slab<'_>, p: usize, limit: f32, best: &mut Best) {
        let base = (slab.panels.start + p) * slab.nr;
        for (row, product) in (base..self.bank.rows).zip(slab.products(p)) {
            if *product <= limit && !self.excluded.contains(&row) {
                best.offer(self.k, self.distance(q, row), row as u32);
            }
        }
    }

    /// For numbers so large that no bound holds.
    #[inline(always)]
    fn measure_all(&self, q: usize, panels: Range<usize>, best: &mut Best) {
        let nr = self.isa.panel();
        for row in panels.start * nr..(panels.end * nr).min(self.bank.rows) {
            if !self.excluded.contains(&row) {
                best.offer(self.k, self.distance(q, row), row as u32);
            }
        }
    }

    #[inline(always)]
    fn distance(&self, q: usize, row: usize) -> f32 {
        let dim = self.bank.dim;
        squared(&self.values[q * dim..(q + 1) * dim], &self.rows[row * dim..(row + 1) * dim])
    }
}

/// The squared distance that decides: sixteen partial sums, so that the compiler can use vectors, always added up in the same
/// order and without fused operations, so that every processor gets the same bits.
#[inline(always)]
pub fn squared(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 16];
    let ((ca, ra), (cb, rb)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    for (x, y) in ca.iter().zip(cb) {
        for j in 0..16 {
            let d = x[j] - y[j];
            sums[j] += d * d;
        }
    }
    let ((ca, ra), (cb, rb)) = (ra.as_chunks::<8>(), rb.as_chunks::<8>());
    for (x, y) in ca.iter().zip(cb) {
        for j in 0..8 {
            let d = x[j] - y[j];
            sums[j] += d * d;
        }
    }
    for (j, (x, y)) in ra.iter().zip(rb).enumerate() {
        sums[j] += (x - y) * (x - y);
    }
    // Halves onto halves: few steps that wait for each other.
    for half in [8, 4, 2, 1] {
        for j in 0..half {
            sums[j] += sums[j + half];
        }
    }
    sums[0]
}
