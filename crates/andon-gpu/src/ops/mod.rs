//! Ops on the GPU, one folder each: the checked wrapper of its kernels (`kernels/*.cu`), and `self_test.rs`, which compares it with the CPU
//! reference over random shapes ([`crate::self_test`] runs all of them: in the tests, and on a GPU by `andon doctor --gpu`). A wrapper
//! checks every size that its kernels' contract names, enqueues them on the device's stream and returns; it never waits. A method is a
//! composition of ops.

/// Launches a kernel of `$kernels`; a `Result<(), CudaError>`.
macro_rules! launch {
    ($device:expr, $kernels:expr, $kernel:ident, $grid:expr, $block:expr, $($argument:expr),* $(,)?) => {{
        use cudarc::driver::PushKernelArg as _;
        let (grid_dim, block_dim): ((u32, u32, u32), (u32, u32, u32)) = ($grid, $block);
        let config = cudarc::driver::LaunchConfig { grid_dim, block_dim, shared_mem_bytes: 0 };
        let mut launch = $device.stream.launch_builder(&$kernels.$kernel);
        $(launch.arg($argument);)*
        // SAFETY: the arguments are those of the kernel's contract, in its order and of its types (the emulated driver compares both
        // with the PTX), and the checks before say that every index that it makes of them is inside its buffer.
        let launched = unsafe { launch.launch(config) };
        launched.map(|_| ()).map_err(crate::error::CudaError::driver(concat!("launching ", stringify!($kernel))))
    }};
}

pub mod aggregate;
pub(crate) mod compare;
pub mod knn;
pub mod mahalanobis;
pub mod preprocess;
pub mod score;
pub mod shape;
pub mod smooth;
