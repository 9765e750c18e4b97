//! Resizing as Pillow defines `Image.resize(size, BILINEAR)` for 8-bit pictures, bit for bit: a triangle filter that widens
//! with the reduction (so it is antialiased), separable, columns first, weights of 22 fractional bits, an 8-bit
//! picture in between. Source of the definition: Pillow's documentation and behaviour; checked against it in the tests.

use andon_core::{FrameView, yuv_row_into};

use super::channels;
use super::levels::{self, Levels};

/// 32 bits less 8 of the pixel and 2 of headroom.
const BITS: u32 = 22;
const HALF: i32 = 1 << (BITS - 1);

/// The weights of one axis.
#[derive(Debug, Default)]
struct Axis {
    input: usize,
    /// First input position and number of weights, for each output position.
    spans: Vec<(usize, usize)>,
    /// `taps` weights for each output position; unused ones are 0.
    weights: Vec<i32>,
    taps: usize,
}

impl Axis {
    fn prepare(&mut self, input: usize, output: usize) {
        if self.input == input && self.spans.len() == output {
            return;
        }
        self.input = input;
        let scale = input as f64 / output as f64;
        let reduction = scale.max(1.0);
        self.taps = reduction.ceil() as usize * 2 + 1;
        self.spans.clear();
        self.weights.clear();
        let mut raw = vec![0.0f64; self.taps];
        for o in 0..output {
            let center = (o as f64 + 0.5) * scale;
            let first = (center - reduction + 0.5).max(0.0) as usize;
            let end = ((center + reduction + 0.5) as usize).min(input);
            let count = end - first;
            let mut sum = 0.0;
            for (x, w) in raw[..count].iter_mut().enumerate() {
                let distance = ((x + first) as f64 - center + 0.5) / reduction;
                *w = (1.0 - distance.abs()).max(0.0);
                sum += *w;
            }
            self.spans.push((first, count));
            let fixed = |w: &f64| (w / sum * f64::from(1 << BITS) + 0.5) as i32;
            self.weights.extend(raw[..count].iter().map(fixed));
            self.weights.resize((o + 1) * self.taps, 0);
        }
    }

    fn weights(&self, o: usize) -> (usize, &[i32]) {
        let (first, count) = self.spans[o];
        (first, &self.weights[o * self.taps..o * self.taps + count])
    }
}

/// The tables of one axis for another processor: first input position and number of weights of each output position, `taps` weights
/// for each, `taps`.
pub fn axis_tables(input: usize, output: usize) -> (Vec<i32>, Vec<i32>, usize) {
    let mut axis = Axis::default();
    axis.prepare(input, output);
    (axis.spans.iter().flat_map(|(first, count)| [*first as i32, *count as i32]).collect(), axis.weights, axis.taps)
}

/// Squashes frames to one size. Keeps its tables as long as the frames keep their size.
#[derive(Debug)]
pub(super) struct Resizer {
    width: usize,
    height: usize,
    columns: Axis,
    rows: Axis,
    /// Columns done, rows not: `frame.height * width * planes` bytes.
    between: Vec<u8>,
    /// One row of the result before rounding.
    sums: Vec<i32>,
    /// A row of NV12 as RGB, or of a 16-bit frame in 8 bits.
    line: Vec<u8>,
}

impl Resizer {
    pub fn new(width: usize, height: usize) -> Resizer {
        let (columns, rows) = (Axis::default(), Axis::default());
        Resizer { width, height, columns, rows, between: Vec::new(), sums: Vec::new(), line: Vec::new() }
    }

    /// `out` holds `width * height * 3` bytes.
    pub fn resize_into(&mut self, frame: &FrameView<'_>, levels: &Levels, out: &mut [u8]) {
        self.columns.prepare(frame.width, self.width);
        self.rows.prepare(frame.height, self.height);
        let (bytes, order) = channels(levels::as_8_bit(frame.format));
        // Grey is resized once and copied to the three channels at the end.
        let planes = if bytes == 1 && frame.chroma.is_none() { 1 } else { 3 };
        let line = self.width * planes;
        self.between.resize(frame.height * line, 0);
        for (y, to) in self.between.chunks_exact_mut(line).enumerate() {
            if yuv_row_into(frame, y, &mut self.line) {
                columns::<3, 3>(&self.line, [0, 1, 2], &self.columns, to);
                continue;
            }
            let deep = levels.row_into(frame, y, &mut self.line).is_some();
            let row = if deep { self.line.as_slice() } else { frame.row(y) };
            match bytes {
                1 => columns::<1, 1>(row, [0], &self.columns, to),
                3 => columns::<3, 3>(row, order, &self.columns, to),
                _ => columns::<4, 3>(row, order, &self.columns, to),
            }
        }
        self.sums.resize(line, 0);
        for (y, to) in out.chunks_exact_mut(self.width * 3).enumerate() {
            let (first, weights) = self.rows.weights(y);
            self.sums.fill(HALF);
            for (from, w) in self.between[first * line..].chunks_exact(line).zip(weights) {
                for (sum, x) in self.sums.iter_mut().zip(from) {
                    *sum += i32::from(*x) * w;
                }
            }
            if planes == 1 {
                for (to, sum) in to.as_chunks_mut::<3>().0.iter_mut().zip(&self.sums) {
                    *to = [round(*sum); 3];
                }
            } else {
                for (to, sum) in to.iter_mut().zip(&self.sums) {
                    *to = round(*sum);
                }
            }
        }
    }
}

/// One row, all columns: pixels of `IN` bytes in, `OUT` channels out.
fn columns<const IN: usize, const OUT: usize>(row: &[u8], order: [usize; OUT], axis: &Axis, out: &mut [u8]) {
    let pixels = row.as_chunks::<IN>().0;
    if pixels.len() == out.len() / OUT {
        // Pillow leaves an axis alone that keeps its size.
        for (to, pixel) in out.as_chunks_mut::<OUT>().0.iter_mut().zip(pixels) {
            *to = order.map(|c| pixel[c]);
        }
        return;
    }
    for (o, to) in out.as_chunks_mut::<OUT>().0.iter_mut().enumerate() {
        let (first, weights) = axis.weights(o);
        let mut sums = [HALF; OUT];
        for (pixel, w) in pixels[first..].iter().zip(weights) {
            for c in 0..OUT {
                sums[c] += i32::from(pixel[order[c]]) * w;
            }
        }
        *to = sums.map(round);
    }
}

fn round(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}
