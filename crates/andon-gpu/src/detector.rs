//! Every method that scores patch features, on the GPU, as the line sees it: a model file and a network become a [`Detector`]. What is
//! computed is what the method's [`PatchOp`] says. One thread.

use std::sync::Arc;

use crate::backbone::GpuBackbone;
use crate::driver::Device;
use crate::error::CudaError;
use crate::features::{FeatureSpec, FeatureStage, channels};
use crate::ops::mahalanobis::Gaussian;
use crate::pipeline::{GaussianHead, GpuPipeline, KnnHead, MapHead};
use andon_core::Detector;
use andon_core::{Detection, Fault, FrameView, PixelFormat, Regions};
use andon_vision::methods::patches::{Spread, explain, turn_back};
use andon_vision::methods::{self, PatchModel, PatchOp};
use andon_vision::model::Accept;
use andon_vision::model::bundle::Bundle;
use andon_vision::model::head::knn::{KnnSearcher, Nearest};
use andon_vision::model::head::score::Scorer;
use andon_vision::preprocess::align::{Aligner, Reference};

/// The detector of a model on the GPU; the counterpart of [`andon_vision::methods::PatchDetector`].
pub struct GpuPatchDetector {
    pipeline: GpuPipeline<Box<dyn MapHead>>,
    bundle: Arc<Bundle>,
    model: Arc<dyn PatchModel>,
    scorer: Scorer,
    /// For scores that are weighted by the bank around the nearest row.
    bank: Option<Bank>,
    accept: Accept,
    /// Brings the frame of each place into the pose that was learned, on the CPU; none where parts are left as they lie.
    aligners: Vec<Aligner>,
    neighbors: Vec<Nearest>,
    label: Vec<u32>,
}

impl GpuPatchDetector {
    /// The model's scoring behind a network on the GPU.
    ///
    /// # Errors
    /// [`CudaError::Shape`] when the model's method scores no patch features, or the network's are not those that it was learned from; no
    /// memory, or the device is lost.
    pub fn new(
        device: Device,
        backbone: Box<dyn GpuBackbone>,
        bundle: Arc<Bundle>,
    ) -> Result<GpuPatchDetector, CudaError> {
        let m = &bundle.manifest;
        let model = methods::of(&bundle).and_then(|method| method.patch_model(&bundle)).map_err(CudaError::Shape)?;
        let model = model.ok_or_else(|| CudaError::Shape("the model's method scores no patch features".to_owned()))?;
        let (dim, want) = (channels(backbone.as_ref()), model.dim());
        if dim != want {
            return Err(CudaError::Shape(format!("the network gives {dim} values a patch, the model wants {want}")));
        }
        let op = model.op().ok_or_else(|| CudaError::Shape(methods::cpu_only(&bundle)))?;
        let (width, height) = bundle.grid();
        let scorer = Scorer::new(m.scoring, width, height, &bundle.judged_cells());
        // Distances to distributions are taken of every cell: no kernel spreads those of some cells over the grid.
        let all: Vec<u32> = (0..(width * height) as u32).collect();
        let spec = FeatureSpec {
            input: &m.input,
            tiles: m.tiles.map(|n| n.max(1) as usize),
            layers: &m.backbone.layers,
            grid: [width, height],
            cells: match op {
                PatchOp::Nearest { .. } => scorer.cells(),
                PatchOp::Gaussian { .. } => &all,
            },
        };
        let features = FeatureStage::new(&device, backbone, &spec)?;
        let mut searcher = None;
        let head: Box<dyn MapHead> = match op {
            PatchOp::Nearest { rows, weights } => {
                searcher = scorer.looks_around().then(|| Bank::new(rows, dim));
                Box::new(KnnHead::new(&device, &features, rows, weights, &scorer)?)
            }
            PatchOp::Gaussian { channels, mean, spread } => {
                let gaussians = spread_over_grid(channels, mean, spread, dim, &bundle.judged_cells());
                Box::new(GaussianHead::new(&device, &features, gaussians.upload(&device, dim)?, &scorer)?)
            }
        };
        let pipeline = GpuPipeline::with_head(device, features, head)?;
        let network = bundle.network();
        let aligner =
            |reference: &Arc<Reference>| Aligner::new(reference.clone(), network.picture_size(), m.input.range);
        let aligners = match &network.align {
            Some(reference) => (0..pipeline.frames()).map(|_| aligner(reference)).collect(),
            None => Vec::new(),
        };
        Ok(GpuPatchDetector {
            pipeline,
            scorer,
            bank: searcher,
            bundle,
            model: model.into(),
            accept: Accept::default(),
            aligners,
            neighbors: Vec::new(),
            label: Vec::new(),
        })
    }

    /// From now on, frames that are not accepted are a fault.
    pub fn require(&mut self, accept: impl Into<Accept>) {
        self.accept = accept.into();
    }

    /// Frames that are scored at a time, at most.
    pub fn frames(&self) -> usize {
        self.pipeline.frames()
    }

