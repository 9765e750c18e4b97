use std::sync::Arc;

use cudarc::driver::{CudaContext, DeviceRepr, ValidAsZeroBits, result, sys};

use super::{CudaError, Device};

/// Memory of the host that the card reads and writes by itself, so that a copy does not pass through the driver's own.
pub(super) struct Pinned<T> {
    at: *mut T,
    len: usize,
    /// Keeps the context, and with it the memory, as long as this lives.
    context: Arc<CudaContext>,
}

// SAFETY: plain memory of one owner.
unsafe impl<T: Send> Send for Pinned<T> {}

impl<T: DeviceRepr + ValidAsZeroBits> Pinned<T> {
    /// `len` zeros. With `write_combined` the host may only write in order: reading such memory takes a hundred times as long.
    pub fn new(device: &Device, len: usize, write_combined: bool) -> Result<Pinned<T>, CudaError> {
        Pinned::with(device, len, if write_combined { sys::CU_MEMHOSTALLOC_WRITECOMBINED } else { 0 })
    }

    /// The same, for the host to write in order and for the card to read where it is.
    pub fn mapped(device: &Device, len: usize) -> Result<Pinned<T>, CudaError> {
        Pinned::with(device, len, sys::CU_MEMHOSTALLOC_WRITECOMBINED | sys::CU_MEMHOSTALLOC_DEVICEMAP)
    }

    fn with(device: &Device, len: usize, flags: u32) -> Result<Pinned<T>, CudaError> {
        device.bind()?;
        let bytes = (len * size_of::<T>()).max(1);
        // SAFETY: a context is bound; the memory is freed once, by `drop`.
        let at = unsafe { result::malloc_host(bytes, flags) }.map_err(CudaError::driver("taking pinned memory"))?;
        // SAFETY: just taken, of that many bytes, aligned to pages.
        unsafe { at.cast::<u8>().write_bytes(0, bytes) };
        Ok(Pinned { at: at.cast(), len, context: device.stream.context().clone() })
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// The values. Work of the card that writes them must have been waited for.
    pub fn as_slice(&self) -> &[T] {
        // SAFETY: `len` values that were zeros at first, which every `T` here may be.
        unsafe { std::slice::from_raw_parts(self.at, self.len) }
    }

    /// The values. Work of the card that reads or writes them must have been waited for.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: as above, and nobody else has them.
        unsafe { std::slice::from_raw_parts_mut(self.at, self.len) }
    }
}

impl<T> Drop for Pinned<T> {
    fn drop(&mut self) {
        // A context that is lost has taken its memory with it.
        if self.context.bind_to_thread().is_ok() {
            // SAFETY: from `malloc_host`, freed once.
            let freed = unsafe { result::free_host(self.at.cast()) };
            self.context.record_err(freed);
        }
    }
}
