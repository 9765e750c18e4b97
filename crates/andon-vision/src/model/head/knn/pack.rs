//! How bank rows and queries are written down for the inner loops. Bank rows lie in panels: `NR` rows side by side, step by
//! step, so that one vector load takes the same step of several rows. Queries lie in blocks of `MR` in the same manner. A step
//! is one f32, two 16-bit or four 8-bit values, four bytes in every case.
//!
//! All values are relative to the bank's mean, which changes no distance and makes the numbers small. Whole-number formats
//! scale each row and each query by its own largest value, and remember how far the rounded vector lies from the true
//! one: by the triangle inequality no distance is off by more than the sum of the two.

use super::isa::{Format, Isa};

/// What f32 arithmetic adds to a vector's rounding error, relative to its length.
const F32_ERROR: f32 = 1e-6;

/// Partial sums, so that the compiler can use vectors.
const LANES: usize = 16;

/// The bank in panels.
#[derive(Clone, Debug)]
pub(super) struct Bank {
    pub dim: usize,
    pub rows: usize,
    isa: Isa,
    mean: Vec<f32>,
    /// `panels * NR * steps` words.
    words: Vec<u32>,
    /// Words of one row.
    pub steps: usize,
    /// Factor of each row's whole numbers; 1 in f32.
    pub scale: Vec<f32>,
    /// `|row|^2` as written down; infinite for rows that cannot be found.
    pub norm: Vec<f32>,
    /// What the sums of products start with, so that they come out as if queries had no 128 added.
    pub start: Vec<i32>,
    /// Largest quantisation error of a row of this panel, L2.
    pub error: Vec<f32>,
    /// Largest finite `norm`.
    pub largest: f32,
}

/// The queries of one search in blocks.
#[derive(Clone, Debug, Default)]
pub(super) struct Queries {
    words: Vec<u32>,
    pub about: Vec<Query>,
    centred: Vec<f32>,
}

/// One query as written down.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Query {
    /// Factor of its whole numbers; 1 in f32.
    pub scale: f32,
    /// `|q|^2` as written down.
    pub norm: f32,
    /// Quantisation error, L2.
    pub error: f32,
}

impl Bank {
    pub fn pack(rows: &[f32], dim: usize, isa: Isa) -> Bank {
        let (nr, n) = (isa.panel(), rows.len() / dim);
        let panels = n.div_ceil(nr);
        let steps = dim.div_ceil(per_step(isa.format()));
        let mean = mean(rows, dim);
        let mut bank = Bank {
            dim,
            rows: n,
            isa,
            mean,
            words: vec![0; panels * nr * steps],
            steps,
            scale: vec![1.0; panels * nr],
            norm: vec![f32::INFINITY; panels * nr],
            start: vec![0; panels * nr],
            error: vec![0.0; panels],
            largest: 0.0,
        };
        let (mut centred, mut words) = (Vec::new(), vec![0; steps]);
        for (i, row) in rows.chunks_exact(dim).enumerate() {
            let (about, sum) = bank.write(row, &mut centred, 0, |k, word| words[k] = word);
            let panel = &mut bank.words[i / nr * nr * steps..];
            for (k, word) in words.iter().enumerate() {
                panel[k * nr + i % nr] = *word;
            }
            bank.scale[i] = about.scale;
            bank.norm[i] = about.norm;
            bank.start[i] = if isa.format() == Format::I8 { -128 * sum } else { 0 };
            bank.error[i / nr] = bank.error[i / nr].max(about.error);
            bank.largest = bank.largest.max(about.norm);
        }
        bank
    }

    /// The words of panel `p`.
    pub fn panel(&self, p: usize) -> &[u32] {
        let len = self.isa.panel() * self.steps;
        &self.words[p * len..(p + 1) * len]
    }

    pub fn panels(&self) -> usize {
        self.error.len()
    }

    pub fn format(&self) -> Format {
        self.isa.format()
    }

    /// Whether the arithmetic of the bounds holds: no square may leave the range of f32.
    pub fn in_range(&self, query: &Query) -> bool {
        self.largest < 1e30 && query.norm < 1e30
    }

    /// Writes queries down in blocks; missing ones at the end are zeros. Reuses the storage.
    pub fn pack_queries(&self, values: &[f32], queries: &mut Queries) {
        match self.isa {
            // SAFETY: these variants exist only after the processor was asked for these features.
            #[cfg(target_arch = "x86_64")]
            Isa::Vnni | Isa::Avx512 => unsafe { self.pack_queries_avx512(values, queries) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2Int | Isa::Avx2 => unsafe { self.pack_queries_avx2(values, queries) },
            _ => self.pack_queries_here(values, queries),
        }
    }

    /// The same code, compiled for wider vectors.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f")]
    fn pack_queries_avx512(&self, values: &[f32], queries: &mut Queries) {
        self.pack_queries_here(values, queries);
    }

    /// The same code, compiled for wider vectors.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn pack_queries_avx2(&self, values: &[f32], queries: &mut Queries) {
        self.pack_queries_here(values, queries);
    }

