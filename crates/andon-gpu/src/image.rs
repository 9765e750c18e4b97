//! The kernels as the program carries them. `make kernels` makes all of it from `kernels/*.cu`; `make lint` checks that it still is that.

use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaModule};
use cudarc::nvrtc::Ptx;
use serde::Serialize;

use super::CudaError;

/// A module of kernels.
pub(super) struct Image {
    /// Any driver from CUDA 11.4 on compiles this for its card.
    ptx: &'static str,
    /// The same, compiled for a compute capability.
    cubins: &'static [((i32, i32), &'static [u8])],
}

/// Who compiled the kernels that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Compiled {
    /// The program came with them.
    Before,
    /// The driver, when the card was opened; it keeps them where it can write.
    ByTheDriver,
}

macro_rules! image {
    ($name:literal) => {
        image!($name: 7 2, 7 5, 8 0, 8 6, 8 7, 8 9, 9 0, 11 0, 12 0)
    };
    ($name:literal: $($major:literal $minor:literal),*) => {
        Image {
            ptx: include_str!(concat!("../../../kernels/prebuilt/", $name, ".ptx")),
            cubins: &[$((
                ($major, $minor),
                include_bytes!(concat!("../../../kernels/prebuilt/", $name, ".sm_", $major, $minor, ".cubin")),
            )),*],
        }
    };
}

/// `kernels/andon.cu`.
pub(super) const ANDON: Image = image!("andon");
/// `kernels/matrix.cu`.
pub(super) const MATRIX: Image = image!("matrix");

impl Image {
    /// Onto the card of a context.
    ///
    /// # Errors
    /// The driver refuses all of it: it is older than CUDA 11.4, or the card is lost.
    pub fn load(&self, context: &Arc<CudaContext>) -> Result<(Arc<CudaModule>, Compiled), CudaError> {
        let capability = context.compute_capability();
        let capability = capability.map_err(CudaError::driver("asking for the compute capability"))?;
        if let Some((_, cubin)) = self.cubins.iter().find(|(card, _)| *card == capability) {
            match context.load_module(Ptx::from_binary(cubin.to_vec())) {
                Ok(module) => return Ok((module, Compiled::Before)),
                // A driver that is older than what compiled them.
                Err(e) => tracing::debug!("the driver compiles the kernels itself: {e}"),
            }
        }
        let module = context.load_module(Ptx::from_src(self.ptx)).map_err(CudaError::driver("loading the kernels"))?;
        Ok((module, Compiled::ByTheDriver))
    }
}
