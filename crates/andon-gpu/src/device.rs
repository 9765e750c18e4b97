use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cudarc::driver::sys::{self, CUevent_flags, CUgraphInstantiate_flags, CUstreamCaptureMode};
use cudarc::driver::{
    CudaContext, CudaEvent, CudaFunction, CudaGraph, CudaStream, DevicePtr, DevicePtrMut, DeviceRepr, ValidAsZeroBits,
    result,
};

use super::image::{ANDON, Compiled, Image, MATRIX};
use super::pinned::Pinned;
use super::{Buffer, CudaError};

/// The least compute capability with tensor cores.
const TENSOR_CORES: (i32, i32) = (7, 0);

/// One card, one stream on it, and the kernels. Work is done in the order in which it is asked for; only downloads wait. Clones share
/// the stream.
#[derive(Clone)]
pub struct Device {
    pub(super) stream: Arc<CudaStream>,
    pub(super) kernels: Kernels,
    /// Those for tensor cores, where there are some.
    pub(super) matrix: Option<MatrixKernels>,
    name: String,
    capability: (i32, i32),
    driver: String,
    compiled: Compiled,
}

macro_rules! kernels {
    ($kernels:ident: $($name:ident),*) => {
        #[derive(Clone)]
        pub(super) struct $kernels { $(pub $name: CudaFunction),* }

        impl $kernels {
            fn load(context: &Arc<CudaContext>, image: &Image) -> Result<($kernels, Compiled), CudaError> {
                let (module, compiled) = image.load(context)?;
                let function = |name| module.load_function(name).map_err(CudaError::driver("finding a kernel"));
                Ok(($kernels { $($name: function(stringify!($name))?),* }, compiled))
            }
        }
    };
}

