//! The one error of everything below TensorRT. The driver's code is kept, so that callers decide by code and never by words.

use cudarc::driver::DriverError;
use cudarc::driver::sys::CUresult;
use thiserror::Error;

/// Why an operation on the GPU failed. Results of that operation must not be used.
#[derive(Debug, Error)]
pub enum CudaError {
    /// There is no driver.
    #[error("no NVIDIA driver: libcuda.so is not here (on a Jetson it comes with JetPack, elsewhere with the driver)")]
    NoDriver,
    /// The driver is too old or damaged: it lacks a function.
    #[error("using the NVIDIA driver: {why}")]
    UnusableDriver {
        /// The function that is missing.
        why: String,
    },
    /// A call to the driver failed.
    #[error("{what}: {}", DriverError(*.code))]
    Driver {
        /// What was tried.
        what: &'static str,
        /// The driver's code.
        code: CUresult,
    },
    /// A captured graph holds no work.
    #[error("making a graph: it is empty")]
    EmptyGraph,
    /// The network could not be enqueued.
    #[error("running the network: {why}")]
    Backbone {
        /// The inference library's words.
        why: String,
    },
    /// Pinned memory was to be read or written while copies were in flight: a mistake of this crate, found before any harm.
    #[error("the results are not there yet: work on the card was not waited for")]
    InFlight,
    /// Buffers do not have the sizes that the call needs: a mistake of the caller, found before anything was launched.
    #[error("{0}")]
    Shape(String),
}

impl CudaError {
    /// Turns a failure of the driver into an error that names what was tried.
    pub(crate) fn driver(what: &'static str) -> impl Fn(DriverError) -> CudaError {
        move |e| CudaError::Driver { what, code: e.0 }
    }

    /// The driver's code, if the driver refused.
    pub fn code(&self) -> Option<CUresult> {
        match self {
            CudaError::Driver { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether memory on the GPU ran out.
    pub fn is_out_of_memory(&self) -> bool {
        self.code() == Some(CUresult::CUDA_ERROR_OUT_OF_MEMORY)
    }

    /// Whether the context is lost: every later call fails too, and only a new [`crate::Device`] (or process) helps.
    pub fn is_device_lost(&self) -> bool {
        use CUresult::{
            CUDA_ERROR_ASSERT, CUDA_ERROR_CONTEXT_IS_DESTROYED, CUDA_ERROR_DEINITIALIZED, CUDA_ERROR_ECC_UNCORRECTABLE,
            CUDA_ERROR_HARDWARE_STACK_ERROR, CUDA_ERROR_ILLEGAL_ADDRESS, CUDA_ERROR_ILLEGAL_INSTRUCTION,
            CUDA_ERROR_INVALID_ADDRESS_SPACE, CUDA_ERROR_INVALID_PC, CUDA_ERROR_LAUNCH_FAILED,
            CUDA_ERROR_LAUNCH_TIMEOUT, CUDA_ERROR_MISALIGNED_ADDRESS, CUDA_ERROR_NVLINK_UNCORRECTABLE,
            CUDA_ERROR_UNKNOWN,
        };
        matches!(
            self.code(),
            Some(
                CUDA_ERROR_ASSERT
                    | CUDA_ERROR_CONTEXT_IS_DESTROYED
                    | CUDA_ERROR_DEINITIALIZED
                    | CUDA_ERROR_ECC_UNCORRECTABLE
                    | CUDA_ERROR_HARDWARE_STACK_ERROR
                    | CUDA_ERROR_ILLEGAL_ADDRESS
                    | CUDA_ERROR_ILLEGAL_INSTRUCTION
                    | CUDA_ERROR_INVALID_ADDRESS_SPACE
                    | CUDA_ERROR_INVALID_PC
                    | CUDA_ERROR_LAUNCH_FAILED
                    | CUDA_ERROR_LAUNCH_TIMEOUT
                    | CUDA_ERROR_MISALIGNED_ADDRESS
                    | CUDA_ERROR_NVLINK_UNCORRECTABLE
                    | CUDA_ERROR_UNKNOWN
            )
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_apart_by_its_code() {
        let of = |code| CudaError::Driver { what: "testing", code };
        assert!(of(CUresult::CUDA_ERROR_OUT_OF_MEMORY).is_out_of_memory());
        assert!(!of(CUresult::CUDA_ERROR_OUT_OF_MEMORY).is_device_lost());
        assert!(of(CUresult::CUDA_ERROR_LAUNCH_FAILED).is_device_lost());
        assert!(!of(CUresult::CUDA_ERROR_STREAM_CAPTURE_INVALIDATED).is_device_lost());
        let words = CudaError::Shape("out of memory".to_owned());
        assert!(!words.is_out_of_memory() && words.code().is_none());
    }
}
