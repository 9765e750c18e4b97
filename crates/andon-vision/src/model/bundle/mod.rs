//! The model file `NAME.andon`: a safetensors container with a JSON manifest, safe to copy and to read. Here is its common part; what a
//! method keeps in it, the method itself reads and checks (`methods`). Reading and writing whole files is in `methods::file`, which checks both.
//!
//! Metadata: `format`, `version`, `manifest` (JSON) and `blake3`, the hash of the whole file with its own 64 digits set
//! to `0`, so that no byte can change unseen. Tensors:
//!
//! | name | type, shape | what |
//! |---|---|---|
//! | `mask` | u8 `[grid_h, grid_w]` | 1 for each cell that is judged, 0 for a masked one |
//! | `train_scores` | f32 `[images]` | held-out scores: each by a model that was learned without the image |
//! | `backbone` | u8 `[len]` | the ONNX network |
//! | `parity_input` | u8 `[k, h, w, 3]` | pictures at input size, times the tiles |
//! | `parity_score` | f32 `[k]` | their reference scores |
//! | `align` | u8 `[128, 128]` | the pose that parts are brought into, where the manifest says that they are |
//! | `METHOD/NAME` | f32 or u32 | the method's own, such as `patchcore/bank` |
//!
//! Version 2, which knew PatchCore only, is read too.

mod decision;
mod error;
mod manifest;
mod read;
mod version2;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use error::BundleError;
pub use manifest::{Alignment, BackboneRef, Chosen, Claim, Decision, Found, Manifest, MethodPart, Training};

use super::Backbone;
use super::tensors::Tensors;
use crate::preprocess::align::Reference;
use andon_core::{FrameView, PixelFormat};

/// The version that this program writes; it reads the one before, too.
pub const VERSION: u32 = 3;
/// Files above this are refused before they are read.
pub const MAX_BYTES: u64 = 2 << 30;

const FORMAT: &str = "andon.bundle";

/// A model, checked as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    /// What it says of itself.
    pub manifest: Manifest,
    /// The method's own tensors.
    pub tensors: Tensors,
    /// 1 for each cell of the grid that is judged, 0 for a masked one.
    pub mask: Vec<u8>,
    /// One held-out score for each training image.
    pub train_scores: Vec<f32>,
    /// The ONNX network.
    pub backbone: Arc<[u8]>,
    /// `k` pictures of the size of [`Backbone::picture_size`], 3 bytes a pixel; [`Bundle::parity_frames`] walks them.
    pub parity_input: Vec<u8>,
    /// Their reference scores.
    pub parity_score: Vec<f32>,
    /// What parts look like in the pose that they are brought into ([`Reference::template`]); empty where they are left as they lie.
    pub align: Vec<u8>,
    /// Hex digest of the file; empty for a bundle that was never written.
    pub blake3: String,
}

impl Bundle {
    /// The network with what is needed to run it.
    pub fn network(&self) -> Backbone {
        Backbone {
            name: self.manifest.backbone.name.clone(),
            onnx: self.backbone.clone(),
            input: self.manifest.input.clone(),
            outputs: self.manifest.backbone.outputs.clone(),
            layers: self.manifest.backbone.layers.clone(),
            tiles: self.manifest.tiles,
            align: self.manifest.align.map(|a| {
                let (template, most_residual, usual_residual) = (self.align.clone(), a.most_residual, a.usual_residual);
                Arc::new(Reference { template, most_residual, usual_residual })
            }),
        }
    }

    /// The held-out scores that a claim may rest on: of the pictures that were learned from at first, the highest of each group.
    pub fn fair_scores(&self) -> Vec<f32> {
        let training = &self.manifest.training;
        let fair = self.train_scores.len().saturating_sub(training.added as usize);
        let groups = training.groups.get(..fair.min(training.groups.len())).unwrap_or_default();
        highest_of_groups(&self.train_scores[..fair], groups)
    }

    /// Columns and rows of the grid of patches, which is the anomaly map's.
    pub fn grid(&self) -> (usize, usize) {
        let [width, height] = self.manifest.grid;
        (width as usize, height as usize)
    }

    /// For each cell of the grid, row by row, whether it is judged.
    pub fn judged_cells(&self) -> Vec<bool> {
        self.mask.iter().map(|v| *v != 0).collect()
    }

    /// The parity pictures as RGB frames, in the order of their scores. Each has the size of [`Backbone::picture_size`], which is the
    /// network's input times its tiles.
    pub fn parity_frames(&self) -> impl Iterator<Item = FrameView<'_>> {
        let [w, h] = self.network().picture_size().map(|n| n as usize);
        // A picture of no pixels is refused when a bundle is read; one that was made by hand has no frames.
        let len = (w * h * 3).max(1);
        self.parity_input.chunks_exact(len).filter_map(move |rgb| FrameView::new(PixelFormat::Rgb8, w, h, w * 3, rgb))
    }
}

/// The highest score of each group; of every picture, where they are not grouped.
pub fn highest_of_groups(scores: &[f32], groups: &[u32]) -> Vec<f32> {
    if groups.is_empty() {
        return scores.to_vec();
    }
    // Not a list by number: the numbers come from a file.
    let mut highest = BTreeMap::new();
    for (score, group) in scores.iter().zip(groups) {
        highest.entry(group).and_modify(|most: &mut f32| *most = most.max(*score)).or_insert(*score);
    }
    highest.into_values().collect()
}

/// Where the digest stands in the file's bytes; `None` if it is not there exactly once.
fn digest_at(header: &[u8]) -> Option<std::ops::Range<usize>> {
    const KEY: &[u8] = b"\"blake3\":\"";
    let mut found = header.windows(KEY.len()).enumerate().filter(|(_, w)| *w == KEY).map(|(i, _)| i + KEY.len());
    let start = found.next()?;
    let end = start + 64;
    (found.next().is_none() && header.get(end) == Some(&b'"')).then_some(start..end)
}

/// blake3 of the file with the digest's own place set to zeros.
fn digest(bytes: &[u8], place: &std::ops::Range<usize>) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&bytes[..place.start]).update(&[b'0'; 64]).update(&bytes[place.end..]);
    hasher.finalize().to_hex().to_string()
}
