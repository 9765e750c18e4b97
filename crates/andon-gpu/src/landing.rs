//! How frames get to where the card reads them: copied by the card, or left in memory that both share. Frames that are on the card already
//! (NVMM buffers of a Jetson's cameras) would be a third way; it needs such a camera to be written against.

use std::mem::ManuallyDrop;

use cudarc::driver::sys;

use super::pinned::Pinned;
use super::{Buffer, CudaError, Device};

/// Room for bytes of the host that the card reads.
pub(super) trait Landing: Send {
    /// The room as the host writes it; in order, and never read. Work that reads it must have been waited for.
    fn host(&mut self) -> &mut [u8];
    /// Asks for the first `bytes` to be where the card reads them.
    fn send(&mut self, device: &Device, bytes: usize) -> Result<(), CudaError>;
    /// The room as the card reads it.
    fn card(&self) -> &Buffer<u8>;
}

/// The way for this card: shared memory where card and processor have the same (a Jetson), else copies.
pub(super) fn landing(device: &Device, bytes: usize) -> Result<Box<dyn Landing>, CudaError> {
    Ok(match device.is_integrated()? {
        true => Box::new(Mapped::new(device, bytes)?),
        false => Box::new(Copied { host: Pinned::new(device, bytes, true)?, card: device.zeros(bytes)? }),
    })
}

struct Copied {
    host: Pinned<u8>,
    card: Buffer<u8>,
}

impl Landing for Copied {
    fn host(&mut self) -> &mut [u8] {
        self.host.as_mut_slice()
    }

    fn send(&mut self, device: &Device, bytes: usize) -> Result<(), CudaError> {
        device.send(&self.host, bytes, &mut self.card)
    }

    fn card(&self) -> &Buffer<u8> {
        &self.card
    }
}

struct Mapped {
    /// The same memory, by the card's address; not its owner.
    card: ManuallyDrop<Buffer<u8>>,
    host: Pinned<u8>,
}

impl Mapped {
    fn new(device: &Device, bytes: usize) -> Result<Mapped, CudaError> {
        let mut host = Pinned::<u8>::mapped(device, bytes)?;
        let mut at = 0;
        // SAFETY: memory that was taken with DEVICEMAP.
        let asked =
            unsafe { sys::cuMemHostGetDevicePointer_v2(&mut at, host.as_mut_slice().as_mut_ptr().cast(), 0).result() };
        asked.map_err(CudaError::driver("asking where the card sees pinned memory"))?;
        // SAFETY: `bytes` bytes that `host` keeps as long as this lives; `drop` gives the buffer up without freeing them.
        let card = ManuallyDrop::new(unsafe { device.stream.upgrade_device_ptr(at, bytes) });
        Ok(Mapped { card, host })
    }
}

impl Landing for Mapped {
    fn host(&mut self) -> &mut [u8] {
        self.host.as_mut_slice()
    }

    fn send(&mut self, _: &Device, bytes: usize) -> Result<(), CudaError> {
        match bytes <= self.card.len() {
            true => Ok(()),
            false => Err(CudaError::Shape(format!("{bytes} bytes do not fit into {}", self.card.len()))),
        }
    }

    fn card(&self) -> &Buffer<u8> {
        &self.card
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: not used after this.
        let card = unsafe { ManuallyDrop::take(&mut self.card) };
        card.leak();
    }
}
