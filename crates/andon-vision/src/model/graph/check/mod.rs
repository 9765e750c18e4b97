//! Reads networks that come from elsewhere, before any engine sees them: engines hang on some files, run others silently although they contradict
//! themselves, and reserve what a file says. What is refused is named, with the remedy; time and memory are bounded by the file's length.
//!
//! ```text
//!  file ─► is it ONNX at all ─► tensors: type, shape, bytes, other files ─► nodes: operators, names, order ─► sizes ─► engine
//! ```

mod functions;
mod kinds;
mod numbers;
mod scope;
mod shapes;
mod sides;
mod sparse;
mod tensors;
mod wire;

use std::path::Path;

use prost::Message;
use thiserror::Error;

use super::proto::{Dim, Model, ValueInfo};
use super::{Graph, OnnxGraph};
pub(super) use scope::taken_within;

/// The values of a short constant, whichever way and of whichever type they are written.
pub(super) fn short_numbers(tensor: &super::Tensor) -> Option<Vec<f64>> {
    numbers::Numbers::of(tensor).map(|numbers| numbers.values)
}

/// The same of what a `Constant` makes.
pub(super) fn numbers_of_constant(node: &super::Node) -> Option<Vec<f64>> {
    numbers::Numbers::of_constant(node).map(|numbers| numbers.values)
}

/// The newest format version that is read: ONNX 1.23 writes it.
const NEWEST_IR: i64 = 14;
/// Sets of the standard operators that engines know: the oldest that exporters of the field write, and the newest.
const OPSETS: [i64; 2] = [7, 28];
/// Files above this are refused unread; a format whose own limit is 2 GiB.
const MOST_BYTES: u64 = 1 << 31;
/// Pixels of a side of an input at most.
const MOST_SIDE: i64 = 1 << 15;

