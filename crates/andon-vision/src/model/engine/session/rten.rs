//! Graphs in rten.

use std::sync::Arc;

use ::rten::{Model, RunOptions, ThreadPool, Value as RtenValue, ValueOrView};
use rten_tensor::Tensor;
use rten_tensor::prelude::*;

use super::super::rten::load;
use super::{EngineError, EngineOptions, Session, Value};

pub(super) struct RtenSession {
    model: Model,
    pool: Arc<ThreadPool>,
}

impl RtenSession {
    pub fn open(onnx: &[u8], options: &EngineOptions) -> Result<RtenSession, EngineError> {
        let refused = |why: String| EngineError::Load { engine: "rten", why };
        let model = load(onnx).map_err(refused)?;
        Ok(RtenSession { model, pool: Arc::new(ThreadPool::with_num_threads(options.threads.max(1))) })
    }
}

fn failed(why: impl std::fmt::Display) -> EngineError {
    EngineError::Run { engine: "rten", why: why.to_string() }
}

impl Session for RtenSession {
    fn name(&self) -> &'static str {
        "rten"
    }

    fn value(&self, shape: &[usize], data: &[f32]) -> Result<Value, EngineError> {
        let tensor = Tensor::try_from_data(shape, data.to_vec()).map_err(failed)?;
        Ok(Value::Rten(RtenValue::from(tensor)))
    }

    fn run(&mut self, inputs: &[(&str, &Value)], outputs: &[&str]) -> Result<Vec<Value>, EngineError> {
        let id = |name: &str| self.model.find_node(name).ok_or_else(|| failed(format!("it has no value `{name}`")));
        let given = inputs
            .iter()
            .map(|(name, value)| match value {
                Value::Rten(value) => Ok((id(name)?, ValueOrView::from(value))),
                #[cfg(feature = "ort")]
                Value::Ort(_) => Err(failed(format!("the input `{name}` is another engine's"))),
            })
            .collect::<Result<Vec<_>, _>>()?;
        let wanted = outputs.iter().map(|name| id(name)).collect::<Result<Vec<_>, _>>()?;
        let mut options = RunOptions::default();
        options.thread_pool = Some(self.pool.clone());
        let made = self.model.run(given, &wanted, Some(options)).map_err(failed)?;
        Ok(made.into_iter().map(Value::Rten).collect())
    }

    fn read(&self, value: &Value) -> Result<(Vec<usize>, Vec<f32>), EngineError> {
        match value {
            Value::Rten(value) => {
                let view = value.as_tensor_view::<f32>().ok_or_else(|| failed("a value is not f32"))?;
                Ok((view.shape().to_vec(), view.to_vec()))
            }
            #[cfg(feature = "ort")]
            Value::Ort(_) => Err(failed("a value is another engine's")),
        }
    }
}
