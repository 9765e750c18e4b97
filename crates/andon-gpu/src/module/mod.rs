//! The CUDA modules that the program carries: PTX and prebuilt cubins, loaded into a context once, when a [`crate::Device`] is opened.
//! `make kernels` makes all of it from `kernels/*.cu`; `make lint` checks that it still is that. Launches nothing.

use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaFunction, CudaModule};
use cudarc::nvrtc::Ptx;
use serde::Serialize;

use crate::error::CudaError;

/// A module of kernels as text and machine code.
pub(crate) struct KernelModule {
    /// PTX. Any driver from CUDA 11.4 on compiles it for its GPU.
    ptx: &'static str,
    /// The same, compiled for a compute capability.
    cubins: &'static [((i32, i32), &'static [u8])],
}

/// Which binary of the kernels runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum KernelBinary {
    /// A cubin that the program came with.
    #[serde(rename = "before")]
    Prebuilt,
    /// PTX that the driver compiled when the GPU was opened; it caches the result where it can write.
    #[serde(rename = "by_the_driver")]
    DriverJit,
}

macro_rules! kernel_module {
    ($name:literal) => {
        kernel_module!($name: 7 2, 7 5, 8 0, 8 6, 8 7, 8 9, 9 0, 11 0, 12 0)
    };
    ($name:literal: $($major:literal $minor:literal),*) => {
        KernelModule {
            ptx: include_str!(concat!("../../../../kernels/prebuilt/", $name, ".ptx")),
            cubins: &[$((
                ($major, $minor),
                include_bytes!(concat!("../../../../kernels/prebuilt/", $name, ".sm_", $major, $minor, ".cubin")),
            )),*],
        }
    };
}

/// `kernels/andon.cu`.
const ANDON: KernelModule = kernel_module!("andon");
/// `kernels/matrix.cu`.
const MATRIX: KernelModule = kernel_module!("matrix");

impl KernelModule {
    /// Loads the module into a context: the cubin for its compute capability, or else the PTX.
    ///
    /// # Errors
    /// The driver refuses both (it is older than CUDA 11.4), memory ran out, or the device is lost.
    fn load(&self, context: &Arc<CudaContext>) -> Result<(Arc<CudaModule>, KernelBinary), CudaError> {
        let capability = context.compute_capability();
        let capability = capability.map_err(CudaError::driver("asking for the compute capability"))?;
        if let Some((_, cubin)) = self.cubins.iter().find(|(of, _)| *of == capability) {
            match context
                .load_module(Ptx::from_binary(cubin.to_vec()))
                .map_err(CudaError::driver("loading the kernels"))
            {
                Ok(module) => return Ok((module, KernelBinary::Prebuilt)),
                Err(e) if e.is_out_of_memory() || e.is_device_lost() => return Err(e),
                // The driver is older than the compiler of the cubins.
                Err(e) => tracing::debug!("the driver compiles the kernels itself: {e}"),
            }
        }
        let module = context.load_module(Ptx::from_src(self.ptx)).map_err(CudaError::driver("loading the kernels"))?;
        Ok((module, KernelBinary::DriverJit))
    }
}

macro_rules! kernels {
    ($(#[$doc:meta])* $kernels:ident from $module:ident: $($name:ident),* $(,)?) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub(crate) struct $kernels { $(pub $name: CudaFunction),* }

        impl $kernels {
            /// Loads the module and finds every kernel in it.
            ///
            /// # Errors
            /// The driver refuses the module, or a kernel is missing.
            pub fn load(context: &Arc<CudaContext>) -> Result<($kernels, KernelBinary), CudaError> {
                let (module, binary) = $module.load(context)?;
                let function = |name| module.load_function(name).map_err(CudaError::driver("finding a kernel"));
                Ok(($kernels { $($name: function(stringify!($name))?),* }, binary))
            }
        }
    };
}

kernels!(
    /// The kernels that run on every GPU.
    Kernels from ANDON:
    prepare_columns,
    prepare_columns_nv12,
    prepare_rows,
    prepare_rows_half,
    aggregate,
    nearest,
    nearest_k,
    nearest_merge,
    score_cells,
    score_smooth,
    score_share,
    gauss_diagonal,
    gauss_full,
);
kernels!(
    /// The kernels that need tensor cores.
    TensorCoreKernels from MATRIX: matrix_rows, matrix_bounds, matrix_rank
);
