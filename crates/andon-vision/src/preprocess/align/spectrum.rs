//! The Fourier transform of small square pictures, and the two things that are read from it.

use std::sync::Arc;

use rustfft::num_complex::Complex32;
use rustfft::{Fft, FftPlanner};

/// Transforms pictures of one side.
pub(super) struct Spectrum {
    side: usize,
    forward: Arc<dyn Fft<f32>>,
    inverse: Arc<dyn Fft<f32>>,
    scratch: Vec<Complex32>,
    turned: Vec<Complex32>,
}

impl Spectrum {
    pub fn new(side: usize) -> Spectrum {
        let mut planner = FftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(side), planner.plan_fft_inverse(side));
        let length = forward.get_inplace_scratch_len().max(inverse.get_inplace_scratch_len());
        let zero = Complex32::new(0.0, 0.0);
        Spectrum { side, forward, inverse, scratch: vec![zero; length], turned: vec![zero; side * side] }
    }

    /// The transform, transposed: rows are columns. For what is done here that is as good.
    pub fn forward(&mut self, picture: &[f32], out: &mut Vec<Complex32>) {
        out.clear();
        out.extend(picture.iter().map(|v| Complex32::new(*v, 0.0)));
        self.both(out, true);
    }

    /// Rows, transposition, columns.
    fn both(&mut self, values: &mut [Complex32], forward: bool) {
        let fft = if forward { &self.forward } else { &self.inverse };
        for _ in 0..2 {
            fft.process_with_scratch(values, &mut self.scratch);
            for y in 0..self.side {
                for x in 0..self.side {
                    self.turned[x * self.side + y] = values[y * self.side + x];
                }
            }
            values.copy_from_slice(&self.turned);
        }
    }

    /// By how much the second picture has to be shifted to lie on the first: phase correlation. Both are transforms; the second is spent.
    pub fn shift(&mut self, first: &[Complex32], second: &mut [Complex32]) -> [f32; 2] {
        for (b, a) in second.iter_mut().zip(first) {
            let product = a * b.conj();
            // Frequencies without strength say nothing.
            *b = product / (product.norm_sqr().sqrt() + 1e-3);
        }
        self.both(second, false);
        let peak = second.iter().enumerate().max_by(|a, b| a.1.re.total_cmp(&b.1.re)).map_or(0, |(i, _)| i);
        let signed = |v: usize| if v < self.side / 2 { v as f32 } else { v as f32 - self.side as f32 };
        [signed(peak % self.side), signed(peak / self.side)]
    }

    /// The strengths of a transform on half circles: `angles` rows of one value for each radius, less the mean over all angles. A picture
    /// that is turned by so many half circles has the rows turned by as many.
    pub fn polar(&self, transform: &[Complex32], angles: usize, out: &mut Vec<f32>) {
        let half = self.side / 2;
        let radii = half - FIRST;
        out.clear();
        for angle in 0..angles {
            let (sin, cos) = (angle as f32 * std::f32::consts::PI / angles as f32).sin_cos();
            for radius in FIRST..half {
                let (x, y) = (cos * radius as f32, sin * radius as f32);
                let (left, top) = (x.floor(), y.floor());
                let (tx, ty) = (x - left, y - top);
                let at = |x: f32, y: f32| {
                    let wrap = |v: f32| (v as isize).rem_euclid(self.side as isize) as usize;
                    transform[wrap(y) * self.side + wrap(x)].norm_sqr().sqrt()
                };
                let upper = at(left, top) * (1.0 - tx) + at(left + 1.0, top) * tx;
                let lower = at(left, top + 1.0) * (1.0 - tx) + at(left + 1.0, top + 1.0) * tx;
                out.push((upper * (1.0 - ty) + lower * ty).ln_1p());
            }
        }
        for radius in 0..radii {
            let mean = (0..angles).map(|a| out[a * radii + radius]).sum::<f32>() / angles as f32;
            (0..angles).for_each(|a| out[a * radii + radius] -= mean);
        }
    }

    /// Values in a row of [`Spectrum::polar`].
    pub fn radii(&self) -> usize {
        self.side / 2 - FIRST
    }
}

/// Lower frequencies are light, not structure.
const FIRST: usize = 2;
