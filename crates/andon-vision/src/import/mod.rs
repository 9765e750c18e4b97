//! Brings networks in that were trained elsewhere: finds out what they take and give, says what was found out and why, asks for what is not
//! certain, and makes a model of them with good pictures.

mod made;
pub mod npy;
mod outputs;
pub mod parity;
mod run;
mod takes;
mod understand;

use thiserror::Error;

use crate::fit::FitError;
use crate::model::engine::EngineError;
use crate::model::graph::{Arithmetic, Distance, GraphError, Port, Takes};

pub use outputs::Output;
pub use run::{Job, import};
pub use takes::takes;
pub use understand::{Features, features, try_once, understand};

/// What was said by hand.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The output that is the anomaly map.
    pub map: Option<String>,
    /// The output that is the score; `max` takes the largest value of the map in its place.
    pub score: Option<String>,
    /// The output that is a reconstruction of the picture.
    pub reconstruction: Option<String>,
    /// In which numbers a reconstruction is; none if in those that the network is given.
    pub reconstructs: Option<Normalise>,
    /// Two outputs whose difference is the map: features of two networks, or features and their reconstruction.
    pub pair: Vec<String>,
    /// By which measure a reconstruction, or a pair, differs.
    pub distance: Option<Distance>,
    /// The outputs that are latents of a flow.
    pub latents: Vec<String>,
    /// The log-determinants of the latents, in their order; none where the flow gives none.
    pub log_det: Vec<String>,
    /// How pictures are normalised.
    pub normalise: Option<Normalise>,
    /// Blue first.
    pub bgr: bool,
    /// Colours behind rows and columns; none if the file says it.
    pub colours_last: Option<bool>,
    /// Columns and rows.
    pub size: Option<[u32; 2]>,
    /// High means good.
    pub invert: bool,
}

/// What a network wants of a value of 0 to 255.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Normalise {
    /// `(x / 255 - mean) / deviation`, with ImageNet's.
    Imagenet,
    /// `x / 255`.
    Unit,
    /// The same with the numbers of CLIP.
    Clip,
    /// `(x - 127) / 128`.
    Centred,
    /// The value itself.
    Bytes,
    /// The value less 104, 117 and 123 of blue, green and red, as Caffe's networks want it.
    Caffe,
    /// `(x / 255 - mean) / deviation` with numbers of red, green and blue that were said.
    Own {
        /// Taken off.
        mean: [f32; 3],
        /// Divided by, above 0.
        deviation: [f32; 3],
    },
}

impl std::fmt::Display for Normalise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |values: &[f32; 3]| values.map(|v| v.to_string()).join(",");
        match self {
            Normalise::Own { mean, deviation } => write!(f, "{}/{}", list(mean), list(deviation)),
            named => f.write_str(named.as_str()),
        }
    }
}

impl std::str::FromStr for Normalise {
    type Err = String;

    fn from_str(text: &str) -> Result<Normalise, String> {
        if let Some(named) = Normalise::ALL.into_iter().find(|normalise| normalise.as_str() == text) {
            return Ok(named);
        }
        let three = |text: &str| -> Option<[f32; 3]> {
            let all: Vec<f32> = text.split(',').map(|v| v.trim().parse().ok()).collect::<Option<_>>()?;
            let all = if let [one] = all[..] { vec![one; 3] } else { all };
            <[f32; 3]>::try_from(all).ok().filter(|all| all.iter().all(|v| v.is_finite()))
        };
        let own = text.split_once('/').and_then(|(mean, deviation)| Some((three(mean)?, three(deviation)?)));
        match own.filter(|(_, deviation)| deviation.iter().all(|v| *v > 0.0)) {
            Some((mean, deviation)) => Ok(Normalise::Own { mean, deviation }),
            None => Err(format!(
                "one of {}, or MEAN/DEVIATION of values in 0..1, each one number or three of red, green and blue, such as 0.5/0.5",
                Normalise::ALL.map(Normalise::as_str).join(", ")
            )),
        }
    }
}

impl Normalise {
    /// All that have a name.
    pub const ALL: [Normalise; 6] =
        [Normalise::Imagenet, Normalise::Clip, Normalise::Unit, Normalise::Centred, Normalise::Bytes, Normalise::Caffe];

    /// As options name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Normalise::Imagenet => "imagenet",
            Normalise::Clip => "clip",
            Normalise::Unit => "unit",
            Normalise::Centred => "centred",
            Normalise::Bytes => "bytes",
            Normalise::Caffe => "caffe",
            Normalise::Own { .. } => "own",
        }
    }

    /// What is done to a value of 0 to 255.
    pub fn arithmetic(self) -> Arithmetic {
        let none = Arithmetic::NONE;
        match self {
            Normalise::Imagenet => {
                Arithmetic { divide: 255.0, less: [0.485, 0.456, 0.406], over: [0.229, 0.224, 0.225] }
            }
            Normalise::Clip => Arithmetic {
                divide: 255.0,
                less: [0.481_454_66, 0.457_827_5, 0.408_210_73],
                over: [0.268_629_54, 0.261_302_6, 0.275_777_1],
            },
            Normalise::Unit => Arithmetic { divide: 255.0, ..none },
            Normalise::Centred => Arithmetic { less: [127.0; 3], over: [128.0; 3], ..none },
            Normalise::Bytes => none,
            Normalise::Caffe => Arithmetic { less: [123.0, 117.0, 104.0], ..none },
            Normalise::Own { mean, deviation } => Arithmetic { divide: 255.0, less: mean, over: deviation },
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
    /// What the map is made of.
    pub map: Option<MapOf>,
    /// The number of the output that is the score.
    pub score: Option<usize>,
    /// What was not said and was found out, and why.
    pub found_out: Vec<String>,
    /// Which engine ran it.
    pub engine: &'static str,
    /// How long one run took, in milliseconds.
    pub milliseconds: f64,
}

/// What a map is made of: numbers of outputs.
#[derive(Clone, Debug, PartialEq)]
pub enum MapOf {
    /// The map itself.
    Map(usize),
    /// What a reconstruction of the picture is off, and in which numbers it is, if in others than the network is given.
    Reconstruction(usize, Distance, Option<Normalise>),
    /// What two outputs differ by.
    Pair([usize; 2], Distance),
    /// How unlikely latents of a flow are, each with its log-determinant, if there is one.
    Latents(Vec<(usize, Option<usize>)>),
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
    #[error("it takes {}; one picture, grey or of three colours, is wanted{more}", list(.takes))]
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
    /// A mask cannot hide anything from a score of the whole picture.
    #[error(
        "--mask, --roi: the network's own score is one of the whole picture, whatever a mask hides; {}",
        if *map { "--score max takes the largest value of the map in its place" } else { "it gives no map of which a part could be looked at" }
    )]
    ScoreOfAll {
        /// It gives a map, too.
        map: bool,
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
