use std::sync::Arc;

use super::stage::{Stage, StageSpec};
use super::trunk::DeviceTrunk;
use super::{CudaError, Device};
use andon_core::Detector;
use andon_core::{Detection, Fault, FrameView, PixelFormat, Regions};
use andon_vision::methods::patchcore::PatchCoreModel;
use andon_vision::methods::patches::explain;
use andon_vision::model::Accept;
use andon_vision::model::bundle::Bundle;
use andon_vision::model::head::nearest::{Nearest, Searcher};
use andon_vision::model::head::score::Scorer;

/// The detector of a PatchCore bundle on the card; the twin of [`andon_vision::methods::PatchDetector`].
pub struct DevicePatchCore {
    stage: Stage,
    bundle: Arc<Bundle>,
    model: Arc<PatchCoreModel>,
    scorer: Scorer,
    /// For scores that look at the bank around the nearest row.
    searcher: Option<Searcher>,
    accept: Accept,
    near: Vec<Nearest>,
    label: Vec<u32>,
}

impl DevicePatchCore {
    /// The bundle's bank and scoring behind a network on the card.
    ///
    /// # Errors
    /// [`CudaError::Shape`] when the network's features are not those of the bank; no memory, or the card is lost.
    pub fn new(device: Device, trunk: Box<dyn DeviceTrunk>, bundle: Arc<Bundle>) -> Result<DevicePatchCore, CudaError> {
        let m = &bundle.manifest;
        let dim: usize = trunk.maps().iter().map(|map| map.channels).sum();
        let model = PatchCoreModel::of(&bundle).map_err(CudaError::Shape)?;
        let want = model.about.dim;
        if dim != want as usize {
            return Err(CudaError::Shape(format!("the network gives {dim} values a patch, the bank wants {want}")));
        }
        let mask: Vec<bool> = bundle.mask.iter().map(|v| *v != 0).collect();
        let scorer = Scorer::new(m.scoring, m.grid[0] as usize, m.grid[1] as usize, &mask);
        let spec = StageSpec {
            input: &m.input,
            tiles: m.tiles.map(|n| n.max(1) as usize),
            layers: &m.backbone.layers,
            bank: &model.bank,
            weights: &model.weight,
            scorer: &scorer,
        };
        let stage = Stage::new(device, trunk, &spec)?;
        let searcher = scorer.looks_around().then(|| Searcher::new(model.bank.clone(), dim, 1));
        Ok(DevicePatchCore {
            stage,
            scorer,
            searcher,
            bundle,
            model: Arc::new(model),
            accept: Accept::default(),
            near: Vec::new(),
            label: Vec::new(),
        })
    }

    /// From now on, frames that are not accepted are a fault.
    pub fn require(&mut self, accept: impl Into<Accept>) {
        self.accept = accept.into();
    }

    /// Frames that are scored at a time, at most.
    pub fn frames(&self) -> usize {
        self.stage.frames()
    }

    /// The way of the frames.
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// Scores frames of one layout together, each into its own slot.
    ///
    /// # Errors
    /// As [`Detector::detect`]; then none of them has a score.
    pub fn detect_all(&mut self, frames: &[FrameView<'_>], out: &mut [Detection]) -> Result<(), Fault> {
        for frame in frames {
            self.accept.check(frame)?;
        }
        self.stage.run(frames).map_err(|e| lost(&e))?;
        for (n, (frame, out)) in frames.iter().zip(out).enumerate() {
            self.take(n, frame, out).map_err(|e| lost(&e))?;
        }
        Ok(())
    }

    /// As [`Detector::warm_up`], with so many frames at a time.
    pub(super) fn warm_up_with(&mut self, count: usize) -> Result<(), Fault> {
        let size = self.accept.size().unwrap_or(self.bundle.network().picture_size());
        let [width, height] = size.map(|v| v as usize);
        let grey = vec![127u8; width * height * 3];
        let frame = FrameView::new(PixelFormat::Rgb8, width, height, width * 3, &grey).ok_or(Fault::BadFrame)?;
        // Once for what libraries do at first, once to record, once as it will be.
        let mut out = vec![Detection::default(); count];
        (0..3).try_for_each(|_| self.detect_all(&vec![frame; count], &mut out))
    }

    /// Its memory bank.
    pub(super) fn model(&self) -> &Arc<PatchCoreModel> {
        &self.model
    }

    /// Its model file.
    pub(super) fn bundle(&self) -> &Arc<Bundle> {
        &self.bundle
    }

    /// Copies a frame to where the card reads it, as number `n` of the next [`DevicePatchCore::go`].
    pub(super) fn load(&mut self, n: usize, frame: &FrameView<'_>) -> Result<(), Fault> {
        self.stage.load(n, frame).map_err(|e| lost(&e))
    }

    /// Scores the first `count` frames that were loaded.
    pub(super) fn go(&mut self, count: usize) -> Result<(), Fault> {
        self.stage.go(count).map_err(|e| lost(&e))
    }

    /// The answer for frame `n` of the last [`DevicePatchCore::go`].
    pub(super) fn answer(&mut self, n: usize, frame: &FrameView<'_>, out: &mut Detection) -> Result<(), Fault> {
        self.take(n, frame, out).map_err(|e| lost(&e))
    }

    /// The answer for frame `n` of the last run.
    fn take(&mut self, n: usize, frame: &FrameView<'_>, out: &mut Detection) -> Result<(), CudaError> {
        let grid = self.bundle.manifest.grid;
        (out.map.width, out.map.height) = (grid[0] as usize, grid[1] as usize);
        out.map.data.clear();
        out.map.data.extend_from_slice(self.stage.map(n));
        self.near.clear();
        self.near.extend(self.stage.nearest(n));
        out.score = match (self.scorer.peak(&out.map.data), &mut self.searcher) {
            (Some((peak, at)), Some(searcher)) if !peak.is_nan() => {
                let query = self.stage.feature(n, at)?;
                self.scorer.reweighted(peak, &self.near[at], &query, &self.model.bank, searcher)
            }
            (Some((peak, _)), _) => self.scorer.of_map(&out.map.data, peak),
            (None, _) => f32::NAN,
        };
        out.nearest_patch.clear();
        out.nearest_patch.resize(out.map.data.len(), 0);
        for (cell, near) in self.scorer.cells().iter().zip(&self.near) {
            out.nearest_patch[*cell as usize] = near.index;
        }
        out.frame = (frame.width, frame.height);
        out.times = self.stage.times();
        Ok(())
    }
}

/// Says what the card said, which a fault cannot hold.
fn lost(e: &CudaError) -> Fault {
    tracing::error!("{e}");
    match e {
        CudaError::Shape(_) => Fault::BadFrame,
        _ => Fault::Engine("the card"),
    }
}

impl Detector for DevicePatchCore {
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
        self.stage.name()
    }
}
