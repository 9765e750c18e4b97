//! The chosen centres, sixteen side by side, so that one instruction compares a point with sixteen of them. Sums go over the dimensions in their
//! order, without fused operations, on every processor: a distance has the same bits everywhere.

use std::ops::Range;

/// Centres side by side.
const LANES: usize = 16;
/// Points that are compared together at most: each centre is fetched once for all of them.
pub(super) const BATCH: usize = 8;

/// Centres in panels of sixteen: of each panel first all first values, then all second ones, and so on. Places without a centre are
/// infinitely far from everything.
pub(super) struct Panels {
    dim: usize,
    count: usize,
    values: Vec<f32>,
}

impl Panels {
    /// None yet, and room for so many.
    pub fn new(dim: usize, room: usize) -> Panels {
        Panels { dim, count: 0, values: Vec::with_capacity(room.div_ceil(LANES) * LANES * dim) }
    }

    /// Adds a centre.
    pub fn push(&mut self, centre: &[f32]) {
        let (panel, lane) = (self.count / LANES, self.count % LANES);
        if lane == 0 {
            self.values.resize((panel + 1) * LANES * self.dim, f32::INFINITY);
        }
        let values = &mut self.values[panel * LANES * self.dim + lane..];
        values.iter_mut().step_by(LANES).zip(centre).for_each(|(to, v)| *to = *v);
        self.count += 1;
    }

    /// Brings the squared distances of up to [`BATCH`] points to their nearest centre up to date with these centres, and some before and
    /// behind them.
    pub fn closest(&self, points: &[&[f32]], centres: Range<usize>, least: &mut [f32]) {
        let size = LANES * self.dim;
        let panels = &self.values[centres.start / LANES * size..centres.end.div_ceil(LANES) * size];
        for (points, least) in points.chunks(BATCH).zip(least.chunks_mut(BATCH)) {
            match *points {
                [] => {}
                [a] => self.some([a], panels, least),
                [a, b] => self.some([a, b], panels, least),
                [a, b, c] => self.some([a, b, c], panels, least),
                [a, b, c, d] => self.some([a, b, c, d], panels, least),
                [a, b, c, d, e] => self.some([a, b, c, d, e], panels, least),
                [a, b, c, d, e, f] => self.some([a, b, c, d, e, f], panels, least),
                [a, b, c, d, e, f, g] => self.some([a, b, c, d, e, f, g], panels, least),
                [a, b, c, d, e, f, g, h, ..] => self.some([a, b, c, d, e, f, g, h], panels, least),
            }
        }
    }

    fn some<const N: usize>(&self, points: [&[f32]; N], panels: &[f32], least: &mut [f32]) {
        assert!(points.iter().all(|p| p.len() == self.dim) && least.len() == N, "points of the centres' dimension");
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has just been asked; every point has `dim` values, and the panels `dim` times sixteen each.
            return unsafe { avx512(points, panels, self.dim, least) };
        } else if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has just been asked.
            return unsafe { avx2(points, panels, self.dim, least) };
        }
        plain(points, panels, self.dim, least);
    }
}

/// # Safety
/// The processor has AVX-512F; every point has `dim` values, and the panels `dim * LANES` each.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512<const N: usize>(points: [&[f32]; N], panels: &[f32], dim: usize, least: &mut [f32]) {
    use std::arch::x86_64::*;
    let mut nearest = [_mm512_set1_ps(f32::INFINITY); N];
    for panel in panels.chunks_exact(dim * LANES) {
        let mut sums = [_mm512_setzero_ps(); N];
        for k in 0..dim {
            // SAFETY: k < dim, and the panel has LANES values for each.
            let centres = unsafe { _mm512_loadu_ps(panel.as_ptr().add(k * LANES)) };
            for i in 0..N {
                // SAFETY: k < dim, which is the length of every point.
                let value = unsafe { *points[i].as_ptr().add(k) };
                let apart = _mm512_sub_ps(_mm512_set1_ps(value), centres);
                sums[i] = _mm512_add_ps(sums[i], _mm512_mul_ps(apart, apart));
            }
        }
        for i in 0..N {
            nearest[i] = _mm512_min_ps(sums[i], nearest[i]);
        }
    }
    for i in 0..N {
        least[i] = least[i].min(_mm512_reduce_min_ps(nearest[i]));
    }
}

/// The plain code, compiled for wider vectors.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2<const N: usize>(points: [&[f32]; N], panels: &[f32], dim: usize, least: &mut [f32]) {
    plain(points, panels, dim, least);
}

#[inline(always)]
fn plain<const N: usize>(points: [&[f32]; N], panels: &[f32], dim: usize, least: &mut [f32]) {
    for panel in panels.chunks_exact(dim * LANES) {
        for (point, least) in points.iter().zip(least.iter_mut()) {
            let mut sums = [0.0f32; LANES];
            for (value, centres) in point.iter().zip(panel.as_chunks::<LANES>().0) {
                for lane in 0..LANES {
                    let apart = value - centres[lane];
                    sums[lane] += apart * apart;
                }
            }
            *least = sums.iter().copied().fold(*least, f32::min);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::SplitMix64;

    fn noise(n: usize, seed: u64) -> Vec<f32> {
        (0..n as u64).map(|i| (SplitMix64::once(seed ^ SplitMix64::once(i)) >> 40) as f32 / (1 << 24) as f32).collect()
    }

    /// Every number of points and centres, whole panels or not: the definition's distances, and the same bits in any company.
    #[test]
    fn distances_are_those_of_the_definition_and_have_the_same_bits_in_any_company() {
        let dim = 37;
        let (centres, points) = (noise(50 * dim, 1), noise(BATCH * dim, 2));
        let mut panels = Panels::new(dim, 50);
        for (n, centre) in centres.chunks_exact(dim).enumerate() {
            panels.push(centre);
            let rows: Vec<&[f32]> = points.chunks_exact(dim).collect();
            let mut all = vec![f32::INFINITY; BATCH];
            panels.closest(&rows, 0..n + 1, &mut all);
            for (i, row) in rows.iter().enumerate() {
                let exact = |c: &[f32]| row.iter().zip(c).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
                let want = centres.chunks_exact(dim).take(n + 1).map(exact).fold(f64::INFINITY, f64::min);
                assert!((f64::from(all[i]) - want).abs() < 1e-5 * want, "{n} {i}: {} {want}", all[i]);
                let mut alone = [f32::INFINITY];
                panels.closest(&rows[i..=i], 0..n + 1, &mut alone);
                assert_eq!(alone[0].to_bits(), all[i].to_bits());
                let mut plainly = [f32::INFINITY];
                plain([row], &panels.values, dim, &mut plainly);
                assert_eq!(plainly[0].to_bits(), all[i].to_bits(), "vectors and plain code agree");
            }
        }
        let mut late = [0.25f32];
        panels.closest(&[&points[..dim]], 48..50, &mut late);
        assert_eq!(late, [0.25], "what is nearer stays");
    }
}
