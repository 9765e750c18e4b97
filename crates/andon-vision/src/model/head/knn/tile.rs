//! The inner loops: a block of queries meets a run of panels, and what comes out is for every pair `|b|^2 - 2 q·b` of the
//! vectors as written down (see [`super::pack`]), that is the squared distance but for the query's own `|q|^2`, and the smallest of
//! them for each query and panel, so that most panels are never looked at again. `MR x NR` sums stay in registers while the
//! dimensions go by.

use std::ops::Range;

use super::isa::Isa;
use super::pack::{Bank, Query};

impl Isa {
    /// Fills `out` with `panels.len() * MR * NR` values, panel by panel, query by query, row by row, and `least` with the
    /// smallest of each query, panel by panel. A product that is no number is never the smallest.
    pub fn products(
        self,
        bank: &Bank,
        panels: Range<usize>,
        block: &[u32],
        about: &[Query],
        out: &mut [f32],
        least: &mut [f32],
    ) {
        let (mr, nr) = (self.block(), self.panel());
        assert!(block.len() == mr * bank.steps && about.len() == mr, "a whole block, packed for this instruction set");
        assert!(panels.end <= bank.panels() && out.len() == panels.len() * mr * nr, "room for every product");
        assert!(least.len() == panels.len() * mr, "room for every minimum");
        let mut factors = [0.0f32; 8];
        factors.iter_mut().zip(about).for_each(|(f, q)| *f = 2.0 * q.scale);
        for ((p, out), least) in panels.zip(out.chunks_exact_mut(mr * nr)).zip(least.chunks_exact_mut(mr)) {
            let (at, words) = (p * nr..(p + 1) * nr, bank.panel(p));
            let (norm, scale, start) = (&bank.norm[at.clone()], &bank.scale[at.clone()], &bank.start[at]);
            let tile = Tile { words, block, steps: bank.steps, norm, scale, start, factors: &factors };
            match self {
                // SAFETY: these variants exist only after the processor was asked for their features; the lengths are
                // those asserted above: `words` and `block` hold `steps` times NR and MR words, `norm`, `scale` and `start` NR values,
                // `factors` at least MR, `out` MR * NR, `least` MR.
                #[cfg(target_arch = "x86_64")]
                Isa::Vnni => unsafe { vnni(&tile, out, least) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => unsafe { avx512(&tile, out, least) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2Int => unsafe { avx2_int(&tile, out, least) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => unsafe { avx2(&tile, out, least) },
                // SAFETY: every processor of this target has NEON; lengths as above.
                #[cfg(target_arch = "aarch64")]
                Isa::Neon => unsafe { neon(&tile, out, least) },
                Isa::Plain => plain(&tile, out, least),
            }
        }
    }
}

/// One block against one panel.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "whole numbers have kernels on x86 only"))]
struct Tile<'a> {
    words: &'a [u32],
    block: &'a [u32],
    steps: usize,
    norm: &'a [f32],
    scale: &'a [f32],
    start: &'a [i32],
    factors: &'a [f32; 8],
}

/// A kernel whose sums are f32.
macro_rules! float_kernel {
    ($name:ident, $features:literal, $arch:ident, $mr:literal, $vectors:literal, $lanes:literal,
     $zero:expr, $load:ident, $splat:ident, $store:ident, $fma:expr, $min:ident, $least:ident) => {
        /// # Safety
        /// The processor has the named features; lengths as in [`Isa::products`].
        #[target_feature(enable = $features)]
        unsafe fn $name(tile: &Tile<'_>, out: &mut [f32], least: &mut [f32]) {
            use std::arch::$arch::*;
            const MR: usize = $mr;
            const NR: usize = $vectors * $lanes;
            let (words, block) = (tile.words.as_ptr().cast::<f32>(), tile.block.as_ptr().cast::<f32>());
            let mut sums = [[$zero; $vectors]; MR];
            for k in 0..tile.steps {
                // SAFETY: k < steps, and there are `steps` times NR and MR words; any four bytes are an f32.
                unsafe {
                    let mut rows = [$zero; $vectors];
                    for v in 0..$vectors {
                        rows[v] = $load(words.add(k * NR + v * $lanes));
                    }
                    for i in 0..MR {
                        let one = $splat(*block.add(k * MR + i));
                        for v in 0..$vectors {
                            sums[i][v] = $fma(one, rows[v], sums[i][v]);
                        }
                    }
                }
            }
            for i in 0..MR {
                let mut smallest = $splat(f32::INFINITY);
                for v in 0..$vectors {
                    // SAFETY: v * lanes + lanes <= NR <= norm.len(), and `out` holds MR * NR values.
                    unsafe {
                        let norm = $load(tile.norm.as_ptr().add(v * $lanes));
                        let product = $fma($splat(-2.0), sums[i][v], norm);
                        $store(out.as_mut_ptr().add(i * NR + v * $lanes), product);
                        smallest = $min(product, smallest);
                    }
                }
                least[i] = $least(smallest);
            }
        }
    };
}

/// A kernel whose sums are 32-bit whole numbers.
macro_rules! whole_kernel {
    ($name:ident, $features:literal, $mr:literal, $vectors:literal, $lanes:literal, $zero:expr, $load:expr, $splat:ident,
     $multiply_add:expr, $to_float:ident, $load_float:ident, $splat_float:ident, $mul:ident, $subtract:ident,
     $store:ident, $min:ident, $least:ident) => {
        /// # Safety
        /// The processor has the named features; lengths as in [`Isa::products`].
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = $features)]
        unsafe fn $name(tile: &Tile<'_>, out: &mut [f32], least: &mut [f32]) {
            use std::arch::x86_64::*;
            const MR: usize = $mr;
            const NR: usize = $vectors * $lanes;
            let (words, block) = (tile.words.as_ptr(), tile.block.as_ptr());
            let mut sums = [[$zero; $vectors]; MR];
            for v in 0..$vectors {
                // SAFETY: v * lanes + lanes <= NR <= start.len().
                let start = unsafe { $load(tile.start.as_ptr().add(v * $lanes).cast::<u32>()) };
                for i in 0..MR {
                    sums[i][v] = start;
                }
            }
            for k in 0..tile.steps {
                // SAFETY: k < steps, and there are `steps` times NR and MR words.
                unsafe {
                    let mut rows = [$zero; $vectors];
                    for v in 0..$vectors {
                        rows[v] = $load(words.add(k * NR + v * $lanes));
                    }
                    for i in 0..MR {
                        let one = $splat(*block.add(k * MR + i) as i32);
                        for v in 0..$vectors {
                            sums[i][v] = $multiply_add(sums[i][v], one, rows[v]);
                        }
                    }
                }
            }
            for i in 0..MR {
                let mut smallest = $splat_float(f32::INFINITY);
                for v in 0..$vectors {
                    // SAFETY: v * lanes + lanes <= NR values of each row's properties, `out` holds MR * NR.
                    unsafe {
                        let norm = $load_float(tile.norm.as_ptr().add(v * $lanes));
                        let scale = $load_float(tile.scale.as_ptr().add(v * $lanes));
                        let dot = $mul($to_float(sums[i][v]), $splat_float(tile.factors[i]));
                        let product = $subtract(dot, scale, norm);
                        $store(out.as_mut_ptr().add(i * NR + v * $lanes), product);
                        smallest = $min(product, smallest);
                    }
                }
                least[i] = $least(smallest);
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
float_kernel!(
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
    |a, b, c| _mm512_fmadd_ps(a, b, c),
    _mm512_min_ps,
    _mm512_reduce_min_ps
);
#[cfg(target_arch = "x86_64")]
float_kernel!(
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
    |a, b, c| _mm256_fmadd_ps(a, b, c),
    _mm256_min_ps,
    least_of_8
);
#[cfg(target_arch = "aarch64")]
float_kernel!(
    neon,
    "neon",
    aarch64,
    6,
    4,
    4,
    vdupq_n_f32(0.0),
    vld1q_f32,
    vdupq_n_f32,
    vst1q_f32,
    |a, b, c| vfmaq_f32(c, a, b),
    // The one that prefers numbers to NaN.
    vminnmq_f32,
    vminvq_f32
);
whole_kernel!(
    vnni,
    "avx512f,avx512vnni",
    8,
    2,
    16,
    _mm512_setzero_si512(),
    |p: *const u32| _mm512_loadu_si512(p.cast()),
    _mm512_set1_epi32,
    // Unsigned bytes of the query times signed bytes of the rows, four products to a sum.
    |sum, one, rows| _mm512_dpbusd_epi32(sum, one, rows),
    _mm512_cvtepi32_ps,
    _mm512_loadu_ps,
    _mm512_set1_ps,
    _mm512_mul_ps,
    _mm512_fnmadd_ps,
    _mm512_storeu_ps,
    _mm512_min_ps,
    _mm512_reduce_min_ps
);
whole_kernel!(
    avx2_int,
    "avx2,fma",
    6,
    2,
    8,
    _mm256_setzero_si256(),
    |p: *const u32| _mm256_loadu_si256(p.cast()),
    _mm256_set1_epi32,
    |sum, one, rows| _mm256_add_epi32(sum, _mm256_madd_epi16(one, rows)),
    _mm256_cvtepi32_ps,
    _mm256_loadu_ps,
    _mm256_set1_ps,
    _mm256_mul_ps,
    _mm256_fnmadd_ps,
    _mm256_storeu_ps,
    _mm256_min_ps,
    least_of_8
);

/// The smallest of eight lanes.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn least_of_8(v: std::arch::x86_64::__m256) -> f32 {
    use std::arch::x86_64::*;
    let four = _mm_min_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    let two = _mm_min_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_min_ss(two, _mm_shuffle_ps(two, two, 1)))
}

/// f32 in plain Rust.
fn plain(tile: &Tile<'_>, out: &mut [f32], least: &mut [f32]) {
    const MR: usize = 4;
    const NR: usize = 8;
    let mut sums = [[0.0f32; NR]; MR];
    for (rows, queries) in tile.words.as_chunks::<NR>().0.iter().zip(tile.block.as_chunks::<MR>().0) {
        for i in 0..MR {
            let one = f32::from_bits(queries[i]);
            for j in 0..NR {
                sums[i][j] += one * f32::from_bits(rows[j]);
            }
        }
    }
    for ((sums, out), least) in sums.iter().zip(out.as_chunks_mut::<NR>().0).zip(least) {
        for j in 0..NR {
            out[j] = tile.norm[j] - 2.0 * sums[j];
        }
        *least = out.iter().copied().fold(f32::INFINITY, f32::min);
    }
}
