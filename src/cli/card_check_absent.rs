//! What stands in for `card_check` in a build without CUDA.

use super::exit::{Exit, Failure};
use andon_vision::model::engine::CardOptions;

/// `andon doctor --gpu`.
pub(super) fn run(_: &CardOptions, _: bool, _: bool) -> Result<Exit, Failure> {
    Err(Failure::absent("doctor --gpu", "cuda"))
}
