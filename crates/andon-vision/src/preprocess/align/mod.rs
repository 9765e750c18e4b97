//! Bringing parts that turn and shift into one pose before the network sees them. The turn is found in the spectrum, which does not change
//! when a part shifts, the shift by phase correlation (Reddy and Chatterji, "An FFT-based technique for translation, rotation, and
//! scale-invariant image registration", IEEE Transactions on Image Processing 1996), and both are refined by correlation with the
//! reference. A part that does not fit the reference is a fault, never a guess.
//!
//! ```text
//!  frame ─► squashed, RGB ─► small, grey ─► pose ─► turned and shifted, RGB ─► network ─► map ─► turned back
//! ```

mod pose;
mod spectrum;

use std::sync::Arc;

use super::{InputSpec, Preprocessor};
use andon_core::{Fault, FrameView, PixelFormat};
pub use pose::Pose;
use pose::Searcher;

/// Side of the small grey pictures in which poses are found. The longer side of a frame is as long.
pub const SIDE: usize = 128;
/// Pictures that the reference is made of at most.
const LEARNED: usize = 40;
/// Times that the reference is made anew from the pictures brought to its pose.
const ROUNDS: usize = 2;
/// A part may fit so much worse than the worst good one: a defect of a tenth of the part costs about as much, and what is no such part, or
/// lies under another, two or three times that.
const SLACK: f32 = 0.25;

/// What parts look like in their one pose.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// `SIDE * SIDE` grey values: the mean of good parts in the pose of the first.
    pub template: Vec<u8>,
    /// A part whose residual (1 less its correlation with the template) is larger does not fit.
    pub most_residual: f32,
    /// The median residual of good parts.
    pub usual_residual: f32,
}

impl Reference {
    /// From pictures of good parts; `None` if there are none, or no pose can be told: a strip of a few rows.
    pub fn learn(pictures: &[Small]) -> Option<Reference> {
        let mut template = pictures.first()?.grey.clone();
        let step = pictures.len().div_ceil(LEARNED).max(1);
        for _ in 0..ROUNDS {
            let mut searcher = Searcher::new(&template);
            let mut sum = vec![0.0f32; SIDE * SIDE];
            let mut count = 0.0;
            for small in pictures.iter().step_by(step) {
                let pose = searcher.find(small);
                (0..SIDE * SIDE).for_each(|i| sum[i] += pose.sample(&small.grey, i % SIDE, i / SIDE));
                count += 1.0;
            }
            template = sum.iter().map(|v| v / count).collect();
        }
        let template: Vec<u8> = template.iter().map(|v| v.round().clamp(0.0, 255.0) as u8).collect();
        let mut searcher = Searcher::new(&floats(&template));
        let mut residuals: Vec<f32> = pictures.iter().map(|small| searcher.find(small).residual).collect();
        residuals.sort_unstable_by(f32::total_cmp);
        let worst = *residuals.last().filter(|worst| worst.is_finite())?;
        Some(Reference {
            template,
            most_residual: (worst + SLACK).min(1.0),
            usual_residual: residuals[residuals.len() / 2],
        })
    }
}

fn floats(template: &[u8]) -> Vec<f32> {
    template.iter().map(|v| f32::from(*v)).collect()
}

/// A frame in small and grey, for finding its pose: its longer side is [`SIDE`] long, and it lies in the middle.
#[derive(Clone, Debug, PartialEq)]
pub struct Small {
    grey: Vec<f32>,
    /// Half the extents that the frame takes, in pixels of the small picture.
    half: [f32; 2],
}

