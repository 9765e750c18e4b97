//! Patch features from feature maps: each map averaged over 3x3 neighbours, the coarser ones brought to the grid of the
//! finest, all concatenated. Source: PatchCore (Roth et al. 2022) section 3.1 in the form that exports well: pooling as
//! `AvgPool2d(3, stride=1, padding=1)` with the zero padding counted, bilinear upsampling with half-pixel centres.

use crate::model::engine::FeatureMap;

/// Reused between frames.
#[derive(Debug, Default)]
pub struct Aggregator {
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
    /// Writes `grid_h * grid_w * dim` values, patch by patch, and returns `(grid_w, grid_h, dim)`: the grid is that of the
    /// first map, `dim` the sum of all channels. Allocates only until the buffers have their size.
    pub fn run(&mut self, maps: &[FeatureMap], out: &mut Vec<f32>) -> (usize, usize, usize) {
        let Some(first) = maps.first() else { return (0, 0, 0) };
        let (width, height) = (first.width, first.height);
        let dim: usize = maps.iter().map(|m| m.channels).sum();
        out.resize(width * height * dim, 0.0);
        let mut base = 0;
        for map in maps {
            let same = (map.width, map.height) == (width, height);
            taps(&mut self.columns, map.width, width);
            taps(&mut self.lines, map.height, height);
            for plane in map.data.chunks_exact(map.width * map.height) {
                self.pool(plane, map.width, map.height);
                let values = if same { &self.pooled } else { self.upsample(map.width, width) };
                for (to, v) in out[base..].iter_mut().step_by(dim).zip(values) {
                    *to = *v;
                }
                base += 1;
            }
        }
        (width, height, dim)
    }

    /// 3x3 mean with zero padding counted: sums of three columns first, then of three rows, divided by 9.
    fn pool(&mut self, plane: &[f32], width: usize, height: usize) {
        self.rows.resize(plane.len(), 0.0);
        self.pooled.resize(plane.len(), 0.0);
        for (from, to) in plane.chunks_exact(width).zip(self.rows.chunks_exact_mut(width)) {
            for x in 0..width {
                let left = if x > 0 { from[x - 1] } else { 0.0 };
                let right = if x + 1 < width { from[x + 1] } else { 0.0 };
                to[x] = left + from[x] + right;
            }
        }
        for y in 0..height {
            let row = |y: usize| &self.rows[y * width..(y + 1) * width];
            let to = &mut self.pooled[y * width..(y + 1) * width];
            for x in 0..width {
                let above = if y > 0 { row(y - 1)[x] } else { 0.0 };
                let below = if y + 1 < height { row(y + 1)[x] } else { 0.0 };
                to[x] = (above + row(y)[x] + below) / 9.0;
            }
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
        assert_eq!(Aggregator::default().run(&[a, b], &mut out), (2, 2, 2));
        assert_eq!(out, [10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0]);
    }

    #[test]
    fn upsampling_uses_half_pixel_centres() {
        let fine = FeatureMap { channels: 1, height: 4, width: 4, data: vec![0.0; 16] };
        // Chosen so that pooling with zero padding gives 2 and 4 in each row.
        let coarse = FeatureMap { channels: 1, height: 2, width: 2, data: vec![0.0, 9.0, 9.0, 0.0] };
        let mut out = Vec::new();
        Aggregator::default().run(&[fine, coarse], &mut out);
        assert!(out.iter().skip(1).step_by(2).all(|v| (*v - 2.0).abs() < 1e-6), "{out:?}");
    }
}
