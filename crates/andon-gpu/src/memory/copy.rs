//! Allocation, copies and fills, as methods of [`Device`].

use std::ops::Range;

use cudarc::driver::{DevicePtr, DevicePtrMut, DeviceRepr, ValidAsZeroBits, result, sys};

use super::{Buffer, Pinned};
use crate::driver::Device;
use crate::error::CudaError;

impl Device {
    /// Copies values into a new buffer.
    ///
    /// # Errors
    /// No values, no memory there, or the device is lost.
    pub fn upload<T: DeviceRepr>(&self, values: &[T]) -> Result<Buffer<T>, CudaError> {
        if values.is_empty() {
            return Err(CudaError::Shape("there are no values to be copied to the card".to_owned()));
        }
        self.stream.clone_htod(values).map_err(CudaError::driver("copying to the card"))
    }

    /// Copies values into a buffer of at least their number.
    ///
    /// # Errors
    /// The buffer is too small, or the device is lost.
    pub fn upload_into<T: DeviceRepr>(&self, values: &[T], to: &mut Buffer<T>) -> Result<(), CudaError> {
        if values.len() > to.len() {
            return Err(CudaError::Shape(format!("{} values do not fit a buffer of {}", values.len(), to.len())));
        }
        self.stream.memcpy_htod(values, to).map_err(CudaError::driver("copying to the card"))
    }

    /// A buffer of zeros, of one value at least: drivers refuse to allocate nothing.
    ///
    /// # Errors
    /// No memory, or the device is lost.
    pub fn zeros<T: DeviceRepr + ValidAsZeroBits>(&self, len: usize) -> Result<Buffer<T>, CudaError> {
        self.stream.alloc_zeros(len.max(1)).map_err(CudaError::driver("taking memory on the card"))
    }

    /// Copies a buffer to the host; waits for everything that was enqueued.
    ///
    /// # Errors
    /// A kernel before it failed, or the device is lost.
    pub fn download<T: DeviceRepr>(&self, from: &Buffer<T>) -> Result<Vec<T>, CudaError> {
        let values = self.stream.clone_dtoh(from).map_err(CudaError::driver("copying from the card"))?;
        self.wait()?;
        Ok(values)
    }

    /// Copies a part of a buffer to the host; waits for everything that was enqueued.
    ///
    /// # Errors
    /// The part leaves the buffer, a kernel before it failed, or the device is lost.
    pub(crate) fn download_part<T: DeviceRepr>(
        &self,
        from: &Buffer<T>,
        part: Range<usize>,
    ) -> Result<Vec<T>, CudaError> {
        let view = from.try_slice(part).ok_or_else(|| CudaError::Shape("a part outside of its buffer".to_owned()))?;
        let values = self.stream.clone_dtoh(&view).map_err(CudaError::driver("copying from the card"))?;
        self.wait()?;
        Ok(values)
    }

    /// Enqueues a copy of the first `count` values of pinned memory into a buffer. The pinned memory stays shut until the stream was waited
    /// for.
    ///
    /// # Errors
    /// One of them is too small, the pinned memory belongs to another stream, or the device is lost.
    pub(crate) fn enqueue_upload<T: DeviceRepr + ValidAsZeroBits>(
        &self,
        from: &mut Pinned<T>,
        count: usize,
        to: &mut Buffer<T>,
    ) -> Result<(), CudaError> {
        fits(count, from.len(), to.len())?;
        let host = from.lend(self)?;
        let (at, _) = to.device_ptr_mut(&self.stream);
        // SAFETY: both hold that many values. The stream was told of the use (`lend`), so the host's values are not touched, and not freed,
        // before it was waited for.
        let copied =
            unsafe { sys::cuMemcpyHtoDAsync_v2(at, host.cast(), count * size_of::<T>(), self.stream.cu_stream()) };
        copied.result().map_err(CudaError::driver("copying to the card"))
    }

    /// Enqueues a copy of the first `count` values of a buffer into pinned memory, which stays shut until the stream was waited for.
    ///
    /// # Errors
    /// As [`Device::enqueue_upload`].
    pub(crate) fn enqueue_download<T: DeviceRepr + ValidAsZeroBits>(
        &self,
        from: &Buffer<T>,
        count: usize,
        to: &mut Pinned<T>,
    ) -> Result<(), CudaError> {
        fits(count, from.len(), to.len())?;
        let host = to.lend(self)?;
        let (at, _) = from.device_ptr(&self.stream);
        // SAFETY: as for `enqueue_upload`.
        let copied =
            unsafe { sys::cuMemcpyDtoHAsync_v2(host.cast(), at, count * size_of::<T>(), self.stream.cu_stream()) };
        copied.result().map_err(CudaError::driver("copying from the card"))
    }

    /// Enqueues a copy of the first `count` values of a buffer into another.
    ///
    /// # Errors
    /// One of them is too small, or the device is lost.
    pub fn copy<T: DeviceRepr>(&self, from: &Buffer<T>, count: usize, to: &mut Buffer<T>) -> Result<(), CudaError> {
        let (Some(from), Some(mut to)) = (from.try_slice(..count), to.try_slice_mut(..count)) else {
            return Err(CudaError::Shape(format!("{count} values do not fit from {} into {}", from.len(), to.len())));
        };
        self.stream.memcpy_dtod(&from, &mut to).map_err(CudaError::driver("copying on the card"))
    }

    /// Enqueues setting every byte of the first `count` values.
    pub(crate) fn fill<T>(&self, buffer: &mut Buffer<T>, count: usize, byte: u8) -> Result<(), CudaError> {
        if count > buffer.len() {
            return Err(CudaError::Shape(format!("a buffer of {} values has no {count}", buffer.len())));
        }
        let (at, _) = buffer.device_ptr_mut(&self.stream);
        // SAFETY: inside the buffer; every bit pattern of the numbers that are kept on the GPU is a value.
        let set = unsafe { result::memset_d8_async(at, byte, count * size_of::<T>(), self.stream.cu_stream()) };
        set.map_err(CudaError::driver("filling a buffer"))
    }

    /// The address of a buffer, for libraries that work on this device's stream.
    #[cfg(feature = "tensorrt")]
    pub(crate) fn address<T>(&self, buffer: &Buffer<T>) -> u64 {
        buffer.device_ptr(&self.stream).0
    }
}

fn fits(count: usize, from: usize, to: usize) -> Result<(), CudaError> {
    match count <= from && count <= to {
        true => Ok(()),
        false => Err(CudaError::Shape(format!("{count} values do not fit from {from} into {to}"))),
    }
}
