//! Which values flow through a network's convolutions, seen on real pictures.

use super::{ActivationRanges, GraphError, OnnxGraph};
use crate::model::Backbone;
use crate::model::engine::{self, EngineError, EngineOptions, Network};
use crate::preprocess::{Preprocessor, Tiling};
use andon_core::FrameView;

/// Why nothing was seen.
#[derive(Debug, thiserror::Error)]
pub enum CalibrationError {
    /// The network cannot be changed.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// It cannot be run.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Runs a network on pictures, one after the other, and remembers how large the values before its convolutions are.
pub struct Calibrator {
    engine: Box<dyn engine::Engine>,
    preprocess: Preprocessor,
    tiling: Tiling,
    input: Vec<f32>,
    maps: Vec<engine::FeatureMap>,
    input_name: String,
    names: Vec<String>,
    ranges: ActivationRanges,
}

impl Calibrator {
    /// Opens the network with everything as an output that is looked at.
    ///
    /// # Errors
    /// [`CalibrationError`].
    pub fn open(backbone: &Backbone, options: &EngineOptions) -> Result<Calibrator, CalibrationError> {
        let mut graph = OnnxGraph::read(&backbone.onnx)?;
        graph.keep_outputs(&backbone.outputs)?;
        let input_name = graph.set_input(Some(1), backbone.input.height as usize, backbone.input.width as usize)?;
        let names: Vec<String> = graph.quantized_tensors().into_iter().filter(|n| *n != input_name).collect();
        let onnx = graph.with_outputs(&names).write();
        let network = Network { onnx: &onnx, input: &backbone.input, outputs: &names };
        Ok(Calibrator {
            engine: engine::open(&network, options)?.engine,
            preprocess: Preprocessor::new(backbone.input.clone()),
            tiling: Tiling::new(backbone.tiles),
            input: vec![0.0; backbone.input.len()],
            maps: Vec::new(),
            input_name,
            names,
            ranges: ActivationRanges::new(),
        })
    }

    /// Takes one good picture in, tile by tile.
    ///
    /// # Errors
    /// [`CalibrationError::Engine`]: the network failed.
    pub fn see(&mut self, frame: &FrameView<'_>) -> Result<(), CalibrationError> {
        for tile in self.tiling.tiles(frame.width, frame.height) {
            let Some(tile) = tile.of(frame) else { continue };
            self.preprocess.prepare_into(&tile, &mut self.input);
            self.engine.run(&self.input, &mut self.maps)?;
            self.ranges.entry(self.input_name.clone()).or_default().see(&self.input);
            for (name, map) in self.names.iter().zip(&self.maps) {
                self.ranges.entry(name.clone()).or_default().see(&map.data);
            }
        }
        Ok(())
    }

    /// What was seen.
    pub fn ranges(self) -> ActivationRanges {
        self.ranges
    }
}