impl Small {
    /// Of interleaved RGB of `width x height` pixels that show a frame whose sides are as `frame`.
    pub fn new(rgb: &[u8], width: usize, height: usize, frame: (usize, usize)) -> Small {
        let longest = frame.0.max(frame.1).max(1) as f32;
        let half = [frame.0, frame.1].map(|side| side as f32 / longest * SIDE as f32 / 2.0);
        let middle = SIDE as f32 / 2.0;
        let (mut grey, mut sum, mut count) = (vec![f32::NAN; SIDE * SIDE], 0.0, 0.0f32);
        for y in 0..SIDE {
            for x in 0..SIDE {
                // The pixels of the frame that this one covers: a mean over them, so that fine structure does not turn into coarse.
                let part = |at: usize, half: f32, side: usize| {
                    let scale = side as f32 / (2.0 * half);
                    let first = (at as f32 - middle + half) * scale;
                    let range = first.max(0.0) as usize..((first + scale).ceil().max(0.0) as usize).min(side);
                    (first + scale > 0.0 && first < side as f32 && !range.is_empty()).then_some(range)
                };
                let (Some(columns), Some(rows)) = (part(x, half[0], width), part(y, half[1], height)) else { continue };
                let (mut value, n) = (0.0f32, (columns.len() * rows.len()) as f32 * 3.0);
                for row in rows {
                    let line = &rgb[(row * width + columns.start) * 3..(row * width + columns.end) * 3];
                    value += line.iter().map(|v| f32::from(*v)).sum::<f32>();
                }
                grey[y * SIDE + x] = value / n;
                (sum, count) = (sum + value / n, count + 1.0);
            }
        }
        let mean = sum / count.max(1.0);
        grey.iter_mut().filter(|v| v.is_nan()).for_each(|v| *v = mean);
        Small { grey, half }
    }
}

/// Brings frames into the reference's pose. Owned by one inspector; allocates only when a frame of a new size comes.
pub struct Aligner {
    squash: Preprocessor,
    reference: Arc<Reference>,
    searcher: Searcher,
    squashed: Vec<u8>,
    aligned: Vec<u8>,
    pose: Pose,
    frame: (usize, usize),
}

impl Aligner {
    /// For frames that become pictures of `size`; `range` is that of 16-bit values.
    pub fn new(reference: Arc<Reference>, size: [u32; 2], range: Option<[u16; 2]>) -> Aligner {
        let [width, height] = size;
        let spec = InputSpec { width, height, mean: [0.0; 3], scale: [1.0; 3], range };
        let rgb = vec![0; spec.len()];
        Aligner {
            squash: Preprocessor::new(spec),
            searcher: Searcher::new(&floats(&reference.template)),
            reference,
            squashed: rgb.clone(),
            aligned: rgb,
            pose: Pose::default(),
            frame: (0, 0),
        }
    }

    /// The frame in the reference's pose, in RGB of the size that it was made for.
    ///
    /// # Errors
    /// [`Fault::NotAligned`]: it does not fit the reference in any pose.
    pub fn align(&mut self, frame: &FrameView<'_>) -> Result<FrameView<'_>, Fault> {
        let (width, height) = (self.squash.spec().width as usize, self.squash.spec().height as usize);
        self.squash.resize_rgb_into(frame, &mut self.squashed);
        self.frame = (frame.width, frame.height);
        self.pose = self.searcher.find(&Small::new(&self.squashed, width, height, self.frame));
        let residual = self.pose.residual;
        if residual.is_nan() || residual > self.reference.most_residual {
            let percent = |residual: f32| (residual * 100.0).round().clamp(0.0, 255.0) as u8;
            return Err(Fault::NotAligned {
                residual: percent(self.pose.residual),
                most: percent(self.reference.most_residual),
            });
        }
        let warp = self.pose.warp(self.frame, (width, height));
        warp.apply(&self.squashed, &mut self.aligned, width, height);
        FrameView::new(PixelFormat::Rgb8, width, height, width * 3, &self.aligned).ok_or(Fault::BadFrame)
    }

    /// The pose of the last frame.
    pub fn pose(&self) -> Pose {
        self.pose
    }

    /// The cells of a grid over the last frame as it came: for each, the cell of the grid over the aligned picture that shows it and has the
    /// highest value there; `None` where the aligned picture does not show it. `values` has `columns * rows` cells.
    pub fn turn_back(&self, values: &[f32], columns: usize, rows: usize) -> Vec<Option<usize>> {
        let warp = self.pose.warp(self.frame, (columns, rows)).inverse();
        (0..columns * rows)
            .map(|i| {
                let [x, y] = warp.at((i % columns) as f32, (i / columns) as f32);
                // Of the cells around, so that no peak is lost between them.
                let around = |v: f32| [v.floor() as isize, v.floor() as isize + 1];
                let inside = |v: isize, n: usize| usize::try_from(v).ok().filter(|v| *v < n);
                let cells = around(y).into_iter().filter_map(|y| inside(y, rows)).flat_map(|y| {
                    around(x).into_iter().filter_map(move |x| inside(x, columns)).map(move |x| y * columns + x)
                });
                cells.reduce(|a, b| if values[b] > values[a] { b } else { a })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
