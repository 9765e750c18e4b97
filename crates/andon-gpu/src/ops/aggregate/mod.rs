//! Patch features from feature maps (`kernels/aggregate.cu`); the counterpart of `head::aggregate` on the CPU, bit for bit.
//! Called by the feature stage, once for each output of the network.

pub(crate) mod self_test;

use super::shape::{Grid, blocks, ensure, ensure_len, to_i32};
use crate::driver::Device;
use crate::error::CudaError;
use crate::memory::Buffer;

/// Which row of the features each patch becomes. A frame is cut into tiles, each with a grid of patches; masked patches have no row.
pub struct PatchLayout {
    slots: Buffer<i32>,
    tiles: usize,
    rows: usize,
}

impl PatchLayout {
    /// `slots` holds, tile by tile, the row of each patch among the `rows` of its frame, or -1 for a patch that is left out.
    ///
    /// # Errors
    /// A row that is not there, no whole tiles, no memory, or the device is lost.
    pub fn new(device: &Device, slots: &[i32], tiles: usize, rows: usize) -> Result<PatchLayout, CudaError> {
        ensure("the patches are those of whole pieces", tiles > 0 && slots.len().is_multiple_of(tiles))?;
        ensure("a patch goes to a row that is not there", slots.iter().all(|s| *s >= -1 && *s < rows as i32))?;
        Ok(PatchLayout { slots: device.upload(slots)?, tiles, rows })
    }

    /// Every patch of frames that are one tile each, in its place.
    ///
    /// # Errors
    /// As [`PatchLayout::new`].
    pub fn whole(device: &Device, patches: usize) -> Result<PatchLayout, CudaError> {
        let slots: Vec<i32> = (0..patches as i32).collect();
        PatchLayout::new(device, &slots, 1, patches)
    }

    /// Rows of a frame.
    pub fn rows(&self) -> usize {
        self.rows
    }
}

/// Enqueues one feature map of `grid.images` images, `channels x map_height x map_width` values each, into the values `base..` of patches of
/// `dim` values: averaged over `pool x pool` neighbours (odd), weighted, resampled to the grid, put where `layout` says. The images are the
/// first tile of every frame, then the second tile of every frame, and so on.
///
/// # Errors
/// Buffers too small, an even `pool`, or a launch that fails.
#[allow(clippy::too_many_arguments, reason = "the kernel's contract")]
pub fn aggregate(
    device: &Device,
    map: &Buffer<f32>,
    (channels, map_height, map_width): (usize, usize, usize),
    pool: usize,
    weight: f32,
    grid: Grid,
    layout: &PatchLayout,
    dim: usize,
    base: usize,
    out: &mut Buffer<f32>,
) -> Result<(), CudaError> {
    ensure("the neighbourhood's side has to be odd", pool % 2 == 1)?;
    ensure("a map has a cell at least", map_height * map_width > 0)?;
    ensure("the channels do not fit the patch", base + channels <= dim)?;
    ensure_len("the feature map", map, grid.images * channels * map_height * map_width)?;
    ensure("frames are of whole tiles", grid.images > 0 && grid.images.is_multiple_of(layout.tiles))?;
    ensure_len("the tiles' patches", &layout.slots, layout.tiles * grid.size())?;
    let frames = grid.images / layout.tiles;
    ensure_len("the patches", out, frames * layout.rows * dim)?;
    let launched = (blocks(grid.size(), 32), blocks(channels, 8), blocks(grid.images, 1));
    let (channels, height, width) =
        (to_i32("channels", channels)?, to_i32("rows", map_height)?, to_i32("columns", map_width)?);
    let (grid_height, grid_width) = (to_i32("rows", grid.height)?, to_i32("columns", grid.width)?);
    let (pool, dim, base) = (to_i32("pool", pool)?, to_i32("dim", dim)?, to_i32("base", base)?);
    let (frames, rows) = (to_i32("frames", frames)?, to_i32("rows", layout.rows)?);
    launch!(
        device,
        device.kernels,
        aggregate,
        launched,
        (32, 8, 1),
        map,
        &channels,
        &height,
        &width,
        &pool,
        &weight,
        &grid_height,
        &grid_width,
        &layout.slots,
        &frames,
        &rows,
        &dim,
        &base,
        out
    )
}
