//! Features brought to mean 0 and deviation 1, value by value, so that one setting suits every network.

use andon_vision::fit::FeatureSet;

/// What is taken off and multiplied.
#[derive(Clone, Debug)]
pub(crate) struct Standard {
    /// Of each value of good patches.
    pub mean: Vec<f32>,
    /// One over the deviation of each value; 0 for one that is the same everywhere, which tells nothing.
    pub scale: Vec<f32>,
}

impl Standard {
    /// Of the patches of these blocks.
    pub fn of(set: &FeatureSet, blocks: &[usize]) -> Standard {
        let (mut sums, mut squares) = (vec![0.0f64; set.dim], vec![0.0f64; set.dim]);
        let len = set.cells.len() * set.dim;
        let patches = || blocks.iter().flat_map(|b| set.values[b * len..(b + 1) * len].chunks_exact(set.dim));
        for x in patches() {
            sums.iter_mut().zip(x).for_each(|(sum, v)| *sum += f64::from(*v));
        }
        let count = (blocks.len() * set.cells.len()).max(1) as f64;
        let mean: Vec<f64> = sums.iter().map(|sum| sum / count).collect();
        for x in patches() {
            squares.iter_mut().zip(x).zip(&mean).for_each(|((sum, v), m)| *sum += (f64::from(*v) - m).powi(2));
        }
        let scale =
            squares.iter().map(|sum| (sum / count).sqrt()).map(|d| if d > 1e-12 { (1.0 / d) as f32 } else { 0.0 });
        Standard { mean: mean.iter().map(|m| *m as f32).collect(), scale: scale.collect() }
    }

    /// Appends a patch, brought in.
    pub fn append(&self, x: &[f32], out: &mut Vec<f32>) {
        out.extend(x.iter().zip(&self.mean).zip(&self.scale).map(|((v, m), s)| (v - m) * s));
    }

    /// The same with one factor for all values, by which their variances are 1 in the mean: distances keep what counts in them.
    pub fn evenly(self) -> Standard {
        let variance: f64 = self.scale.iter().filter(|s| **s > 0.0).map(|s| f64::from(*s).powi(-2)).sum();
        let even = if variance > 0.0 { (self.scale.len() as f64 / variance).sqrt() as f32 } else { 0.0 };
        Standard { scale: vec![even; self.scale.len()], ..self }
    }
}
