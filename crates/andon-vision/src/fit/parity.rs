//! The parity set: a few pictures with their reference scores, by which any engine is judged before it is used.

use thiserror::Error;

use super::images::Picture;
use crate::model::Backbone;
use crate::model::bundle::Bundle;
use crate::model::graph::Precision;
use crate::preprocess::{Preprocessor, Tiling};
use andon_core::Detector;
use andon_core::{Detection, Fault, FrameView};

/// Largest relative difference of a score. Engines sum in different orders; through this network that was measured to be
/// below 1e-5, and a tenth of a percent moves no verdict that was not on the edge.
pub const PARITY_TOLERANCE: f32 = 1e-3;
/// Half precision rounds every value to 11 bits: 0.03 to 2.6 % were measured (docs/gpu.md), most on pictures whose score is rounding
/// around zero.
const HALF_TOLERANCE: f32 = 0.05;
/// Eight bits: 0.7 to 1.4 % were measured, and 34 % on a model of few, almost equal pictures, which is not for eight bits.
const EIGHT_BIT_TOLERANCE: f32 = 0.1;

/// A parity picture that came out differently.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParityCase {
    /// Its number.
    pub picture: usize,
    /// Reference.
    pub want: f32,
    /// The engine's score.
    pub got: f32,
    /// Relative difference.
    pub off: f32,
}

impl std::fmt::Display for ParityCase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ParityCase { picture, want, got, off } = self;
        write!(f, "{got} instead of {want} on parity picture {picture} ({:.3} % off)", off * 100.0)
    }
}

/// Why an engine is refused for a bundle.
#[derive(Debug, Error)]
pub enum ParityError {
    /// Its scores differ.
    #[error(
        "the engine `{engine}` does not reproduce the model's scores: {}; allowed are {:.3} %; use another engine or precision",
        words(.worst), .allowed * 100.0
    )]
    Differs {
        /// Engine.
        engine: &'static str,
        /// The worst pictures, at most three, worst first.
        worst: Vec<ParityCase>,
        /// Tolerance.
        allowed: f32,
    },
    /// It could not score them.
    #[error("the engine `{engine}` cannot score the model's parity set: {fault}")]
    Fault {
        /// Engine.
        engine: &'static str,
        /// Reason.
        fault: Fault,
    },
}

fn words(worst: &[ParityCase]) -> String {
    worst.iter().map(ParityCase::to_string).collect::<Vec<_>>().join(", ")
}

/// The largest relative difference of a score that an engine of this precision may have.
pub fn parity_tolerance(bundle: &Bundle, precision: Precision) -> f32 {
    match precision {
        Precision::Fp32 => bundle.manifest.parity_tolerance,
        Precision::Fp16 => HALF_TOLERANCE.max(bundle.manifest.parity_tolerance),
        Precision::Int8 => EIGHT_BIT_TOLERANCE.max(bundle.manifest.parity_tolerance),
    }
}

/// Squashes a picture, tile by tile, as the preprocessing does.
pub fn at_input_size(view: &FrameView<'_>, backbone: &Backbone) -> Picture {
    let [width, height] = backbone.picture_size();
    let (w, h) = (backbone.input.width as usize, backbone.input.height as usize);
    let mut preprocess = Preprocessor::new(backbone.input.clone());
    let mut rgb = vec![0; width as usize * height as usize * 3];
    let mut resized = vec![0; backbone.input.len()];
    for tile in Tiling::new(backbone.tiles).tiles(view.width, view.height) {
        let Some(crop) = tile.of(view) else { continue };
        preprocess.resize_rgb_into(&crop, &mut resized);
        for (y, line) in resized.chunks_exact(w * 3).enumerate() {
            let at = ((tile.row * h + y) * width as usize + tile.column * w) * 3;
            rgb[at..at + w * 3].copy_from_slice(line);
        }
    }
    Picture { width, height, rgb }
}

/// Compares a detector's scores with those of the bundle's parity set; returns the largest relative difference. The
/// detector must take frames of the network's input size.
///
/// # Errors
/// [`ParityError`] with the worst pictures when a score is off by more than `allowed` (see [`parity_tolerance`]), or is not finite.
pub fn parity_check(bundle: &Bundle, detector: &mut dyn Detector, allowed: f32) -> Result<f32, ParityError> {
    let engine = detector.engine_name();
    let mut out = Detection::default();
    let mut cases = Vec::new();
    for (picture, (view, want)) in bundle.parity_frames().zip(&bundle.parity_score).enumerate() {
        detector.detect(&view, &mut out).map_err(|fault| ParityError::Fault { engine, fault })?;
        // The smallest scores are rounding around zero (a training picture lies in its own bank), so differences are
        // taken relative to the threshold where the score is below it.
        let off = (out.score - want).abs() / want.max(bundle.manifest.threshold);
        cases.push(ParityCase { picture, want: *want, got: out.score, off });
    }
    // In total order a NaN is the largest of all.
    cases.sort_by(|a, b| b.off.abs().total_cmp(&a.off.abs()));
    let off = cases.first().map_or(0.0, |c| c.off);
    if off <= allowed {
        return Ok(off);
    }
    cases.truncate(3);
    Err(ParityError::Differs { engine, worst: cases, allowed })
}
