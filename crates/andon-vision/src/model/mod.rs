//! From a frame to a score: bundle, engine, head. Knows no thread of the line and no threshold policy.

mod accept;
mod backbone;
pub mod bundle;
pub mod embedder;
pub mod engine;
pub mod graph;
pub mod head;
pub mod tensors;

pub use accept::{Accept, Colour, Learned, Restricted};
pub use andon_core::heatmap;
pub use backbone::Backbone;

use andon_core::{Fault, FrameView};

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

    /// The frame in the pose that parts are brought into, as [`Embed::embed`] sees it: interleaved RGB of [`Backbone::picture_size`]; `None`
    /// where they are left as they lie.
    ///
    /// # Errors
    /// [`Fault::NotAligned`].
    fn upright(&mut self, _: &FrameView<'_>) -> Result<Option<Vec<u8>>, Fault> {
        Ok(None)
    }

    /// [`Embed::embed`] for a frame that is in that pose already.
    ///
    /// # Errors
    /// Why this frame has no features.
    fn embed_upright(&mut self, frame: &FrameView<'_>, out: &mut Vec<f32>) -> Result<(), Fault> {
        self.embed(frame, out)
    }
}
