//! The detector of every method that scores patch features, on the CPU.

use std::sync::Arc;

use super::{PatchHead, PatchModel};
use crate::model::Embed;
use crate::model::bundle::{Bundle, Manifest};
use crate::model::embedder::PatchEmbedder;
use crate::model::engine::EngineError;
use crate::model::head::knn::Nearest;
use crate::model::head::regions::regions;
use crate::model::head::score::Scorer;
use andon_core::{Detection, Detector, Fault, FrameView, Mono, NearestGood, PixelFormat, Regions, StageTimes};

/// Features of a network, scored by a method's head. Takes frames of every size and kind: what may be judged is limited by
/// [`crate::model::Restricted`].
pub struct PatchDetector {
    embedder: PatchEmbedder,
    model: Box<dyn PatchModel>,
    head: Box<dyn PatchHead>,
    scorer: Scorer,
    bundle: Arc<Bundle>,
    features: Vec<f32>,
    nearest: Vec<Nearest>,
    label: Vec<u32>,
}

impl PatchDetector {
    /// An embedder for the bundle's network, and its model on this many threads.
    ///
    /// # Errors
    /// [`EngineError::Load`] when the bundle is not of a method that scores patch features, or the network's features are not those that it
    /// was learned from.
    pub fn new(embedder: PatchEmbedder, bundle: Arc<Bundle>, threads: usize) -> Result<PatchDetector, EngineError> {
        let engine = embedder.engine_name();
        let load = |why| EngineError::Load { engine, why };
        let model = crate::methods::of(&bundle).and_then(|method| method.patch_model(&bundle)).map_err(load)?;
        let model = model.ok_or_else(|| load("the model's method scores no patch features".to_owned()))?;
        let (dim, grid) = (model.dim(), bundle.grid());
        if (embedder.dim(), embedder.grid()) != (dim, grid) {
            let (d, g) = (embedder.dim(), embedder.grid());
            return Err(load(format!(
                "it gives {d} values for each of {}x{} patches, the model wants {dim} for {}x{}",
                g.0, g.1, grid.0, grid.1
            )));
        }
        Ok(PatchDetector {
            head: model.head(threads),
            model,
            scorer: Scorer::new(bundle.manifest.scoring, grid.0, grid.1, &bundle.judged_cells()),
            embedder,
            bundle,
            features: Vec::new(),
            nearest: Vec::new(),
            label: Vec::new(),
        })
    }
}

impl Detector for PatchDetector {
    fn warm_up(&mut self) -> Result<(), Fault> {
        let bundle = self.bundle.clone();
        if bundle.manifest.align.is_some() {
            // An even picture is no part and fits no pose.
            return bundle
                .parity_frames()
                .next()
                .map_or(Ok(()), |frame| self.detect(&frame, &mut Detection::default()));
        }
        let [width, height] = self.bundle.network().picture_size().map(|v| v as usize);
        let grey = vec![127u8; width * height];
        let frame = FrameView::new(PixelFormat::Gray8, width, height, width, &grey).ok_or(Fault::BadFrame)?;
        self.detect(&frame, &mut Detection::default())
    }

    fn detect(&mut self, frame: &FrameView<'_>, out: &mut Detection) -> Result<(), Fault> {
        self.embedder.embed(frame, &mut self.features)?;
        let start = Mono::now();
        self.scorer.keep_cells(&mut self.features, self.embedder.dim());
        (out.map.width, out.map.height) = self.embedder.grid();
        out.score = self.head.score_into(&self.features, &mut self.scorer, &mut out.map.data, &mut self.nearest);
        out.nearest_patch.clear();
        if !self.nearest.is_empty() {
            out.nearest_patch.resize(out.map.data.len(), 0);
            for (cell, near) in self.scorer.cells().iter().zip(&self.nearest) {
                out.nearest_patch[*cell as usize] = near.index;
            }
        }
        if let Some(back) = self.embedder.turn_back(&out.map.data) {
            turn_back(&back, out);
        }
        out.frame = (frame.width, frame.height);
        out.times = StageTimes { score_ns: Mono::now().0 - start.0, ..self.embedder.times() };
        Ok(())
    }

    fn explain(&mut self, out: &Detection, threshold: f32) -> Regions {
        explain(&self.bundle.manifest, self.model.as_ref(), out, threshold, &mut self.label)
    }

    fn engine_name(&self) -> &'static str {
        self.embedder.engine_name()
    }
}

/// Map and evidence as the frame has them: nothing where the aligned picture does not show the frame.
pub fn turn_back(back: &[Option<usize>], out: &mut Detection) {
    out.map.data = back.iter().map(|cell| cell.map_or(0.0, |c| out.map.data[c])).collect();
    if !out.nearest_patch.is_empty() {
        out.nearest_patch = back.iter().map(|cell| cell.map_or(0, |c| out.nearest_patch[c])).collect();
    }
}

/// The regions of a detection's map at or above `threshold`, each with the good patch nearest to its peak, where the method knows one.
/// `label` is scratch memory.
pub fn explain(m: &Manifest, model: &dyn PatchModel, out: &Detection, threshold: f32, label: &mut Vec<u32>) -> Regions {
    let cell_area = (m.input.width * m.tiles[0] * m.input.height * m.tiles[1]) as f32 / out.map.data.len() as f32;
    let min_cells = m.scoring.min_area as f32 / cell_area;
    let nearest = |cell: usize| {
        let (source, at) = model.nearest_good(*out.nearest_patch.get(cell)?)?;
        let share = |i: u32, of: u32| (i as f32 + 0.5) / of as f32;
        Some(NearestGood { source, at: [share(at % m.grid[0], m.grid[0]), share(at / m.grid[0], m.grid[1])] })
    };
    regions(&out.map, threshold, out.frame, min_cells, label, nearest)
}
