use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaFunction, CudaStream, DeviceRepr, ValidAsZeroBits};
use cudarc::nvrtc::Ptx;

use super::{Buffer, CudaError};

/// Made from `kernels/andon.cu` by `make kernels`; the tests check that it still is.
const PTX: &str = include_str!("../../kernels/prebuilt/andon.ptx");

/// One card, one stream on it, and the kernels. Work is done in the order in which it is asked for; only downloads wait.
pub struct Device {
    pub(super) stream: Arc<CudaStream>,
    pub(super) kernels: Kernels,
    name: String,
    capability: (i32, i32),
}

macro_rules! kernels {
    ($($name:ident),*) => {
        pub(super) struct Kernels { $(pub $name: CudaFunction),* }

        impl Kernels {
            fn load(context: &Arc<CudaContext>) -> Result<Kernels, CudaError> {
                let module = context.load_module(Ptx::from_src(PTX)).map_err(CudaError::driver("loading the kernels"))?;
                let function = |name| module.load_function(name).map_err(CudaError::driver("finding a kernel"));
                Ok(Kernels { $($name: function(stringify!($name))?),* })
            }
        }
    };
}

kernels!(
    prepare_columns,
    prepare_rows,
    aggregate,
    nearest,
    nearest_k,
    nearest_merge,
    score_cells,
    score_smooth,
    score_share,
    score_range,
    heatmap,
    regions,
    gauss_diagonal,
    gauss_full
);

impl Device {
    /// Opens card `ordinal`, counted from 0, and loads the kernels; the first time on a card its driver compiles them, which takes
    /// a moment.
    ///
    /// # Errors
    /// No driver, no such card, a driver too old for the kernels (CUDA 11.4), no memory.
    pub fn open(ordinal: usize) -> Result<Device, CudaError> {
        // SAFETY: only looks for the library and its symbols.
        if !unsafe { cudarc::driver::sys::is_culib_present() } {
            return Err(CudaError::NoDriver);
        }
        // The crate panics where an older driver lacks a function.
        let opened = catch_unwind(AssertUnwindSafe(|| Device::open_present(ordinal)));
        opened.unwrap_or_else(|panic| {
            let why = panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "it lacks a function".to_owned());
            Err(CudaError::Driver { what: "using the NVIDIA driver", why })
        })
    }

    fn open_present(ordinal: usize) -> Result<Device, CudaError> {
        let context = CudaContext::new(ordinal).map_err(CudaError::driver("opening the card"))?;
        let stream = context.new_stream().map_err(CudaError::driver("making a stream"))?;
        let kernels = Kernels::load(&context)?;
        let name = context.name().map_err(CudaError::driver("asking for the card's name"))?;
        let capability =
            context.compute_capability().map_err(CudaError::driver("asking for the compute capability"))?;
        Ok(Device { stream, kernels, name, capability })
    }

    /// The card's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its compute capability, such as 8.7 for an Orin.
    pub fn capability(&self) -> (i32, i32) {
        self.capability
    }

    /// Free and total memory in bytes.
    ///
    /// # Errors
    /// The driver refuses.
    pub fn memory(&self) -> Result<(usize, usize), CudaError> {
        self.stream.context().mem_get_info().map_err(CudaError::driver("asking for the memory"))
    }

    /// Copies values to the card.
    ///
    /// # Errors
    /// No memory there, or the card is lost.
    pub fn upload<T: DeviceRepr>(&self, values: &[T]) -> Result<Buffer<T>, CudaError> {
        self.stream.clone_htod(values).map_err(CudaError::driver("copying to the card"))
    }

    /// Copies values into a buffer of at least their number.
    ///
    /// # Errors
    /// The buffer is too small, or the card is lost.
    pub fn upload_into<T: DeviceRepr>(&self, values: &[T], to: &mut Buffer<T>) -> Result<(), CudaError> {
        if values.len() > to.len() {
            return Err(CudaError::Shape(format!("{} values do not fit a buffer of {}", values.len(), to.len())));
        }
        self.stream.memcpy_htod(values, to).map_err(CudaError::driver("copying to the card"))
    }

    /// A buffer of zeros.
    ///
    /// # Errors
    /// No memory, or the card is lost.
    pub fn zeros<T: DeviceRepr + ValidAsZeroBits>(&self, len: usize) -> Result<Buffer<T>, CudaError> {
        self.stream.alloc_zeros(len).map_err(CudaError::driver("taking memory on the card"))
    }

    /// Waits for what was asked for and copies a buffer back.
    ///
    /// # Errors
    /// A kernel before it failed, or the card is lost.
    pub fn download<T: DeviceRepr>(&self, from: &Buffer<T>) -> Result<Vec<T>, CudaError> {
        let values = self.stream.clone_dtoh(from).map_err(CudaError::driver("copying from the card"))?;
        self.wait()?;
        Ok(values)
    }

    /// Waits until everything that was asked for is done.
    ///
    /// # Errors
    /// A kernel failed, or the card is lost.
    pub fn wait(&self) -> Result<(), CudaError> {
        self.stream.synchronize().map_err(CudaError::driver("waiting for the card"))
    }
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}.{})", self.name, self.capability.0, self.capability.1)
    }
}
