//! A model that was brought in beside the program that it was trained by, step by step: what the network is given, what it gives, the score. Where the
//! first step differs, the next ones cannot agree.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::npy::{self, Array};
use crate::fit::{ImageError, read_raw};
use crate::methods::imported::{About, ID};
use crate::model::bundle::Bundle;
use crate::model::engine::session::{self, Session, Value};
use crate::model::engine::{EngineError, EngineOptions};
use crate::model::graph::{GraphError, OnnxGraph, PICTURE, look};
use crate::preprocess::Preprocessor;

/// What the training side wrote: `reference.json` in a folder.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// One entry for each picture.
    pub pictures: Vec<Entry>,
}

/// What the training side made of one picture.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The picture's file, beside `reference.json`.
    pub picture: PathBuf,
    /// What the network was given, as numpy saves it, in the network's own layout.
    pub input: Option<PathBuf>,
    /// Values of the network by name.
    #[serde(default)]
    pub values: BTreeMap<String, PathBuf>,
    /// The score, before anything is scaled or clamped.
    pub score: Option<f64>,
}

/// What one step differs by.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// Which.
    pub what: String,
    /// The largest difference, in shares of the largest value of the reference.
    pub off: f64,
    /// From here on it differs and is not only rounded otherwise: [`DIFFERS`], or [`HALF_DIFFERS`] for values in half precision.
    pub allowed: f64,
    /// The picture where it is that large.
    pub picture: String,
    /// What might be the reason, in words.
    pub perhaps: Option<String>,
}

/// What a comparison came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// The steps, in their order.
    pub steps: Vec<Step>,
    /// Values of the reference that the model does not hold: what was scaled and clamped, say, since the value before that is judged.
    pub missing: Vec<String>,
    /// The values that the model judges by.
    pub judged_by: Vec<String>,
}

