//! What stands in for `card` in a build without TensorRT: there is no card, and who asks for it by name is told so.

use std::sync::Arc;

use thiserror::Error;

use super::detector::{GpuOffer, OpenError};
use crate::config::FrameSize;
use andon_vision::model::bundle::Bundle;
use andon_vision::model::engine::{EngineChoice, EngineError, EngineOptions};

/// Nothing can go wrong with a card that is never used.
#[derive(Debug, Error)]
pub enum GpuError {}

/// The CPU, or the refusal of an engine that was asked for by name.
pub(super) fn offer(_: &Arc<Bundle>, options: &EngineOptions, _: FrameSize) -> Result<GpuOffer, OpenError> {
    match options.choice {
        EngineChoice::TensorRt => Err(EngineError::NotBuilt { name: "tensorrt" }.into()),
        _ => Ok(GpuOffer::Cpu),
    }
}
