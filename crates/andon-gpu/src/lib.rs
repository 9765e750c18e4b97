//! Detection on NVIDIA GPUs. The driver is opened at run time, nothing is linked; without one, [`Device::open`] says so.
//!
//! In floors, each of which uses only those before it: `module` carries the kernels (`kernels/*.cu`), `driver` opens a GPU with one stream,
//! `memory` holds buffers, pinned memory and the staging of frames, `ops` has one folder for each op (checked launch and comparison with its
//! CPU reference). A `backbone` is a network; `features` takes frames through one; `pipeline` adds a method's head and captures the work into
//! a CUDA graph; `detector` and `batch` are what the line sees. [`self_test`] compares every op with its reference: on a GPU by
//! `andon doctor --gpu`, and in the tests on the CPU, where `kernels/host` runs the same sources behind the same driver calls.
//!
//! A method on the GPU is a [`MapHead`] behind a [`FeatureStage`].

mod error;

mod module;
mod driver;
mod memory;
mod ops;

mod backbone;
mod features;
mod pipeline;
mod detector;
mod batch;

mod self_test;
mod bench;

#[cfg(feature = "tensorrt")]
pub mod tensorrt;

pub use backbone::GpuBackbone;
pub use batch::{BatchSlot, BatchedDetector};
pub use bench::{FrameTime, SearchTime, frame_time, search_time};
pub use cudarc::driver::sys::CUresult;
pub use detector::GpuPatchDetector;
pub use driver::Device;
pub use error::CudaError;
pub use features::{FeatureSpec, FeatureStage};
pub use memory::{Buffer, DeviceInput, DeviceMap};
pub use module::KernelBinary;
pub use ops::aggregate::{PatchLayout, aggregate};
pub use ops::knn::{KnnAlgorithm, KnnIndex, Neighbors};
pub use ops::mahalanobis::{Gaussian, MAX_FULL_DIM};
pub use ops::preprocess::GpuPreprocessor;
pub use ops::score::GpuScorer;
pub use ops::shape::Grid;
pub use ops::smooth::MapSmoother;
pub use pipeline::{GaussianHead, GpuPipeline, KnnHead, MapHead, PipelineSpec};
pub use self_test::{KernelCheck, self_test};
