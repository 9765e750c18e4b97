use super::landing::{Landing, landing};
use super::shape::{AxisBuffers, Pairs, Pixel};
use super::{Buffer, CudaError, Device, DeviceInput};
use andon_core::{Chroma, FrameView, PixelFormat};
use andon_vision::preprocess::{InputSpec, YuvWeights, axis_tables, channels};

/// Prepares frames of one size for one network on the card; the twin of [`andon_vision::preprocess::Preprocessor`], bit for bit.
pub struct Preparer {
    spec: InputSpec,
    pieces: [usize; 2],
    mean: Buffer<f32>,
    scale: Buffer<f32>,
    axes: Vec<AxisBuffers>,
    /// Of NV12 frames.
    pairs: Option<Pairs>,
    /// At most.
    count: usize,
    frames: Box<dyn Landing>,
    between: Buffer<u8>,
    loaded: Option<Loaded>,
}

/// How the frames that were loaded lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Loaded {
    format: PixelFormat,
    width: usize,
    height: usize,
    pitch: usize,
    /// Bytes of a line of NV12's pairs, and on which half of a pair the frame begins.
    pairs: Option<(usize, [usize; 2])>,
}

impl Loaded {
    fn of(frame: &FrameView<'_>) -> Loaded {
        let pairs = frame.chroma.map(|chroma| (chroma.stride, chroma.odd));
        Loaded { format: frame.format, width: frame.width, height: frame.height, pitch: frame.stride, pairs }
    }

    /// Bytes from one frame to the next.
    fn stride(&self) -> usize {
        (self.used() + self.pairs_used()).next_multiple_of(256)
    }

    /// Bytes of NV12's second plane, which lies right behind the first.
    fn pairs_used(&self) -> usize {
        let Some((stride, odd)) = self.pairs else { return 0 };
        let [columns, rows] = Chroma { data: &[], stride, odd }.size(self.width, self.height);
        (rows - 1) * stride + columns * 2
    }

    /// Bytes of the first plane, without the padding behind the last line, which need not be there.
    fn used(&self) -> usize {
        (self.height - 1) * self.pitch + self.width * self.format.bytes_per_pixel()
    }
}

/// Where one of `of` pieces of an axis begins, and how long it is.
fn piece(i: usize, of: usize, pixels: usize) -> (usize, usize) {
    let (first, end) = (i * pixels / of, (i + 1) * pixels / of);
    (first, end - first)
}

impl Preparer {
    /// For this input, from frames cut into `pieces` columns and rows, `count` at a time at most.
    ///
    /// # Errors
    /// No memory, or the card is lost.
    pub fn new(device: &Device, spec: InputSpec, pieces: [usize; 2], count: usize) -> Result<Preparer, CudaError> {
        let (mean, scale) = (device.upload(&spec.mean)?, device.upload(&spec.scale)?);
        let (frames, between) = (landing(device, 0)?, device.zeros(0)?);
        Ok(Preparer { spec, pieces, mean, scale, axes: Vec::new(), pairs: None, count, frames, between, loaded: None })
    }

    /// Whether a frame lies as those that were loaded do, so that it can be prepared together with them.
    pub fn takes(&self, frame: &FrameView<'_>) -> bool {
        self.loaded == Some(Loaded::of(frame))
    }

    /// Copies frame `n` of the next call to where the card reads it; true if frames lie otherwise than last time, so that work that was
    /// recorded for them does not fit any more. Takes memory only then. What was enqueued before must have been waited for.
    ///
    /// # Errors
    /// A frame too many, of another layout than the first, or with fewer pixels than pieces; no memory.
    pub fn load(&mut self, device: &Device, n: usize, frame: &FrameView<'_>) -> Result<bool, CudaError> {
        let now = Loaded::of(frame);
        let changed = self.loaded != Some(now);
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
        if width < self.pieces[0] || height < self.pieces[1] {
            return Err(CudaError::Shape(format!("a frame of {width}x{height} is too small to be cut")));
        }
        if changed {
            self.loaded = None;
            self.make_room(device, &now)?;
            self.loaded = Some(now);
        }
        let to = &mut self.frames.host()[n * now.stride()..][..now.stride()];
        let (luma, rest) = to.split_at_mut(now.used());
        luma.copy_from_slice(&frame.data[..now.used()]);
        if let Some(chroma) = frame.chroma {
            rest[..now.pairs_used()].copy_from_slice(&chroma.data[..now.pairs_used()]);
        }
        Ok(changed)
    }

