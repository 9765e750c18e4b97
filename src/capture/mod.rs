//! Where frames come from. Owns cameras and their supervision; hands out [`Frame`]s whose pixels stay where the camera put
//! them. Called by the `cap-N` thread only; never waits longer than it was told to, never judges.

mod presence;
mod template;

#[cfg(feature = "gst")]
mod allow;
#[cfg(feature = "gst")]
mod decoded;
#[cfg(feature = "gst")]
mod feed;
#[cfg(feature = "gst")]
mod gst;
#[cfg(feature = "gst")]
mod live;
#[cfg(feature = "gst")]
mod words;

use thiserror::Error;

use crate::types::{Frame, Mono};

#[cfg(feature = "gst")]
pub use allow::{ELEMENT_PACKAGES, missing_elements};
#[cfg(feature = "gst")]
pub use feed::{Feed, Painter};
#[cfg(feature = "gst")]
pub use gst::{GstOptions, GstSource};
pub use presence::Presence;
pub use template::{PipelineSpec, TemplateError, built_in_pipelines};

/// What a source has to say.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "moved once from the source to the queue; boxing would allocate per frame"
)]
pub enum Next {
    /// A frame; its number is still 0, the capture stage numbers it.
    Frame(Frame),
    /// `missed` frames never arrived: the camera numbered them, or a decoder took them and gave nothing.
    Gap {
        /// How many.
        missed: u64,
        /// When the gap was seen.
        at: Mono,
    },
    /// Nothing until the given time.
    Idle,
    /// The source is at its end and will not restart (a recording played once).
    End,
}

/// How the camera is, for status and statistics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CameraState {
    /// Being opened; no frame yet.
    #[default]
    Starting,
    /// Frames come.
    Running,
    /// Error, end of stream or silence; being rebuilt with backoff.
    Down,
    /// Played to its end.
    Ended,
}

impl CameraState {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            CameraState::Starting => "starting",
            CameraState::Running => "running",
            CameraState::Down => "down",
            CameraState::Ended => "ended",
        }
    }
}

/// A supervised camera. Errors of the camera are states, not errors of the source: it rebuilds itself for ever.
pub trait Source: Send {
    /// The next event, waiting at most until `until`. Called by one thread, again and again.
    ///
    /// # Errors
    /// Only for what no retry can mend (a pipeline text that is refused): the line stops with that message.
    fn next(&mut self, until: Mono) -> Result<Next, CaptureError>;

    /// How the camera is now.
    fn state(&self) -> CameraState;

    /// How often it was rebuilt since start.
    fn restarts(&self) -> u64;

    /// Why it was last rebuilt.
    fn last_problem(&self) -> Option<&str>;

    /// Whether it is a recording that is played once: its frames may wait for the inspector, and none is left out for a newer one.
    fn is_recording(&self) -> bool {
        false
    }

    /// Why the recording ended before its end; asked once, after [`Next::End`].
    fn broken(&mut self) -> Option<CaptureError> {
        None
    }
}

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
    /// A recording that cannot be played to its end.
    #[error("{origin}: the recording broke after {frames} frames: {why}")]
    Broken {
        /// Pipeline file.
        origin: String,
        /// Frames that came before, missing ones included.
        frames: u64,
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
