//! Where frames come from. Owns cameras and their supervision; hands out frames whose pixels stay where the camera put
//! them. Called by the `cap-N` thread only; never waits longer than it was told to, never judges.

mod options;
mod painter;
#[cfg_attr(not(feature = "gst"), path = "pipeline_absent.rs")]
mod pipeline;
mod template;

use thiserror::Error;

pub use options::GstOptions;
pub use painter::Painter;
#[cfg(feature = "gst")]
pub use pipeline::{ELEMENT_PACKAGES, Feed, GstSource};
pub use pipeline::{gstreamer_version, missing_elements, open, open_painted};
pub use template::{PipelineSpec, TemplateError, built_in_pipelines};

/// What no retry can mend.
#[derive(Debug, Error)]
pub enum CaptureError {
    /// The pipeline file or its variables.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// An element that pipelines may not use.
    #[error(
        "{origin}: the element `{element}` is not allowed in a pipeline; if you know what it does, add it to capture.allow_elements"
    )]
    Forbidden {
        /// Pipeline file.
        origin: String,
        /// Element factory.
        element: String,
    },
    /// An element that this machine does not have.
    #[error("{origin}: GStreamer has no element `{element}` here; {remedy}")]
    MissingElement {
        /// Pipeline file.
        origin: String,
        /// Element factory.
        element: String,
        /// How to get it.
        remedy: String,
    },
    /// Not a pipeline.
    #[error("{origin}: {why}")]
    Parse {
        /// Pipeline file.
        origin: String,
        /// GStreamer's words.
        why: String,
    },
    /// GStreamer cannot start.
    #[error("GStreamer cannot be used: {0}; `andon doctor` says what is missing")]
    Init(String),
    /// Not compiled in.
    #[error("cameras need GStreamer, which is not in this build: needs --features gst")]
    NotBuilt,
}

impl From<CaptureError> for andon_core::SourceError {
    fn from(e: CaptureError) -> andon_core::SourceError {
        andon_core::SourceError::Refused(Box::new(e))
    }
}
