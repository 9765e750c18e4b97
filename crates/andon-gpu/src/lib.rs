//! NVIDIA cards: the device, buffers on it, and the project's own kernels (`kernels/*.cu`) behind functions that check every
//! shape. All launches are in `launch.rs` and `matrix.rs`. The driver is opened at run time; without one, [`Device::open`] says so.
//!
//! Every kernel has a reference in this crate, and [`self_test`] compares them over random shapes: on a card by
//! `andon doctor --gpu`, and in the tests on the CPU, where `kernels/host` runs the same sources behind the same driver calls.

mod batch;
mod bench;
mod check;
mod detector;
mod device;
mod image;
mod landing;
mod launch;
mod matrix;
mod pinned;
mod prepare;
mod score;
mod search;
mod shape;
mod stage;
#[cfg(feature = "tensorrt")]
pub mod tensorrt;
mod trunk;

use thiserror::Error;

pub use batch::{Batch, Member};
pub use bench::{FrameTime, SearchTime, frame_time, search_time};
pub use check::{Check, self_test};
pub use detector::DevicePatchCore;
pub use device::Device;
pub use image::Compiled;
pub use prepare::Preparer;
pub use score::{DeviceScorer, FoundRegion};
pub use search::{DeviceBank, Near, SearchBy};
pub use shape::{CellRange, Grid, Placement};
pub use stage::{Stage, StageSpec};
pub use trunk::{DeviceInput, DeviceMap, DeviceTrunk};

/// Values on the card.
pub type Buffer<T> = cudarc::driver::CudaSlice<T>;

/// Why the card did not do it. Nothing of what was asked may be used then.
#[derive(Debug, Error)]
pub enum CudaError {
    /// There is no driver.
    #[error("no NVIDIA driver: libcuda.so is not here (on a Jetson it comes with JetPack, elsewhere with the driver)")]
    NoDriver,
    /// The driver refuses.
    #[error("{what}: {why}")]
    Driver {
        /// What was tried.
        what: &'static str,
        /// The driver's words.
        why: String,
    },
    /// Buffers do not have the sizes that the call needs: a mistake of the caller, found before anything was launched.
    #[error("{0}")]
    Shape(String),
}

impl CudaError {
    fn driver(what: &'static str) -> impl Fn(cudarc::driver::DriverError) -> CudaError {
        move |e| CudaError::Driver { what, why: e.to_string() }
    }

    /// Whether memory on the card ran out.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, CudaError::Driver { why, .. } if why.contains("out of memory") || why.contains("OUT_OF_MEMORY"))
    }
}
