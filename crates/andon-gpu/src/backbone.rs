//! A network that runs on the GPU. TensorRT's is `tensorrt/backbone.rs`; tests bring their own.

use crate::driver::Device;
use crate::error::CudaError;
use crate::memory::{DeviceInput, DeviceMap};

/// The network on the GPU, from inputs to feature maps, on the stream of a device. Used by one thread. Input and maps keep their addresses as
/// long as it lives: a captured graph names them.
pub trait GpuBackbone: Send {
    /// `tensorrt`, …: the provenance in every verdict.
    fn name(&self) -> &'static str;

    /// Images that it takes at a time, at most.
    fn images(&self) -> usize;

    /// The input buffer: `3 x height x width` values for each image.
    fn input(&mut self) -> DeviceInput<'_>;

    /// Enqueues the network for the first `images` inputs and returns before it is done.
    ///
    /// # Errors
    /// More images than it takes, or the device is lost.
    fn enqueue(&mut self, device: &Device, images: usize) -> Result<(), CudaError>;

    /// The feature maps, the first image first.
    fn maps(&self) -> &[DeviceMap];

    /// Whether what it enqueues can be captured into a graph.
    fn can_be_captured(&self) -> bool;
}
