//! Heatmaps of anomaly maps (`kernels/score.cu`); the counterpart of `model::heatmap` on the CPU. So far only the self-test calls it: the line
//! renders heatmaps on the CPU, off the hot lane.

pub(crate) mod self_test;

use super::shape::{Grid, blocks, ensure, ensure_len, to_i32};
use crate::driver::Device;
use crate::error::CudaError;
use crate::memory::Buffer;

/// Enqueues heatmaps of `picture.images` pictures of `picture.height x picture.width` pixels: the map upsampled, `typical` at 0 and the
/// threshold at 127.5.
///
/// # Errors
/// Buffers too small, or a launch that fails.
pub fn heatmap(
    device: &Device,
    map: &Buffer<f32>,
    grid: Grid,
    (typical, threshold): (f32, f32),
    picture: Grid,
    out: &mut Buffer<u8>,
) -> Result<(), CudaError> {
    ensure("as many heatmaps as maps", picture.images == grid.images)?;
    ensure("a map has a cell at least", grid.size() > 0)?;
    ensure_len("the map", map, grid.all())?;
    ensure_len("the heatmap", out, picture.all())?;
    let scale = 127.5 / (threshold - typical).max(f32::MIN_POSITIVE);
    let launched = (blocks(picture.width, 32), blocks(picture.height, 8), blocks(grid.images, 1));
    let (height, width) = (to_i32("rows", grid.height)?, to_i32("columns", grid.width)?);
    let (to_height, to_width) = (to_i32("rows", picture.height)?, to_i32("columns", picture.width)?);
    launch!(
        device,
        device.kernels,
        heatmap,
        launched,
        (32, 8, 1),
        map,
        &height,
        &width,
        &to_height,
        &to_width,
        &typical,
        &scale,
        out
    )
}
