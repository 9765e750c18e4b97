use super::{Buffer, CudaError, Device};

/// A feature map on the card: `channels x height x width` values for each image.
pub struct DeviceMap {
    /// The values.
    pub values: Buffer<f32>,
    /// Planes.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

/// Where a network's inputs go.
pub enum DeviceInput<'a> {
    /// In single precision.
    Single(&'a mut Buffer<f32>),
    /// The bits of half precision.
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

/// The network on the card, from inputs to feature maps, in the stream of a device.
pub trait DeviceTrunk: Send {
    /// `tensorrt`, …: the provenance in every verdict.
    fn name(&self) -> &'static str;

    /// Images that it takes at a time, at most.
    fn images(&self) -> usize;

    /// Where inputs go: `3 x height x width` values for each image.
    fn input(&mut self) -> DeviceInput<'_>;

    /// Asks for the first `images` inputs to become feature maps; returns before that is done.
    ///
    /// # Errors
    /// More images than it takes, or the card is lost.
    fn enqueue(&mut self, device: &Device, images: usize) -> Result<(), CudaError>;

    /// The maps, those of the first image first.
    fn maps(&self) -> &[DeviceMap];

    /// Whether what it asks for can be recorded as a graph.
    fn can_be_captured(&self) -> bool;
}
