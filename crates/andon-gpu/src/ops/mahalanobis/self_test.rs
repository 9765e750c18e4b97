//! Compares the op with the formula in f64.

use super::Gaussian;
use crate::driver::Device;
use crate::error::CudaError;
use crate::ops::compare::Random;

/// sqrt(sum over r, k of c_r P_rk c_k) with c = x - m, in f64; for a diagonal the sum over r of c_r^2 P_r.
fn reference(features: &[f32], mean: &[f32], inverse: &[f32]) -> f64 {
    let dim = mean.len();
    let c: Vec<f64> = features.iter().zip(mean).map(|(x, m)| f64::from(*x) - f64::from(*m)).collect();
    let sum: f64 = match inverse.len() == dim {
        true => c.iter().zip(inverse).map(|(c, p)| c * c * f64::from(*p)).sum(),
        false => (0..dim * dim).map(|n| c[n / dim] * f64::from(inverse[n]) * c[n % dim]).sum(),
    };
    sum.sqrt()
}

/// The largest relative error of a distance.
fn compare(device: &Device, random: &mut Random, full: bool) -> Result<f64, CudaError> {
    let (frames, cells, dim) = (random.whole(1, 3), random.whole(1, 12), random.whole(2, 70));
    let (features, means) = (random.values(frames * cells * dim), random.values(cells * dim));
    let each = if full { dim * dim } else { dim };
    let mut inverse = random.values(cells * each);
    if full {
        // Symmetric, and positive because its diagonal outweighs the rest.
        for matrix in inverse.chunks_exact_mut(each) {
            for row in 0..dim {
                for column in 0..row {
                    matrix[column * dim + row] = matrix[row * dim + column];
                }
                matrix[row * dim + row] = dim as f32 + 1.0;
            }
        }
    } else {
        inverse.iter_mut().for_each(|v| *v = v.abs() + 0.1);
    }
    let gaussian = match full {
        true => Gaussian::full(device, &means, &inverse, dim)?,
        false => Gaussian::diagonal(device, &means, &inverse, dim)?,
    };
    let mut distances = device.zeros(frames * cells)?;
    gaussian.launch(device, &device.upload(&features)?, frames, &mut distances)?;
    let mut worst = 0.0f64;
    for (patch, ours) in device.download(&distances)?.iter().enumerate() {
        let cell = patch % cells;
        let (x, m) = (&features[patch * dim..][..dim], &means[cell * dim..][..dim]);
        let expected = reference(x, m, &inverse[cell * each..][..each]);
        worst = worst.max((f64::from(*ours) - expected).abs() / expected.max(1e-3));
    }
    Ok(worst)
}

/// Independent values.
pub(crate) fn compare_diagonal(device: &Device, random: &mut Random) -> Result<f64, CudaError> {
    compare(device, random, false)
}

/// A full covariance.
pub(crate) fn compare_full(device: &Device, random: &mut Random) -> Result<f64, CudaError> {
    compare(device, random, true)
}
