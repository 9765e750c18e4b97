//! Host-to-device staging of frames: pinned memory and a copy on discrete GPUs, zero-copy mapped memory on integrated ones (Jetson).
//! Written by the preprocess op, read by its kernels. Frames that are in GPU memory already (NVMM buffers of a Jetson's cameras) would be a
//! third kind; it needs such a camera to be written against.

use std::mem::ManuallyDrop;

use super::{Buffer, Pinned};
use crate::driver::Device;
use crate::error::CudaError;

/// Bytes that the host writes and kernels read.
pub(crate) trait StagingBuffer: Send {
    /// Bytes that it holds.
    fn len(&self) -> usize;

    /// The bytes as the host writes them: in order, and never read.
    ///
    /// # Errors
    /// [`CudaError::InFlight`] until earlier uploads were waited for.
    fn host_mut(&mut self) -> Result<&mut [u8], CudaError>;

    /// Enqueues the upload of the first `bytes`; kernels that are launched after it on the same stream read them from the buffer that it
    /// gives.
    ///
    /// # Errors
    /// Fewer bytes than that, or the device is lost.
    fn enqueue_upload(&mut self, device: &Device, bytes: usize) -> Result<&Buffer<u8>, CudaError>;
}

/// A staging buffer of the right kind for a GPU.
pub(crate) fn staging_buffer(device: &Device, bytes: usize) -> Result<Box<dyn StagingBuffer>, CudaError> {
    Ok(match device.is_integrated()? {
        true => Box::new(ZeroCopy::new(device, bytes)?),
        false => Box::new(PinnedCopy { host: Pinned::new(device, bytes, true)?, device: device.zeros(bytes)? }),
    })
}

struct PinnedCopy {
    host: Pinned<u8>,
    device: Buffer<u8>,
}

impl StagingBuffer for PinnedCopy {
    fn len(&self) -> usize {
        self.host.len()
    }

    fn host_mut(&mut self) -> Result<&mut [u8], CudaError> {
        self.host.as_mut_slice()
    }

    fn enqueue_upload(&mut self, device: &Device, bytes: usize) -> Result<&Buffer<u8>, CudaError> {
        device.enqueue_upload(&mut self.host, bytes, &mut self.device)?;
        Ok(&self.device)
    }
}

struct ZeroCopy {
    /// The same memory, by the GPU's address; not its owner.
    device: ManuallyDrop<Buffer<u8>>,
    host: Pinned<u8>,
}

impl ZeroCopy {
    fn new(device: &Device, bytes: usize) -> Result<ZeroCopy, CudaError> {
        let host = Pinned::<u8>::mapped(device, bytes)?;
        let at = host.device_address()?;
        // SAFETY: `bytes` bytes that `host` keeps as long as this lives; `drop` gives the buffer up without freeing them.
        let mapped = ManuallyDrop::new(unsafe { device.stream.upgrade_device_ptr(at, bytes) });
        Ok(ZeroCopy { device: mapped, host })
    }
}

impl StagingBuffer for ZeroCopy {
    fn len(&self) -> usize {
        self.host.len()
    }

    fn host_mut(&mut self) -> Result<&mut [u8], CudaError> {
        self.host.as_mut_slice()
    }

    /// Copies nothing; the memory is lent to the kernels until the stream was waited for.
    fn enqueue_upload(&mut self, device: &Device, bytes: usize) -> Result<&Buffer<u8>, CudaError> {
        if bytes > self.host.len() {
            return Err(CudaError::Shape(format!("{bytes} bytes do not fit into {}", self.host.len())));
        }
        self.host.lend(device)?;
        Ok(&self.device)
    }
}

impl Drop for ZeroCopy {
    fn drop(&mut self) {
        // SAFETY: not used after this.
        let device = unsafe { ManuallyDrop::take(&mut self.device) };
        device.leak();
    }
}
