//! The grid of a map, and the checks of sizes before a launch. Used by every op.

use crate::error::CudaError;
use crate::memory::Buffer;

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

    /// Cells of all pictures.
    pub(crate) fn all(&self) -> usize {
        self.images * self.size()
    }
}

/// An error unless the buffer holds that many values.
pub(super) fn ensure_len<T>(what: &str, buffer: &Buffer<T>, values: usize) -> Result<(), CudaError> {
    match buffer.len() >= values {
        true => Ok(()),
        false => Err(CudaError::Shape(format!("{what} holds {} values, {values} are needed", buffer.len()))),
    }
}

/// As a kernel's `int`.
pub(super) fn to_i32(what: &str, value: usize) -> Result<i32, CudaError> {
    i32::try_from(value).map_err(|_| CudaError::Shape(format!("{what} is {value}, too large for a kernel")))
}

/// An error with these words unless the condition is met.
pub(super) fn ensure(what: &str, is_met: bool) -> Result<(), CudaError> {
    if is_met { Ok(()) } else { Err(CudaError::Shape(what.to_owned())) }
}

/// Blocks of `each` values that cover `values`; one at least, because the driver refuses a grid without blocks and kernels check their
/// bounds.
pub(super) fn blocks(values: usize, each: usize) -> u32 {
    u32::try_from(values.div_ceil(each).max(1)).unwrap_or(u32::MAX)
}
