//! PatchCore: distances of a frame's patches to the memory bank. Source: Roth et al., "Towards Total Recall in Industrial
//! Anomaly Detection", CVPR 2022; how distances become scores is [`super::head::score`]'s.

use std::sync::Arc;

use super::bundle::Bundle;
use super::engine::{self, Engine, EngineError, EngineOptions, FeatureMap, Network};
use super::head::aggregate::Aggregator;
use super::head::nearest::{Nearest, Searcher};
use super::head::regions::regions;
use super::head::score::Scorer;
use super::{Accept, Backbone, Embed};
use crate::preprocess::{InputSpec, Preprocessor};
use andon_core::{Detection, Detector, Fault, FrameView, Mono, PixelFormat, Regions, StageTimes};

/// Frames to patch features: preprocessing, network, aggregation.
pub struct PatchEmbedder {
    preprocess: Preprocessor,
    engine: Box<dyn Engine>,
    aggregate: Aggregator,
    input: Vec<f32>,
    maps: Vec<FeatureMap>,
    tiles: [usize; 2],
    tile: Vec<f32>,
    /// Of the whole picture: all tiles.
    grid: (usize, usize),
    dim: usize,
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
            tiles: backbone.tiles.map(|n| n.max(1) as usize),
            tile: Vec::new(),
            grid: (0, 0),
            dim: 0,
            times: StageTimes::default(),
        };
        embedder.engine.run(&embedder.input, &mut embedder.maps)?;
        let (width, height, dim) = embedder.aggregate.run(&embedder.maps, &mut embedder.tile);
        if dim == 0 || embedder.maps.len() != backbone.layers.len() {
            let why = "its outputs have no values, or there are more of them than layers".to_owned();
            return Err(EngineError::Load { engine: embedder.engine.name(), why });
        }
        (embedder.grid, embedder.dim) = ((width * embedder.tiles[0], height * embedder.tiles[1]), dim);
        Ok(embedder)
    }

    /// Opens the backbone with an engine; also says why that is not the fastest, if so.
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
        let [columns, rows] = self.tiles;
        if (columns, rows) == (1, 1) {
            return self.embed_tile(frame, out);
        }
        out.resize(self.grid.0 * self.grid.1 * self.dim, 0.0);
        let mut tile = std::mem::take(&mut self.tile);
        let line = self.grid.0 / columns * self.dim;
        for (row, column) in (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))) {
            let edges = |i: usize, of: usize, pixels: usize| (i * pixels / of, (i + 1) * pixels / of);
            let ((left, right), (top, bottom)) = (edges(column, columns, frame.width), edges(row, rows, frame.height));
            let view = frame.crop(left, top, right - left, bottom - top).ok_or(Fault::BadFrame)?;
            self.embed_tile(&view, &mut tile)?;
            let first = row * (self.grid.1 / rows) * self.grid.0 * self.dim + column * line;
            for (y, from) in tile.chunks_exact(line).enumerate() {
                let to = first + y * self.grid.0 * self.dim;
                out[to..to + line].copy_from_slice(from);
            }
        }
        self.tile = tile;
        Ok(())
    }
}

impl PatchEmbedder {
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
        if (width * self.tiles[0], height * self.tiles[1], dim) != (self.grid.0, self.grid.1, self.dim) {
            return Err(Fault::Engine("the network changed its output's shape"));
        }
        self.times.preprocess_ns += prepared.0 - start.0;
        self.times.infer_ns += inferred.0 - prepared.0;
        self.times.aggregate_ns += Mono::now().0 - inferred.0;
        Ok(())
    }
}

/// The detector of a PatchCore bundle.
pub struct PatchCore {
    embedder: PatchEmbedder,
    searcher: Searcher,
    scorer: Scorer,
    bundle: Arc<Bundle>,
    accept: Accept,
    features: Vec<f32>,
    nearest: Vec<Nearest>,
    label: Vec<u32>,
}

