//! A loaded engine and its execution contexts, each the owner of a handle of the shim. An engine may be shared between threads, a context
//! belongs to one.

use std::ffi::{CStr, CString, c_void};
use std::ptr::NonNull;
use std::sync::Arc;

use super::library::ErrorBuffer;
use super::{TensorRt, TensorRtError, raw};
use crate::driver::Device;
use crate::memory::Buffer;

/// Types of an engine's inputs and outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TensorType {
    /// f32.
    Float,
    /// f16.
    Half,
    /// Anything else, by TensorRT's number.
    Other(i32),
}

/// An input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Name in the graph.
    pub name: String,
    /// Whether it is an input.
    pub input: bool,
    /// Type.
    pub kind: TensorType,
    /// Dimensions; -1 where any size is taken.
    pub shape: Vec<i64>,
}

/// A loaded engine: weights on the GPU.
pub struct Engine {
    library: Arc<TensorRt>,
    handle: NonNull<c_void>,
    tensors: Vec<Tensor>,
}

// SAFETY: TensorRT lets any thread use an engine to make contexts, and several at once.
unsafe impl Send for Engine {}
// SAFETY: as above.
unsafe impl Sync for Engine {}

impl Engine {
    /// Loads an engine onto the GPU of `device`.
    ///
    /// # Errors
    /// [`TensorRtError::Engine`]: built by another version or for another GPU, or no memory.
    pub fn load(library: Arc<TensorRt>, device: &Device, engine: &[u8]) -> Result<Engine, TensorRtError> {
        let refused = |why: String| TensorRtError::Engine { library: library.name(), why };
        device.bind().map_err(|e| refused(e.to_string()))?;
        let mut error = ErrorBuffer::new();
        let (why, room) = error.as_raw();
        // SAFETY: the bytes outlive the call; TensorRT checks them.
        let handle = unsafe { (library.api.load)(library.handle(), engine.as_ptr().cast(), engine.len(), why, room) };
        let Some(handle) = NonNull::new(handle) else { return Err(refused(error.message())) };
        let mut loaded = Engine { library: library.clone(), handle, tensors: Vec::new() };
        // SAFETY: the handle is a loaded engine.
        let count = unsafe { (library.api.tensors)(handle.as_ptr()) };
        for index in 0..count {
            let mut raw = empty();
            // SAFETY: as above, with an index below the count.
            if !unsafe { (library.api.tensor)(handle.as_ptr(), index, &mut raw) } {
                return Err(refused(format!("its tensor {index} has a shape of more than 8 dimensions")));
            }
            // SAFETY: the name belongs to the engine and ends in a zero.
            let name = unsafe { CStr::from_ptr(raw.name) }.to_string_lossy().into_owned();
            let kind = match raw.kind {
                0 => TensorType::Float,
                1 => TensorType::Half,
                other => TensorType::Other(other),
            };
            loaded.tensors.push(Tensor { name, input: raw.input, kind, shape: shape(&raw) });
        }
        Ok(loaded)
    }

    /// Inputs and outputs.
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// The library that it runs in.
    pub fn library(&self) -> &TensorRt {
        &self.library
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // SAFETY: contexts hold an `Arc` of this, so none is left.
        unsafe { (self.library.api.unload)(self.handle.as_ptr()) }
    }
}

/// An execution context: scratch memory, shapes and addresses. One thread at a time.
pub struct Context {
    engine: Arc<Engine>,
    handle: NonNull<c_void>,
}

// SAFETY: a context may be used by any thread as long as only one does, which `&mut self` ensures.
unsafe impl Send for Context {}

impl Context {
    /// A context with its own scratch memory.
    ///
    /// # Errors
    /// [`TensorRtError::Run`]: no memory on the GPU.
    pub fn new(engine: Arc<Engine>) -> Result<Context, TensorRtError> {
        let mut error = ErrorBuffer::new();
        let (why, room) = error.as_raw();
        // SAFETY: the engine is loaded, and kept by the context.
        let handle = unsafe { (engine.library.api.context)(engine.handle.as_ptr(), why, room) };
        match NonNull::new(handle) {
            Some(handle) => Ok(Context { engine, handle }),
            None => Err(TensorRtError::Run { library: engine.library.name(), why: error.message() }),
        }
    }

