//! PatchCore's head: nearest bank rows of the features, their distances as an anomaly map, both downloaded.

use andon_vision::model::head::aggregate::Layer;
use andon_vision::model::head::knn::Nearest;
use andon_vision::model::head::score::Scorer;
use andon_vision::preprocess::InputSpec;

use super::{GpuPipeline, MapHead};
use crate::backbone::GpuBackbone;
use crate::driver::Device;
use crate::error::CudaError;
use crate::features::{FeatureSpec, FeatureStage};
use crate::memory::{Buffer, Pinned};
use crate::ops::knn::{KnnIndex, Neighbors, unpack};
use crate::ops::score::GpuScorer;

/// What PatchCore's pipeline computes.
#[derive(Clone, Copy)]
pub struct PipelineSpec<'a> {
    /// The network's input.
    pub input: &'a InputSpec,
    /// Columns and rows of tiles that a frame is cut into.
    pub tiles: [usize; 2],
    /// Pooling and weight of each of the network's outputs.
    pub layers: &'a [Layer],
    /// Rows of the memory bank.
    pub bank: &'a [f32],
    /// A factor for each of them.
    pub weights: &'a [f32],
    /// Grid, mask and smoothing.
    pub scorer: &'a Scorer,
}

/// Features to nearest rows and anomaly maps.
pub struct KnnHead {
    index: KnnIndex,
    neighbors: Neighbors,
    scorer: GpuScorer,
    /// Kept cells of a frame.
    cells: usize,
    maps: Pinned<f32>,
    keys: Pinned<u64>,
}

impl KnnHead {
    /// The head for the features of a stage.
    ///
    /// # Errors
    /// The bank has rows of another length than the features, no memory, or the device is lost.
    pub fn new(
        device: &Device,
        features: &FeatureStage,
        bank: &[f32],
        weights: &[f32],
        scorer: &Scorer,
    ) -> Result<KnnHead, CudaError> {
        let index = KnnIndex::new(device, bank, features.dim())?;
        let (frames, cells) = (features.frames(), features.cells());
        let scorer = GpuScorer::new(device, scorer, weights, frames)?;
        Ok(KnnHead {
            neighbors: Neighbors::new(device, frames * cells, 1, &index)?,
            maps: Pinned::new(device, frames * scorer.grid().size(), false)?,
            keys: Pinned::new(device, frames * cells, false)?,
            index,
            scorer,
            cells,
        })
    }

    /// The nearest row of each kept cell of a frame of the last run.
    ///
    /// # Errors
    /// [`CudaError::InFlight`] after a run that failed.
    pub fn nearest(&self, frame: usize) -> Result<impl Iterator<Item = Nearest>, CudaError> {
        let keys = &self.keys.as_slice()?[frame * self.cells..(frame + 1) * self.cells];
        Ok(keys.iter().map(|key| unpack(*key)))
    }
}

impl MapHead for KnnHead {
    fn enqueue(&mut self, device: &Device, features: &Buffer<f32>, frames: usize) -> Result<(), CudaError> {
        let queries = frames * self.cells;
        self.index.search(device, features, queries, 1, &mut self.neighbors)?;
        self.scorer.score(device, &self.neighbors, frames)?;
        device.enqueue_download(self.scorer.map(), frames * self.scorer.grid().size(), &mut self.maps)?;
        device.enqueue_download(self.neighbors.keys(), queries, &mut self.keys)
    }

    fn poison_outputs(&mut self) -> Result<(), CudaError> {
        self.maps.as_mut_slice()?.fill(f32::NAN);
        self.keys.as_mut_slice()?.fill(u64::MAX);
        Ok(())
    }

    fn map(&self, frame: usize) -> Result<&[f32], CudaError> {
        let size = self.scorer.grid().size();
        Ok(&self.maps.as_slice()?[frame * size..(frame + 1) * size])
    }

    fn nearest_into(&self, frame: usize, out: &mut Vec<Nearest>) -> Result<(), CudaError> {
        out.clear();
        out.extend(self.nearest(frame)?);
        Ok(())
    }
}

impl GpuPipeline<KnnHead> {
    /// PatchCore behind a network. Allocates everything that does not depend on the layout of frames.
    ///
    /// # Errors
    /// What the network gives does not fit the bank or the grid, no memory, or the device is lost.
    pub fn new(
        device: Device,
        backbone: Box<dyn GpuBackbone>,
        spec: &PipelineSpec<'_>,
    ) -> Result<GpuPipeline, CudaError> {
        let tables = spec.scorer.tables();
        let features = FeatureSpec {
            input: spec.input,
            tiles: spec.tiles,
            layers: spec.layers,
            grid: [tables.width, tables.height],
            cells: tables.cells,
        };
        let features = FeatureStage::new(&device, backbone, &features)?;
        let head = KnnHead::new(&device, &features, spec.bank, spec.weights, spec.scorer)?;
        GpuPipeline::with_head(device, features, head)
    }

    /// The nearest bank row of each kept cell of a frame of the last run.
    ///
    /// # Errors
    /// [`CudaError::InFlight`] after a run that failed.
    pub fn nearest(&self, frame: usize) -> Result<impl Iterator<Item = Nearest>, CudaError> {
        self.head().nearest(frame)
    }
}
