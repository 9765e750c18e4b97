//! Patch features from feature maps: each map averaged over its neighbours (3x3 in the paper) and weighted, the coarser ones
//! brought to the grid of the finest, all concatenated. Source: PatchCore (Roth et al. 2022) section 3.1 in the form that exports well: pooling as
//! `AvgPool2d(k, stride=1, padding=k/2)` with the zero padding counted, bilinear upsampling with half-pixel centres.

use serde::{Deserialize, Serialize};

use crate::model::engine::FeatureMap;

/// What becomes of one feature map.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// Side of the averaged neighbourhood, odd; 1 leaves the map sharp.
    pub pool: u32,
    /// Factor of its values.
    pub weight: f32,
}

/// Owns its scratch memory, reused between frames.
#[derive(Debug, Default)]
pub struct Aggregator {
    layers: Vec<Layer>,
    rows: Vec<f32>,
    pooled: Vec<f32>,
    up: Vec<f32>,
    columns: Vec<Tap>,
    lines: Vec<Tap>,
}

/// Two neighbours and the weight of the second.
#[derive(Clone, Copy, Debug)]
struct Tap {
    a: usize,
    b: usize,
    t: f32,
}

impl Aggregator {
    /// One layer for each map; maps beyond them are taken as they are.
    pub fn new(layers: Vec<Layer>) -> Aggregator {
        Aggregator { layers, ..Aggregator::default() }
    }

    /// Writes `grid_h * grid_w * dim` values, patch by patch, and returns `(grid_w, grid_h, dim)`: the grid is that of the
    /// first map, `dim` the sum of all channels. Allocates only until the buffers have their size.
    pub fn run(&mut self, maps: &[FeatureMap], out: &mut Vec<f32>) -> (usize, usize, usize) {
        let Some(first) = maps.first() else { return (0, 0, 0) };
        let (width, height) = (first.width, first.height);
        let dim: usize = maps.iter().map(|m| m.channels).sum();
        out.resize(width * height * dim, 0.0);
        let mut base = 0;
        for (i, map) in maps.iter().enumerate() {
            let layer = self.layers.get(i).copied().unwrap_or(Layer { pool: 1, weight: 1.0 });
            let same = (map.width, map.height) == (width, height);
            taps(&mut self.columns, map.width, width);
            taps(&mut self.lines, map.height, height);
            for plane in map.data.chunks_exact(map.width * map.height) {
                self.pool(plane, map.width, map.height, layer);
                let values = if same { &self.pooled } else { self.upsample(map.width, width) };
                for (to, v) in out[base..].iter_mut().step_by(dim).zip(values) {
                    *to = *v;
                }
                base += 1;
            }
        }
        (width, height, dim)
    }

    /// Mean over the neighbourhood with zero padding counted, times the weight: sums along the row first, then along the
    /// column.
    fn pool(&mut self, plane: &[f32], width: usize, height: usize, layer: Layer) {
        self.rows.resize(plane.len(), 0.0);
        self.pooled.resize(plane.len(), 0.0);
        let reach = layer.pool as usize / 2;
        for (from, to) in plane.chunks_exact(width).zip(self.rows.chunks_exact_mut(width)) {
            sums(width, reach, |x| from[x], |x, sum| to[x] = sum);
        }
        let (rows, pooled) = (&self.rows, &mut self.pooled);
        let factor = layer.weight / (layer.pool * layer.pool) as f32;
        for y in 0..height {
            let to = &mut pooled[y * width..(y + 1) * width];
            let (low, high) = (y.saturating_sub(reach), (y + reach).min(height - 1));
            to.copy_from_slice(&rows[low * width..(low + 1) * width]);
            for row in rows[(low + 1) * width..(high + 1) * width].chunks_exact(width) {
                to.iter_mut().zip(row).for_each(|(sum, v)| *sum += v);
            }
            to.iter_mut().for_each(|v| *v *= factor);
        }
    }

    fn upsample(&mut self, from_width: usize, width: usize) -> &[f32] {
        self.up.resize(self.lines.len() * width, 0.0);
        for (line, to) in self.lines.iter().zip(self.up.chunks_exact_mut(width)) {
            let a = &self.pooled[line.a * from_width..(line.a + 1) * from_width];
            let b = &self.pooled[line.b * from_width..(line.b + 1) * from_width];
            for (to, c) in to.iter_mut().zip(&self.columns) {
                let top = a[c.a] + (a[c.b] - a[c.a]) * c.t;
                let bottom = b[c.a] + (b[c.b] - b[c.a]) * c.t;
                *to = top + (bottom - top) * line.t;
            }
        }
        &self.up
    }
}

/// For each of `n` places the sum over those at most `reach` away.
fn sums(n: usize, reach: usize, get: impl Fn(usize) -> f32, mut put: impl FnMut(usize, f32)) {
    for x in 0..n {
        put(x, (x.saturating_sub(reach)..=(x + reach).min(n - 1)).map(&get).sum());
    }
}

/// Bilinear taps with half-pixel centres (`align_corners=False`).
fn taps(taps: &mut Vec<Tap>, from: usize, to: usize) {
    let scale = from as f32 / to as f32;
    taps.clear();
    taps.extend((0..to).map(|o| {
        let at = ((o as f32 + 0.5) * scale - 0.5).max(0.0);
        let a = (at as usize).min(from - 1);
        Tap { a, b: (a + 1).min(from - 1), t: at - a as f32 }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pooling_counts_the_padding_and_channels_are_interleaved_by_patch() {
        let a = FeatureMap { channels: 1, height: 2, width: 2, data: vec![9.0, 18.0, 27.0, 36.0] };
        let b = FeatureMap { channels: 1, height: 1, width: 1, data: vec![90.0] };
        let mut out = Vec::new();
        assert_eq!(Aggregator::new(vec![Layer { pool: 3, weight: 1.0 }; 2]).run(&[a, b], &mut out), (2, 2, 2));
        assert_eq!(out, [10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0]);
    }

    #[test]
    fn neighbourhoods_and_weights_are_each_layers_own() {
        let map = FeatureMap { channels: 1, height: 1, width: 5, data: vec![25.0, 0.0, 0.0, 0.0, 50.0] };
        let mut out = Vec::new();
        let layers = vec![Layer { pool: 1, weight: 2.0 }, Layer { pool: 5, weight: 1.0 }];
        Aggregator::new(layers).run(&[map.clone(), map], &mut out);
        assert_eq!(out, [50.0, 1.0, 0.0, 1.0, 0.0, 3.0, 0.0, 2.0, 100.0, 2.0]);
    }

    #[test]
    fn upsampling_uses_half_pixel_centres() {
        let fine = FeatureMap { channels: 1, height: 4, width: 4, data: vec![0.0; 16] };
        // Chosen so that pooling with zero padding gives 2 and 4 in each row.
        let coarse = FeatureMap { channels: 1, height: 2, width: 2, data: vec![0.0, 9.0, 9.0, 0.0] };
        let mut out = Vec::new();
        Aggregator::new(vec![Layer { pool: 3, weight: 1.0 }; 2]).run(&[fine, coarse], &mut out);
        assert!(out.iter().skip(1).step_by(2).all(|v| (*v - 2.0).abs() < 1e-6), "{out:?}");
    }
}
