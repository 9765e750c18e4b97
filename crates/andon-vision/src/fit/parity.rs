//! The parity set: a few pictures with their reference scores, by which any engine is judged before it is used.

use thiserror::Error;

use super::images::Picture;
use crate::model::bundle::Bundle;
use crate::model::graph::Precision;
use crate::model::head::nearest::Searcher;
use crate::model::head::score::Scorer;
use crate::model::{Backbone, Embed};
use crate::preprocess::Preprocessor;
use andon_core::Detector;
use andon_core::{Detection, Fault, FrameView};

/// Largest relative difference of a score. Engines sum in different orders; through this network that was measured to be
/// below 1e-5, and a tenth of a percent moves no verdict that was not on the edge.
pub(super) const TOLERANCE: f32 = 1e-3;
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
pub(super) fn at_input_size(view: &FrameView<'_>, backbone: &Backbone) -> Picture {
    let [width, height] = backbone.picture_size();
    let [columns, rows] = backbone.tiles.map(|n| n as usize);
    let (w, h) = (backbone.input.width as usize, backbone.input.height as usize);
    let mut preprocess = Preprocessor::new(backbone.input.clone());
    let (mut rgb, mut tile) = (vec![0; width as usize * height as usize * 3], vec![0; backbone.input.len()]);
    for (row, column) in (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))) {
        let edges = |i: usize, of: usize, pixels: usize| (i * pixels / of, (i + 1) * pixels / of);
        let ((left, right), (top, bottom)) = (edges(column, columns, view.width), edges(row, rows, view.height));
        let Some(crop) = view.crop(left, top, right - left, bottom - top) else { continue };
        preprocess.resize_rgb_into(&crop, &mut tile);
        for (y, line) in tile.chunks_exact(w * 3).enumerate() {
            let at = ((row * h + y) * width as usize + column * w) * 3;
            rgb[at..at + w * 3].copy_from_slice(line);
        }
    }
    Picture { width, height, rgb }
}

/// What scores the parity set.
pub(super) struct Judge<'a> {
    pub embedder: &'a mut dyn Embed,
    pub scorer: &'a mut Scorer,
    pub searcher: &'a mut Searcher,
}

impl Judge<'_> {
    /// Scores the pictures against the whole bank.
    pub fn make(&mut self, pictures: &[Picture], bank: &[f32], weights: &[f32]) -> Result<(Vec<u8>, Vec<f32>), Fault> {
        let (mut features, mut near, mut map) = (Vec::new(), Vec::new(), Vec::new());
        let mut scores = Vec::new();
        for picture in pictures {
            self.embedder.embed(&picture.view().ok_or(Fault::BadFrame)?, &mut features)?;
            self.scorer.keep_cells(&mut features, self.embedder.dim());
            self.searcher.search_into(&features, &mut near);
            self.scorer.map_into(&near, weights, &mut map);
            scores.push(self.scorer.score(&map, &near, &features, bank, self.searcher));
        }
        Ok((pictures.iter().flat_map(|p| &p.rgb).copied().collect(), scores))
    }
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
