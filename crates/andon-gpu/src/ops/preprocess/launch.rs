//! The checked launches of `kernels/prepare.cu`: columns of a frame are resampled into an intermediate buffer, rows of that into the network's
//! input.

use crate::driver::Device;
use crate::error::CudaError;
use crate::memory::{Buffer, DeviceInput};
use crate::ops::shape::{blocks, ensure, ensure_len, to_i32};

/// Where red, green and blue are in a pixel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pixel {
    pub bytes: usize,
    pub order: [usize; 3],
}

/// The chroma plane of NV12 frames, and how it is read.
pub(super) struct ChromaPlane {
    /// Bytes from where a frame begins to its chroma.
    pub at: usize,
    pub pitch: usize,
    pub odd: [usize; 2],
    pub colour: Buffer<i32>,
}

/// Tables of one axis of a resize.
pub(super) struct AxisBuffers {
    pub input: usize,
    pub output: usize,
    pub spans: Buffer<i32>,
    pub weights: Buffer<i32>,
    pub taps: usize,
}

/// Frames begin `offset` bytes into their buffer.
#[allow(clippy::too_many_arguments, reason = "the kernel's contract")]
pub(super) fn prepare_columns(
    device: &Device,
    frames: &Buffer<u8>,
    offset: usize,
    images: usize,
    stride: usize,
    pitch: usize,
    height: usize,
    pixel: Pixel,
    axis: &AxisBuffers,
    intermediate: &mut Buffer<u8>,
) -> Result<(), CudaError> {
    ensure("frames have a picture, a line and a pixel at least", images > 0 && height > 0 && axis.input > 0)?;
    ensure("a line does not hold its pixels", pitch >= axis.input * pixel.bytes)?;
    ensure("red, green or blue lies outside of the pixel", pixel.order.iter().all(|c| *c < pixel.bytes))?;
    let used = (images - 1) * stride + (height - 1) * pitch + axis.input * pixel.bytes;
    ensure_len("the frames' buffer", frames, offset + used)?;
    let frames = frames.slice(offset..);
    ensure_len("the buffer between columns and rows", intermediate, images * height * axis.output * 3)?;
    let [red, green, blue] =
        [to_i32("red", pixel.order[0])?, to_i32("green", pixel.order[1])?, to_i32("blue", pixel.order[2])?];
    let (bytes, taps) = (to_i32("a pixel", pixel.bytes)?, to_i32("the filter", axis.taps)?);
    let (pitch, lines, width) =
        (to_i32("a line", pitch)?, to_i32("the height", height)?, to_i32("the width", axis.output)?);
    let grid = (blocks(axis.output, 32), blocks(height, 8), blocks(images, 1));
    let stride = stride as u64;
    launch!(
        device,
        device.kernels,
        prepare_columns,
        grid,
        (32, 8, 1),
        &frames,
        &stride,
        &pitch,
        &lines,
        &bytes,
        &red,
        &green,
        &blue,
        &axis.spans,
        &axis.weights,
        &taps,
        &width,
        intermediate
    )
}

/// Of a piece of NV12 frames that begins at column and line `from`.
#[allow(clippy::too_many_arguments, reason = "the kernel's contract")]
pub(super) fn prepare_columns_nv12(
    device: &Device,
    frames: &Buffer<u8>,
    images: usize,
    stride: usize,
    pitch: usize,
    from: [usize; 2],
    height: usize,
    pairs: &ChromaPlane,
    axis: &AxisBuffers,
    intermediate: &mut Buffer<u8>,
) -> Result<(), CudaError> {
    ensure("frames have a picture, a line and a pixel at least", images > 0 && height > 0 && axis.input > 0)?;
    let [right, bottom] = [from[0] + axis.input, from[1] + height];
    let [columns, rows] = [(right + pairs.odd[0]).div_ceil(2), (bottom + pairs.odd[1]).div_ceil(2)];
    ensure("a line does not hold its pixels", pitch >= right && pairs.pitch >= columns * 2)?;
    ensure("luma lies over the colours", pairs.at >= (bottom - 1) * pitch + right)?;
    let used = (images - 1) * stride + pairs.at + (rows - 1) * pairs.pitch + columns * 2;
    ensure_len("the frames' buffer", frames, used)?;
    ensure_len("the weights of colour", &pairs.colour, 6)?;
    ensure_len("the buffer between columns and rows", intermediate, images * height * axis.output * 3)?;
    let [left, top] = [to_i32("the left edge", from[0])?, to_i32("the upper edge", from[1])?];
    let [odd_x, odd_y] = pairs.odd.map(|odd| i32::from(odd % 2 == 1));
    let (pitch, pairs_pitch) = (to_i32("a line", pitch)?, to_i32("a line of pairs", pairs.pitch)?);
    let (lines, width) = (to_i32("the height", height)?, to_i32("the width", axis.output)?);
    let taps = to_i32("the filter", axis.taps)?;
    let grid = (blocks(axis.output, 32), blocks(height, 8), blocks(images, 1));
    let (stride, at) = (stride as u64, pairs.at as u64);
    launch!(
        device,
        device.kernels,
        prepare_columns_nv12,
        grid,
        (32, 8, 1),
        frames,
        &stride,
        &pitch,
        &at,
        &pairs_pitch,
        &left,
        &top,
        &odd_x,
        &odd_y,
        &lines,
        &pairs.colour,
        &axis.spans,
        &axis.weights,
        &taps,
        &width,
        intermediate
    )
}

/// The first input that is written is number `first`.
#[allow(clippy::too_many_arguments, reason = "the kernel's contract")]
pub(super) fn prepare_rows(
    device: &Device,
    intermediate: &Buffer<u8>,
    images: usize,
    width: usize,
    axis: &AxisBuffers,
    mean: &Buffer<f32>,
    scale: &Buffer<f32>,
    first: usize,
    out: &mut DeviceInput<'_>,
) -> Result<(), CudaError> {
    ensure_len("the buffer between columns and rows", intermediate, images * axis.input * width * 3)?;
    ensure_len("the mean", mean, 3)?;
    ensure_len("the scale", scale, 3)?;
    let each = 3 * axis.output * width;
    let (grid, block) = ((blocks(width, 32), blocks(axis.output, 8), blocks(images, 1)), (32, 8, 1));
    let (lines, columns) = (to_i32("the height", axis.input)?, to_i32("the width", width)?);
    let (height, taps) = (to_i32("the height", axis.output)?, to_i32("the filter", axis.taps)?);
    let (from, end) = (first * each, (first + images) * each);
    let (spans, weights) = (&axis.spans, &axis.weights);
    macro_rules! into {
        ($kernel:ident, $out:expr) => {{
            ensure_len("the network's input", $out, end)?;
            let out = &mut $out.slice_mut(from..);
            launch!(
                device,
                device.kernels,
                $kernel,
                grid,
                block,
                intermediate,
                &lines,
                &columns,
                spans,
                weights,
                &taps,
                &height,
                mean,
                scale,
                out
            )
        }};
    }
    match out {
        DeviceInput::Single(out) => into!(prepare_rows, out),
        DeviceInput::Half(out) => into!(prepare_rows_half, out),
    }
}