kernels!(MatrixKernels: matrix_rows, matrix_bounds, matrix_rank);
kernels!(
    Kernels: prepare_columns, prepare_columns_nv12,
    prepare_rows,
    prepare_rows_half,
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
    /// Opens card `ordinal`, counted from 0, and loads the kernels; where the program has none that are compiled for the card, its driver
    /// does that the first time, which takes a moment.
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
        // SAFETY: everything of a device happens on its one stream, in order, so nothing has to be tracked between streams.
        unsafe { context.disable_event_tracking() };
        let stream = context.new_stream().map_err(CudaError::driver("making a stream"))?;
        let (kernels, compiled) = Kernels::load(&context, &ANDON)?;
        let name = context.name().map_err(CudaError::driver("asking for the card's name"))?;
        let capability =
            context.compute_capability().map_err(CudaError::driver("asking for the compute capability"))?;
        let mut driver = 0;
        // SAFETY: room for a number.
        let asked = unsafe { sys::cuDriverGetVersion(&mut driver) }.result();
        asked.map_err(CudaError::driver("asking for the driver's version"))?;
        let driver = format!("CUDA {}.{}", driver / 1000, driver % 1000 / 10);
        let matrix = (capability >= TENSOR_CORES).then(|| MatrixKernels::load(&context, &MATRIX)).transpose()?;
        let matrix = matrix.map(|(kernels, _)| kernels);
        Ok(Device { stream, kernels, matrix, name, capability, driver, compiled })
    }

    /// Makes this card the one of the calling thread, for libraries that ask for it.
    ///
    /// # Errors
    /// The card is lost.
    pub fn bind(&self) -> Result<(), CudaError> {
        self.stream.context().bind_to_thread().map_err(CudaError::driver("binding the card to a thread"))
    }

    /// Where a buffer is on the card, for libraries that work on this device's stream.
    #[cfg(feature = "tensorrt")]
    pub(super) fn address<T>(&self, buffer: &Buffer<T>) -> u64 {
        buffer.device_ptr(&self.stream).0
    }

    /// The card's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its compute capability, such as 8.7 for an Orin.
    pub fn capability(&self) -> (i32, i32) {
        self.capability
    }

    /// The newest CUDA that the driver knows, such as `CUDA 12.6`.
    pub fn driver(&self) -> &str {
        &self.driver
    }

    /// Who compiled the kernels.
    pub fn compiled(&self) -> Compiled {
        self.compiled
    }

    /// What tells cards of one name apart: boards with more or fewer multiprocessors (or some switched off) and memory.
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

    /// Copies values to the card.
    ///
    /// # Errors
    /// No values, no memory there, or the card is lost.
    pub fn upload<T: DeviceRepr>(&self, values: &[T]) -> Result<Buffer<T>, CudaError> {
        if values.is_empty() {
            return Err(CudaError::Shape("there are no values to be copied to the card".to_owned()));
        }
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

    /// A buffer of zeros, one at least: drivers refuse to take no memory.
    ///
    /// # Errors
    /// No memory, or the card is lost.
    pub fn zeros<T: DeviceRepr + ValidAsZeroBits>(&self, len: usize) -> Result<Buffer<T>, CudaError> {
        self.stream.alloc_zeros(len.max(1)).map_err(CudaError::driver("taking memory on the card"))
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

    /// Waits for what was asked for and copies a part of a buffer back.
    ///
    /// # Errors
    /// The part leaves the buffer, a kernel before it failed, or the card is lost.
    pub(super) fn download_part<T: DeviceRepr>(
        &self,
        from: &Buffer<T>,
        part: std::ops::Range<usize>,
    ) -> Result<Vec<T>, CudaError> {
        let view = from.try_slice(part).ok_or_else(|| CudaError::Shape("a part outside of its buffer".to_owned()))?;
        let values = self.stream.clone_dtoh(&view).map_err(CudaError::driver("copying from the card"))?;
        self.wait()?;
        Ok(values)
    }

    /// Whether card and processor have the same memory, as on a Jetson.
    pub(super) fn is_integrated(&self) -> Result<bool, CudaError> {
        let integrated = self.stream.context().attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_INTEGRATED);
        Ok(integrated.map_err(CudaError::driver("asking whether the card is integrated"))? != 0)
    }

    /// Asks for the first `count` values of pinned memory to be copied into a buffer.
    pub(super) fn send<T: DeviceRepr + ValidAsZeroBits>(
        &self,
        from: &Pinned<T>,
        count: usize,
        to: &mut Buffer<T>,
    ) -> Result<(), CudaError> {
        if count > from.len() || count > to.len() {
            return Err(CudaError::Shape(format!("{count} values do not fit from {} into {}", from.len(), to.len())));
        }
        let (at, _) = to.device_ptr_mut(&self.stream);
        // SAFETY: both hold that many values, and live until the device has been waited for, which their owner does.
        let sent = unsafe { result::memcpy_htod_async(at, &from.as_slice()[..count], self.stream.cu_stream()) };
        sent.map_err(CudaError::driver("copying to the card"))
    }

    /// Asks for the first `count` values of a buffer to be copied into pinned memory.
    pub(super) fn fetch<T: DeviceRepr + ValidAsZeroBits>(
        &self,
        from: &Buffer<T>,
        count: usize,
        to: &mut Pinned<T>,
    ) -> Result<(), CudaError> {
        if count > from.len() || count > to.len() {
            return Err(CudaError::Shape(format!("{count} values do not fit from {} into {}", from.len(), to.len())));
        }
        let (at, _) = from.device_ptr(&self.stream);
        // SAFETY: as for `send`.
        let sent = unsafe { result::memcpy_dtoh_async(&mut to.as_mut_slice()[..count], at, self.stream.cu_stream()) };
        sent.map_err(CudaError::driver("copying from the card"))
    }

    /// Asks for the first `count` values of a buffer to be copied into another.
    ///
    /// # Errors
    /// One of them is too small, or the card is lost.
    pub fn copy<T: DeviceRepr>(&self, from: &Buffer<T>, count: usize, to: &mut Buffer<T>) -> Result<(), CudaError> {
        let (Some(from), Some(mut to)) = (from.try_slice(..count), to.try_slice_mut(..count)) else {
            return Err(CudaError::Shape(format!("{count} values do not fit from {} into {}", from.len(), to.len())));
        };
        self.stream.memcpy_dtod(&from, &mut to).map_err(CudaError::driver("copying on the card"))
    }

    /// Asks for every byte of the first `count` values to be set.
    pub(super) fn fill<T>(&self, buffer: &mut Buffer<T>, count: usize, byte: u8) -> Result<(), CudaError> {
        if count > buffer.len() {
            return Err(CudaError::Shape(format!("a buffer of {} values has no {count}", buffer.len())));
        }
        let (at, _) = buffer.device_ptr_mut(&self.stream);
        // SAFETY: inside the buffer; every bit pattern of the numbers that are kept on the card is a value.
        let set = unsafe { result::memset_d8_async(at, byte, count * size_of::<T>(), self.stream.cu_stream()) };
        set.map_err(CudaError::driver("filling a buffer"))
    }

    /// A mark in the stream of work, for times.
    pub(super) fn event(&self) -> Result<CudaEvent, CudaError> {
        let flags = CUevent_flags::CU_EVENT_DEFAULT;
        self.stream.context().new_event(Some(flags)).map_err(CudaError::driver("making an event"))
    }

    /// Asks for the event to be marked when the work before it is done; with `captured`, every time that the graph is launched.
    pub(super) fn mark(&self, event: &CudaEvent, captured: bool) -> Result<(), CudaError> {
        // CU_EVENT_RECORD_EXTERNAL: in a graph, a plain record would be an order of work and no mark.
        let flags = u32::from(captured);
        // SAFETY: an event and a stream of the same context.
        let marked = unsafe { sys::cuEventRecordWithFlags(event.cu_event(), self.stream.cu_stream(), flags).result() };
        marked.map_err(CudaError::driver("marking an event"))
    }

    /// Records what `work` asks for instead of doing it. `work` must take no memory on the card and wait for nothing.
    pub(super) fn capture(&self, work: impl FnOnce() -> Result<(), CudaError>) -> Result<Captured, CudaError> {
        let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        self.stream.begin_capture(mode).map_err(CudaError::driver("recording a graph"))?;
        let asked = work();
        // Also after a failure: the stream would record for ever.
        let graph = self.stream.end_capture(CUgraphInstantiate_flags(0));
        asked?;
        let graph = graph.map_err(CudaError::driver("making a graph"))?;
        let graph = graph.ok_or(CudaError::Driver { what: "making a graph", why: "it is empty".to_owned() })?;
        graph.upload().map_err(CudaError::driver("uploading a graph"))?;
        Ok(Captured(graph))
    }

    /// Waits until everything that was asked for is done.
    ///
    /// # Errors
    /// A kernel failed, or the card is lost.
    pub fn wait(&self) -> Result<(), CudaError> {
        self.stream.synchronize().map_err(CudaError::driver("waiting for the card"))
    }
}

/// Work that is asked for at once.
pub(super) struct Captured(CudaGraph);

// SAFETY: a graph may be used by any thread as long as only one does at a time; it has one owner, and is launched through `&mut`.
unsafe impl Send for Captured {}

impl Captured {
    pub fn launch(&mut self) -> Result<(), CudaError> {
        self.0.launch().map_err(CudaError::driver("launching a graph"))
    }
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}.{})", self.name, self.capability.0, self.capability.1)
    }
}
