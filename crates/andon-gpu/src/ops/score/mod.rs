//! From nearest rows to anomaly maps (`kernels/score.cu`); the counterpart of [`Scorer`] on the CPU, bit for bit. Called by PatchCore's head.

pub(crate) mod self_test;

use super::knn::Neighbors;
use super::shape::{Grid, blocks, ensure_len, to_i32};
use super::smooth::MapSmoother;
use crate::driver::Device;
use crate::error::CudaError;
use crate::memory::Buffer;
use andon_vision::model::head::score::Scorer;

/// Anomaly maps of PatchCore. Owns its buffers for a fixed number of pictures.
pub struct GpuScorer {
    grid: Grid,
    room: usize,
    cells: Buffer<u32>,
    weights: Buffer<f32>,
    smoother: MapSmoother,
    map: Buffer<f32>,
}

impl GpuScorer {
    /// The tables of a scorer for up to `images` pictures at a time. `weights` has a factor for each bank row.
    ///
    /// # Errors
    /// No memory, or the device is lost.
    pub fn new(device: &Device, scorer: &Scorer, weights: &[f32], images: usize) -> Result<GpuScorer, CudaError> {
        let tables = scorer.tables();
        let grid = Grid { images, height: tables.height, width: tables.width };
        Ok(GpuScorer {
            grid,
            room: images,
            cells: device.upload(tables.cells)?,
            weights: device.upload(weights)?,
            smoother: MapSmoother::new(device, scorer, images)?,
            map: device.zeros(grid.all())?,
        })
    }

    /// Enqueues the maps of the first `images` pictures, from the nearest row of each unmasked cell.
    ///
    /// # Errors
    /// More pictures than there is room for, buffers too small, or a launch that fails.
    pub fn score(&mut self, device: &Device, neighbors: &Neighbors, images: usize) -> Result<(), CudaError> {
        if images > self.room {
            return Err(CudaError::Shape(format!("{images} pictures, there is room for {}", self.room)));
        }
        self.grid.images = images;
        device.fill(&mut self.map, self.grid.all(), 0)?;
        let rows = self.weights.len();
        score_cells(device, neighbors.keys(), &self.weights, rows, &self.cells, self.grid, &mut self.map)?;
        self.smoother.launch(device, &mut self.map, images)
    }

    /// The maps, one after the other.
    pub fn map(&self) -> &Buffer<f32> {
        &self.map
    }

    /// The grid, and how many pictures were scored last.
    pub fn grid(&self) -> Grid {
        self.grid
    }
}

/// Distance times weight of the nearest row, at each of the cells.
pub(super) fn score_cells(
    device: &Device,
    best: &Buffer<u64>,
    weights: &Buffer<f32>,
    rows: usize,
    cells: &Buffer<u32>,
    grid: Grid,
    map: &mut Buffer<f32>,
) -> Result<(), CudaError> {
    let count = cells.len();
    ensure_len("the nearest rows", best, grid.images * count)?;
    ensure_len("the rows' weights", weights, rows)?;
    ensure_len("the map", map, grid.all())?;
    let launched = (blocks(count, 256), blocks(grid.images, 1), 1);
    let (rows, count, size) = (to_i32("rows", rows)?, to_i32("cells", count)?, to_i32("the map", grid.size())?);
    launch!(device, device.kernels, score_cells, launched, (256, 1, 1), best, weights, &rows, cells, &count, &size, map)
}
