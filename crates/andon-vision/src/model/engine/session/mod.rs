//! Runs any graph: several inputs of any shape, several outputs. For networks in training and networks from elsewhere; [`super::Engine`] is for
//! the one picture of the line.

#[cfg(feature = "ort")]
mod ort;
#[cfg(feature = "rten")]
mod rten;

use super::{EngineChoice, EngineError, EngineOptions};

/// A tensor of f32 values as an engine keeps it: what a run gave can be handed to the next without a copy.
pub enum Value {
    /// ONNX Runtime's.
    #[cfg(feature = "ort")]
    Ort(::ort::value::DynValue),
    /// rten's.
    #[cfg(feature = "rten")]
    Rten(::rten::Value),
}

/// A loaded graph with one owner.
pub trait Session: Send {
    /// `ort`, `rten`, …
    fn name(&self) -> &'static str;

    /// A value that this session takes as an input: `data` in rows, the last dimension fastest.
    ///
    /// # Errors
    /// [`EngineError::Run`]: there are not as many values as the shape says, or no memory for them.
    fn value(&self, shape: &[usize], data: &[f32]) -> Result<Value, EngineError>;

    /// Runs the graph. Every input of it has to be there; the outputs come in the order in which they are asked for.
    ///
    /// # Errors
    /// [`EngineError::Run`].
    fn run(&mut self, inputs: &[(&str, &Value)], outputs: &[&str]) -> Result<Vec<Value>, EngineError>;

    /// The shape and values of what a run gave.
    ///
    /// # Errors
    /// [`EngineError::Run`]: it is another engine's, or no tensor of f32.
    fn read(&self, value: &Value) -> Result<(Vec<usize>, Vec<f32>), EngineError>;
}

/// Opens a graph; with [`EngineChoice::Auto`], by ONNX Runtime where its library is, else by rten.
///
/// # Errors
/// See [`EngineError`].
pub fn open(onnx: &[u8], options: &EngineOptions) -> Result<Box<dyn Session>, EngineError> {
    match options.choice {
        EngineChoice::Ort => open_ort(onnx, options),
        EngineChoice::Rten => open_rten(onnx, options),
        EngineChoice::TensorRt => Err(EngineError::CpuOnly),
        EngineChoice::Auto => open_ort(onnx, options).or_else(|why| {
            let neither = |rten| EngineError::Neither { ort: Box::new(why), rten: Box::new(rten) };
            open_rten(onnx, options).map_err(neither)
        }),
    }
}

/// Opens a graph from elsewhere. With [`EngineChoice::Auto`], rten runs it only where ONNX Runtime's library is not: what that refuses, another engine may run although it contradicts itself.
///
/// # Errors
/// See [`EngineError`].
pub fn open_foreign(onnx: &[u8], options: &EngineOptions) -> Result<Box<dyn Session>, EngineError> {
    if options.choice != EngineChoice::Auto {
        return open(onnx, options);
    }
    match open_ort(onnx, options) {
        Err(EngineError::Load { engine, why }) => Err(EngineError::Load {
            engine,
            why: match open_rten(onnx, options) {
                Ok(_) => format!("{why}; rten would take it: --engine rten, if it is sure to be right"),
                Err(rten) => format!("{why}; nor does the other engine: {rten}"),
            },
        }),
        Err(_) => open_rten(onnx, options),
        opened => opened,
    }
}

/// Opens several graphs by one engine, so that one takes what another gave: with [`EngineChoice::Auto`], by rten if ONNX Runtime does not take all.
///
/// # Errors
/// See [`EngineError`].
pub fn open_all(graphs: &[&[u8]], options: &EngineOptions) -> Result<Vec<Box<dyn Session>>, EngineError> {
    let by = |choice| {
        let options = EngineOptions { choice, ..options.clone() };
        graphs.iter().map(|onnx| open(onnx, &options)).collect::<Result<Vec<_>, _>>()
    };
    match options.choice {
        EngineChoice::Auto => by(EngineChoice::Ort).or_else(|_| by(EngineChoice::Rten)),
        choice => by(choice),
    }
}

#[cfg(feature = "ort")]
fn open_ort(onnx: &[u8], options: &EngineOptions) -> Result<Box<dyn Session>, EngineError> {
    Ok(Box::new(ort::OrtSession::open(onnx, options)?))
}

#[cfg(not(feature = "ort"))]
fn open_ort(_: &[u8], _: &EngineOptions) -> Result<Box<dyn Session>, EngineError> {
    Err(EngineError::NotBuilt { name: "ort" })
}

#[cfg(feature = "rten")]
fn open_rten(onnx: &[u8], options: &EngineOptions) -> Result<Box<dyn Session>, EngineError> {
    Ok(Box::new(rten::RtenSession::open(onnx, options)?))
}

#[cfg(not(feature = "rten"))]
fn open_rten(_: &[u8], _: &EngineOptions) -> Result<Box<dyn Session>, EngineError> {
    Err(EngineError::NotBuilt { name: "rten" })
}