    fn refused(&self, why: String) -> TensorRtError {
        TensorRtError::Run { library: self.engine.library.name(), why }
    }

    fn text(&self, name: &str) -> Result<CString, TensorRtError> {
        CString::new(name).map_err(|_| self.refused(format!("{name:?} is no name of a tensor")))
    }

    /// Sets the shape of an input that takes any.
    ///
    /// # Errors
    /// [`TensorRtError::Run`]: the engine was not built for it.
    pub fn set_shape(&mut self, name: &str, shape: &[i64]) -> Result<(), TensorRtError> {
        let text = self.text(name)?;
        let api = self.engine.library.api;
        // SAFETY: a text that ends in a zero, and as many sizes as are named.
        let set = unsafe { (api.set_shape)(self.handle.as_ptr(), text.as_ptr(), shape.len() as i32, shape.as_ptr()) };
        if set { Ok(()) } else { Err(self.refused(format!("`{name}` does not take the shape {shape:?}"))) }
    }

    /// The shape of a tensor for the shapes that were set.
    ///
    /// # Errors
    /// [`TensorRtError::Run`]: there is no such tensor, or a shape is missing.
    pub fn shape(&self, name: &str) -> Result<Vec<usize>, TensorRtError> {
        let text = self.text(name)?;
        let mut raw = empty();
        // SAFETY: a text that ends in a zero, and room for the answer.
        let known = unsafe { (self.engine.library.api.shape)(self.handle.as_ptr(), text.as_ptr(), &mut raw) };
        let sizes: Option<Vec<usize>> = shape(&raw).into_iter().map(|n| usize::try_from(n).ok()).collect();
        sizes.filter(|_| known).ok_or_else(|| self.refused(format!("`{name}` has no shape")))
    }

    /// Sets where a tensor is.
    ///
    /// # Safety
    /// The buffer must hold the tensor's values (for the shapes set), and live and be used by nobody else while work is enqueued.
    ///
    /// # Errors
    /// [`TensorRtError::Run`]: there is no such tensor.
    pub unsafe fn set_address<T>(
        &mut self,
        device: &Device,
        name: &str,
        buffer: &Buffer<T>,
    ) -> Result<(), TensorRtError> {
        let text = self.text(name)?;
        let address = device.address(buffer);
        // SAFETY: the caller's promise.
        let set = unsafe { (self.engine.library.api.set_address)(self.handle.as_ptr(), text.as_ptr(), address) };
        if set { Ok(()) } else { Err(self.refused(format!("there is no tensor `{name}`"))) }
    }

    /// Enqueues the engine on the device's stream and returns.
    ///
    /// # Errors
    /// [`TensorRtError::Run`]: an address is missing, or the device is lost.
    pub fn enqueue(&mut self, device: &Device) -> Result<(), TensorRtError> {
        // SAFETY: addresses were set by `set_address`, whose caller vouches for them; the stream is the device's.
        let put = unsafe { (self.engine.library.api.enqueue)(self.handle.as_ptr(), device.stream.cu_stream().cast()) };
        if put { Ok(()) } else { Err(self.refused("the work could not be put on the stream".to_owned())) }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: made by `new`, ended once.
        unsafe { (self.engine.library.api.end_context)(self.handle.as_ptr()) }
    }
}

fn empty() -> raw::Tensor {
    raw::Tensor { name: std::ptr::null(), input: false, kind: 0, rank: 0, shape: [0; 8] }
}

fn shape(raw: &raw::Tensor) -> Vec<i64> {
    raw.shape[..raw.rank.clamp(0, 8) as usize].to_vec()
}
