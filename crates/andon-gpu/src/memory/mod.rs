//! Memory: buffers on the GPU, pinned memory of the host, copies between them, and the staging of frames. Everything is enqueued on the
//! device's stream; `download*` alone wait.

mod copy;
mod pinned;
mod staging;
mod tensor;
#[cfg(test)]
mod tests;

pub use tensor::{DeviceInput, DeviceMap};

pub(crate) use pinned::Pinned;
pub(crate) use staging::{StagingBuffer, staging_buffer};

/// Values in the GPU's memory.
pub type Buffer<T> = cudarc::driver::CudaSlice<T>;
