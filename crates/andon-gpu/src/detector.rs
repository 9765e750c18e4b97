//! PatchCore on the GPU, as the line sees it: a model file and a network become a [`Detector`]. One thread.

use std::sync::Arc;

use crate::backbone::GpuBackbone;
use crate::driver::Device;
use crate::error::CudaError;
use crate::features::channels;
use crate::pipeline::{GpuPipeline, PipelineSpec};
use andon_core::Detector;
use andon_core::{Detection, Fault, FrameView, PixelFormat, Regions};
use andon_vision::methods::patchcore::PatchCoreModel;
use andon_vision::methods::patches::explain;
use andon_vision::model::Accept;
use andon_vision::model::bundle::Bundle;
use andon_vision::model::head::nearest::{Nearest, Searcher};
use andon_vision::model::head::score::Scorer;

/// The detector of a PatchCore model on the GPU; the counterpart of [`andon_vision::methods::PatchDetector`].
pub struct GpuPatchCore {
    pipeline: GpuPipeline,
    bundle: Arc<Bundle>,
    model: Arc<PatchCoreModel>,
    scorer: Scorer,
    /// For scores that are weighted by the bank around the nearest row.
    searcher: Option<Searcher>,
    accept: Accept,
    neighbors: Vec<Nearest>,
    label: Vec<u32>,
}

impl GpuPatchCore {
    /// The model's bank and scoring behind a network on the GPU.
    ///
    /// # Errors
    /// [`CudaError::Shape`] when the network's features are not those of the bank; no memory, or the device is lost.
    pub fn new(device: Device, backbone: Box<dyn GpuBackbone>, bundle: Arc<Bundle>) -> Result<GpuPatchCore, CudaError> {
        let m = &bundle.manifest;
        let dim = channels(backbone.as_ref());
        let model = PatchCoreModel::of(&bundle).map_err(CudaError::Shape)?;
        let want = model.about.dim;
        if dim != want as usize {
            return Err(CudaError::Shape(format!("the network gives {dim} values a patch, the bank wants {want}")));
        }
        let mask: Vec<bool> = bundle.mask.iter().map(|v| *v != 0).collect();
        let scorer = Scorer::new(m.scoring, m.grid[0] as usize, m.grid[1] as usize, &mask);
        let spec = PipelineSpec {
            input: &m.input,
            tiles: m.tiles.map(|n| n.max(1) as usize),
            layers: &m.backbone.layers,
            bank: &model.bank,
            weights: &model.weight,
            scorer: &scorer,
        };
        let pipeline = GpuPipeline::new(device, backbone, &spec)?;
        let searcher = scorer.looks_around().then(|| Searcher::new(model.bank.clone(), dim, 1));
        Ok(GpuPatchCore {
            pipeline,
            scorer,
            searcher,
            bundle,
            model: Arc::new(model),
            accept: Accept::default(),
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
    pub fn pipeline(&self) -> &GpuPipeline {
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
        self.pipeline.run(frames).map_err(|e| fault(&e))?;
        for (n, (frame, out)) in frames.iter().zip(out).enumerate() {
            self.take(n, frame, out).map_err(|e| fault(&e))?;
        }
        Ok(())
    }

    /// As [`Detector::warm_up`], with so many frames at a time.
    pub(crate) fn warm_up_with(&mut self, count: usize) -> Result<(), Fault> {
        let size = self.accept.size().unwrap_or(self.bundle.network().picture_size());
        let [width, height] = size.map(|v| v as usize);
        let grey = vec![127u8; width * height * 3];
        let frame = FrameView::new(PixelFormat::Rgb8, width, height, width * 3, &grey).ok_or(Fault::BadFrame)?;
        // One run to warm up, one to capture the graph, one to launch it as later ones do.
        let mut out = vec![Detection::default(); count];
        (0..3).try_for_each(|_| self.detect_all(&vec![frame; count], &mut out))
    }

    /// Its memory bank.
    pub(crate) fn model(&self) -> &Arc<PatchCoreModel> {
        &self.model
    }

    /// Its model file.
    pub(crate) fn bundle(&self) -> &Arc<Bundle> {
        &self.bundle
    }

    /// Stages a frame as number `n` of the next [`GpuPatchCore::run_staged`].
    pub(crate) fn stage_frame(&mut self, n: usize, frame: &FrameView<'_>) -> Result<(), Fault> {
        self.pipeline.stage_frame(n, frame).map_err(|e| fault(&e))
    }

    /// Scores the first `count` staged frames.
    pub(crate) fn run_staged(&mut self, count: usize) -> Result<(), Fault> {
        self.pipeline.run_staged(count).map_err(|e| fault(&e))
    }

    /// The answer for frame `n` of the last [`GpuPatchCore::run_staged`].
    pub(crate) fn take_answer(&mut self, n: usize, frame: &FrameView<'_>, out: &mut Detection) -> Result<(), Fault> {
        self.take(n, frame, out).map_err(|e| fault(&e))
    }

    /// The answer for frame `n` of the last run.
    fn take(&mut self, n: usize, frame: &FrameView<'_>, out: &mut Detection) -> Result<(), CudaError> {
        let grid = self.bundle.manifest.grid;
        (out.map.width, out.map.height) = (grid[0] as usize, grid[1] as usize);
        out.map.data.clear();
        out.map.data.extend_from_slice(self.pipeline.map(n)?);
        self.neighbors.clear();
        self.neighbors.extend(self.pipeline.nearest(n)?);
        out.score = match (self.scorer.peak(&out.map.data), &mut self.searcher) {
            (Some((peak, at)), Some(searcher)) if !peak.is_nan() => {
                let query = self.pipeline.feature(n, at)?;
                self.scorer.reweighted(peak, &self.neighbors[at], &query, &self.model.bank, searcher)
            }
            (Some((peak, _)), _) => self.scorer.of_map(&out.map.data, peak),
            (None, _) => f32::NAN,
        };
        out.nearest_patch.clear();
        out.nearest_patch.resize(out.map.data.len(), 0);
        for (cell, near) in self.scorer.cells().iter().zip(&self.neighbors) {
            out.nearest_patch[*cell as usize] = near.index;
        }
        out.frame = (frame.width, frame.height);
        out.times = self.pipeline.times();
        Ok(())
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

impl Detector for GpuPatchCore {
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
