//! Runs networks. One file a backend; [`open`] is the only place that knows which are compiled in.

#[cfg(feature = "ort")]
mod ort;
#[cfg(feature = "ort")]
mod ort_library;
#[cfg(feature = "rten")]
mod rten;
pub mod session;
mod threads;

use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use self::threads::{processors, threads_fit};
use super::graph::Precision;
use crate::preprocess::InputSpec;

/// Which engine to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum EngineChoice {
    /// The fastest that is there: an engine for the card that was built and compared, ONNX Runtime when its library is found, rten.
    #[default]
    Auto,
    /// Only TensorRT, on an NVIDIA GPU.
    #[cfg_attr(feature = "clap", value(name = "tensorrt"))]
    TensorRt,
    /// Only ONNX Runtime.
    Ort,
    /// The compiled-in engine.
    Rten,
}

/// One output of a network: `channels` planes of `height * width` values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeatureMap {
    /// Planes.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Plane by plane, row by row.
    pub data: Vec<f32>,
}

impl FeatureMap {
    /// Takes a tensor over, reusing the storage: `[1, channels, height, width]`, or the tokens of a vision transformer, `[1, tokens, channels]`,
    /// for an input of `input` columns and rows: see [`token_grid`]. False for any other shape.
    pub fn fill(&mut self, shape: &[usize], data: &[f32], input: [usize; 2]) -> bool {
        self.data.clear();
        match *shape {
            [1, channels, height, width] => {
                (self.channels, self.height, self.width) = (channels, height, width);
                self.data.extend_from_slice(data);
                true
            }
            [1, tokens, channels] => {
                let Some((first, [width, height])) = token_grid(tokens, input) else { return false };
                (self.channels, self.height, self.width) = (channels, height, width);
                // Token by token becomes plane by plane.
                let patches = &data[first * channels..];
                self.data.extend((0..channels).flat_map(|c| patches.iter().skip(c).step_by(channels.max(1)).copied()));
                true
            }
            _ => false,
        }
    }
}

/// How many tokens of a vision transformer come before those of patches (class and register tokens), and the columns and rows of patches: square
/// patches of the side that accounts for all tokens but a few. Fewest others first, then the smallest patches. `None` if none does.
pub fn token_grid(tokens: usize, [width, height]: [usize; 2]) -> Option<(usize, [usize; 2])> {
    /// A class token, a second for distillation, and registers: at most eight in the networks of the field.
    const OTHERS: usize = 9;
    let grid = |side: usize| [width / side, height / side];
    let fits = |others: usize, side: &usize| {
        let [columns, rows] = grid(*side);
        width % side == 0 && height % side == 0 && columns * rows + others == tokens
    };
    (0..=OTHERS).find_map(|others| (4..=64).find(|side| fits(others, side)).map(|side| (others, grid(side))))
}

/// A loaded network with one owner.
pub trait Engine: Send {
    /// `ort`, `rten`, …
    fn name(&self) -> &'static str;

    /// Runs the network on one normalised picture (three planes, see [`InputSpec`]) and fills `outputs`, one map for each
    /// name that the engine was opened with, reusing their storage. Blocks for the length of the inference.
    ///
    /// # Errors
    /// [`EngineError::Run`]; the engine should be opened anew.
    fn run(&mut self, input: &[f32], outputs: &mut Vec<FeatureMap>) -> Result<(), EngineError>;
}

/// What to open.
#[derive(Clone, Copy, Debug)]
pub struct Network<'a> {
    /// The ONNX file's bytes.
    pub onnx: &'a [u8],
    /// What its one input wants.
    pub input: &'a InputSpec,
    /// Names of the outputs to return, in this order.
    pub outputs: &'a [String],
}

/// How to open it.
#[derive(Clone, Debug, Default)]
pub struct EngineOptions {
    /// Which.
    pub choice: EngineChoice,
    /// Threads of one inference, at least 1.
    pub threads: usize,
    /// Where `libonnxruntime.so` is; `None` searches.
    pub ort_library: Option<PathBuf>,
    /// Engines for a card.
    pub gpu: GpuOptions,
}

/// How networks are run on an NVIDIA card.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GpuOptions {
    /// Arithmetic.
    pub precision: Precision,
    /// The folder of TensorRT's libraries; `None` asks the system's loader.
    pub tensorrt: Option<PathBuf>,
    /// Where built engines are kept; `None` is `~/.cache/andon/engines`, or where `XDG_CACHE_HOME` points.
    pub cache: Option<PathBuf>,
    /// How long a frame waits for those of other cameras with the same model, to be judged together.
    pub max_wait: Duration,
}

/// An engine that is ready.
pub struct Opened {
    /// The engine.
    pub engine: Box<dyn Engine>,
    /// With [`EngineChoice::Auto`]: why it is not the fastest.
    pub degraded: Option<String>,
}

