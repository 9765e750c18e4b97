//! From a frame to a score: bundle, engine, head. Knows no thread of the line and no threshold policy.

mod accept;
mod backbone;
pub mod bundle;
pub mod detector;
pub mod engine;
pub mod graph;
pub mod head;
pub mod heatmap;

pub use accept::{Accept, Colour, Learned};
pub use backbone::Backbone;

use crate::types::{Detection, Fault, FrameView, Regions};

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

/// Turns frames into patch features: preprocessing, network and aggregation. Learning uses it; so does the detector.
pub trait Embed: Send {
    /// Patches in a row and rows of patches.
    fn grid(&self) -> (usize, usize);
    /// Length of one patch feature.
    fn dim(&self) -> usize;
    /// Writes `grid.0 * grid.1 * dim` values, patch by patch in row order, reusing `out`'s storage.
    ///
    /// # Errors
    /// Why this frame has no features.
    fn embed(&mut self, frame: &FrameView<'_>, out: &mut Vec<f32>) -> Result<(), Fault>;
}
