//! The contract of everything that scores frames.

use crate::{Detection, Fault, FrameView, Regions};

/// Scores frames. One owner thread; `detect` allocates nothing in steady state outside the engine crate.
pub trait Detector: Send {
    /// Runs once on made-up input so that no first frame pays for lazy work.
    ///
    /// # Errors
    /// The engine's fault; the detector must not be used then.
    fn warm_up(&mut self) -> Result<(), Fault>;

    /// Scores one frame into `out`, whose storage is reused. Time budget: the line's frame period.
    ///
    /// # Errors
    /// Why this frame has no score; the next frame may be tried, except after [`Fault::Engine`], when the detector is rebuilt.
    fn detect(&mut self, frame: &FrameView<'_>, out: &mut Detection) -> Result<(), Fault>;

    /// Where the last detection's map is at or above `threshold`, and which good patches are nearest there.
    fn explain(&mut self, out: &Detection, threshold: f32) -> Regions;

    /// `ort`, `rten`, …: the provenance in every verdict.
    fn engine_name(&self) -> &'static str;
}
