//! The contract of cameras and recordings.

use thiserror::Error;

use crate::{Frame, Mono};

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
    fn next(&mut self, until: Mono) -> Result<Next, SourceError>;

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
    fn broken(&mut self) -> Option<SourceError> {
        None
    }
}

/// Why a source gives no more frames.
#[derive(Debug, Error)]
pub enum SourceError {
    /// What no retry can mend: a pipeline that is refused, a library that does not start.
    #[error(transparent)]
    Refused(#[from] Box<dyn std::error::Error + Send + Sync>),
    /// A recording that cannot be played to its end.
    #[error("{origin}: the recording broke after {frames} frames: {why}")]
    Broken {
        /// Pipeline file.
        origin: String,
        /// Frames that came before, missing ones included.
        frames: u64,
        /// The decoder's words.
        why: String,
    },
}
