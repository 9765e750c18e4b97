//! The head of a method that scores features by one Gaussian a cell (PaDiM): distances, smoothing, download.

use andon_vision::model::head::knn::Nearest;
use andon_vision::model::head::score::Scorer;

use super::MapHead;
use crate::driver::Device;
use crate::error::CudaError;
use crate::features::FeatureStage;
use crate::memory::{Buffer, Pinned};
use crate::ops::mahalanobis::Gaussian;
use crate::ops::smooth::MapSmoother;

/// Features to anomaly maps of Mahalanobis distances.
pub struct GaussianHead {
    gaussian: Gaussian,
    smoother: MapSmoother,
    map: Buffer<f32>,
    maps: Pinned<f32>,
}

impl GaussianHead {
    /// The head for the features of a stage that keeps every cell of the grid, in order: there is no kernel that spreads the distances of
    /// some cells over the grid. Gaussians of masked cells have a precision of zeros. Grid, mask and smoothing are those of `scorer`.
    ///
    /// # Errors
    /// The Gaussians have another number of cells or values than the features, the stage leaves cells out, no memory, or the device is lost.
    pub fn new(
        device: &Device,
        features: &FeatureStage,
        gaussian: Gaussian,
        scorer: &Scorer,
    ) -> Result<GaussianHead, CudaError> {
        let tables = scorer.tables();
        let cells = tables.width * tables.height;
        let wanted = (features.cells(), features.dim());
        if (gaussian.cells(), gaussian.dim()) != wanted || cells != wanted.0 {
            return Err(CudaError::Shape(format!(
                "{} Gaussians of {} values for {} cells of {} values on a grid of {cells}",
                gaussian.cells(),
                gaussian.dim(),
                wanted.0,
                wanted.1
            )));
        }
        let frames = features.frames();
        Ok(GaussianHead {
            smoother: MapSmoother::new(device, scorer, frames)?,
            map: device.zeros(frames * cells)?,
            maps: Pinned::new(device, frames * cells, false)?,
            gaussian,
        })
    }
}

impl MapHead for GaussianHead {
    fn enqueue(&mut self, device: &Device, features: &Buffer<f32>, frames: usize) -> Result<(), CudaError> {
        self.gaussian.launch(device, features, frames, &mut self.map)?;
        self.smoother.launch(device, &mut self.map, frames)?;
        device.enqueue_download(&self.map, frames * self.gaussian.cells(), &mut self.maps)
    }

    fn poison_outputs(&mut self) -> Result<(), CudaError> {
        self.maps.as_mut_slice()?.fill(f32::NAN);
        Ok(())
    }

    fn map(&self, frame: usize) -> Result<&[f32], CudaError> {
        let cells = self.gaussian.cells();
        Ok(&self.maps.as_slice()?[frame * cells..(frame + 1) * cells])
    }

    /// A distribution has no single patch to show.
    fn nearest_into(&self, _: usize, out: &mut Vec<Nearest>) -> Result<(), CudaError> {
        out.clear();
        Ok(())
    }
}
