//! Mahalanobis distances of patch features to one Gaussian a cell (`kernels/gauss.cu`), as PaDiM scores. Used by
//! `pipeline::GaussianHead`.
//!
//! For the features x of a patch in cell c, with the mean m of that cell, the distance is sqrt((x - m)^T P (x - m)): P is the inverse
//! covariance (precision) of the cell, or diagonal with the inverse variances. The sum is formed in f32; a negative one, which rounding can
//! leave of a matrix that is nearly singular, counts as 0. NaN in the features gives NaN.

pub(crate) mod self_test;

use super::shape::{blocks, ensure, ensure_len, to_i32};
use crate::driver::Device;
use crate::error::CudaError;
use crate::memory::Buffer;

/// The most values of a patch that a full covariance may have: the kernel keeps them in shared memory.
pub const MAX_FULL_DIM: usize = 1024;

/// One Gaussian for each cell of a grid, on the GPU. Never changes.
pub struct Gaussian {
    cells: usize,
    dim: usize,
    means: Buffer<f32>,
    inverse: Inverse,
}

enum Inverse {
    /// Inverse variances, `cells x dim`.
    Diagonal(Buffer<f32>),
    /// Inverse covariances, `cells x dim x dim`, each symmetric.
    Full(Buffer<f32>),
}

impl Gaussian {
    /// Gaussians of independent values: `means` and `inverse_variances` are `cells x dim` values, cell by cell.
    ///
    /// # Errors
    /// The values are no whole cells, no memory, or the device is lost.
    pub fn diagonal(
        device: &Device,
        means: &[f32],
        inverse_variances: &[f32],
        dim: usize,
    ) -> Result<Gaussian, CudaError> {
        let cells = cells_of(means, dim)?;
        ensure("as many inverse variances as means", inverse_variances.len() == means.len())?;
        let inverse = Inverse::Diagonal(device.upload(inverse_variances)?);
        Ok(Gaussian { cells, dim, means: device.upload(means)?, inverse })
    }

    /// Gaussians with a full covariance: `means` are `cells x dim` values, `precisions` the inverse covariances, `cells x dim x dim` values,
    /// cell by cell; each must be symmetric (the kernel reads lines where columns are meant). `dim` is [`MAX_FULL_DIM`] at most.
    ///
    /// # Errors
    /// The values are no whole cells, `dim` is too large, no memory, or the device is lost.
    pub fn full(device: &Device, means: &[f32], precisions: &[f32], dim: usize) -> Result<Gaussian, CudaError> {
        let cells = cells_of(means, dim)?;
        ensure("a full covariance of more than 1,024 values", dim <= MAX_FULL_DIM)?;
        ensure("a square of inverse covariances for each mean", precisions.len() == means.len() * dim)?;
        let inverse = Inverse::Full(device.upload(precisions)?);
        Ok(Gaussian { cells, dim, means: device.upload(means)?, inverse })
    }

    /// As [`Gaussian::full`], from whitening matrices: for each cell a lower triangle W with W^T W its precision, row by row with the diagonal,
    /// `cells x dim (dim + 1) / 2` values. The products are summed in f64 and rounded once.
    ///
    /// # Errors
    /// As [`Gaussian::full`].
    pub fn whitening(device: &Device, means: &[f32], triangles: &[f32], dim: usize) -> Result<Gaussian, CudaError> {
        let cells = cells_of(means, dim)?;
        let each = dim * (dim + 1) / 2;
        ensure("a triangle of whitening values for each mean", triangles.len() == cells * each)?;
        ensure("a full covariance of more than 1,024 values", dim <= MAX_FULL_DIM)?;
        let mut precisions = Vec::with_capacity(cells * dim * dim);
        triangles.chunks_exact(each).for_each(|triangle| push_precision(triangle, dim, &mut precisions));
        Gaussian::full(device, means, &precisions, dim)
    }

    /// Cells of a frame.
    pub fn cells(&self) -> usize {
        self.cells
    }

    /// Values of a patch.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Enqueues the distances of `frames` frames: `features` are `frames x cells x dim` values, `distances` gets `frames x cells`. Where the
    /// features are those of every cell of the grid, that is the anomaly map before smoothing; the precision of a masked cell is then all
    /// zeros, and so is its distance.
    ///
    /// # Errors
    /// Buffers too small, or a launch that fails.
    pub fn launch(
        &self,
        device: &Device,
        features: &Buffer<f32>,
        frames: usize,
        distances: &mut Buffer<f32>,
    ) -> Result<(), CudaError> {
        let (cells, dim) = (self.cells, self.dim);
        ensure_len("the features", features, frames * cells * dim)?;
        ensure_len("the distances", distances, frames * cells)?;
        let images = blocks(frames, 1);
        let (places, values) = (to_i32("cells", cells)?, to_i32("dim", dim)?);
        let (block, means) = ((32, 8, 1), &self.means);
        match &self.inverse {
            Inverse::Diagonal(variances) => {
                let grid = (blocks(cells, 8), images, 1);
                launch!(
                    device,
                    device.kernels,
                    gauss_diagonal,
                    grid,
                    block,
                    features,
                    &places,
                    &values,
                    means,
                    variances,
                    distances
                )
            }
            Inverse::Full(precisions) => {
                let grid = (blocks(cells, 1), images, 1);
                launch!(
                    device,
                    device.kernels,
                    gauss_full,
                    grid,
                    block,
                    features,
                    &places,
                    &values,
                    means,
                    precisions,
                    distances
                )
            }
        }
    }
}

fn cells_of(means: &[f32], dim: usize) -> Result<usize, CudaError> {
    ensure("the means are those of whole cells", dim > 0 && !means.is_empty() && means.len().is_multiple_of(dim))?;
    Ok(means.len() / dim)
}

/// Appends W^T W, of which the entry (a, b) is the sum of W_ra W_rb over the rows r from max(a, b) on: the others are zeros.
fn push_precision(triangle: &[f32], dim: usize, out: &mut Vec<f32>) {
    let first = out.len();
    let mut square = vec![0.0f64; dim * dim];
    for row in 0..dim {
        let line = &triangle[row * (row + 1) / 2..][..row + 1];
        for a in 0..=row {
            for b in 0..=a {
                square[a * dim + b] += f64::from(line[a]) * f64::from(line[b]);
            }
        }
    }
    out.extend(square.iter().map(|v| *v as f32));
    for a in 0..dim {
        for b in 0..a {
            out[first + b * dim + a] = out[first + a * dim + b];
        }
    }
}
