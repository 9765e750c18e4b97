//! The inner loops. Bank rows lie in panels: `NR` rows side by side, dimension by dimension, so that one vector load takes
//! the same dimension of several rows. Queries lie in blocks of `MR` in the same manner. A block meets a panel in
//! `MR x NR` accumulators that fit the registers.

use std::ops::Range;

/// What is nearest so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Best {
    /// Row, or [`Best::NONE`].
    pub index: u32,
}

impl Best {
    /// No row was comparable: the query holds NaN, or all rows are excluded.
    pub const NONE: u32 = u32::MAX;
}

/// The bank in panels.
#[derive(Debug)]
pub(super) struct Panels {
    data: Vec<f32>,
    dim: usize,
    nr: usize,
    count: usize,
}

impl Panels {
    pub fn pack(rows: &[f32], dim: usize, isa: Isa) -> Panels {
        let nr = isa.panel();
        let n = rows.len() / dim;
        let count = n.div_ceil(nr);
        let mut data = vec![0.0; count * nr * dim];
        for (i, row) in rows.chunks_exact(dim).enumerate() {
            let panel = &mut data[i / nr * nr * dim..];
            for (k, v) in row.iter().enumerate() {
                panel[k * nr + i % nr] = *v;
            }
        }
        Panels { data, dim, nr, count }
    }

    pub fn padded_rows(&self) -> usize {
        self.count * self.nr
    }
}

/// Lays queries out in blocks; missing ones at the end are zeros.
pub(super) fn pack_queries(queries: &[f32], dim: usize, isa: Isa, packed: &mut Vec<f32>) {
    let mr = isa.block();
    let count = queries.len() / dim;
    packed.clear();
    packed.resize(count.div_ceil(mr) * mr * dim, 0.0);
    for (i, q) in queries.chunks_exact(dim).enumerate() {
        let block = &mut packed[i / mr * mr * dim..];
        for (k, v) in q.iter().enumerate() {
            block[k * mr + i % mr] = *v;
        }
    }
}

/// Which instructions the inner loop uses. The results are the same bits for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Isa {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// No vector instructions asked for; slow without a fused multiply-add in hardware, and still the same bits.
    Plain,
}

impl Isa {
    /// All that this machine can run, best first.
    pub fn available() -> Vec<Isa> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("fma") {
                all.push(Isa::Avx512);
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                all.push(Isa::Avx2);
            }
        }
        #[cfg(target_arch = "aarch64")]
        all.push(Isa::Neon);
        all.push(Isa::Plain);
        all
    }

    pub fn best() -> Isa {
        Self::available().first().copied().unwrap_or(Isa::Plain)
    }

    /// Queries in a block.
    pub fn block(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => 8,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => 6,
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => 6,
            Isa::Plain => 4,
        }
    }

    /// Rows in a panel.
    pub fn panel(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => 32,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => 16,
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => 16,
            Isa::Plain => 8,
        }
    }

    /// Writes the nearest row of every query in `blocks` (the padding queries of the last block included) to `results`.
    pub fn search(self, bank: &Panels, norms: &[f32], packed: &[f32], blocks: Range<usize>, results: &mut Vec<Best>) {
        results.clear();
        let mr = self.block();
        assert!(bank.nr == self.panel() && norms.len() == bank.padded_rows(), "packed for this instruction set");
        assert!(packed.len() >= blocks.end * mr * bank.dim, "as many blocks as were asked for");
        for block in blocks {
            let q = &packed[block * mr * bank.dim..(block + 1) * mr * bank.dim];
            match self {
                // SAFETY: this variant exists only after the processor was asked for avx512f and fma; the lengths that
                // the function states are those that were asserted above.
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => unsafe { avx512(bank, norms, q, results) },
                // SAFETY: as above, for avx2 and fma.
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => unsafe { avx2(bank, norms, q, results) },
                // SAFETY: every aarch64 processor of this target has NEON; lengths as above.
                #[cfg(target_arch = "aarch64")]
                Isa::Neon => unsafe { neon(bank, norms, q, results) },
                Isa::Plain => plain(bank, norms, q, results),
            }
        }
    }
}

/// Lane-wise minimum over the panels, then over the lanes. `products` is `q·b` of one panel.
#[inline(always)]
fn keep_best<const MR: usize, const NR: usize>(
    products: &[[f32; NR]; MR],
    norms: &[f32; NR],
    panel: u32,
    best: &mut [[f32; NR]; MR],
    at: &mut [[u32; NR]; MR],
) {
    for i in 0..MR {
        for j in 0..NR {
            let d = (-2.0f32).mul_add(products[i][j], norms[j]);
            // NaN is never less: a query with NaN finds nothing and is told so.
            let less = d < best[i][j];
            best[i][j] = if less { d } else { best[i][j] };
            at[i][j] = if less { panel } else { at[i][j] };
        }
    }
}

