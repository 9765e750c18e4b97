//! Where frames come from. Owns cameras and their supervision; hands out [`Frame`]s whose pixels stay where the camera put
//! them. Called by the `cap-N` thread only; never waits longer than it was told to, never judges.

use crate::types::{Frame, Mono};
use thiserror::Error;

/// What a source has to say.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "moved once from the source to the queue; boxing would allocate per frame"
)]
pub enum Next {
    /// A frame; `seq` is still 0, the capture stage numbers it.
    Frame(Frame),
    /// The camera numbered `missed` frames that never arrived.
    Gap {
        /// How many.
        missed: u64,
        /// When the gap was seen.
        at: Mono,
    },
    /// Nothing until the given time.
    Idle,
    /// The source is at its end and will not restart (a video file played once).
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
}

/// What no retry can mend.
#[derive(Debug, Error)]
pub enum CaptureError {}
