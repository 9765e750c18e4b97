//! Launches of `kernels/prepare.cu`.

use cudarc::driver::{LaunchConfig, PushKernelArg};

use super::Size;
use crate::shape::{AxisBuffers, Pairs, Pixel, blocks, holds, int, need};
use crate::{Buffer, CudaError, Device, DeviceInput};

impl Device {
    /// Frames begin `offset` bytes into their buffer.
    #[allow(clippy::too_many_arguments, reason = "the kernel's contract")]
    pub(crate) fn prepare_columns(
        &self,
        frames: &Buffer<u8>,
        offset: usize,
        images: usize,
        stride: usize,
        pitch: usize,
        height: usize,
        pixel: Pixel,
        axis: &AxisBuffers,
        between: &mut Buffer<u8>,
    ) -> Result<(), CudaError> {
        holds("frames have a picture, a line and a pixel at least", images > 0 && height > 0 && axis.input > 0)?;
        holds("a line does not hold its pixels", pitch >= axis.input * pixel.bytes)?;
        holds("red, green or blue lies outside of the pixel", pixel.order.iter().all(|c| *c < pixel.bytes))?;
        let used = (images - 1) * stride + (height - 1) * pitch + axis.input * pixel.bytes;
        need("the frames' buffer", frames, offset + used)?;
        let frames = frames.slice(offset..);
        need("the buffer between columns and rows", between, images * height * axis.output * 3)?;
        let [red, green, blue] =
            [int("red", pixel.order[0])?, int("green", pixel.order[1])?, int("blue", pixel.order[2])?];
        let (bytes, taps) = (int("a pixel", pixel.bytes)?, int("the filter", axis.taps)?);
        let (pitch, lines, width) = (int("a line", pitch)?, int("the height", height)?, int("the width", axis.output)?);
        let grid = (blocks(axis.output, 32), blocks(height, 8), blocks(images, 1));
        let stride = stride as u64;
        launch!(
            self,
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
            between
        )
    }

    /// Of a piece of NV12 frames that begins at column and line `from`.
    #[allow(clippy::too_many_arguments, reason = "the kernel's contract")]
    pub(crate) fn prepare_columns_nv12(
        &self,
        frames: &Buffer<u8>,
        images: usize,
        stride: usize,
        pitch: usize,
        from: [usize; 2],
        height: usize,
        pairs: &Pairs,
        axis: &AxisBuffers,
        between: &mut Buffer<u8>,
    ) -> Result<(), CudaError> {
        holds("frames have a picture, a line and a pixel at least", images > 0 && height > 0 && axis.input > 0)?;
        let [right, bottom] = [from[0] + axis.input, from[1] + height];
        let [columns, rows] = [(right + pairs.odd[0]).div_ceil(2), (bottom + pairs.odd[1]).div_ceil(2)];
        holds("a line does not hold its pixels", pitch >= right && pairs.pitch >= columns * 2)?;
        holds("luma lies over the colours", pairs.at >= (bottom - 1) * pitch + right)?;
        let used = (images - 1) * stride + pairs.at + (rows - 1) * pairs.pitch + columns * 2;
        need("the frames' buffer", frames, used)?;
        need("the weights of colour", &pairs.colour, 6)?;
        need("the buffer between columns and rows", between, images * height * axis.output * 3)?;
        let [left, top] = [int("the left edge", from[0])?, int("the upper edge", from[1])?];
        let [odd_x, odd_y] = pairs.odd.map(|odd| i32::from(odd % 2 == 1));
        let (pitch, pairs_pitch) = (int("a line", pitch)?, int("a line of pairs", pairs.pitch)?);
        let (lines, width) = (int("the height", height)?, int("the width", axis.output)?);
        let taps = int("the filter", axis.taps)?;
        let grid = (blocks(axis.output, 32), blocks(height, 8), blocks(images, 1));
        let (stride, at) = (stride as u64, pairs.at as u64);
        launch!(
            self,
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
            between
        )
    }

    /// The first input that is written is number `first`.
    #[allow(clippy::too_many_arguments, reason = "the kernel's contract")]
    pub(crate) fn prepare_rows(
        &self,
        between: &Buffer<u8>,
        images: usize,
        width: usize,
        axis: &AxisBuffers,
        mean: &Buffer<f32>,
        scale: &Buffer<f32>,
        first: usize,
        out: &mut DeviceInput<'_>,
    ) -> Result<(), CudaError> {
        need("the buffer between columns and rows", between, images * axis.input * width * 3)?;
        need("the mean", mean, 3)?;
        need("the scale", scale, 3)?;
        let each = 3 * axis.output * width;
        let (grid, block) = ((blocks(width, 32), blocks(axis.output, 8), blocks(images, 1)), (32, 8, 1));
        let (lines, columns) = (int("the height", axis.input)?, int("the width", width)?);
        let (height, taps) = (int("the height", axis.output)?, int("the filter", axis.taps)?);
        let (from, end) = (first * each, (first + images) * each);
        let (spans, weights) = (&axis.spans, &axis.weights);
        macro_rules! into {
            ($kernel:ident, $out:expr) => {{
                need("the network's input", $out, end)?;
                let out = &mut $out.slice_mut(from..);
                launch!(
                    self, $kernel, grid, block, between, &lines, &columns, spans, weights, &taps, &height, mean, scale,
                    out
                )
            }};
        }
        match out {
            DeviceInput::Single(out) => into!(prepare_rows, out),
            DeviceInput::Half(out) => into!(prepare_rows_half, out),
        }
    }
}
