//! From nearest rows to anomaly maps (`kernels/score.cu`); the counterpart of [`Scorer`] on the CPU, bit for bit. Called by PatchCore's head.

pub(crate) mod self_test;

use super::knn::Neighbors;
use super::shape::{Grid, blocks, ensure_len, to_i32};
use super::smooth::MapSmoother;
use crate::driver::Device;
use crate::error::CudaError;
use crate::memory::Buffer;
use andon_vision::model::head::score::Scorer;

/// Smallest and largest value among the unmasked cells of a map; NaN if any of them is, or if there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CellRange {
    /// Smallest.
    pub least: f32,
    /// Largest.
    pub most: f32,
}

/// Anomaly maps of PatchCore. Owns its buffers for a fixed number of pictures.
pub struct GpuScorer {
    grid: Grid,
    room: usize,
    cells: Buffer<u32>,
    weights: Buffer<f32>,
    smoother: MapSmoother,
    map: Buffer<f32>,
    range: Buffer<f32>,
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
            range: device.zeros(2 * images)?,
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

    /// Smallest and largest value of each map; the largest is the score of `ImageScore::Max`. Waits. So far only the self-test calls it.
    ///
    /// # Errors
    /// A kernel failed, or the device is lost.
    pub fn ranges(&mut self, device: &Device) -> Result<Vec<CellRange>, CudaError> {
        score_range(device, &self.map, self.grid, &self.cells, &mut self.range)?;
        let range = device.download(&self.range)?;
        Ok(range.as_chunks::<2>().0[..self.grid.images]
            .iter()
            .map(|[least, most]| CellRange { least: *least, most: *most })
            .collect())
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

pub(super) fn score_range(
    device: &Device,
    map: &Buffer<f32>,
    grid: Grid,
    cells: &Buffer<u32>,
    range: &mut Buffer<f32>,
) -> Result<(), CudaError> {
    ensure_len("the map", map, grid.all())?;
    ensure_len("the ranges", range, 2 * grid.images)?;
    let launched = (1, blocks(grid.images, 1), 1);
    let (count, size) = (to_i32("cells", cells.len())?, to_i32("the map", grid.size())?);
    launch!(device, device.kernels, score_range, launched, (256, 1, 1), map, cells, &count, &size, range)
}