fn finish<const MR: usize, const NR: usize>(best: &[[f32; NR]; MR], at: &[[u32; NR]; MR], results: &mut Vec<Best>) {
    for i in 0..MR {
        let mut winner = (f32::INFINITY, Best::NONE);
        for j in 0..NR {
            let row = if at[i][j] == Best::NONE { Best::NONE } else { at[i][j] * NR as u32 + j as u32 };
            // The lowest row wins a tie; lanes keep their earliest panel already.
            if best[i][j] < winner.0 || (best[i][j] == winner.0 && row < winner.1) {
                winner = (best[i][j], row);
            }
        }
        results.push(Best { index: winner.1 });
    }
}

macro_rules! kernel {
    ($name:ident, $features:literal, $arch:ident, $mr:literal, $vectors:literal, $lanes:literal,
     $zero:expr, $load:ident, $splat:ident, $store:ident, $fma:expr) => {
        /// One block of queries against the whole bank.
        ///
        /// # Safety
        /// The processor has the named features; `q` holds `MR * dim` values; `norms` one for each row of every panel.
        #[target_feature(enable = $features)]
        unsafe fn $name(bank: &Panels, norms: &[f32], q: &[f32], results: &mut Vec<Best>) {
            use std::arch::$arch::*;
            const MR: usize = $mr;
            const NR: usize = $vectors * $lanes;
            let dim = bank.dim;
            let mut best = [[f32::INFINITY; NR]; MR];
            let mut at = [[Best::NONE; NR]; MR];
            for (p, norms) in norms.as_chunks::<NR>().0.iter().enumerate() {
                let panel = &bank.data[p * NR * dim..(p + 1) * NR * dim];
                let mut products = [[0.0f32; NR]; MR];
                let mut sums = [[$zero; $vectors]; MR];
                for k in 0..dim {
                    // SAFETY: k < dim, and `panel` and `q` hold dim steps of NR and MR values.
                    unsafe {
                        let mut rows = [$zero; $vectors];
                        for v in 0..$vectors {
                            rows[v] = $load(panel.as_ptr().add(k * NR + v * $lanes));
                        }
                        for i in 0..MR {
                            let one = $splat(*q.as_ptr().add(k * MR + i));
                            for v in 0..$vectors {
                                sums[i][v] = $fma(one, rows[v], sums[i][v]);
                            }
                        }
                    }
                }
                for i in 0..MR {
                    for v in 0..$vectors {
                        // SAFETY: v * lanes + lanes <= NR.
                        unsafe { $store(products[i].as_mut_ptr().add(v * $lanes), sums[i][v]) };
                    }
                }
                keep_best(&products, norms, p as u32, &mut best, &mut at);
            }
            finish(&best, &at, results);
        }
    };
}

#[cfg(target_arch = "x86_64")]
kernel!(
    avx512,
    "avx512f,fma",
    x86_64,
    8,
    2,
    16,
    _mm512_setzero_ps(),
    _mm512_loadu_ps,
    _mm512_set1_ps,
    _mm512_storeu_ps,
    |a, b, c| _mm512_fmadd_ps(a, b, c)
);
#[cfg(target_arch = "x86_64")]
kernel!(
    avx2,
    "avx2,fma",
    x86_64,
    6,
    2,
    8,
    _mm256_setzero_ps(),
    _mm256_loadu_ps,
    _mm256_set1_ps,
    _mm256_storeu_ps,
    |a, b, c| _mm256_fmadd_ps(a, b, c)
);
#[cfg(target_arch = "aarch64")]
kernel!(neon, "neon", aarch64, 6, 4, 4, vdupq_n_f32(0.0), vld1q_f32, vdupq_n_f32, vst1q_f32, |a, b, c| vfmaq_f32(
    c, a, b
));

/// The same in plain Rust.
fn plain(bank: &Panels, norms: &[f32], q: &[f32], results: &mut Vec<Best>) {
    const MR: usize = 4;
    const NR: usize = 8;
    let mut best = [[f32::INFINITY; NR]; MR];
    let mut at = [[Best::NONE; NR]; MR];
    for (p, norms) in norms.as_chunks::<NR>().0.iter().enumerate() {
        let panel = &bank.data[p * NR * bank.dim..(p + 1) * NR * bank.dim];
        let mut products = [[0.0f32; NR]; MR];
        for (rows, queries) in panel.as_chunks::<NR>().0.iter().zip(q.as_chunks::<MR>().0) {
            for i in 0..MR {
                for j in 0..NR {
                    products[i][j] = queries[i].mul_add(rows[j], products[i][j]);
                }
            }
        }
        keep_best(&products, norms, p as u32, &mut best, &mut at);
    }
    finish(&best, &at, results);
}
