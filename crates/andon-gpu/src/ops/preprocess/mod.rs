//! Frames to network inputs (`kernels/prepare.cu`): resized, colours converted, normalised; the counterpart of
//! [`andon_vision::preprocess::Preprocessor`], bit for bit. Owned by the feature stage. Frames are copied into staging memory when they come
//! and uploaded when the batch is complete.

mod launch;
pub(crate) mod self_test;

use self::launch::{AxisBuffers, ChromaPlane, Pixel, prepare_columns, prepare_columns_nv12, prepare_rows};
use crate::driver::Device;
use crate::error::CudaError;
use crate::memory::{Buffer, DeviceInput, StagingBuffer, staging_buffer};
use andon_core::{Chroma, FrameView, PixelFormat};
use andon_vision::preprocess::{InputSpec, YuvWeights, axis_tables, channels};

/// Prepares frames of one layout for one network. One thread.
pub struct GpuPreprocessor {
    spec: InputSpec,
    tiles: [usize; 2],
    mean: Buffer<f32>,
    scale: Buffer<f32>,
    axes: Vec<AxisBuffers>,
    /// `None` unless frames are NV12.
    chroma: Option<ChromaPlane>,
    /// Frames at a time, at most.
    count: usize,
    staging: Box<dyn StagingBuffer>,
    intermediate: Buffer<u8>,
    /// That of the staged frames.
    layout: Option<FrameLayout>,
}

/// Format, size and strides of the staged frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FrameLayout {
    format: PixelFormat,
    width: usize,
    height: usize,
    pitch: usize,
    /// Bytes of a line of NV12's chroma, and on which half of a pair of pixels the frame begins.
    chroma: Option<(usize, [usize; 2])>,
}

impl FrameLayout {
    fn of(frame: &FrameView<'_>) -> FrameLayout {
        let chroma = frame.chroma.map(|chroma| (chroma.stride, chroma.odd));
        FrameLayout { format: frame.format, width: frame.width, height: frame.height, pitch: frame.stride, chroma }
    }

    /// Bytes from one frame to the next.
    fn stride(&self) -> usize {
        (self.used() + self.chroma_used()).next_multiple_of(256)
    }

    /// Bytes of NV12's second plane, which lies right behind the first.
    fn chroma_used(&self) -> usize {
        let Some((stride, odd)) = self.chroma else { return 0 };
        let [columns, rows] = Chroma { data: &[], stride, odd }.size(self.width, self.height);
        (rows - 1) * stride + columns * 2
    }

    /// Bytes of the first plane, without the padding behind the last line, which need not be there.
    fn used(&self) -> usize {
        (self.height - 1) * self.pitch + self.width * self.format.bytes_per_pixel()
    }
}

/// Where one of `of` tiles of an axis begins, and how long it is.
fn tile(i: usize, of: usize, pixels: usize) -> (usize, usize) {
    let (first, end) = (i * pixels / of, (i + 1) * pixels / of);
    (first, end - first)
}

impl GpuPreprocessor {
    /// For this input, from frames cut into `tiles` columns and rows, `count` at a time at most.
    ///
    /// # Errors
    /// No memory, or the device is lost.
    pub fn new(
        device: &Device,
        spec: InputSpec,
        tiles: [usize; 2],
        count: usize,
    ) -> Result<GpuPreprocessor, CudaError> {
        let (mean, scale) = (device.upload(&spec.mean)?, device.upload(&spec.scale)?);
        let (staging, intermediate) = (staging_buffer(device, 0)?, device.zeros(0)?);
        Ok(GpuPreprocessor {
            spec,
            tiles,
            mean,
            scale,
            axes: Vec::new(),
            chroma: None,
            count,
            staging,
            intermediate,
            layout: None,
        })
    }

    /// Whether a frame has the layout of the staged ones, so that it can be prepared together with them.
    pub fn accepts_layout(&self, frame: &FrameView<'_>) -> bool {
        self.layout == Some(FrameLayout::of(frame))
    }

    /// Whether frames are staged. None are after a failure to allocate for a new layout.
    pub fn has_layout(&self) -> bool {
        self.layout.is_some()
    }

