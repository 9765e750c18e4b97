//! Teachers as other people keep them: ONNX, safetensors, or the file of PyTorch. The networks are those of the paper, so shapes and order tell which
//! weight is which, whatever they are called.

use safetensors::tensor::{Dtype, SafeTensors};
use std::collections::BTreeMap;

use andon_vision::model::graph::OnnxGraph;
use half::{bf16, f16};

use super::{PREFIX, Teacher, pickle};
use crate::networks::{Pdn, Size};
use crate::trainer::Weight;

/// A tensor of a file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// A teacher of this size from the bytes of another program's file. Executes nothing of it.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(bytes: &[u8], size: Size) -> Result<Teacher, String> {
    let (kind, tensors) = match bytes {
        [b'P', b'K', 3, 4, ..] => ("PyTorch", pickle::tensors(bytes)?),
        _ => match SafeTensors::deserialize(bytes) {
            Ok(tensors) => ("safetensors", safe(&tensors)),
            Err(_) => ("ONNX", onnx(bytes)?),
        },
    };
    let pdn = Pdn::new(size);
    let weights = in_order(tensors, &pdn.shapes(PREFIX))
        .map_err(|why| format!("{why}; a network of size {} is wanted", size.as_str()))?;
    let about = BTreeMap::from([
        ("from".to_owned(), format!("a file of {kind}")),
        ("digest".to_owned(), blake3::hash(bytes).to_hex().to_string()),
        ("licence".to_owned(), "not stated by the file".to_owned()),
    ]);
    Ok(Teacher { pdn, weights, about })
}

/// Weights and biases of convolutions in the order of the network: that of the numbers in their names.
fn in_order(tensors: Vec<Found>, wanted: &[(String, Vec<usize>)]) -> Result<Vec<Weight>, String> {
    let stem = |name: &str| name.rsplit_once('.').map_or(String::new(), |(stem, _)| stem.to_owned());
    let (mut kernels, mut others): (Vec<Found>, Vec<Found>) = tensors.into_iter().partition(|t| t.shape.len() == 4);
    kernels.sort_by_key(|t| natural(&t.name));
    let convolutions = wanted.len() / 2;
    if kernels.len() != convolutions {
        return Err(format!("it holds {} convolutions, not {convolutions}", kernels.len()));
    }
    let mut weights = Vec::new();
    for (kernel, pair) in kernels.into_iter().zip(wanted.as_chunks::<2>().0) {
        let bias = others.iter().position(|t| stem(&t.name) == stem(&kernel.name) && t.name.ends_with("bias"));
        let bias = others.swap_remove(bias.ok_or_else(|| format!("`{}` has no bias", kernel.name))?);
        for (found, (name, shape)) in [kernel, bias].into_iter().zip(pair) {
            if found.shape != *shape {
                return Err(format!("`{}` has the shape {:?}, not {shape:?}", found.name, found.shape));
            }
            if found.values.len() != shape.iter().product::<usize>() || !found.values.iter().all(|v| v.is_finite()) {
                return Err(format!("`{}` holds values that are not finite, or no numbers", found.name));
            }
            weights.push(Weight { name: name.clone(), shape: shape.clone(), values: found.values });
        }
    }
    Ok(weights)
}

/// By which names are sorted: the numbers in them as numbers.
fn natural(name: &str) -> Vec<(u64, String)> {
    let mut parts = Vec::new();
    for part in name.split(|c: char| !c.is_ascii_alphanumeric()) {
        let word = part.trim_end_matches(|c: char| c.is_ascii_digit());
        parts.push((part[word.len()..].parse().unwrap_or(0), word.to_owned()));
    }
    parts
}

fn safe(tensors: &SafeTensors<'_>) -> Vec<Found> {
    let all = tensors.iter().filter_map(|(name, view)| {
        let data = view.data();
        let values = match view.dtype() {
            Dtype::F32 => data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            Dtype::F16 => data.as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect(),
            Dtype::BF16 => data.as_chunks::<2>().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect(),
            _ => return None,
        };
        Some(Found { name: name.to_owned(), shape: view.shape().to_vec(), values })
    });
    all.collect()
}

/// Those of its convolutions in the order in which they are computed.
fn onnx(bytes: &[u8]) -> Result<Vec<Found>, String> {
    let graph = OnnxGraph::read_foreign(bytes)
        .map_err(|e| format!("it is none of ONNX, safetensors and PyTorch's files, or damaged ({e})"))?;
    let mut found = Vec::new();
    for (number, (weight, bias)) in graph.convolution_weights().map_err(|e| e.to_string())?.into_iter().enumerate() {
        found.push(Found { name: format!("conv{number}.weight"), shape: weight.0, values: weight.1 });
        found.extend(bias.map(|(shape, values)| Found { name: format!("conv{number}.bias"), shape, values }));
    }
    Ok(found)
}