/// Why nothing was compared.
#[derive(Debug, Error)]
pub enum ParityReferenceError {
    /// The model was not brought in.
    #[error(
        "it is a model of the method `{0}`; only networks that were brought in (`andon import`) have a training side of their own"
    )]
    Method(String),
    /// A file of the reference.
    #[error("{file}: {why}")]
    File {
        /// The file.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// A picture.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The network.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// From here on a step differs and does not only round differently.
pub const DIFFERS: f64 = 1e-3;

/// The same for values that the training side has in half precision, of 11 bits.
pub const HALF_DIFFERS: f64 = 5e-3;

/// Compares a model with `reference.json` of a folder.
///
/// # Errors
/// [`ParityReferenceError`].
pub fn compare(bundle: &Bundle, folder: &Path, engine: &EngineOptions) -> Result<Compared, ParityReferenceError> {
    let method = &bundle.manifest.method;
    if method.id != ID {
        return Err(ParityReferenceError::Method(method.id.clone()));
    }
    let file = folder.join("reference.json");
    let wrong = |why: String| ParityReferenceError::File { file: file.display().to_string(), why };
    let about: About = method.read().map_err(wrong)?;
    let text = std::fs::read(&file).map_err(|e| wrong(e.to_string()))?;
    let reference: Reference = serde_json::from_slice(&text).map_err(|e| wrong(e.to_string()))?;
    let network = bundle.network();
    let graph = OnnxGraph::read(&network.onnx)?;
    let mut names = vec![about.input.clone()];
    names.extend(reference.pictures.iter().flat_map(|entry| entry.values.keys().cloned()));
    names.sort();
    names.dedup();
    let (names, missing): (Vec<String>, Vec<String>) = names.into_iter().partition(|name| graph.has_value(name));
    let mut session = session::open(&graph.with_looks(&names)?.write(), engine)?;
    let mut preprocess = Preprocessor::new(network.input.clone());
    let mut planes = vec![0.0; network.input.len()];
    let mut steps: Vec<Step> = Vec::new();
    for entry in &reference.pictures {
        let picture = read_raw(&folder.join(&entry.picture))?.into_8_bit(bundle.manifest.input.range);
        let view = picture.view().ok_or_else(|| wrong(format!("{} is empty", entry.picture.display())))?;
        preprocess.prepare_into(&view, &mut planes);
        let input = session.value(&[1, 3, network.input.height as usize, network.input.width as usize], &planes)?;
        let looks: Vec<String> = (0..names.len()).map(look).collect();
        let mut wanted: Vec<&str> = looks.iter().map(String::as_str).collect();
        wanted.extend(network.outputs.iter().map(String::as_str));
        let made = session.run(&[(PICTURE, &input)], &wanted)?;
        let at = |name: &str| names.iter().position(|n| n == name).map(|i| &made[i]);
        let mut add = |what: String, off: f64, half: bool, perhaps: Option<String>| {
            let picture = entry.picture.display().to_string();
            let allowed = if half { HALF_DIFFERS } else { DIFFERS };
            match steps.iter_mut().find(|step| step.what == what) {
                Some(step) if off <= step.off => {}
                Some(step) => *step = Step { what, off, allowed, picture, perhaps },
                None => steps.push(Step { what, off, allowed, picture, perhaps }),
            }
        };
        let mut of_halves = false;
        let files = entry.input.iter().map(|file| (about.input.as_str(), file));
        for (name, path) in files.chain(entry.values.iter().map(|(name, path)| (name.as_str(), path))) {
            let array = array(&folder.join(path))?;
            let Some(value) = at(name) else { continue };
            let (shape, got) = session.read(value)?;
            let what = if name == about.input { "what the network is given".to_owned() } else { format!("`{name}`") };
            let (off, mut perhaps) = difference(&got, &shape, &array);
            if name == about.input && off > DIFFERS {
                perhaps = perhaps
                    .or(turned(&got, &array).then(|| "with blue and red exchanged it agrees: --colour".to_owned()));
                perhaps = perhaps.or(Some("another size, another way to resize, or another normalisation".to_owned()));
            }
            of_halves |= array.half;
            add(what, off, array.half, perhaps);
        }
        if let Some(want) = entry.score {
            let got = f64::from(score(session.as_ref(), &made[names.len()..])?);
            let taken = about.score.as_ref().or(about.map.as_ref());
            let got = taken.map_or(got, |t| (got - f64::from(t.shift)) / f64::from(t.factor));
            add("the score".to_owned(), (got - want).abs() / want.abs().max(1e-12), of_halves, None);
        }
    }
    let judged_by = about.map.iter().chain(&about.score).map(|taken| taken.value.clone()).collect();
    Ok(Compared { steps, missing, judged_by })
}

/// The score from the line's outputs: the network's own, which is the last, or the largest of the map.
fn score(session: &dyn Session, outputs: &[Value]) -> Result<f32, EngineError> {
    let Some(last) = outputs.last() else { return Ok(f32::NAN) };
    Ok(session.read(last)?.1.into_iter().fold(f32::NEG_INFINITY, f32::max))
}

fn array(path: &Path) -> Result<Array, ParityReferenceError> {
    let wrong = |why: String| ParityReferenceError::File { file: path.display().to_string(), why };
    npy::open(path).map_err(wrong)
}

/// The largest difference in shares of the largest value; where the numbers are not as many, all of it, with what is wrong.
fn difference(got: &[f32], shape: &[usize], want: &Array) -> (f64, Option<String>) {
    let values = &want.numbers;
    if values.len() != got.len() {
        return (1.0, Some(format!("it has the shape {shape:?} here and {:?} there", want.shape)));
    }
    let largest = values.iter().map(|v| v.abs()).fold(0.0, f64::max).max(1e-12);
    let off = got.iter().zip(values).map(|(a, b)| (f64::from(*a) - b).abs());
    (off.fold(0.0, |most, v| if v.is_nan() { f64::INFINITY } else { f64::max(most, v) }) / largest, None)
}

/// Whether the first and the last of three planes are exchanged.
fn turned(got: &[f32], want: &Array) -> bool {
    let values = &want.numbers;
    let plane = got.len() / 3;
    let exchanged = |i: usize| got[(2 - i / plane) * plane + i % plane];
    let largest = values.iter().map(|v| v.abs()).fold(0.0, f64::max).max(1e-12);
    plane > 0
        && values.len() == got.len()
        && got.len().is_multiple_of(3)
        && values.iter().enumerate().all(|(i, v)| (f64::from(exchanged(i)) - v).abs() <= DIFFERS * largest)
}
