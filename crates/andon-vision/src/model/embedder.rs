//! Frames to patch features: preprocessing, network, aggregation. What every method that scores patch features begins with.

use super::engine::{self, Engine, EngineError, EngineOptions, FeatureMap, Network};
use super::head::aggregate::Aggregator;
use super::{Backbone, Embed};
use crate::preprocess::align::Aligner;
use crate::preprocess::{InputSpec, Preprocessor, Tiling};
use andon_core::{Fault, FrameView, Mono, StageTimes};

/// Frames to patch features: preprocessing, network, aggregation.
pub struct PatchEmbedder {
    preprocess: Preprocessor,
    engine: Box<dyn Engine>,
    aggregate: Aggregator,
    input: Vec<f32>,
    maps: Vec<FeatureMap>,
    tiling: Tiling,
    tile: Vec<f32>,
    /// Of the whole picture: all tiles.
    grid: (usize, usize),
    dim: usize,
    aligner: Option<Aligner>,
    times: StageTimes,
}

impl PatchEmbedder {
    /// Runs the network once to learn its geometry (and so that the first frame pays for nothing).
    ///
    /// # Errors
    /// [`EngineError`] when the network fails on an even grey picture or its outputs cannot become patch features.
    pub fn new(backbone: &Backbone, engine: Box<dyn Engine>) -> Result<PatchEmbedder, EngineError> {
        let input = backbone.input.clone();
        let mut embedder = PatchEmbedder {
            input: vec![0.0; input.len()],
            preprocess: Preprocessor::new(input),
            engine,
            aggregate: Aggregator::new(backbone.layers.clone()),
            maps: Vec::new(),
            tiling: Tiling::new(backbone.tiles),
            tile: Vec::new(),
            grid: (0, 0),
            dim: 0,
            aligner: backbone
                .align
                .clone()
                .map(|reference| Aligner::new(reference, backbone.picture_size(), backbone.input.range)),
            times: StageTimes::default(),
        };
        embedder.engine.run(&embedder.input, &mut embedder.maps)?;
        let (width, height, dim) = embedder.aggregate.run(&embedder.maps, &mut embedder.tile);
        if dim == 0 || embedder.maps.len() != backbone.layers.len() {
            let why = "its outputs have no values, or there are more of them than layers".to_owned();
            return Err(EngineError::Load { engine: embedder.engine.name(), why });
        }
        (embedder.grid, embedder.dim) = ((width * embedder.tiling.columns, height * embedder.tiling.rows), dim);
        Ok(embedder)
    }

    /// Opens the backbone with an engine; the second value is why it is not the fastest engine, if it is not.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn open(backbone: &Backbone, options: &EngineOptions) -> Result<(PatchEmbedder, Option<String>), EngineError> {
        let network = Network { onnx: &backbone.onnx, input: &backbone.input, outputs: &backbone.outputs };
        let opened = engine::open(&network, options)?;
        Ok((PatchEmbedder::new(backbone, opened.engine)?, opened.degraded))
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
        self.times = StageTimes::default();
        let Some(mut aligner) = self.aligner.take() else { return self.embed_whole(frame, out) };
        let start = Mono::now();
        let aligned = aligner.align(frame);
        self.times.preprocess_ns = Mono::now().0 - start.0;
        let done = aligned.and_then(|upright| self.embed_whole(&upright, out));
        self.aligner = Some(aligner);
        done
    }

    fn upright(&mut self, frame: &FrameView<'_>) -> Result<Option<Vec<u8>>, Fault> {
        self.aligner.as_mut().map(|aligner| aligner.align(frame).map(|upright| upright.data.to_vec())).transpose()
    }

    fn embed_upright(&mut self, frame: &FrameView<'_>, out: &mut Vec<f32>) -> Result<(), Fault> {
        self.times = StageTimes::default();
        self.embed_whole(frame, out)
    }
}

impl PatchEmbedder {
    /// Brings cells back to where the frame had them, if parts are aligned: see [`Aligner::turn_back`].
    pub fn turn_back(&self, values: &[f32]) -> Option<Vec<Option<usize>>> {
        self.aligner.as_ref().map(|aligner| aligner.turn_back(values, self.grid.0, self.grid.1))
    }

    fn embed_whole(&mut self, frame: &FrameView<'_>, out: &mut Vec<f32>) -> Result<(), Fault> {
        let Tiling { columns, rows } = self.tiling;
        if self.tiling.count() == 1 {
            return self.embed_tile(frame, out);
        }
        out.resize(self.grid.0 * self.grid.1 * self.dim, 0.0);
        let mut values = std::mem::take(&mut self.tile);
        let line = self.grid.0 / columns * self.dim;
        for tile in self.tiling.tiles(frame.width, frame.height) {
            let view = tile.of(frame).ok_or(Fault::BadFrame)?;
            self.embed_tile(&view, &mut values)?;
            let first = tile.row * (self.grid.1 / rows) * self.grid.0 * self.dim + tile.column * line;
            for (y, from) in values.chunks_exact(line).enumerate() {
                let to = first + y * self.grid.0 * self.dim;
                out[to..to + line].copy_from_slice(from);
            }
        }
        self.tile = values;
        Ok(())
    }

    fn embed_tile(&mut self, frame: &FrameView<'_>, out: &mut Vec<f32>) -> Result<(), Fault> {
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
        if (width * self.tiling.columns, height * self.tiling.rows, dim) != (self.grid.0, self.grid.1, self.dim) {
            return Err(Fault::Engine("the network changed its output's shape"));
        }
        self.times.preprocess_ns += prepared.0 - start.0;
        self.times.infer_ns += inferred.0 - prepared.0;
        self.times.aggregate_ns += Mono::now().0 - inferred.0;
        Ok(())
    }
}
