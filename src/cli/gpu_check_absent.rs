//! What stands in for `gpu_check` in a build without CUDA.

use super::exit::{Exit, Failure};
use andon_vision::model::engine::GpuOptions;

/// `andon doctor --gpu`.
pub(super) fn run(_: &GpuOptions, _: bool, _: bool) -> Result<Exit, Failure> {
    Err(Failure::absent("doctor --gpu", "cuda"))
}
