//! Graphs in ONNX Runtime.

use ::ort::environment::Environment;
use ::ort::ep::CPU;
use ::ort::session::{Session as OrtRun, SessionInputValue};
use ::ort::value::Tensor;

use super::super::ort::{builder, environment, one_line};
use super::super::ort_library;
use super::{EngineError, EngineOptions, Session, Value};

pub(super) struct OrtSession {
    session: OrtRun,
}

impl OrtSession {
    pub fn open(onnx: &[u8], options: &EngineOptions) -> Result<OrtSession, EngineError> {
        let path = ort_library::find(options.ort_library.as_deref())?;
        let environment = environment(&path)?;
        let session = OrtSession::load(&environment, onnx, options)
            .map_err(|e| EngineError::Load { engine: "ort", why: one_line(&e) })?;
        Ok(OrtSession { session })
    }

    /// Without an arena: several graphs of one training step would each keep their peak.
    fn load(environment: &Environment, onnx: &[u8], options: &EngineOptions) -> ::ort::Result<OrtRun> {
        builder(environment, options)?
            .with_memory_pattern(false)?
            .with_execution_providers([CPU::default().with_arena_allocator(false).build()])?
            .commit_from_memory(onnx)
    }
}

fn failed(why: impl std::fmt::Display) -> EngineError {
    EngineError::Run { engine: "ort", why: one_line(&why) }
}

impl Session for OrtSession {
    fn name(&self) -> &'static str {
        "ort"
    }

    fn value(&self, shape: &[usize], data: &[f32]) -> Result<Value, EngineError> {
        let tensor = Tensor::from_array((shape.to_vec(), data.to_vec())).map_err(failed)?;
        Ok(Value::Ort(tensor.into_dyn()))
    }

    fn run(&mut self, inputs: &[(&str, &Value)], outputs: &[&str]) -> Result<Vec<Value>, EngineError> {
        let given = inputs
            .iter()
            .map(|(name, value)| match value {
                Value::Ort(value) => Ok(((*name).to_owned(), SessionInputValue::from(value))),
                #[cfg(feature = "rten")]
                Value::Rten(_) => Err(failed(format!("the input `{name}` is another engine's"))),
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut made = self.session.run(given).map_err(failed)?;
        let take = |name: &&str| made.remove(name).map(Value::Ort).ok_or_else(|| failed(format!("no output `{name}`")));
        outputs.iter().map(take).collect()
    }

    fn read(&self, value: &Value) -> Result<(Vec<usize>, Vec<f32>), EngineError> {
        match value {
            Value::Ort(value) => {
                let (shape, data) = value.try_extract_tensor::<f32>().map_err(failed)?;
                Ok((shape.iter().map(|side| usize::try_from(*side).unwrap_or(0)).collect(), data.to_vec()))
            }
            #[cfg(feature = "rten")]
            Value::Rten(_) => Err(failed("a value is another engine's")),
        }
    }
}
