use super::launch::{AxisBuffers, Pixel};
use super::{Buffer, CudaError, Device};
use crate::preprocess::{InputSpec, axis_tables, channels};
use crate::types::FrameView;

/// Prepares frames of one size for one network on the card; the twin of [`crate::preprocess::Preprocessor`], bit for bit.
pub struct Preparer {
    spec: InputSpec,
    mean: Buffer<f32>,
    scale: Buffer<f32>,
    columns: Option<AxisBuffers>,
    rows: Option<AxisBuffers>,
    frames: Buffer<u8>,
    between: Buffer<u8>,
}

impl Preparer {
    /// For this input.
    ///
    /// # Errors
    /// No memory, or the card is lost.
    pub fn new(device: &Device, spec: InputSpec) -> Result<Preparer, CudaError> {
        let (mean, scale) = (device.upload(&spec.mean)?, device.upload(&spec.scale)?);
        let (frames, between) = (device.zeros(0)?, device.zeros(0)?);
        Ok(Preparer { spec, mean, scale, columns: None, rows: None, frames, between })
    }

    /// Uploads frames, all of one layout, and writes `frames x 3 x height x width` values. Takes memory only when frames of another
    /// size or number come.
    ///
    /// # Errors
    /// Frames of different layouts, a buffer too small, no memory, or a launch that fails.
    pub fn prepare(
        &mut self,
        device: &Device,
        frames: &[FrameView<'_>],
        out: &mut Buffer<f32>,
    ) -> Result<(), CudaError> {
        let Some(first) = frames.first() else { return Ok(()) };
        let layout = |f: &FrameView<'_>| (f.format, f.width, f.height, f.stride);
        if frames.iter().any(|f| layout(f) != layout(first)) {
            return Err(CudaError::Shape("frames of different layouts cannot be prepared together".to_owned()));
        }
        let (bytes, order) = channels(first.format);
        // Without the padding behind the last line, which need not be there.
        let used = (first.height - 1) * first.stride + first.width * bytes;
        let stride = used.next_multiple_of(256);
        if self.frames.len() < frames.len() * stride {
            self.frames = device.zeros(frames.len() * stride)?;
        }
        for (n, frame) in frames.iter().enumerate() {
            let mut to = self.frames.slice_mut(n * stride..n * stride + used);
            let copied = device.stream.memcpy_htod(&frame.data[..used], &mut to);
            copied.map_err(CudaError::driver("copying a frame to the card"))?;
        }
        let (width, height) = (self.spec.width as usize, self.spec.height as usize);
        let columns = axis(device, &mut self.columns, first.width, width)?;
        let rows = axis(device, &mut self.rows, first.height, height)?;
        let between = frames.len() * first.height * width * 3;
        if self.between.len() < between {
            self.between = device.zeros(between)?;
        }
        let pixel = Pixel { bytes, order };
        device.prepare_columns(
            &self.frames,
            frames.len(),
            stride,
            first.stride,
            first.height,
            pixel,
            columns,
            &mut self.between,
        )?;
        device.prepare_rows(&self.between, frames.len(), width, rows, &self.mean, &self.scale, out)
    }
}

/// The tables for these sizes, made anew when they change.
fn axis<'a>(
    device: &Device,
    kept: &'a mut Option<AxisBuffers>,
    input: usize,
    output: usize,
) -> Result<&'a AxisBuffers, CudaError> {
    if kept.as_ref().is_none_or(|a| (a.input, a.output) != (input, output)) {
        let (spans, weights, taps) = axis_tables(input, output);
        let (spans, weights) = (device.upload(&spans)?, device.upload(&weights)?);
        *kept = Some(AxisBuffers { input, output, spans, weights, taps });
    }
    kept.as_ref().ok_or_else(|| CudaError::Shape("no tables".to_owned()))
}
