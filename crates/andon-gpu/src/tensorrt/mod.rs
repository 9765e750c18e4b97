//! NVIDIA's TensorRT, opened at run time through our own shim (`kernels/tensorrt`): one interface for 8.5, 8.6, 10, 11 and TensorRT-RTX.
//! `raw.rs` mirrors the shim's C interface, `library.rs` opens a library and builds with it, `engine.rs` owns what was built, `backbone.rs` runs
//! it in a pipeline, `plan.rs` says what an engine depends on, `cache.rs` keeps engines on disk.

mod cache;
mod engine;
mod library;
mod plan;
mod raw;
mod backbone;

use thiserror::Error;

pub use backbone::TensorRtBackbone;
pub use cache::{Cache, CacheError, Entry};
pub use engine::{Context, Engine, Tensor, TensorType};
pub use library::{BuildRequest, LibraryCandidate, LibrarySearch, Progress, TensorRt};
pub use plan::EnginePlan;

/// Versions whose C++ classes have the same layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Generation {
    /// 8.5 and 8.6: JetPack 5.
    V8,
    /// 10: JetPack 6, and the first of 7.
    V10,
    /// 11: JetPack 7.2 on.
    V11,
    /// TensorRT-RTX 1: workstation cards.
    Rtx,
}

impl Generation {
    /// All, in the order in which they are tried.
    pub const ALL: [Generation; 4] = [Generation::V11, Generation::V10, Generation::V8, Generation::Rtx];

    /// Names of its library and of its ONNX parser, as the loader knows them.
    pub fn libraries(self) -> (&'static str, &'static str) {
        match self {
            Generation::V8 => ("libnvinfer.so.8", "libnvonnxparser.so.8"),
            Generation::V10 => ("libnvinfer.so.10", "libnvonnxparser.so.10"),
            Generation::V11 => ("libnvinfer.so.11", "libnvonnxparser.so.11"),
            Generation::Rtx => ("libtensorrt_rtx.so.1", "libtensorrt_onnxparser_rtx.so.1"),
        }
    }

    /// Whether a graph's types are taken as they are, so that the precision is the graph's.
    pub fn is_strongly_typed(self) -> bool {
        self != Generation::V8
    }
}

impl std::fmt::Display for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Generation::V8 => "TensorRT 8",
            Generation::V10 => "TensorRT 10",
            Generation::V11 => "TensorRT 11",
            Generation::Rtx => "TensorRT-RTX",
        })
    }
}

/// Why TensorRT failed.
#[derive(Debug, Error)]
pub enum TensorRtError {
    /// No library that can be used.
    #[error("no TensorRT that can be used: {}", list(.0))]
    NotFound(Vec<LibraryCandidate>),
    /// A network is refused, or the build failed.
    #[error("{library} cannot build an engine: {why}")]
    Build {
        /// Library and version.
        library: String,
        /// Its words.
        why: String,
    },
    /// An engine is refused.
    #[error("{library} cannot use the engine: {why}")]
    Engine {
        /// Library and version.
        library: String,
        /// Its words.
        why: String,
    },
    /// An engine failed at work.
    #[error("{library} failed: {why}")]
    Run {
        /// Library and version.
        library: String,
        /// What was refused.
        why: String,
    },
}

fn list(found: &[LibraryCandidate]) -> String {
    let each: Vec<String> = found.iter().map(ToString::to_string).collect();
    each.join("; ")
}
