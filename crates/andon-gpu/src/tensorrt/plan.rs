//! Which engine a model needs, what it depends on (the fingerprint), and how it is built.

use super::{BuildRequest, Progress, TensorRt, TensorRtError};
use crate::driver::Device;
use crate::error::CudaError;
use andon_vision::model::Backbone;
use andon_vision::model::graph::{ActivationRanges, GraphError, OnnxGraph, Precision};

/// Version of our ONNX rewriting; part of the engine fingerprint. Bump on any change in `model::graph`.
const GRAPH_REWRITE_VERSION: u32 = 3;

/// An engine that a model needs on a GPU.
#[derive(Clone, Copy, Debug)]
pub struct EnginePlan<'a> {
    /// The network.
    pub backbone: &'a Backbone,
    /// The model's name: ranges of eight bits belong to one part.
    pub part: &'a str,
    /// Arithmetic.
    pub precision: Precision,
    /// Frames at a time, at most.
    pub frames: usize,
}

impl EnginePlan<'_> {
    /// Images at a time, at most: every tile of every frame.
    pub fn images(&self) -> usize {
        self.frames.max(1) * self.backbone.tiles.iter().map(|n| (*n).max(1) as usize).product::<usize>()
    }

    /// What the engine depends on, as hex digits: network, precision, batch, GPU, driver, library. One that was built for anything else
    /// is never used.
    ///
    /// # Errors
    /// The driver does not say what the GPU is.
    pub fn fingerprint(&self, library: &TensorRt, device: &Device) -> Result<String, CudaError> {
        let part = if self.precision == Precision::Int8 { self.part } else { "" };
        let b = self.backbone;
        let text = format!(
            "{GRAPH_REWRITE_VERSION}\n{}\n{}x{}\n{:?}\n{}\n{}\n{part}\n{}\n{}\n{}",
            blake3::hash(&b.onnx),
            b.input.width,
            b.input.height,
            b.outputs,
            self.precision.as_str(),
            self.images(),
            device.kind()?,
            device.driver(),
            library.name()
        );
        Ok(blake3::hash(text.as_bytes()).to_hex()[..32].to_owned())
    }

    /// The network as it is built: a fixed input of one image, or a batch of any size up to [`EnginePlan::images`].
    ///
    /// # Errors
    /// [`GraphError`].
    pub fn graph(&self, ranges: &ActivationRanges) -> Result<(Vec<u8>, String), GraphError> {
        let b = self.backbone;
        let mut graph = OnnxGraph::read(&b.onnx)?;
        graph.keep_outputs(&b.outputs)?;
        let batch = (self.images() == 1).then_some(1);
        let input = graph.set_input(batch, b.input.height as usize, b.input.width as usize)?;
        let graph = graph.in_precision(self.precision, ranges)?;
        let graph = if self.precision == Precision::Fp16 { graph.half_input() } else { graph };
        Ok((graph.write(), input))
    }

    /// Builds the engine: seconds to many minutes. `timings` as in [`TensorRt::build`].
    ///
    /// # Errors
    /// [`TensorRtError::Build`].
    pub fn build(
        &self,
        library: &TensorRt,
        ranges: &ActivationRanges,
        workspace: usize,
        timings: &mut Vec<u8>,
        progress: &Progress<'_>,
    ) -> Result<Vec<u8>, TensorRtError> {
        let written = self.graph(ranges);
        let (onnx, input) =
            written.map_err(|e| TensorRtError::Build { library: library.name(), why: e.to_string() })?;
        let (height, width) = (i64::from(self.backbone.input.height), i64::from(self.backbone.input.width));
        let shape = |n: usize| [n as i64, 3, height, width];
        let (one, all) = (shape(1), shape(self.images()));
        let batch = (self.images() > 1).then_some((input.as_str(), [&one[..], &all[..], &all[..]]));
        let build = BuildRequest { onnx: &onnx, precision: self.precision, workspace, batch };
        library.build(&build, timings, progress)
    }
}
