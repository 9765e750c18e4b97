//! The source behind every real camera: a GStreamer pipeline, supervised. What a pipeline is, a text file says
//! (`capture::PipelineSpec`); a folder of pictures and a recording are pipelines too.

mod allow;
mod decoded;
mod feed;
mod instance;
mod messages;
mod source;

use super::{CaptureError, GstOptions, Painter, PipelineSpec};
use andon_core::{Mono, Source};

pub use allow::{ELEMENT_PACKAGES, missing_elements};
pub use feed::Feed;
pub use source::GstSource;

/// A camera behind this pipeline. It is parsed and checked, and nothing of it starts.
///
/// # Errors
/// [`CaptureError`]: refused or missing elements, no sink, syntax.
pub fn open(spec: PipelineSpec, options: GstOptions) -> Result<Box<dyn Source>, CaptureError> {
    Ok(Box::new(GstSource::new(spec, options)?))
}

/// The same, fed with the program's own pictures; the first one is due `painter.due(0)` after `start`.
///
/// # Errors
/// As [`open`].
pub fn open_painted(
    spec: PipelineSpec,
    options: GstOptions,
    painter: Box<dyn Painter>,
    start: Mono,
) -> Result<Box<dyn Source>, CaptureError> {
    Ok(Box::new(GstSource::new(spec, options)?.with_feed(Feed::new(painter, start))))
}

/// GStreamer's name and version.
pub fn gstreamer_version() -> String {
    gstreamer::version_string().to_string()
}