    /// Copies frame `n` of the next [`GpuPreprocessor::enqueue`] into staging memory; true if its layout differs from the last one, so that a
    /// graph that was captured for that one must not be launched any more. Allocates only then.
    ///
    /// # Errors
    /// A frame too many, of another layout than the first, or with fewer pixels than tiles; no memory; work of before was not waited for.
    pub fn stage_frame(&mut self, device: &Device, n: usize, frame: &FrameView<'_>) -> Result<bool, CudaError> {
        let now = FrameLayout::of(frame);
        let changed = self.layout != Some(now);
        if n >= self.count {
            return Err(CudaError::Shape(format!("{} frames, it takes {}", n + 1, self.count)));
        }
        if changed && n > 0 {
            return Err(CudaError::Shape("frames of different layouts cannot be prepared together".to_owned()));
        }
        if frame.format.bits() != 8 {
            return Err(CudaError::Shape("frames of 16 bits are prepared on the CPU only".to_owned()));
        }
        let (width, height) = (frame.width, frame.height);
        if width < self.tiles[0] || height < self.tiles[1] {
            return Err(CudaError::Shape(format!("a frame of {width}x{height} is too small to be cut")));
        }
        if changed {
            self.layout = None;
            self.allocate(device, &now)?;
            self.layout = Some(now);
        }
        let to = &mut self.staging.host_mut()?[n * now.stride()..][..now.stride()];
        let (luma, rest) = to.split_at_mut(now.used());
        luma.copy_from_slice(&frame.data[..now.used()]);
        if let Some(chroma) = frame.chroma {
            rest[..now.chroma_used()].copy_from_slice(&chroma.data[..now.chroma_used()]);
        }
        Ok(changed)
    }

    fn allocate(&mut self, device: &Device, now: &FrameLayout) -> Result<(), CudaError> {
        let bytes = self.count * now.stride();
        if self.staging.len() < bytes {
            self.staging = staging_buffer(device, bytes)?;
        }
        let [columns, rows] = self.tiles;
        let (width, height) = (self.spec.width as usize, self.spec.height as usize);
        self.axes.clear();
        for (pixels, output, of) in [(now.width, width, columns), (now.height, height, rows)] {
            for i in 0..of {
                let (_, input) = tile(i, of, pixels);
                if self.axes.iter().all(|a| (a.input, a.output) != (input, output)) {
                    let (spans, weights, taps) = axis_tables(input, output);
                    let (spans, weights) = (device.upload(&spans)?, device.upload(&weights)?);
                    self.axes.push(AxisBuffers { input, output, spans, weights, taps });
                }
            }
        }
        self.chroma = match (now.format, now.chroma) {
            (PixelFormat::Nv12(yuv), Some((pitch, odd))) => {
                let w = YuvWeights::new(yuv);
                let colour = device.upload(&[w.black, w.luma, w.red, w.green[0], w.green[1], w.blue])?;
                Some(ChromaPlane { at: now.used(), pitch, odd, colour })
            }
            _ => None,
        };
        let intermediate = self.count * now.height.div_ceil(rows) * width * 3;
        if self.intermediate.len() < intermediate {
            self.intermediate = device.zeros(intermediate)?;
        }
        Ok(())
    }

    /// Enqueues upload and preparation of the first `count` staged frames into inputs of `3 x height x width` values: the first tile of every
    /// frame, then the second tile of every frame, and so on. Allocates nothing.
    ///
    /// # Errors
    /// No frame was staged, a buffer too small, or a launch that fails.
    pub fn enqueue(&mut self, device: &Device, count: usize, mut out: DeviceInput<'_>) -> Result<(), CudaError> {
        let Some(now) = self.layout else { return Err(CudaError::Shape("no frames were loaded".to_owned())) };
        let frames = self.staging.enqueue_upload(device, count * now.stride())?;
        let (bytes, order) = channels(now.format);
        let pixel = Pixel { bytes, order };
        let [columns, rows] = self.tiles;
        let size = (self.spec.width as usize, self.spec.height as usize);
        for (n, (row, column)) in (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))).enumerate() {
            let ((left, width), (top, height)) = (tile(column, columns, now.width), tile(row, rows, now.height));
            let axis = |input, output| {
                let found = self.axes.iter().find(|a| (a.input, a.output) == (input, output));
                found.ok_or_else(|| CudaError::Shape("no tables for a piece".to_owned()))
            };
            let (across, down) = (axis(width, size.0)?, axis(height, size.1)?);
            let (stride, pitch, intermediate) = (now.stride(), now.pitch, &mut self.intermediate);
            match &self.chroma {
                Some(chroma) => {
                    let from = [left, top];
                    prepare_columns_nv12(
                        device,
                        frames,
                        count,
                        stride,
                        pitch,
                        from,
                        height,
                        chroma,
                        across,
                        intermediate,
                    )?;
                }
                None => {
                    let offset = top * pitch + left * bytes;
                    prepare_columns(device, frames, offset, count, stride, pitch, height, pixel, across, intermediate)?;
                }
            }
            let first = n * count;
            prepare_rows(device, &self.intermediate, count, size.0, down, &self.mean, &self.scale, first, &mut out)?;
        }
        Ok(())
    }
}