/// Why an engine cannot be used.
#[derive(Debug, Error)]
pub enum EngineError {
    /// Not compiled in.
    #[error("the engine `{name}` is not in this build: needs --features {name}")]
    NotBuilt {
        /// Engine and feature.
        name: &'static str,
    },
    /// No library in any of the usual places.
    #[error("no ONNX Runtime library in {}; `make setup` puts one there, or name one with engine.ort_library", list(.searched))]
    NoLibrary {
        /// Where it was looked for.
        searched: Vec<PathBuf>,
    },
    /// A library that cannot be used.
    #[error("{path} cannot be used as ONNX Runtime: {why}")]
    BadLibrary {
        /// Library.
        path: PathBuf,
        /// Loader's or library's words.
        why: String,
    },
    /// On the card, only whole detectors run.
    #[error("this runs on the CPU; use the engine ort or rten for it")]
    CpuOnly,
    /// The network is refused.
    #[error("{engine} cannot load the network: {why}")]
    Load {
        /// Engine.
        engine: &'static str,
        /// Its words.
        why: String,
    },
    /// Neither engine takes it.
    #[error("{ort}; nor does the other engine: {rten}")]
    Neither {
        /// Why ONNX Runtime does not.
        ort: Box<EngineError>,
        /// Why rten does not.
        rten: Box<EngineError>,
    },
    /// The network failed on an input.
    #[error("{engine} failed: {why}")]
    Run {
        /// Engine.
        engine: &'static str,
        /// Its words.
        why: String,
    },
}

fn list(paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
    names.join(", ")
}

/// Opens a network.
///
/// # Errors
/// See [`EngineError`]. With [`EngineChoice::Auto`] only when no engine that is compiled in can load it.
pub fn open(network: &Network<'_>, options: &EngineOptions) -> Result<Opened, EngineError> {
    match options.choice {
        EngineChoice::Ort => Ok(Opened { engine: open_ort(network, options)?, degraded: None }),
        EngineChoice::Rten => Ok(Opened { engine: open_rten(network, options)?, degraded: None }),
        EngineChoice::TensorRt => Err(EngineError::CpuOnly),
        EngineChoice::Auto => match open_ort(network, options) {
            Ok(engine) => Ok(Opened { engine, degraded: None }),
            Err(why) => match open_rten(network, options) {
                Ok(engine) => Ok(Opened { engine, degraded: Some(why.to_string()) }),
                Err(rten) => Err(EngineError::Neither { ort: Box::new(why), rten: Box::new(rten) }),
            },
        },
    }
}

#[cfg(feature = "ort")]
fn open_ort(network: &Network<'_>, options: &EngineOptions) -> Result<Box<dyn Engine>, EngineError> {
    Ok(Box::new(ort::OrtEngine::open(network, options)?))
}

#[cfg(not(feature = "ort"))]
fn open_ort(_: &Network<'_>, _: &EngineOptions) -> Result<Box<dyn Engine>, EngineError> {
    Err(EngineError::NotBuilt { name: "ort" })
}

#[cfg(feature = "rten")]
fn open_rten(network: &Network<'_>, options: &EngineOptions) -> Result<Box<dyn Engine>, EngineError> {
    Ok(Box::new(rten::RtenEngine::open(network, options)?))
}

#[cfg(not(feature = "rten"))]
fn open_rten(_: &Network<'_>, _: &EngineOptions) -> Result<Box<dyn Engine>, EngineError> {
    Err(EngineError::NotBuilt { name: "rten" })
}

/// The ONNX Runtime library that would be used.
///
/// # Errors
/// [`EngineError::NoLibrary`] with the places, or [`EngineError::NotBuilt`].
pub fn find_ort_library(explicit: Option<&Path>) -> Result<PathBuf, EngineError> {
    #[cfg(feature = "ort")]
    return ort_library::find(explicit);
    #[cfg(not(feature = "ort"))]
    {
        let _ = explicit;
        Err(EngineError::NotBuilt { name: "ort" })
    }
}
/// What is said of an output that the network does not have, with those that it has.
#[cfg(any(feature = "ort", feature = "rten"))]
fn no_output<'n>(name: &str, there: impl Iterator<Item = &'n str>) -> String {
    /// More are counted only.
    const SHOWN: usize = 12;
    let there: Vec<&str> = there.collect();
    let more = there.len().saturating_sub(SHOWN);
    let listed = there.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("it has no output `{name}`; it has {listed}{more}")
}

/// What is said of an output that is no feature map.
#[cfg(any(feature = "ort", feature = "rten"))]
fn bad_shape(shape: &[usize]) -> String {
    format!("a shape of {shape:?} is neither [1, channels, rows, columns] nor [1, tokens, channels] of square patches")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_become_planes_without_those_that_stand_for_no_patch() {
        assert_eq!(token_grid(196, [224, 224]), Some((0, [14, 14])));
        assert_eq!(token_grid(197, [224, 224]), Some((1, [14, 14])), "a class token");
        assert_eq!(token_grid(261, [224, 224]), Some((5, [16, 16])), "a class token and four registers, patches of 14");
        assert_eq!(token_grid(24 * 14 + 1, [384, 224]), Some((1, [24, 14])));
        assert_eq!(token_grid(200, [224, 224]), Some((4, [14, 14])));
        assert_eq!(token_grid(1000, [224, 224]), None);
        let mut map = FeatureMap::default();
        // A class token and 2 x 1 patches of 8 pixels, of three values.
        let data = [9.0, 9.0, 9.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert!(map.fill(&[1, 3, 3], &data, [16, 8]));
        assert_eq!((map.channels, map.width, map.height), (3, 2, 1));
        assert_eq!(map.data, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert!(!map.fill(&[1, 50, 3], &[0.0; 150], [16, 8]) && !map.fill(&[2, 3, 3], &[0.0; 18], [16, 8]));
    }
}
