//! The parity set: a few pictures with their reference scores, by which any engine is judged before it is used.

use thiserror::Error;

use super::images::Picture;
use crate::model::bundle::Bundle;
use crate::model::head::nearest::Searcher;
use crate::model::{Detector, Embed, detector::max_or_nan};
use crate::preprocess::{InputSpec, Preprocessor};
use crate::types::{Detection, Fault, FrameView, PixelFormat};

/// Largest relative difference of a score. Engines sum in different orders; through this network that was measured to be
/// below 1e-5, and a tenth of a percent moves no verdict that was not on the edge.
pub(super) const TOLERANCE: f32 = 1e-3;

/// Why an engine is refused for a bundle.
#[derive(Debug, Error)]
pub enum ParityError {
    /// Its scores differ.
    #[error(
        "the engine `{engine}` does not reproduce the model's scores: {got} instead of {want} on parity picture {picture} ({percent:.3} % off, allowed {allowed:.3} %); use another engine"
    )]
    Differs {
        /// Engine.
        engine: &'static str,
        /// Worst picture.
        picture: usize,
        /// Reference.
        want: f32,
        /// Engine's.
        got: f32,
        /// Difference in percent.
        percent: f32,
        /// Tolerance in percent.
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

/// Squashes a picture as the preprocessing does.
pub(super) fn at_input_size(view: &FrameView<'_>, input: &InputSpec) -> Picture {
    let mut rgb = vec![0; input.len()];
    Preprocessor::new(input.clone()).resize_rgb_into(view, &mut rgb);
    Picture { width: input.width, height: input.height, rgb }
}

/// Scores the pictures against the whole bank.
pub(super) fn make(
    pictures: &[Picture],
    embedder: &mut dyn Embed,
    searcher: &mut Searcher,
) -> Result<(Vec<u8>, Vec<f32>), Fault> {
    let (mut features, mut near) = (Vec::new(), Vec::new());
    let mut scores = Vec::new();
    for picture in pictures {
        embedder.embed(&picture.view().ok_or(Fault::BadFrame)?, &mut features)?;
        searcher.search_into(&features, &mut near);
        let distances: Vec<f32> = near.iter().map(|n| n.distance).collect();
        scores.push(max_or_nan(&distances));
    }
    Ok((pictures.iter().flat_map(|p| &p.rgb).copied().collect(), scores))
}

/// Compares a detector's scores with those of the bundle's parity set; returns the largest relative difference. The
/// detector must take frames of the network's input size.
///
/// # Errors
/// [`ParityError`] with the worst picture when a score is off by more than the bundle allows, or is not finite.
pub fn parity_check(bundle: &Bundle, detector: &mut dyn Detector) -> Result<f32, ParityError> {
    let engine = detector.engine_name();
    let input = &bundle.manifest.input;
    let (w, h) = (input.width as usize, input.height as usize);
    let mut out = Detection::default();
    let mut worst: (f32, usize, f32, f32) = (0.0, 0, 0.0, 0.0);
    for (i, (rgb, want)) in bundle.parity_input.chunks_exact(input.len()).zip(&bundle.parity_score).enumerate() {
        let view = FrameView::new(PixelFormat::Rgb8, w, h, w * 3, rgb)
            .ok_or(ParityError::Fault { engine, fault: Fault::BadFrame })?;
        detector.detect(&view, &mut out).map_err(|fault| ParityError::Fault { engine, fault })?;
        // The smallest scores are rounding around zero (a training picture lies in its own bank), so differences are
        // taken relative to the threshold where the score is below it.
        let off = (out.score - want).abs() / want.max(bundle.manifest.threshold);
        // A NaN must be the worst of all.
        if off > worst.0 || off.is_nan() {
            worst = (off, i, *want, out.score);
        }
    }
    let (off, picture, want, got) = worst;
    let allowed = bundle.manifest.parity_tolerance;
    if off <= allowed {
        return Ok(off);
    }
    Err(ParityError::Differs { engine, picture, want, got, percent: off * 100.0, allowed: allowed * 100.0 })
}
