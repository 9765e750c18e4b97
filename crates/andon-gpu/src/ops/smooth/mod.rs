//! Smoothing of anomaly maps (`kernels/score.cu`): a separable Gaussian, and what it spread over masked cells taken back. The counterpart of
//! the end of `Scorer::map_into` on the CPU, bit for bit, whatever filled the maps. `ops/score` checks it.

use super::shape::{Grid, blocks, ensure, ensure_len, to_i32};
use crate::driver::Device;
use crate::error::CudaError;
use crate::memory::Buffer;
use andon_vision::model::head::score::Scorer;

/// Smooths the maps of one grid and mask. Owns its tables and scratch memory for a fixed number of pictures.
pub struct MapSmoother {
    grid: Grid,
    kernel: Option<Buffer<f32>>,
    /// The smoothed mask and the mask, where some cells are masked.
    masked: Option<(Buffer<f32>, Buffer<u8>)>,
    scratch: Buffer<f32>,
}

impl MapSmoother {
    /// The filter and the mask of a scorer, for up to `images` pictures at a time.
    ///
    /// # Errors
    /// No memory, or the device is lost.
    pub fn new(device: &Device, scorer: &Scorer, images: usize) -> Result<MapSmoother, CudaError> {
        let tables = scorer.tables();
        let grid = Grid { images, height: tables.height, width: tables.width };
        let mut kept = vec![0u8; grid.size()];
        tables.cells.iter().for_each(|c| kept[*c as usize] = 1);
        Ok(MapSmoother {
            grid,
            kernel: (tables.kernel.len() > 1).then(|| device.upload(tables.kernel)).transpose()?,
            masked: match tables.share.is_empty() {
                true => None,
                false => Some((device.upload(tables.share)?, device.upload(&kept)?)),
            },
            scratch: device.zeros(grid.all())?,
        })
    }

    /// Enqueues smoothing the first `images` maps in place. Masked cells must hold 0, and hold 0 afterwards.
    ///
    /// # Errors
    /// More pictures than there is room for, a buffer too small, or a launch that fails.
    pub fn launch(&mut self, device: &Device, map: &mut Buffer<f32>, images: usize) -> Result<(), CudaError> {
        if images > self.grid.images {
            return Err(CudaError::Shape(format!("{images} pictures, there is room for {}", self.grid.images)));
        }
        let grid = Grid { images, ..self.grid };
        if let Some(kernel) = &self.kernel {
            score_smooth(device, map, grid, kernel, false, &mut self.scratch)?;
            score_smooth(device, &self.scratch, grid, kernel, true, map)?;
        }
        if let Some((share, kept)) = &self.masked {
            score_share(device, map, grid, share, kept)?;
        }
        Ok(())
    }
}

/// Along rows, or with `down` along columns.
pub(super) fn score_smooth(
    device: &Device,
    map: &Buffer<f32>,
    grid: Grid,
    kernel: &Buffer<f32>,
    down: bool,
    out: &mut Buffer<f32>,
) -> Result<(), CudaError> {
    ensure("the filter has an odd number of weights", kernel.len() % 2 == 1)?;
    ensure("a map has a cell at least", grid.size() > 0)?;
    ensure_len("the map", map, grid.all())?;
    ensure_len("the smoothed map", out, grid.all())?;
    let launched = (blocks(grid.size(), 256), blocks(grid.images, 1), 1);
    let (height, width, radius) =
        (to_i32("rows", grid.height)?, to_i32("columns", grid.width)?, to_i32("radius", kernel.len() / 2)?);
    let down = i32::from(down);
    launch!(
        device,
        device.kernels,
        score_smooth,
        launched,
        (256, 1, 1),
        map,
        &height,
        &width,
        kernel,
        &radius,
        &down,
        out
    )
}

pub(super) fn score_share(
    device: &Device,
    map: &mut Buffer<f32>,
    grid: Grid,
    share: &Buffer<f32>,
    kept: &Buffer<u8>,
) -> Result<(), CudaError> {
    ensure_len("the map", map, grid.all())?;
    ensure_len("the mask's share", share, grid.size())?;
    ensure_len("the mask", kept, grid.size())?;
    let launched = (blocks(grid.size(), 256), blocks(grid.images, 1), 1);
    let size = to_i32("the map", grid.size())?;
    launch!(device, device.kernels, score_share, launched, (256, 1, 1), map, share, kept, &size)
}
