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
        let model = load(network.onnx).map_err(refused)?;
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

/// A network in rten, which is told what it does not take for granted.
///
/// # Errors
/// It is no network, or rten lacks an operator or would compute one otherwise; in words.
pub(super) fn load(onnx: &[u8]) -> Result<Model, String> {
    let mut onnx = onnx.to_vec();
    // What cannot be read is rten's to refuse.
    if let Ok(mut graph) = OnnxGraph::read(&onnx) {
        if let Some(why) = graph.rten_differs() {
            return Err(why);
        }
        if graph.write_strides() {
            onnx = graph.write();
        }
    }
    Model::load(onnx).map_err(|e| e.to_string())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::graph::GraphBuilder;

    #[test]
    fn convolutions_may_leave_out_what_the_format_lets_them_leave_out() {
        let mut graph = GraphBuilder::new("plain");
        graph.input("x", &[1, 3, 8, 8]);
        let w = graph.constant(&[4, 3, 3, 3], &[1.0; 4 * 27]);
        // Weights of which only a run tells the shape.
        let w = graph.node("Identity", &[&w], &[]);
        let narrow = graph.node("Conv", &["x", &w], &[]);
        let w = graph.constant(&[4, 2, 2, 2], &[1.0; 32]);
        let wide = graph.node("ConvTranspose", &[&narrow, &w], &[]);
        graph.output(&wide, "y", None);
        let model = load(&graph.write()).unwrap();
        let (x, y) = (model.find_node("x").unwrap(), model.find_node("y").unwrap());
        let ones = [1.0f32; 3 * 64];
        let view = NdTensorView::try_from_data([1, 3, 8, 8], ones.as_slice()).unwrap();
        let made = model.run(vec![(x, ValueOrView::from(view))], &[y], None).unwrap();
        let y: Tensor<f32> = made.into_iter().next().unwrap().try_into().unwrap();
        assert_eq!(y.shape(), [1, 2, 7, 7]);
        let y = y.to_vec();
        assert_eq!((y[0], y[1], y[8]), (108.0, 216.0, 432.0));
    }
}
