//! What stands in for `pipeline` in a build without GStreamer: every camera is refused, with the feature that it needs.

use super::{CaptureError, GstOptions, Painter, PipelineSpec};
use andon_core::{Mono, Source};

/// No camera.
///
/// # Errors
/// Always [`CaptureError::NotBuilt`].
pub fn open(_: PipelineSpec, _: GstOptions) -> Result<Box<dyn Source>, CaptureError> {
    Err(CaptureError::NotBuilt)
}

/// No camera either.
///
/// # Errors
/// Always [`CaptureError::NotBuilt`].
pub fn open_painted(
    _: PipelineSpec,
    _: GstOptions,
    _: Box<dyn Painter>,
    _: Mono,
) -> Result<Box<dyn Source>, CaptureError> {
    Err(CaptureError::NotBuilt)
}

/// No elements to look for.
///
/// # Errors
/// Always [`CaptureError::NotBuilt`].
pub fn missing_elements() -> Result<Vec<(&'static str, &'static str)>, CaptureError> {
    Err(CaptureError::NotBuilt)
}

/// No version.
pub fn gstreamer_version() -> String {
    String::new()
}
