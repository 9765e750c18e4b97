//! PatchCore: distances of a frame's patches to the memory bank. Source: Roth et al., «Towards Total Recall in Industrial
//! Anomaly Detection», CVPR 2022; image score without re-weighting.

use std::sync::Arc;

use super::engine::{self, Engine, EngineError, EngineOptions, FeatureMap, Network};
use super::head::aggregate::Aggregator;
use super::head::nearest::{Nearest, Searcher};
use super::{Backbone, Detector, Embed};
use crate::preprocess::{InputSpec, Preprocessor};
use crate::types::{Detection, Fault, FrameView, Mono, PixelFormat, StageTimes};

/// Frames to patch features: preprocessing, network, aggregation.
pub struct PatchEmbedder {
    preprocess: Preprocessor,
    engine: Box<dyn Engine>,
    aggregate: Aggregator,
    input: Vec<f32>,
    maps: Vec<FeatureMap>,
    grid: (usize, usize),
    dim: usize,
    times: StageTimes,
}

impl PatchEmbedder {
    /// Runs the network once to learn its geometry (and so that the first frame pays for nothing).
    ///
    /// # Errors
    /// [`EngineError`] when the network fails on an even grey picture.
    pub fn new(input: InputSpec, engine: Box<dyn Engine>) -> Result<PatchEmbedder, EngineError> {
        let mut embedder = PatchEmbedder {
            input: vec![0.0; input.len()],
            preprocess: Preprocessor::new(input),
            engine,
            aggregate: Aggregator::default(),
            maps: Vec::new(),
            grid: (0, 0),
            dim: 0,
            times: StageTimes::default(),
        };
        let mut features = Vec::new();
        embedder.engine.run(&embedder.input, &mut embedder.maps)?;
        let (width, height, dim) = embedder.aggregate.run(&embedder.maps, &mut features);
        (embedder.grid, embedder.dim) = ((width, height), dim);
        Ok(embedder)
    }

    /// Opens the backbone with an engine; also says why that is not the fastest, if so.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn open(backbone: &Backbone, options: &EngineOptions) -> Result<(PatchEmbedder, Option<String>), EngineError> {
        let network = Network { onnx: &backbone.onnx, input: &backbone.input, outputs: &backbone.outputs };
        let opened = engine::open(&network, options)?;
        Ok((PatchEmbedder::new(backbone.input.clone(), opened.engine)?, opened.degraded))
    }

    /// `ort`, `rten`, …
    pub fn engine_name(&self) -> &'static str {
        self.engine.name()
    }

    /// The network's input.
    pub fn input(&self) -> &InputSpec {
        self.preprocess.spec()
    }

    /// Times of the last [`Embed::embed`].
    pub fn times(&self) -> StageTimes {
        self.times
    }
}

impl Embed for PatchEmbedder {
    fn grid(&self) -> (usize, usize) {
        self.grid
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn embed(&mut self, frame: &FrameView<'_>, out: &mut Vec<f32>) -> Result<(), Fault> {
        let start = Mono::now();
        self.preprocess.prepare_into(frame, &mut self.input);
        let prepared = Mono::now();
        if let Err(e) = self.engine.run(&self.input, &mut self.maps) {
            // Rare, and the only place that still knows the engine's words.
            tracing::error!("{e}");
            return Err(Fault::Engine(self.engine.name()));
        }
        let inferred = Mono::now();
        let (width, height, dim) = self.aggregate.run(&self.maps, out);
        if ((width, height), dim) != (self.grid, self.dim) {
            return Err(Fault::Engine("the network changed its output's shape"));
        }
        self.times = StageTimes {
            preprocess_ns: prepared.0 - start.0,
            infer_ns: inferred.0 - prepared.0,
            aggregate_ns: Mono::now().0 - inferred.0,
            score_ns: 0,
        };
        Ok(())
    }
}

/// The detector of a PatchCore bundle.
pub struct PatchCore {
    embedder: PatchEmbedder,
    searcher: Searcher,
    frame_size: Option<[u32; 2]>,
    features: Vec<f32>,
    nearest: Vec<Nearest>,
}

impl PatchCore {
    /// `bank` holds `n * dim` values.
    ///
    /// # Errors
    /// [`EngineError::Load`] when the network's features have another length than the bank's.
    pub fn new(
        embedder: PatchEmbedder,
        bank: Arc<[f32]>,
        dim: usize,
        threads: usize,
    ) -> Result<PatchCore, EngineError> {
        if embedder.dim() != dim {
            let why = format!("its features have {} values, those of the bank {dim}", embedder.dim());
            return Err(EngineError::Load { engine: embedder.engine_name(), why });
        }
        let searcher = Searcher::new(bank, dim, threads);
        Ok(PatchCore { embedder, searcher, frame_size: None, features: Vec::new(), nearest: Vec::new() })
    }

    /// From now on, frames of any other size (width, height) are a fault; `None` takes all.
    pub fn require_frame_size(&mut self, size: Option<[u32; 2]>) {
        self.frame_size = size;
    }
}

impl Detector for PatchCore {
    fn warm_up(&mut self) -> Result<(), Fault> {
        let size = self.frame_size.unwrap_or([self.embedder.input().width, self.embedder.input().height]);
        let [width, height] = size.map(|v| v as usize);
        let grey = vec![127u8; width * height];
        let frame = FrameView::new(PixelFormat::Gray8, width, height, width, &grey).ok_or(Fault::BadFrame)?;
        self.detect(&frame, &mut Detection::default())
    }

    fn detect(&mut self, frame: &FrameView<'_>, out: &mut Detection) -> Result<(), Fault> {
        if let Some([want_w, want_h]) = self.frame_size {
            let (got_w, got_h) = (frame.width as u32, frame.height as u32);
            if (got_w, got_h) != (want_w, want_h) {
                return Err(Fault::WrongSize { got_w, got_h, want_w, want_h });
            }
        }
        self.embedder.embed(frame, &mut self.features)?;
        let start = Mono::now();
        self.searcher.search_into(&self.features, &mut self.nearest);
        (out.map.width, out.map.height) = self.embedder.grid();
        out.map.data.clear();
        out.map.data.extend(self.nearest.iter().map(|n| n.distance));
        out.score = max_or_nan(&out.map.data);
        out.times = StageTimes { score_ns: Mono::now().0 - start.0, ..self.embedder.times() };
        Ok(())
    }

    fn engine_name(&self) -> &'static str {
        self.embedder.engine_name()
    }
}

/// The largest value; NaN if any is NaN or there is none, so that a broken patch can never make a part look good.
pub fn max_or_nan(values: &[f32]) -> f32 {
    values.iter().copied().reduce(|a, b| if a.is_nan() || a > b { a } else { b }).unwrap_or(f32::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_nan_anywhere_makes_the_score_nan() {
        assert_eq!(max_or_nan(&[1.0, 3.0, 2.0]), 3.0);
        for values in [[f32::NAN, 1.0, 2.0], [1.0, f32::NAN, 2.0], [1.0, 2.0, f32::NAN]] {
            assert!(max_or_nan(&values).is_nan());
        }
        assert!(max_or_nan(&[]).is_nan());
    }
}
