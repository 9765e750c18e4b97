//! ONNX Runtime, opened at run time. The library is chosen once for the whole process; all sessions share it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ::ort::environment::Environment;
use ::ort::logging::LogLevel;
use ::ort::session::Session;
use ::ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ::ort::value::TensorRef;

use super::{Engine, EngineError, EngineOptions, FeatureMap, Network, bad_shape, no_output, ort_library};

/// The one environment of the process and the library that it came from.
static ENVIRONMENT: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);

pub(super) struct OrtEngine {
    session: Session,
    shape: [usize; 4],
    outputs: Vec<String>,
}

impl OrtEngine {
    pub fn open(network: &Network<'_>, options: &EngineOptions) -> Result<OrtEngine, EngineError> {
        let path = ort_library::find(options.ort_library.as_deref())?;
        let environment = environment(&path)?;
        let session = builder(&environment, options)
            .and_then(|mut builder| builder.commit_from_memory(network.onnx))
            .map_err(|e| EngineError::Load { engine: "ort", why: one_line(&e) })?;
        for name in network.outputs {
            if !session.outputs().iter().any(|o| o.name() == name) {
                let there = session.outputs().iter().map(|o| o.name());
                return Err(EngineError::Load { engine: "ort", why: no_output(name, there) });
            }
        }
        let shape = [1, 3, network.input.height as usize, network.input.width as usize];
        Ok(OrtEngine { session, shape, outputs: network.outputs.to_vec() })
    }
}

impl Engine for OrtEngine {
    fn name(&self) -> &'static str {
        "ort"
    }

    fn run(&mut self, input: &[f32], outputs: &mut Vec<FeatureMap>) -> Result<(), EngineError> {
        let failed = |why: String| EngineError::Run { engine: "ort", why };
        let tensor = TensorRef::from_array_view((self.shape, input)).map_err(|e| failed(one_line(&e)))?;
        let values = self.session.run(::ort::inputs![tensor]).map_err(|e| failed(one_line(&e)))?;
        outputs.resize_with(self.outputs.len(), FeatureMap::default);
        for (name, map) in self.outputs.iter().zip(outputs) {
            let value = values.get(name).ok_or_else(|| failed(format!("no output `{name}`")))?;
            let (shape, data) = value.try_extract_tensor::<f32>().map_err(|e| failed(one_line(&e)))?;
            let shape: Vec<usize> = shape.iter().map(|side| usize::try_from(*side).unwrap_or(0)).collect();
            let [_, _, height, width] = self.shape;
            if !map.fill(&shape, data, [width, height]) {
                return Err(failed(format!("output `{name}`: {}", bad_shape(&shape))));
            }
        }
        Ok(())
    }
}

pub(super) fn builder(environment: &Environment, options: &EngineOptions) -> ::ort::Result<SessionBuilder> {
    let builder = Session::builder(environment)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        // What goes wrong is in the error that is returned; the library would say it on the terminal, too.
        .with_log_level(LogLevel::Fatal)?
        .with_intra_threads(options.threads.max(1))?
        .with_inter_threads(1)?
        // Idle workers would burn the processors that capture and nearest neighbours need.
        .with_intra_op_spinning(false)?
        // Processors without VNNI add pairs of 8-bit products in 16 bits, which overflow; this takes the slower way that does not.
        .with_precise_qmm()?;
    Ok(builder)
}

pub(super) fn environment(path: &Path) -> Result<Environment, EngineError> {
    let bad = |why: String| EngineError::BadLibrary { path: path.to_owned(), why };
    let mut slot = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((loaded, environment)) = slot.as_ref() {
        return match loaded == path {
            true => Ok(environment.clone()),
            false => Err(bad(format!("this process already uses {}", loaded.display()))),
        };
    }
    // The crate panics on a library whose version it does not know; here that is only a library that cannot be used.
    let made = catch_unwind(AssertUnwindSafe(|| {
        let builder = ::ort::init_from(path).map_err(|e| bad(e.to_string()))?;
        builder.with_name("andon").with_telemetry(false).build().map_err(|e| bad(one_line(&e)))
    }));
    let environment = made.unwrap_or_else(|_| Err(bad("it is not a version that this program knows".to_owned())))?;
    *slot = Some((path.to_owned(), environment.clone()));
    Ok(environment)
}

pub(super) fn one_line(error: &dyn std::fmt::Display) -> String {
    error.to_string().lines().map(str::trim).collect::<Vec<_>>().join(" ")
}
