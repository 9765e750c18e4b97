//! A GPU with its stream and the loaded kernels; what it is called and what it can do. Any thread may use it, one stream each camera.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaStream, sys};

use super::stream::StreamProgress;
use crate::error::CudaError;
use crate::module::{KernelBinary, Kernels, TensorCoreKernels};

/// The least compute capability with tensor cores.
const TENSOR_CORES: (i32, i32) = (7, 0);

/// One GPU, one CUDA stream on it, and the kernels. All work is enqueued on that stream, so it runs in order; only `download*` and
/// [`Device::wait`] synchronise. Clones share the stream.
#[derive(Clone)]
pub struct Device {
    pub(crate) stream: Arc<CudaStream>,
    /// Whether asynchronous copies of the stream were waited for.
    pub(crate) progress: Arc<StreamProgress>,
    pub(crate) kernels: Kernels,
    /// `None` on a GPU without tensor cores.
    pub(crate) tensor_core_kernels: Option<TensorCoreKernels>,
    name: String,
    capability: (i32, i32),
    driver: String,
    binary: KernelBinary,
}

impl Device {
    /// Opens GPU `ordinal`, counted from 0, and loads the kernels. Where the program has no cubin for it, its driver compiles the PTX the
    /// first time, which takes a moment.
    ///
    /// # Errors
    /// No driver, no such GPU, a driver too old for the kernels (CUDA 11.4), no memory.
    pub fn open(ordinal: usize) -> Result<Device, CudaError> {
        // SAFETY: only looks for the library and its symbols.
        if !unsafe { sys::is_culib_present() } {
            return Err(CudaError::NoDriver);
        }
        // cudarc panics where an older driver lacks a function.
        let opened = catch_unwind(AssertUnwindSafe(|| Device::open_present(ordinal)));
        opened.unwrap_or_else(|panic| {
            let why = panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "it lacks a function".to_owned());
            Err(CudaError::UnusableDriver { why })
        })
    }

    fn open_present(ordinal: usize) -> Result<Device, CudaError> {
        let context = CudaContext::new(ordinal).map_err(CudaError::driver("opening the card"))?;
        // SAFETY: all work of a device runs on its one stream, in order, so nothing has to be tracked between streams.
        unsafe { context.disable_event_tracking() };
        let stream = context.new_stream().map_err(CudaError::driver("making a stream"))?;
        let (kernels, binary) = Kernels::load(&context)?;
        let name = context.name().map_err(CudaError::driver("asking for the card's name"))?;
        let capability =
            context.compute_capability().map_err(CudaError::driver("asking for the compute capability"))?;
        let mut driver = 0;
        // SAFETY: room for a number.
        let asked = unsafe { sys::cuDriverGetVersion(&mut driver) }.result();
        asked.map_err(CudaError::driver("asking for the driver's version"))?;
        let driver = format!("CUDA {}.{}", driver / 1000, driver % 1000 / 10);
        let tensor_core = (capability >= TENSOR_CORES).then(|| TensorCoreKernels::load(&context)).transpose()?;
        let tensor_core_kernels = tensor_core.map(|(kernels, _)| kernels);
        let progress = Arc::default();
        Ok(Device { stream, progress, kernels, tensor_core_kernels, name, capability, driver, binary })
    }

    /// Makes this GPU's context current on the calling thread, for libraries that ask for it.
    ///
    /// # Errors
    /// The device is lost.
    pub fn bind(&self) -> Result<(), CudaError> {
        self.stream.context().bind_to_thread().map_err(CudaError::driver("binding the card to a thread"))
    }

    /// The GPU's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its compute capability, such as 8.7 for an Orin.
    pub fn capability(&self) -> (i32, i32) {
        self.capability
    }

    /// The newest CUDA that the driver supports, such as `CUDA 12.6`.
    pub fn driver(&self) -> &str {
        &self.driver
    }

    /// Which binary of the kernels runs.
    pub fn kernel_binary(&self) -> KernelBinary {
        self.binary
    }

    /// Text that tells GPUs of one name apart: boards with more or fewer multiprocessors (or some switched off) and memory.
    ///
    /// # Errors
    /// The driver refuses.
    pub fn kind(&self) -> Result<String, CudaError> {
        let count = sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT;
        let count = self.stream.context().attribute(count);
        let count = count.map_err(CudaError::driver("asking for the multiprocessors"))?;
        let (_, total) = self.memory()?;
        let (major, minor) = self.capability;
        Ok(format!("{} {major}.{minor} {count} multiprocessors {} MiB", self.name, total >> 20))
    }

    /// Free and total memory in bytes.
    ///
    /// # Errors
    /// The driver refuses.
    pub fn memory(&self) -> Result<(usize, usize), CudaError> {
        self.stream.context().mem_get_info().map_err(CudaError::driver("asking for the memory"))
    }

    /// Whether GPU and CPU share one memory, as on a Jetson.
    pub(crate) fn is_integrated(&self) -> Result<bool, CudaError> {
        let integrated = self.stream.context().attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_INTEGRATED);
        Ok(integrated.map_err(CudaError::driver("asking whether the card is integrated"))? != 0)
    }
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}.{})", self.name, self.capability.0, self.capability.1)
    }
}
