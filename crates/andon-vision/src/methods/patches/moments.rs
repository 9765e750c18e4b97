//! Mean and covariance of patch features in double precision, the same for any number of threads.

use super::Learning;

/// Mean (`dim` values) and unbiased covariance (`dim * dim`, symmetric) of the patches that may be learned from.
pub(in crate::methods) struct Moments {
    /// `dim` values.
    pub mean: Vec<f64>,
    /// `dim * dim` values.
    pub covariance: Vec<f64>,
}

impl Moments {
    /// `mean = sum x / N`, `covariance = sum (x - mean)(x - mean)^T / (N - 1)`, in two passes.
    pub fn of(learning: &Learning<'_>) -> Moments {
        let dim = learning.set.dim;
        let count = (learning.blocks.len() * learning.set.cells.len()) as f64;
        let mut mean = vec![0.0f64; dim];
        for x in learning.features().flat_map(|block| block.chunks_exact(dim)) {
            mean.iter_mut().zip(x).for_each(|(sum, v)| *sum += f64::from(*v));
        }
        mean.iter_mut().for_each(|sum| *sum /= count);
        let mut covariance = vec![0.0f64; dim * dim];
        // Each thread has rows of its own and sums over all patches in their order. Row i has i + 1 products, so threads take every n-th.
        let threads = learning.options.threads.clamp(1, dim);
        let mut shares: Vec<Vec<(usize, &mut [f64])>> = (0..threads).map(|_| Vec::new()).collect();
        for (i, row) in covariance.chunks_exact_mut(dim).enumerate() {
            shares[i % threads].push((i, row));
        }
        std::thread::scope(|scope| {
            for mut share in shares {
                let mean = &mean;
                scope.spawn(move || {
                    let mut centred = vec![0.0f64; dim];
                    for x in learning.features().flat_map(|block| block.chunks_exact(dim)) {
                        for ((c, v), m) in centred.iter_mut().zip(x).zip(mean) {
                            *c = f64::from(*v) - m;
                        }
                        for (i, row) in &mut share {
                            let own = centred[*i];
                            row[..=*i].iter_mut().zip(&centred).for_each(|(sum, c)| *sum += own * c);
                        }
                    }
                });
            }
        });
        let degrees = (count - 1.0).max(1.0);
        for i in 0..dim {
            for j in 0..=i {
                let value = covariance[i * dim + j] / degrees;
                (covariance[i * dim + j], covariance[j * dim + i]) = (value, value);
            }
        }
        Moments { mean, covariance }
    }
}
