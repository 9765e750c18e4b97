//! From a frame to the network's input: squash to size, normalise. The CPU definition that every other implementation is
//! compared with. Owned by one inspector; allocates only when a frame of a new size comes.

pub mod align;
mod levels;
mod resize;
mod tiling;

use serde::{Deserialize, Serialize};

pub use andon_core::YuvWeights;
use andon_core::{FrameView, PixelFormat, yuv_row_into};
use levels::Levels;
use resize::Resizer;
pub use resize::axis_tables;
pub use tiling::{Tile, Tiling};

/// What the network wants: three planes (red, green, blue) of `height * width` values `(x - mean) * scale`, x in 0..=255.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Per channel, in units of 0..=255.
    pub mean: [f32; 3],
    /// Per channel.
    pub scale: [f32; 3],
    /// Of 16-bit values: which becomes 0 and which 255. `None` for 8-bit frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<[u16; 2]>,
}

impl InputSpec {
    /// Values of one input: `3 * height * width`.
    pub fn len(&self) -> usize {
        3 * self.pixels()
    }

    /// Whether the input holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn pixels(&self) -> usize {
        self.width as usize * self.height as usize
    }
}

/// Prepares frames for one network.
#[derive(Debug)]
pub struct Preprocessor {
    spec: InputSpec,
    resizer: Resizer,
    rgb: Vec<u8>,
    /// A row of NV12 as RGB, or of a 16-bit frame in 8 bits.
    line: Vec<u8>,
    levels: Levels,
    /// The normalised value of each byte, for each channel.
    table: [[f32; 256]; 3],
}

impl Preprocessor {
    /// For this input.
    pub fn new(spec: InputSpec) -> Preprocessor {
        let table = std::array::from_fn(|c| std::array::from_fn(|x| (x as f32 - spec.mean[c]) * spec.scale[c]));
        let rgb = vec![0; spec.len()];
        Preprocessor {
            resizer: Resizer::new(spec.width as usize, spec.height as usize),
            levels: Levels::new(spec.range),
            spec,
            rgb,
            line: Vec::new(),
            table,
        }
    }

    /// The input that it makes.
    pub fn spec(&self) -> &InputSpec {
        &self.spec
    }

    /// Squashes `frame` to the input's size as 8-bit RGB, interleaved. `out` holds [`InputSpec::len`] bytes.
    pub fn resize_rgb_into(&mut self, frame: &FrameView<'_>, out: &mut [u8]) {
        let (width, height) = (self.spec.width as usize, self.spec.height as usize);
        if (frame.width, frame.height) == (width, height) {
            for (y, line) in out.chunks_exact_mut(width * 3).enumerate() {
                if let Some(format) = self.levels.row_into(frame, y, &mut self.line) {
                    copy_rgb(&self.line, format, line);
                } else if yuv_row_into(frame, y, &mut self.line) {
                    line.copy_from_slice(&self.line);
                } else {
                    copy_rgb(frame.row(y), frame.format, line);
                }
            }
        } else {
            self.resizer.resize_into(frame, &self.levels, out);
        }
    }

    /// Resizes and normalises. `out` holds [`InputSpec::len`] values: red, green, blue planes.
    pub fn prepare_into(&mut self, frame: &FrameView<'_>, out: &mut [f32]) {
        let mut rgb = std::mem::take(&mut self.rgb);
        self.resize_rgb_into(frame, &mut rgb);
        let (red, rest) = out.split_at_mut(self.spec.pixels());
        let (green, blue) = rest.split_at_mut(self.spec.pixels());
        for (i, pixel) in rgb.as_chunks::<3>().0.iter().enumerate() {
            red[i] = self.table[0][usize::from(pixel[0])];
            green[i] = self.table[1][usize::from(pixel[1])];
            blue[i] = self.table[2][usize::from(pixel[2])];
        }
        self.rgb = rgb;
    }
}

fn copy_rgb(row: &[u8], format: PixelFormat, out: &mut [u8]) {
    let (from, at) = channels(format);
    for (pixel, to) in row.chunks_exact(from).zip(out.as_chunks_mut::<3>().0) {
        *to = at.map(|c| pixel[c]);
    }
}

/// Bytes of a pixel and where red, green and blue are in it; of NV12, the luma alone. 16-bit rows are brought to 8 bits before.
pub fn channels(format: PixelFormat) -> (usize, [usize; 3]) {
    let order = match format {
        PixelFormat::Gray8 | PixelFormat::Gray16Le | PixelFormat::Gray16Be | PixelFormat::Nv12(_) => [0, 0, 0],
        PixelFormat::Rgb8 | PixelFormat::Rgba8 | PixelFormat::Rgb16Le => [0, 1, 2],
        PixelFormat::Bgr8 | PixelFormat::Bgra8 => [2, 1, 0],
    };
    (format.bytes_per_pixel(), order)
}

#[cfg(test)]
mod tests;
