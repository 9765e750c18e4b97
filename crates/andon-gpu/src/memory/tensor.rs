//! What goes into a network on the GPU and what comes out of it. Filled by the preprocess op, read by the aggregate op.

use super::Buffer;

/// A feature map on the GPU: `channels x height x width` values for each image.
pub struct DeviceMap {
    /// The values.
    pub values: Buffer<f32>,
    /// Channels.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

/// The input buffer of a network.
pub enum DeviceInput<'a> {
    /// f32.
    Single(&'a mut Buffer<f32>),
    /// The bits of f16.
    Half(&'a mut Buffer<u16>),
}

impl DeviceInput<'_> {
    /// Values that it holds.
    pub fn len(&self) -> usize {
        match self {
            DeviceInput::Single(buffer) => buffer.len(),
            DeviceInput::Half(buffer) => buffer.len(),
        }
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
