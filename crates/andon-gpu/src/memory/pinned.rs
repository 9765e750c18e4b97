//! Page-locked memory of the host, which the GPU reads and writes by itself. Its values can be seen only while no copy is in flight on its
//! stream; `driver/stream.rs` says how.

use std::ptr::NonNull;
use std::sync::Arc;

use cudarc::driver::{CudaStream, DeviceRepr, ValidAsZeroBits, result, sys};

use crate::driver::{Device, StreamProgress};
use crate::error::CudaError;

/// `len` values of pinned memory, for copies on the stream of one device.
pub(crate) struct Pinned<T> {
    at: NonNull<T>,
    len: usize,
    progress: Arc<StreamProgress>,
    /// Keeps the context, and with it the memory, as long as this lives.
    stream: Arc<CudaStream>,
}

// SAFETY: plain memory of one owner.
unsafe impl<T: Send> Send for Pinned<T> {}
// SAFETY: through `&self` the values are only read.
unsafe impl<T: Sync> Sync for Pinned<T> {}

impl<T: DeviceRepr + ValidAsZeroBits> Pinned<T> {
    /// `len` zeros. With `write_combined` the host should only write, in order: reading such memory takes a hundred times as long.
    pub fn new(device: &Device, len: usize, write_combined: bool) -> Result<Pinned<T>, CudaError> {
        Pinned::with(device, len, if write_combined { sys::CU_MEMHOSTALLOC_WRITECOMBINED } else { 0 })
    }

    /// The same, for the host to write in order and for kernels to read in place.
    pub fn mapped(device: &Device, len: usize) -> Result<Pinned<T>, CudaError> {
        Pinned::with(device, len, sys::CU_MEMHOSTALLOC_WRITECOMBINED | sys::CU_MEMHOSTALLOC_DEVICEMAP)
    }

    fn with(device: &Device, len: usize, flags: u32) -> Result<Pinned<T>, CudaError> {
        device.bind()?;
        let bytes = (len * size_of::<T>()).max(1);
        // SAFETY: a context is bound; the memory is freed once, by `drop`.
        let at = unsafe { result::malloc_host(bytes, flags) }.map_err(CudaError::driver("taking pinned memory"))?;
        let Some(at) = NonNull::new(at) else {
            return Err(CudaError::Driver {
                what: "taking pinned memory",
                code: sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY,
            });
        };
        // SAFETY: just allocated, of that many bytes, aligned to pages.
        unsafe { at.cast::<u8>().write_bytes(0, bytes) };
        Ok(Pinned { at: at.cast(), len, progress: device.progress.clone(), stream: device.stream.clone() })
    }

    /// Values that it holds.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The values.
    ///
    /// # Errors
    /// [`CudaError::InFlight`] until the stream was waited for.
    pub fn as_slice(&self) -> Result<&[T], CudaError> {
        self.shut_while_in_flight()?;
        // SAFETY: `len` values that were zeros at first, which every `T` here may be. No copy is in flight, and none can begin while the
        // slice is borrowed: `lend` takes `&mut self`, and launching a graph has that as its safety condition.
        Ok(unsafe { std::slice::from_raw_parts(self.at.as_ptr(), self.len) })
    }

    /// The values, to be written.
    ///
    /// # Errors
    /// [`CudaError::InFlight`] until the stream was waited for.
    pub fn as_mut_slice(&mut self) -> Result<&mut [T], CudaError> {
        self.shut_while_in_flight()?;
        // SAFETY: as above, and nobody else has them.
        Ok(unsafe { std::slice::from_raw_parts_mut(self.at.as_ptr(), self.len) })
    }

    fn shut_while_in_flight(&self) -> Result<(), CudaError> {
        if self.progress.is_idle() { Ok(()) } else { Err(CudaError::InFlight) }
    }

    /// Notes that work on the stream of `device` uses the memory from now on, until that stream was waited for; gives its address.
    ///
    /// # Errors
    /// The memory belongs to another stream, whose `wait` would say nothing about this one.
    pub(super) fn lend(&mut self, device: &Device) -> Result<*mut T, CudaError> {
        if !Arc::ptr_eq(&self.progress, &device.progress) {
            return Err(CudaError::Shape("pinned memory of another stream".to_owned()));
        }
        self.progress.begin();
        Ok(self.at.as_ptr())
    }

    /// Where kernels see memory that is mapped.
    pub(super) fn device_address(&self) -> Result<sys::CUdeviceptr, CudaError> {
        let mut at = 0;
        // SAFETY: room for an address; the driver refuses memory that is not mapped.
        let asked = unsafe { sys::cuMemHostGetDevicePointer_v2(&mut at, self.at.as_ptr().cast(), 0) };
        asked.result().map_err(CudaError::driver("asking where the card sees pinned memory"))?;
        Ok(at)
    }
}

impl<T> Drop for Pinned<T> {
    fn drop(&mut self) {
        let context = self.stream.context();
        // A context that is lost has taken its memory with it.
        if context.bind_to_thread().is_err() {
            return;
        }
        if !self.progress.is_idle() {
            // After a failure half-way. Where this fails the context is lost, and no copy runs any more.
            context.record_err(self.stream.synchronize());
        }
        // SAFETY: from `malloc_host`, freed once; nothing on the stream uses it.
        let freed = unsafe { result::free_host(self.at.as_ptr().cast()) };
        context.record_err(freed);
    }
}
