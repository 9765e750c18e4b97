//! Brings networks in that were trained elsewhere: finds out what they take and give, says what was found out and why, asks for what is not
//! certain, and makes a model of them with good pictures.

mod outputs;
mod run;
mod understand;

use serde::Serialize;
use thiserror::Error;

use crate::fit::FitError;
use crate::model::engine::EngineError;
use crate::model::graph::{GraphError, Port, Takes};

pub use outputs::Output;
pub use run::{Job, import};
pub use understand::{takes, understand};

/// What was said by hand.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The output that is the anomaly map.
    pub map: Option<String>,
    /// The output that is the score; `max` takes the largest value of the map in its place.
    pub score: Option<String>,
    /// How pictures are normalised.
    pub normalise: Option<Normalise>,
    /// Blue first.
    pub bgr: bool,
    /// Columns and rows.
    pub size: Option<[u32; 2]>,
    /// High means good.
    pub invert: bool,
}

/// What a network wants of a value of 0 to 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Normalise {
    /// `(x / 255 - mean) / deviation`, with ImageNet's.
    Imagenet,
    /// `x / 255`.
    Unit,
    /// `(x - 127) / 128`.
    Centred,
    /// The value itself.
    Bytes,
    /// The value less 104, 117 and 123 of blue, green and red, as Caffe's networks want it.
    Caffe,
}

impl Normalise {
    /// All.
    pub const ALL: [Normalise; 5] =
        [Normalise::Imagenet, Normalise::Unit, Normalise::Centred, Normalise::Bytes, Normalise::Caffe];

    /// As options name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Normalise::Imagenet => "imagenet",
            Normalise::Unit => "unit",
            Normalise::Centred => "centred",
            Normalise::Bytes => "bytes",
            Normalise::Caffe => "caffe",
        }
    }

    /// Mean and scale of red, green and blue, as [`crate::preprocess::InputSpec`] has them.
    pub fn mean_and_scale(self) -> ([f32; 3], [f32; 3]) {
        match self {
            Normalise::Imagenet => {
                let deviation = [0.229f32, 0.224, 0.225];
                ([0.485f32, 0.456, 0.406].map(|m| m * 255.0), deviation.map(|d| 1.0 / (255.0 * d)))
            }
            Normalise::Unit => ([0.0; 3], [1.0 / 255.0; 3]),
            Normalise::Centred => ([127.0; 3], [1.0 / 128.0; 3]),
            Normalise::Bytes => ([0.0; 3], [1.0; 3]),
            Normalise::Caffe => ([123.0, 117.0, 104.0], [1.0; 3]),
        }
    }
}

/// What was found out of a network.
#[derive(Clone, Debug)]
pub struct Understood {
    /// How it takes pictures.
    pub takes: Takes,
    /// How they are normalised.
    pub normalise: Normalise,
    /// All that it gives.
    pub outputs: Vec<Output>,
    /// The number of the output that is the map.
    pub map: Option<usize>,
    /// The number of the output that is the score.
    pub score: Option<usize>,
    /// What was not said and was found out, and why.
    pub found_out: Vec<String>,
    /// Which engine ran it.
    pub engine: &'static str,
}

/// Why a network is not brought in.
#[derive(Debug, Error)]
pub enum ImportError {
    /// Something has to be said.
    #[error("{0}")]
    Ask(String),
    /// It is of a kind that is not taken.
    #[error("{0}")]
    NotTaken(String),
    /// Its inputs do not fit.
    #[error("it takes {}; one picture of three colours is wanted{more}", list(.takes))]
    Inputs {
        /// What it takes.
        takes: Vec<Port>,
        /// What to do.
        more: &'static str,
    },
    /// It is the wrong way round.
    #[error(
        "defects that were put into good pictures are told from these better by low values (AUROC {turned:.2} of {defects}) than by high ones ({auroc:.2}): does high mean good here? Say --invert if so; else the colours (--colour), the normalisation (--normalise) or the part are others than it was trained with"
    )]
    WrongWayRound {
        /// Area under the curve.
        auroc: f64,
        /// The same, if high meant good.
        turned: f64,
        /// How many defects.
        defects: usize,
    },
    /// The network cannot be rewritten.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// It cannot be run.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The good pictures.
    #[error(transparent)]
    Fit(#[from] FitError),
}

fn list(ports: &[Port]) -> String {
    ports.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