/// Why a network is refused.
#[derive(Debug, Error)]
pub enum NetworkError {
    /// It cannot be read.
    #[error("cannot read {file}: {source}")]
    Read {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is not a network that can be used.
    #[error("{file}: {why}")]
    Refused {
        /// The file.
        file: String,
        /// What is wrong, and the remedy.
        why: String,
    },
}

/// Reads the network of a file, with the weights that lie in other files beside it; returns one whole ONNX file, sorted so that every node stands
/// behind those that it takes from.
///
/// # Errors
/// [`NetworkError`].
pub fn read_network(path: &Path) -> Result<Vec<u8>, NetworkError> {
    let file = path.display().to_string();
    let failed = |source| NetworkError::Read { file: file.clone(), source };
    let there = std::fs::metadata(path).map_err(failed)?;
    let length = there.len();
    let refused = |why: String| NetworkError::Refused { file: file.clone(), why };
    // A pipe or a device is never read to its end.
    if !there.is_file() {
        return Err(refused("it is no ordinary file; name the network".to_owned()));
    }
    tensors::stored(&there).map_err(refused)?;
    if length > MOST_BYTES {
        return Err(refused(format!(
            "it has {length} bytes, more than the {MOST_BYTES} of the format; is it a network?"
        )));
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    check(&bytes, path.parent()).map_err(refused)
}

/// The same of bytes; `folder` is where weights in other files may lie.
///
/// # Errors
/// What is wrong with it.
pub fn check(bytes: &[u8], folder: Option<&Path>) -> Result<Vec<u8>, String> {
    if bytes.is_empty() {
        return Err("it is empty (0 bytes); copy it again".to_owned());
    }
    if let Some(other) = kinds::other(bytes) {
        return Err(other);
    }
    wire::weigh(bytes)?;
    let mut model = Model::decode(bytes).map_err(|e| match e.to_string() {
        why if why.contains("UTF-8") => {
            format!("a name in it is no text (UTF-8), so it is damaged, or no ONNX file ({why}); copy it again")
        }
        why => format!("it is cut short, or no ONNX file ({why}); copy it again"),
    })?;
    match model.ir_version {
        None => return Err("it is no ONNX file, or cut short: it has no IR version".to_owned()),
        Some(version) if !(3..=NEWEST_IR).contains(&version) => {
            return Err(format!(
                "it has IR version {version}, and 3 to {NEWEST_IR} are read; export it for an older one"
            ));
        }
        Some(_) => {}
    }
    let standard = |domain: Option<&str>| matches!(domain, None | Some("" | "ai.onnx"));
    let sets = model.opset_import.iter().filter(|set| standard(set.domain.as_deref()));
    let versions: Vec<i64> = sets.map(|set| set.version.unwrap_or(0)).collect();
    if versions.windows(2).any(|two| two[0] != two[1]) {
        return Err(format!(
            "it names several opsets of the standard operators, {versions:?}; engines would take either"
        ));
    }
    if versions.is_empty() {
        return Err("it does not say of which opset its operators are; export it again".to_owned());
    }
    for version in versions {
        if !(OPSETS[0]..=OPSETS[1]).contains(&version) {
            let [oldest, newest] = OPSETS;
            return Err(format!(
                "it has opset {version}, and engines know {oldest} to {newest}; export it for one of these"
            ));
        }
    }
    let graph = model.graph.as_mut().ok_or("it is cut short: it holds no graph; copy it again")?;
    if graph.node.is_empty() {
        return Err("its graph is empty: it has no nodes".to_owned());
    }
    inputs(graph)?;
    functions::put_in(&mut model)?;
    let graph = model.graph.as_mut().ok_or("it holds no graph")?;
    scope::check(graph, &mut tensors::Store::new(folder))?;
    if graph.output.is_empty() {
        return Err("it has no output, so nothing could be made of what it computes".to_owned());
    }
    shapes::check(graph)?;
    Ok(model.encode_to_vec())
}

/// Types and shapes of what it takes.
fn inputs(graph: &Graph) -> Result<(), String> {
    const STRING: i32 = 8;
    let of_string = |value: &&ValueInfo| value.elem_type() == Some(STRING);
    let texts: Vec<&str> = graph.input.iter().chain(&graph.output).filter(of_string).map(ValueInfo::name).collect();
    if !texts.is_empty() {
        return Err(format!(
            "`{}` is text, and pictures are numbers; export the network without it",
            texts.join("`, `")
        ));
    }
    for (value, what) in graph.input.iter().map(|v| (v, "input")).chain(graph.output.iter().map(|v| (v, "output"))) {
        let name = value.name();
        let kind = value.kind.clone().unwrap_or_default();
        let is = [
            (kind.sequence.is_some(), "a sequence"),
            (kind.map.is_some(), "a map of keys to values"),
            (kind.optional.is_some(), "an optional value"),
            (kind.sparse_tensor.is_some(), "a sparse tensor"),
            (kind.opaque.is_some(), "of a type of somebody's own"),
        ];
        if let Some((_, is)) = is.into_iter().find(|(is, _)| *is) {
            return Err(format!(
                "the {what} `{name}` is {is}, and a tensor is wanted; export the network with tensors alone"
            ));
        }
        if !value.elem_type().is_some_and(tensors::is_type) && (what == "input" || value.elem_type().is_some()) {
            let said = value.elem_type().unwrap_or(0);
            return Err(format!(
                "the {what} `{name}` has the element type {said}, which ONNX does not have; export the network again"
            ));
        }
    }
    let constant = |name: &str| graph.initializer.iter().any(|t| t.name() == name);
    for input in graph.input.iter().filter(|input| !constant(input.name())) {
        let (name, sides) = (input.name(), input.dims());
        let shape = || format!("`{name}` has the shape [{}]", words(&sides));
        if sides.iter().any(|dim| dim.value.is_some_and(|side| !(0..=MOST_SIDE).contains(&side))) {
            return Err(format!("the input {}; sides of 1 to {MOST_SIDE} are taken", shape()));
        }
        let all = sides.iter().filter_map(|dim| dim.value).try_fold(1i64, i64::checked_mul);
        if all.is_none_or(|all| all as u64 > shapes::MOST_VALUES) {
            return Err(format!("the input {}, which is more than fits; export it for smaller pictures", shape()));
        }
        if sides.len() == 5 {
            // Colours come before the frames, or after them.
            let at = if sides[1].value == Some(3) { 2 } else { 1 };
            let frames = sides[at].value.map_or("several".to_owned(), |n| n.to_string());
            return Err(format!(
                "the input {}: a clip of {frames} frames is wanted, not a picture; videos are not judged",
                shape()
            ));
        }
    }
    Ok(())
}

/// A shape for people.
fn words(dims: &[Dim]) -> String {
    let word = |dim: &Dim| match (&dim.value, &dim.param) {
        (Some(side), _) => side.to_string(),
        (None, Some(name)) => name.clone(),
        _ => "?".to_owned(),
    };
    dims.iter().map(word).collect::<Vec<_>>().join(",")
}

impl OnnxGraph {
    /// Reads a network from elsewhere: see [`check`].
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read_foreign(bytes: &[u8]) -> Result<OnnxGraph, String> {
        OnnxGraph::read(&check(bytes, None)?).map_err(|e| e.to_string())
    }
}

#[cfg(test)]
mod tests;