    fn make_room(&mut self, device: &Device, now: &Loaded) -> Result<(), CudaError> {
        let bytes = self.count * now.stride();
        if self.frames.card().len() < bytes {
            self.frames = landing(device, bytes)?;
        }
        let [columns, rows] = self.pieces;
        let (width, height) = (self.spec.width as usize, self.spec.height as usize);
        self.axes.clear();
        for (pixels, output, of) in [(now.width, width, columns), (now.height, height, rows)] {
            for i in 0..of {
                let (_, input) = piece(i, of, pixels);
                if self.axes.iter().all(|a| (a.input, a.output) != (input, output)) {
                    let (spans, weights, taps) = axis_tables(input, output);
                    let (spans, weights) = (device.upload(&spans)?, device.upload(&weights)?);
                    self.axes.push(AxisBuffers { input, output, spans, weights, taps });
                }
            }
        }
        self.pairs = match (now.format, now.pairs) {
            (PixelFormat::Nv12(yuv), Some((pitch, odd))) => {
                let w = YuvWeights::new(yuv);
                let colour = device.upload(&[w.black, w.luma, w.red, w.green[0], w.green[1], w.blue])?;
                Some(Pairs { at: now.used(), pitch, odd, colour })
            }
            _ => None,
        };
        let between = self.count * now.height.div_ceil(rows) * width * 3;
        if self.between.len() < between {
            self.between = device.zeros(between)?;
        }
        Ok(())
    }

    /// Asks for the first `count` frames that were loaded to become inputs of `3 x height x width` values: the first piece of every frame, then the second of
    /// every frame, and so on. Takes no memory.
    ///
    /// # Errors
    /// Nothing was loaded, a buffer too small, or a launch that fails.
    pub fn enqueue(&mut self, device: &Device, count: usize, mut out: DeviceInput<'_>) -> Result<(), CudaError> {
        let Some(now) = self.loaded else { return Err(CudaError::Shape("no frames were loaded".to_owned())) };
        self.frames.send(device, count * now.stride())?;
        let (bytes, order) = channels(now.format);
        let pixel = Pixel { bytes, order };
        let [columns, rows] = self.pieces;
        let size = (self.spec.width as usize, self.spec.height as usize);
        for (n, (row, column)) in (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))).enumerate() {
            let ((left, width), (top, height)) = (piece(column, columns, now.width), piece(row, rows, now.height));
            let axis = |input, output| {
                let found = self.axes.iter().find(|a| (a.input, a.output) == (input, output));
                found.ok_or_else(|| CudaError::Shape("no tables for a piece".to_owned()))
            };
            let (across, down) = (axis(width, size.0)?, axis(height, size.1)?);
            let (stride, pitch, between) = (now.stride(), now.pitch, &mut self.between);
            match &self.pairs {
                Some(pairs) => {
                    let from = [left, top];
                    device.prepare_columns_nv12(
                        self.frames.card(),
                        count,
                        stride,
                        pitch,
                        from,
                        height,
                        pairs,
                        across,
                        between,
                    )?;
                }
                None => {
                    let offset = top * pitch + left * bytes;
                    let frames = self.frames.card();
                    device.prepare_columns(frames, offset, count, stride, pitch, height, pixel, across, between)?;
                }
            }
            let first = n * count;
            device.prepare_rows(&self.between, count, size.0, down, &self.mean, &self.scale, first, &mut out)?;
        }
        Ok(())
    }
}
