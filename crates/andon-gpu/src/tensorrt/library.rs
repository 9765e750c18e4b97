//! Opening TensorRT at run time and building engines with it. Any thread; a build takes seconds to many minutes.

use std::ffi::{CStr, CString, c_char, c_void};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::Arc;

use super::raw::{self, Api};
use super::{Generation, TensorRtError};
use andon_vision::model::graph::Precision;

/// Bytes of a failure's message.
const ERROR_BYTES: usize = 1024;

/// What was found when opening one generation's library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibraryCandidate {
    /// Generation.
    pub generation: Generation,
    /// The library that was opened, or was tried.
    pub library: String,
    /// Its version, such as 10.3.0, or why it cannot be used.
    pub version: Result<String, String>,
    /// Why no engines can be built with it, although built ones run.
    pub no_builder: Option<String>,
}

impl std::fmt::Display for LibraryCandidate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.version {
            Ok(version) => write!(f, "{} {version}", self.library)?,
            Err(why) => write!(f, "{}: {why}", self.library)?,
        }
        match &self.no_builder {
            Some(why) => write!(f, " (cannot build engines: {why})"),
            None => Ok(()),
        }
    }
}

/// Where TensorRT is searched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LibrarySearch {
    /// Only in this folder; `None` asks the system's loader.
    pub folder: Option<PathBuf>,
}

/// An engine to be built.
#[derive(Clone, Copy, Debug)]
pub struct BuildRequest<'a> {
    /// The ONNX file's bytes. Where [`Generation::is_strongly_typed`], its types are the engine's.
    pub onnx: &'a [u8],
    /// What the types of the graph are, for versions that do not take them from it.
    pub precision: Precision,
    /// Scratch memory on the GPU that the builder may use, bytes.
    pub workspace: usize,
    /// The input whose first dimension takes any size, its smallest, usual and largest shape.
    pub batch: Option<(&'a str, [&'a [i64]; 3])>,
}

/// Called with the phase, the step and the number of steps; false stops the build.
pub type Progress<'a> = dyn Fn(&str, u32, u32) -> bool + Sync + 'a;

/// An open TensorRT library.
pub struct TensorRt {
    pub(super) api: &'static Api,
    handle: NonNull<c_void>,
    name: String,
    version: String,
    generation: Generation,
}

// SAFETY: the handle is a loaded library with entry points and a logger that locks; TensorRT lets any thread make builders and runtimes.
unsafe impl Send for TensorRt {}
// SAFETY: as above.
unsafe impl Sync for TensorRt {}

extern "C" fn log(_: *mut c_void, severity: i32, message: *const c_char) {
    // SAFETY: the shim passes TensorRT's text, which ends in a zero and outlives the call.
    let message = unsafe { CStr::from_ptr(message) }.to_string_lossy();
    match severity {
        0 | 1 => tracing::error!(target: "tensorrt", "{message}"),
        2 => tracing::warn!(target: "tensorrt", "{message}"),
        3 => tracing::debug!(target: "tensorrt", "{message}"),
        _ => tracing::trace!(target: "tensorrt", "{message}"),
    }
}

