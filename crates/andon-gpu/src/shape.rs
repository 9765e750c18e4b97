//! Sizes that kernels are launched with, and whether they fit.

use super::{Buffer, CudaError, Device};

/// A grid of patches or cells, and how many pictures of it lie one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Pictures.
    pub images: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Grid {
    /// Cells of one picture.
    pub fn size(&self) -> usize {
        self.height * self.width
    }

    pub(super) fn all(&self) -> usize {
        self.images * self.size()
    }
}

/// Smallest and largest value among the cells of a picture that are looked at; NaN if any of them is, or if there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CellRange {
    /// Smallest.
    pub least: f32,
    /// Largest.
    pub most: f32,
}

/// Where red, green and blue are in a pixel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pixel {
    pub bytes: usize,
    pub order: [usize; 3],
}

/// The second plane of NV12 frames, and how it is read: see `kernels/prepare.cu`.
pub(super) struct Pairs {
    /// Bytes from where a frame begins to its pairs.
    pub at: usize,
    pub pitch: usize,
    pub odd: [usize; 2],
    pub colour: Buffer<i32>,
}

/// Tables of one axis of a resize, on the card: see `kernels/prepare.cu`.
pub(super) struct AxisBuffers {
    pub input: usize,
    pub output: usize,
    pub spans: Buffer<i32>,
    pub weights: Buffer<i32>,
    pub taps: usize,
}

pub(super) fn need<T>(what: &str, buffer: &Buffer<T>, values: usize) -> Result<(), CudaError> {
    match buffer.len() >= values {
        true => Ok(()),
        false => Err(CudaError::Shape(format!("{what} holds {} values, {values} are needed", buffer.len()))),
    }
}

/// As a kernel's `int`.
pub(super) fn int(what: &str, value: usize) -> Result<i32, CudaError> {
    i32::try_from(value).map_err(|_| CudaError::Shape(format!("{what} is {value}, too large for a kernel")))
}

pub(super) fn holds(what: &str, holds: bool) -> Result<(), CudaError> {
    if holds { Ok(()) } else { Err(CudaError::Shape(what.to_owned())) }
}

pub(super) fn blocks(values: usize, each: usize) -> u32 {
    // A grid without blocks is refused by the driver; kernels check their bounds.
    u32::try_from(values.div_ceil(each).max(1)).unwrap_or(u32::MAX)
}

/// Where the patches of a frame's pieces go: a frame is cut into pieces, each with a grid of patches, some of which are not looked at.
pub struct Placement {
    pub(super) slots: Buffer<i32>,
    pub(super) pieces: usize,
    pub(super) rows: usize,
}

impl Placement {
    /// `slots` holds, piece by piece, the row of each patch among `rows` of its frame, or -1.
    ///
    /// # Errors
    /// A row that is not there, no whole pieces, no memory, or the card is lost.
    pub fn new(device: &Device, slots: &[i32], pieces: usize, rows: usize) -> Result<Placement, CudaError> {
        holds("the patches are those of whole pieces", pieces > 0 && slots.len().is_multiple_of(pieces))?;
        holds("a patch goes to a row that is not there", slots.iter().all(|s| *s >= -1 && *s < rows as i32))?;
        Ok(Placement { slots: device.upload(slots)?, pieces, rows })
    }

    /// Every patch of frames in one piece, in its place.
    ///
    /// # Errors
    /// As [`Placement::new`].
    pub fn whole(device: &Device, patches: usize) -> Result<Placement, CudaError> {
        let slots: Vec<i32> = (0..patches as i32).collect();
        Placement::new(device, &slots, 1, patches)
    }

    /// Rows of a frame.
    pub fn rows(&self) -> usize {
        self.rows
    }
}
