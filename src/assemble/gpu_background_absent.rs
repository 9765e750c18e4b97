//! What stands in for `gpu_background` in a build without TensorRT: every camera judges by itself, and no engine is built.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;

use super::cameras::WaitingCamera;
use super::detector::{OpenError, OpenedDetector};
use crate::config::Config;
use andon_vision::model::bundle::Bundle;
use andon_vision::model::engine::GpuOptions;

/// No camera shares its detector.
pub(super) fn shared(_: &Config, _: &[Arc<Bundle>]) -> Result<BTreeMap<usize, OpenedDetector>, OpenError> {
    Ok(BTreeMap::new())
}

/// No camera waits for an engine.
pub(super) fn build_missing(
    _: Vec<WaitingCamera>,
    _: &GpuOptions,
    _: &Arc<AtomicBool>,
) -> std::io::Result<Option<JoinHandle<()>>> {
    Ok(None)
}