extern "C" fn step(user: *mut c_void, phase: *const c_char, step: i32, steps: i32) -> bool {
    // SAFETY: `build` passes its own `&&Progress`, which lives as long as the build; the text is the shim's.
    let (progress, phase) = unsafe { (&*user.cast::<&Progress<'_>>(), CStr::from_ptr(phase)) };
    progress(&phase.to_string_lossy(), step.max(0) as u32, steps.max(0) as u32)
}

/// The buffer into which the shim writes why a call failed.
pub(super) struct ErrorBuffer([u8; ERROR_BYTES]);

impl ErrorBuffer {
    pub fn new() -> ErrorBuffer {
        ErrorBuffer([0; ERROR_BYTES])
    }

    pub fn as_raw(&mut self) -> (*mut c_char, usize) {
        (self.0.as_mut_ptr().cast(), ERROR_BYTES)
    }

    pub fn message(&self) -> String {
        let said = CStr::from_bytes_until_nul(&self.0).map_or_else(|_| "".into(), CStr::to_string_lossy);
        // One line, without the tags that TensorRT writes in front.
        said.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

impl TensorRt {
    /// The newest that there is.
    ///
    /// # Errors
    /// [`TensorRtError::NotFound`] with every library that was tried.
    pub fn open(search: &LibrarySearch) -> Result<Arc<TensorRt>, TensorRtError> {
        let mut tried = Vec::new();
        for generation in Generation::ALL {
            match TensorRt::open_one(generation, search) {
                Ok((library, _)) => return Ok(library),
                Err(found) => tried.push(found),
            }
        }
        Err(TensorRtError::NotFound(tried))
    }

    /// What there is of each generation.
    pub fn candidates(search: &LibrarySearch) -> Vec<LibraryCandidate> {
        let one = |generation| match TensorRt::open_one(generation, search) {
            Ok((_, found)) | Err(found) => found,
        };
        Generation::ALL.into_iter().map(one).collect()
    }

    fn open_one(
        generation: Generation,
        search: &LibrarySearch,
    ) -> Result<(Arc<TensorRt>, LibraryCandidate), LibraryCandidate> {
        let (library, parser) = generation.libraries();
        let (path, parser) = match &search.folder {
            None => (Some(library.to_owned()), Some(parser.to_owned())),
            Some(folder) => (named(folder, library), named(folder, parser)),
        };
        let name = path.clone().unwrap_or_else(|| library.to_owned());
        // The loader begins its words with the name.
        let short = |why: String| why.strip_prefix(&format!("{name}: ")).map(str::to_owned).unwrap_or(why);
        let no = |why: String| LibraryCandidate {
            generation,
            library: name.clone(),
            version: Err(short(why)),
            no_builder: None,
        };
        let Some(path) = path else {
            return Err(no(format!("not in {}", search.folder.clone().unwrap_or_default().display())));
        };
        let Some(api) = raw::api(generation) else {
            return Err(no(format!("{generation}'s headers were not there when this program was built")));
        };
        let text = |s: &str| CString::new(s).map_err(|_| no("its path holds a zero byte".to_owned()));
        let (path, parser) = (text(&path)?, parser.as_deref().map(text).transpose()?);
        let parser = parser.as_ref().map_or(std::ptr::null(), |p| p.as_ptr());
        let mut error = ErrorBuffer::new();
        let (why, room) = error.as_raw();
        // SAFETY: texts that end in a zero, and room for words of the size that is named; the library is opened as the loader would.
        let handle = unsafe { (api.open)(path.as_ptr(), parser, log, std::ptr::null_mut(), why, room) };
        let Some(handle) = NonNull::new(handle) else { return Err(no(error.message())) };
        // SAFETY: the handle was opened just now.
        let (number, builds) = unsafe { ((api.version)(handle.as_ptr()), (api.can_build)(handle.as_ptr())) };
        let version = version(number);
        let no_builder = (!builds).then(|| match error.message() {
            said if said.is_empty() => "no ONNX parser beside it".to_owned(),
            said => said,
        });
        let found = LibraryCandidate { generation, library: name.clone(), version: Ok(version.clone()), no_builder };
        Ok((Arc::new(TensorRt { api, handle, name, version, generation }), found))
    }

    /// Generation and version, such as `TensorRT 10.3.0`.
    pub fn name(&self) -> String {
        let words = if self.generation == Generation::Rtx { "TensorRT-RTX" } else { "TensorRT" };
        format!("{words} {}", self.version)
    }

    /// The file that was opened, or its name to the loader.
    pub fn library(&self) -> &str {
        &self.name
    }

    /// Generation.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    pub(super) fn handle(&self) -> *mut c_void {
        self.handle.as_ptr()
    }

    /// Builds an engine, for this version and this kind of GPU only: seconds to many minutes. Needs a GPU, except with TensorRT-RTX.
    /// `timings` holds what earlier builds measured, and what this one did afterwards, also if it failed: the next goes on from there.
    ///
    /// # Errors
    /// [`TensorRtError::Build`]: the network is refused, memory runs out, or `progress` stopped it.
    pub fn build(
        &self,
        build: &BuildRequest<'_>,
        timings: &mut Vec<u8>,
        progress: &Progress<'_>,
    ) -> Result<Vec<u8>, TensorRtError> {
        let refused = |why: String| TensorRtError::Build { library: self.name(), why };
        let input = build.batch.map(|(name, _)| CString::new(name)).transpose();
        let input = input.map_err(|_| refused("the input's name holds a zero byte".to_owned()))?;
        let [least, usual, most] = build.batch.map_or([&[][..]; 3], |(_, shapes)| shapes);
        if usual.len() != least.len() || most.len() != least.len() || least.len() > 8 {
            return Err(refused("the shapes of a batch are of different ranks".to_owned()));
        }
        let request = raw::Request {
            onnx: build.onnx.as_ptr().cast(),
            onnx_bytes: build.onnx.len(),
            strongly_typed: self.generation.is_strongly_typed(),
            half: build.precision != Precision::Fp32,
            quantize_int8: build.precision == Precision::Int8,
            workspace_bytes: build.workspace,
            input: input.as_ref().map_or(std::ptr::null(), |i| i.as_ptr()),
            rank: least.len() as i32,
            least: least.as_ptr(),
            usual: usual.as_ptr(),
            most: most.as_ptr(),
            timings: timings.as_ptr().cast(),
            timings_bytes: timings.len(),
            progress: Some(step),
            user: (&raw const progress).cast_mut().cast(),
        };
        let none = std::ptr::null_mut();
        let mut built = raw::Built { engine: none, engine_bytes: 0, timings: none, timings_bytes: 0 };
        let mut error = ErrorBuffer::new();
        let (why, room) = error.as_raw();
        // SAFETY: everything that the request points to lives until the call returns; the shim only reads it.
        let done = unsafe { (self.api.build)(self.handle(), &request, &mut built, why, room) };
        let copy = |from: *mut c_void, bytes: usize| match from.is_null() {
            true => Vec::new(),
            // SAFETY: the shim gives that many bytes, which are ours until they are released below.
            false => unsafe { std::slice::from_raw_parts(from.cast::<u8>(), bytes) }.to_vec(),
        };
        let engine = copy(built.engine, built.engine_bytes);
        if built.timings_bytes > 0 {
            *timings = copy(built.timings, built.timings_bytes);
        }
        // SAFETY: what the shim gave, once.
        unsafe { (self.api.release)(&mut built) };
        if done { Ok(engine) } else { Err(refused(error.message())) }
    }
}

impl Drop for TensorRt {
    fn drop(&mut self) {
        // SAFETY: engines hold an `Arc` of this, so none is left.
        unsafe { (self.api.close)(self.handle()) }
    }
}

impl std::fmt::Debug for TensorRt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.name(), self.library())
    }
}

/// The file in a folder that has this name, or this name and further numbers.
fn named(folder: &Path, name: &str) -> Option<String> {
    let entries = std::fs::read_dir(folder).ok()?;
    let names = entries.filter_map(|e| e.ok()?.file_name().into_string().ok());
    let whole = |n: &String| n.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    names.filter(whole).max().map(|n| folder.join(n).display().to_string())
}

/// 8503 is 8.5.3, 100300 is 10.3.0.
fn version(number: i32) -> String {
    match number {
        n if n >= 10_000 => format!("{}.{}.{}", n / 10_000, n / 100 % 100, n % 100),
        n => format!("{}.{}.{}", n / 1000, n / 100 % 10, n % 100),
    }
}