    /// The pipeline.
    pub fn pipeline(&self) -> &GpuPipeline<Box<dyn MapHead>> {
        &self.pipeline
    }

    /// Scores frames of one layout together, each into its own slot.
    ///
    /// # Errors
    /// As [`Detector::detect`]; then none of them has a score.
    pub fn detect_all(&mut self, frames: &[FrameView<'_>], out: &mut [Detection]) -> Result<(), Fault> {
        for frame in frames {
            self.accept.check(frame)?;
        }
        self.judge_all(frames, out)
    }

    /// The same for frames whose size and kind nobody asks for.
    fn judge_all(&mut self, frames: &[FrameView<'_>], out: &mut [Detection]) -> Result<(), Fault> {
        if self.aligners.is_empty() {
            self.pipeline.run(frames).map_err(|e| fault(&e))?;
        } else {
            frames.iter().enumerate().try_for_each(|(n, frame)| self.stage_frame(n, frame))?;
            self.run_staged(frames.len())?;
        }
        for (n, (frame, out)) in frames.iter().zip(out).enumerate() {
            self.take(n, frame, out).map_err(|e| fault(&e))?;
        }
        Ok(())
    }

    /// As [`Detector::warm_up`], with so many frames at a time.
    pub(crate) fn warm_up_with(&mut self, count: usize) -> Result<(), Fault> {
        let size = self.accept.size().unwrap_or(self.bundle.network().picture_size());
        let [width, height] = size.map(|v| v as usize);
        let bundle = self.bundle.clone();
        if bundle.manifest.align.is_some() {
            // An even picture is no part and fits no pose. What the card gets has always the network's size.
            let Some(frame) = bundle.parity_frames().next() else { return Ok(()) };
            let mut out = vec![Detection::default(); count];
            return (0..3).try_for_each(|_| self.judge_all(&vec![frame; count], &mut out));
        }
        let grey = vec![127u8; width * height * 3];
        let frame = FrameView::new(PixelFormat::Rgb8, width, height, width * 3, &grey).ok_or(Fault::BadFrame)?;
        // One run to warm up, one to capture the graph, one to launch it as later ones do.
        let mut out = vec![Detection::default(); count];
        (0..3).try_for_each(|_| self.detect_all(&vec![frame; count], &mut out))
    }

    /// What it learned.
    pub(crate) fn model(&self) -> &Arc<dyn PatchModel> {
        &self.model
    }

    /// Its model file.
    pub(crate) fn bundle(&self) -> &Arc<Bundle> {
        &self.bundle
    }

    /// Whether a frame can go together with those that are staged.
    pub(crate) fn accepts_layout(&self, frame: &FrameView<'_>) -> bool {
        // Brought into the pose, all have the network's size.
        !self.aligners.is_empty() || self.pipeline.accepts_layout(frame)
    }

    /// Stages a frame as number `n` of the next [`GpuPatchDetector::run_staged`].
    pub(crate) fn stage_frame(&mut self, n: usize, frame: &FrameView<'_>) -> Result<(), Fault> {
        let upright = self.aligners.get_mut(n).map(|aligner| aligner.align(frame)).transpose()?;
        self.pipeline.stage_frame(n, upright.as_ref().unwrap_or(frame)).map_err(|e| fault(&e))
    }

    /// Scores the first `count` staged frames.
    pub(crate) fn run_staged(&mut self, count: usize) -> Result<(), Fault> {
        self.pipeline.run_staged(count).map_err(|e| fault(&e))
    }

    /// The answer for frame `n` of the last [`GpuPatchDetector::run_staged`].
    pub(crate) fn take_answer(&mut self, n: usize, frame: &FrameView<'_>, out: &mut Detection) -> Result<(), Fault> {
        self.take(n, frame, out).map_err(|e| fault(&e))
    }

    /// The answer for frame `n` of the last run.
    fn take(&mut self, n: usize, frame: &FrameView<'_>, out: &mut Detection) -> Result<(), CudaError> {
        let grid = self.bundle.manifest.grid;
        (out.map.width, out.map.height) = (grid[0] as usize, grid[1] as usize);
        out.map.data.clear();
        out.map.data.extend_from_slice(self.pipeline.map(n)?);
        self.pipeline.head().nearest_into(n, &mut self.neighbors)?;
        out.score = match (self.scorer.peak(&out.map.data), &mut self.bank) {
            (Some((peak, at)), Some(bank)) if !peak.is_nan() => {
                let query = self.pipeline.feature(n, at)?;
                self.scorer.reweighted(peak, &self.neighbors[at], &query, &bank.rows, &mut bank.searcher)
            }
            (Some((peak, _)), _) => self.scorer.of_map(&out.map.data, peak),
            (None, _) => f32::NAN,
        };
        out.nearest_patch.clear();
        let known = if self.neighbors.is_empty() { 0 } else { out.map.data.len() };
        out.nearest_patch.resize(known, 0);
        for (cell, near) in self.scorer.cells().iter().zip(&self.neighbors) {
            out.nearest_patch[*cell as usize] = near.index;
        }
        if let Some(aligner) = self.aligners.get(n) {
            turn_back(&aligner.turn_back(&out.map.data, out.map.width, out.map.height), out);
        }
        out.frame = (frame.width, frame.height);
        out.times = self.pipeline.times();
        Ok(())
    }
}

/// A memory bank on the CPU.
struct Bank {
    rows: Arc<[f32]>,
    searcher: KnnSearcher,
}

impl Bank {
    fn new(rows: &[f32], dim: usize) -> Bank {
        let rows: Arc<[f32]> = rows.into();
        Bank { searcher: KnnSearcher::new(rows.clone(), dim, 1), rows }
    }
}

/// Gaussians of every cell and of all values of a feature. Those of masked cells, and of values that the model does not use, weigh nothing:
/// their means and inverse spreads are zeros.
struct GridGaussians {
    means: Vec<f32>,
    spreads: Vec<f32>,
    full: bool,
}

fn spread_over_grid(channels: &[u32], mean: &[f32], spread: Spread<'_>, dim: usize, judged: &[bool]) -> GridGaussians {
    let triangle = |row: usize, column: usize| row * (row + 1) / 2 + column;
    let k = channels.len();
    let (full, each, values, kept) = match spread {
        Spread::Diagonal(values) => (false, dim, values, k),
        Spread::Whitening(values) => (true, triangle(dim, 0), values, triangle(k, 0)),
    };
    let mut all = GridGaussians { means: vec![0.0; judged.len() * dim], spreads: vec![0.0; judged.len() * each], full };
    let cells = judged.iter().enumerate().filter(|(_, judged)| **judged).map(|(cell, _)| cell);
    for (cell, (mean, values)) in cells.zip(mean.chunks_exact(k).zip(values.chunks_exact(kept))) {
        for (row, channel) in channels.iter().enumerate() {
            let at = *channel as usize;
            all.means[cell * dim + at] = mean[row];
            if full {
                for (column, other) in channels[..=row].iter().enumerate() {
                    all.spreads[cell * each + triangle(at, *other as usize)] = values[triangle(row, column)];
                }
            } else {
                all.spreads[cell * each + at] = values[row];
            }
        }
    }
    all
}

impl GridGaussians {
    fn upload(&self, device: &Device, dim: usize) -> Result<Gaussian, CudaError> {
        match self.full {
            true => Gaussian::whitening(device, &self.means, &self.spreads, dim),
            false => Gaussian::diagonal(device, &self.means, &self.spreads, dim),
        }
    }
}

/// Logs the error, whose words a fault cannot hold.
fn fault(e: &CudaError) -> Fault {
    tracing::error!("{e}");
    match e {
        CudaError::Shape(_) => Fault::BadFrame,
        _ => Fault::Engine("the card"),
    }
}

impl Detector for GpuPatchDetector {
    fn warm_up(&mut self) -> Result<(), Fault> {
        self.warm_up_with(1)
    }

    fn detect(&mut self, frame: &FrameView<'_>, out: &mut Detection) -> Result<(), Fault> {
        self.detect_all(std::slice::from_ref(frame), std::slice::from_mut(out))
    }

    fn explain(&mut self, out: &Detection, threshold: f32) -> Regions {
        explain(&self.bundle.manifest, self.model.as_ref(), out, threshold, &mut self.label)
    }

    fn engine_name(&self) -> &'static str {
        self.pipeline.name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two of four cells are judged; values 0 and 2 of three are used.
    #[test]
    fn gaussians_stand_where_their_cells_and_values_are() {
        let judged = [false, true, false, true];
        let mean = [1.0, 2.0, 3.0, 4.0];
        let diagonal = spread_over_grid(&[0, 2], &mean, Spread::Diagonal(&[5.0, 6.0, 7.0, 8.0]), 3, &judged);
        assert_eq!(diagonal.means, [0.0, 0.0, 0.0, 1.0, 0.0, 2.0, 0.0, 0.0, 0.0, 3.0, 0.0, 4.0]);
        assert_eq!(diagonal.spreads, [0.0, 0.0, 0.0, 5.0, 0.0, 6.0, 0.0, 0.0, 0.0, 7.0, 0.0, 8.0]);
        let triangles = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let full = spread_over_grid(&[0, 2], &mean, Spread::Whitening(&triangles), 3, &judged);
        assert_eq!(full.means, diagonal.means);
        let zeros = [0.0; 6];
        // Rows 0, 1 and 2 of the triangle: values 0 and 2 are its first and last rows.
        let (first, second) = ([1.0, 0.0, 0.0, 2.0, 0.0, 3.0], [4.0, 0.0, 0.0, 5.0, 0.0, 6.0]);
        assert_eq!(full.spreads, [zeros, first, zeros, second].concat());
    }
}