impl PatchCore {
    /// An embedder for the bundle's network, its bank on this many threads.
    ///
    /// # Errors
    /// [`EngineError::Load`] when the network's features are not those of the bank.
    pub fn new(embedder: PatchEmbedder, bundle: Arc<Bundle>, threads: usize) -> Result<PatchCore, EngineError> {
        let m = &bundle.manifest;
        let (dim, grid) = (m.dim as usize, (m.grid[0] as usize, m.grid[1] as usize));
        if (embedder.dim(), embedder.grid()) != (dim, grid) {
            let (d, g) = (embedder.dim(), embedder.grid());
            let why = format!(
                "it gives {d} values for each of {}x{} patches, the bank wants {dim} for {}x{}",
                g.0, g.1, grid.0, grid.1
            );
            return Err(EngineError::Load { engine: embedder.engine_name(), why });
        }
        let mask: Vec<bool> = bundle.mask.iter().map(|v| *v != 0).collect();
        Ok(PatchCore {
            searcher: Searcher::new(bundle.bank.clone(), dim, threads),
            scorer: Scorer::new(m.scoring, grid.0, grid.1, &mask),
            embedder,
            bundle,
            accept: Accept::default(),
            features: Vec::new(),
            nearest: Vec::new(),
            label: Vec::new(),
        })
    }

    /// From now on, frames that are not accepted are a fault.
    pub fn require(&mut self, accept: impl Into<Accept>) {
        self.accept = accept.into();
    }
}

impl Detector for PatchCore {
    fn warm_up(&mut self) -> Result<(), Fault> {
        let size = self.accept.size().unwrap_or([self.embedder.input().width, self.embedder.input().height]);
        let [width, height] = size.map(|v| v as usize);
        let grey = vec![127u8; width * height];
        let frame = FrameView::new(PixelFormat::Gray8, width, height, width, &grey).ok_or(Fault::BadFrame)?;
        self.score(&frame, &mut Detection::default())
    }

    fn detect(&mut self, frame: &FrameView<'_>, out: &mut Detection) -> Result<(), Fault> {
        self.accept.check(frame)?;
        self.score(frame, out)
    }

    fn explain(&mut self, out: &Detection, threshold: f32) -> Regions {
        explain(&self.bundle, out, threshold, &mut self.label)
    }

    fn engine_name(&self) -> &'static str {
        self.embedder.engine_name()
    }
}

impl PatchCore {
    fn score(&mut self, frame: &FrameView<'_>, out: &mut Detection) -> Result<(), Fault> {
        self.embedder.embed(frame, &mut self.features)?;
        let start = Mono::now();
        let dim = self.bundle.manifest.dim as usize;
        self.scorer.keep_cells(&mut self.features, dim);
        self.searcher.search_into(&self.features, &mut self.nearest);
        (out.map.width, out.map.height) = self.embedder.grid();
        self.scorer.map_into(&self.nearest, &self.bundle.bank_weight, &mut out.map.data);
        let (map, bank) = (&out.map.data, &self.bundle.bank);
        out.score = self.scorer.score(map, &self.nearest, &self.features, bank, &mut self.searcher);
        out.rows.clear();
        out.rows.resize(out.map.data.len(), 0);
        for (cell, near) in self.scorer.cells().iter().zip(&self.nearest) {
            out.rows[*cell as usize] = near.index;
        }
        out.frame = (frame.width, frame.height);
        out.times = StageTimes { score_ns: Mono::now().0 - start.0, ..self.embedder.times() };
        Ok(())
    }
}

/// Where a detection's map is at or above `threshold`, and which good patches are nearest there. `label` is scratch memory.
pub fn explain(bundle: &Bundle, out: &Detection, threshold: f32, label: &mut Vec<u32>) -> Regions {
    let m = &bundle.manifest;
    let cell_area = (m.input.width * m.tiles[0] * m.input.height * m.tiles[1]) as f32 / out.map.data.len() as f32;
    let min_cells = m.scoring.min_area as f32 / cell_area;
    let nearest = |cell: usize| {
        let row = out.rows.get(cell).map_or(0, |r| *r as usize);
        let at = bundle.bank_cell.get(row).map_or(0, |c| *c);
        let share = |i: u32, of: u32| (i as f32 + 0.5) / of as f32;
        let source = bundle.bank_source.get(row).map_or(0, |s| *s);
        (source, [share(at % m.grid[0], m.grid[0]), share(at / m.grid[0], m.grid[1])])
    };
    regions(&out.map, threshold, out.frame, min_cells, label, nearest)
}