    #[inline(always)]
    fn pack_queries_here(&self, values: &[f32], queries: &mut Queries) {
        let (mr, count) = (self.isa.block(), values.len() / self.dim);
        let blocks = count.div_ceil(mr);
        queries.words.resize(blocks * mr * self.steps, 0);
        queries.about.clear();
        queries.about.resize(blocks * mr, Query::default());
        let offset = if self.isa.format() == Format::I8 { 128 } else { 0 };
        for (i, q) in values.chunks_exact(self.dim).enumerate() {
            let block = &mut queries.words[i / mr * mr * self.steps..][..mr * self.steps];
            let put = |k: usize, word| block[k * mr + i % mr] = word;
            queries.about[i] = self.write(q, &mut queries.centred, offset, put).0;
        }
    }

    /// Writes one vector down, a word a step; also returns the sum of its whole numbers.
    #[inline(always)]
    fn write(
        &self,
        vector: &[f32],
        centred: &mut Vec<f32>,
        offset: i32,
        mut put: impl FnMut(usize, u32),
    ) -> (Query, i32) {
        // Whole lanes, so that no loop has a rest; zeros change nothing.
        centred.clear();
        centred.extend(vector.iter().zip(&self.mean).map(|(v, m)| v - m));
        centred.resize(self.dim.next_multiple_of(LANES), 0.0);
        let mut squares = [0.0f32; LANES];
        for lanes in centred.as_chunks::<LANES>().0 {
            (0..LANES).for_each(|j| squares[j] += lanes[j] * lanes[j]);
        }
        let square: f32 = squares.iter().sum();
        let error = F32_ERROR * square.sqrt();
        let whole = match self.isa.format() {
            Format::F32 => {
                centred[..self.dim].iter().enumerate().for_each(|(k, v)| put(k, v.to_bits()));
                return (Query { scale: 1.0, norm: square, error }, 0);
            }
            Format::I8 => Whole { limit: 127.0, bits: 8, offset },
            Format::I16 => Whole { limit: i16_limit(self.dim), bits: 16, offset },
        };
        whole.write(centred, self.steps, error, put)
    }
}

impl Queries {
    /// The words of block `b`.
    pub fn block(&self, b: usize, isa: Isa, steps: usize) -> &[u32] {
        let len = isa.block() * steps;
        &self.words[b * len..(b + 1) * len]
    }
}

/// A whole-number format.
struct Whole {
    limit: f32,
    bits: usize,
    offset: i32,
}

impl Whole {
    /// Rounds `centred` in place to whole numbers and puts them into words.
    #[inline(always)]
    fn write(&self, centred: &mut [f32], steps: usize, error: f32, mut put: impl FnMut(usize, u32)) -> (Query, i32) {
        let lanes = centred.as_chunks_mut::<LANES>().0;
        let mut largest = [0.0f32; LANES];
        for v in lanes.iter() {
            (0..LANES).for_each(|j| largest[j] = largest[j].max(v[j].abs()));
        }
        let scale = largest.iter().copied().fold(0.0, f32::max) / self.limit;
        // An all but empty vector is written as zeros, and its error is its length.
        let inverse = if scale > f32::MIN_POSITIVE { 1.0 / scale } else { 0.0 };
        let (mut sum, mut square, mut lost) = ([0.0f32; LANES], [0.0f32; LANES], [0.0f32; LANES]);
        for v in lanes.iter_mut() {
            for j in 0..LANES {
                let n = (v[j] * inverse).round_ties_even().clamp(-self.limit, self.limit);
                let off = v[j] - n * scale;
                lost[j] += off * off;
                sum[j] += n;
                square[j] += n * n;
                v[j] = n;
            }
        }
        let mask = ((1u64 << self.bits) - 1) as u32;
        let per_step = 32 / self.bits;
        for (k, step) in centred.chunks_exact(per_step).take(steps).enumerate() {
            let word = step
                .iter()
                .rev()
                .fold(0u32, |word, n| word.unbounded_shl(self.bits as u32) | ((*n as i32 + self.offset) as u32 & mask));
            put(k, word);
        }
        let (sum, square, lost) = (sum.iter().sum::<f32>(), square.iter().sum::<f32>(), lost.iter().sum::<f32>());
        let about = Query { scale, norm: scale * scale * square, error: lost.sqrt() * (1.0 + 1e-5) + error };
        (about, sum as i32)
    }
}

/// Values of one word.
fn per_step(format: Format) -> usize {
    match format {
        Format::F32 => 1,
        Format::I16 => 2,
        Format::I8 => 4,
    }
}

/// The largest whole number whose products can be summed over all dimensions in 32 bits.
fn i16_limit(dim: usize) -> f32 {
    ((i32::MAX as f32 / dim as f32).sqrt() - 1.0).clamp(1.0, 2047.0).floor()
}

fn mean(rows: &[f32], dim: usize) -> Vec<f32> {
    let mut sums = vec![0.0f64; dim];
    for row in rows.chunks_exact(dim) {
        sums.iter_mut().zip(row).for_each(|(s, v)| *s += f64::from(*v));
    }
    let n = (rows.len() / dim) as f64;
    sums.iter().map(|s| (s / n) as f32).collect()
}
