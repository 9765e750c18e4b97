//! rten: pure Rust, compiled in, works on a fresh machine.

use std::sync::Arc;

use ::rten::{Model, NodeId, RunOptions, ThreadPool, ValueOrView};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensorView, Tensor};

use super::{Engine, EngineError, EngineOptions, FeatureMap, Network, bad_shape, no_output};
use crate::model::graph::OnnxGraph;

pub(super) struct RtenEngine {
    model: Model,
    input: NodeId,
    outputs: Vec<NodeId>,
    shape: [usize; 4],
    pool: Arc<ThreadPool>,
}

impl RtenEngine {
    pub fn open(network: &Network<'_>, options: &EngineOptions) -> Result<RtenEngine, EngineError> {
        let refused = |why: String| EngineError::Load { engine: "rten", why };
        if let Some(why) = computes_otherwise(network.onnx) {
            return Err(refused(why));
        }
        let model = Model::load(network.onnx.to_vec()).map_err(|e| refused(e.to_string()))?;
        let &[input] = model.input_ids() else {
            return Err(refused(format!("it has {} inputs, not 1", model.input_ids().len())));
        };
        let outputs = network
            .outputs
            .iter()
            .map(|name| {
                let there = model.output_ids().iter().filter_map(|id| model.node_info(*id)?.name());
                model.find_node(name).ok_or_else(|| refused(no_output(name, there)))
            })
            .collect::<Result<_, _>>()?;
        let shape = [1, 3, network.input.height as usize, network.input.width as usize];
        let pool = Arc::new(ThreadPool::with_num_threads(options.threads.max(1)));
        Ok(RtenEngine { model, input, outputs, shape, pool })
    }
}

/// What rten would compute otherwise than the network says.
pub(super) fn computes_otherwise(onnx: &[u8]) -> Option<String> {
    OnnxGraph::read(onnx).ok()?.rten_differs()
}

impl Engine for RtenEngine {
    fn name(&self) -> &'static str {
        "rten"
    }

    fn run(&mut self, input: &[f32], outputs: &mut Vec<FeatureMap>) -> Result<(), EngineError> {
        let failed = |why: String| EngineError::Run { engine: "rten", why };
        let view = NdTensorView::try_from_data(self.shape, input).map_err(|e| failed(e.to_string()))?;
        let mut options = RunOptions::default();
        options.thread_pool = Some(self.pool.clone());
        let values = self
            .model
            .run(vec![(self.input, ValueOrView::from(view))], &self.outputs, Some(options))
            .map_err(|e| failed(e.to_string()))?;
        outputs.resize_with(self.outputs.len(), FeatureMap::default);
        for (value, map) in values.into_iter().zip(outputs) {
            let tensor: Tensor<f32> = value.try_into().map_err(|_| failed("an output is not f32".to_owned()))?;
            let shape = tensor.shape().to_vec();
            let contiguous = tensor.to_contiguous();
            let [_, _, height, width] = self.shape;
            if !map.fill(&shape, contiguous.data(), [width, height]) {
                return Err(failed(bad_shape(&shape)));
            }
        }
        Ok(())
    }
}
