//! Changes ONNX networks: pictures in batches, half precision, eight bits with the ranges that were seen. What comes out is an ONNX file
//! again, so that any engine can run it, and the reference can be compared with it.

mod builder;
mod calibrate;
mod quantize_int8;
mod convert_fp16;
mod proto;
mod bench_networks;
mod check;
mod outline;
mod adapt;
mod distance;
mod maker;
mod normalised;
mod planes;
mod raise;
mod defaults;
mod join;

use prost::Message;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use adapt::{Arithmetic, PICTURE, Takes, look};
pub use bench_networks::{efficientad_s_shape, resnet18_shape};
pub use builder::{Attr, GraphBuilder};
pub use calibrate::{CalibrationError, Calibrator};
pub use check::{NetworkError, check, read_network};
pub use distance::Distance;
pub use normalised::{Inside, Range};
pub use outline::{Kind, Port};
pub use planes::{Channel, Latent, Plane, PlaneOf, Reconstruction};
use proto::{Attribute, Dim, Graph, Model, Node, Shape, Tensor, ValueInfo};
pub use quantize_int8::{ActivationRange, ActivationRanges};

/// Arithmetic of a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single, as it was learned.
    Fp32,
    /// Half.
    #[default]
    Fp16,
    /// Convolutions in eight bits, with ranges that were seen on good pictures; the rest single.
    Int8,
}

impl Precision {
    /// As options and files name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Precision::Fp32 => "fp32",
            Precision::Fp16 => "fp16",
            Precision::Int8 => "int8",
        }
    }
}

/// Types of values, by ONNX's numbers.
const FLOAT: i32 = 1;
const INT8: i32 = 3;
const HALF: i32 = 10;

/// Why a network cannot be changed.
#[derive(Debug, Error)]
pub enum GraphError {
    /// No ONNX file.
    #[error("no ONNX network: {0}")]
    NotOnnx(String),
    /// Something that this does not know how to change.
    #[error("this network cannot be taken apart: {0}")]
    Unsupported(String),
}

/// Shape and values, in rows.
pub type Constant = (Vec<usize>, Vec<f32>);

/// A network that can be changed.
#[derive(Clone, Debug)]
pub struct OnnxGraph {
    /// The file without its graph.
    model: Model,
    graph: Graph,
}

impl OnnxGraph {
    /// Reads an ONNX file.
    ///
    /// # Errors
    /// [`GraphError::NotOnnx`].
    pub fn read(onnx: &[u8]) -> Result<OnnxGraph, GraphError> {
        let mut model = Model::decode(onnx).map_err(|e| GraphError::NotOnnx(e.to_string()))?;
        match model.graph.take() {
            Some(graph) if !graph.node.is_empty() => Ok(OnnxGraph { model, graph }),
            _ => Err(GraphError::NotOnnx("it holds no nodes".to_owned())),
        }
    }

    /// The ONNX file.
    pub fn write(&self) -> Vec<u8> {
        Model { graph: Some(self.graph.clone()), ..self.model.clone() }.encode_to_vec()
    }

    /// Names of the inputs that are not constants.
    pub fn inputs(&self) -> Vec<&str> {
        let graph = &self.graph;
        let constant = |name: &str| graph.initializer.iter().any(|t| t.name() == name);
        graph.input.iter().map(ValueInfo::name).filter(|n| !constant(n)).collect()
    }

    /// Names of the outputs.
    pub fn outputs(&self) -> Vec<&str> {
        self.graph.output.iter().map(ValueInfo::name).collect()
    }

    /// Keeps only these outputs, and what leads to them.
    ///
    /// # Errors
    /// [`GraphError::Unsupported`]: there is no such output.
    pub fn keep_outputs(&mut self, names: &[String]) -> Result<(), GraphError> {
        if let Some(missing) = names.iter().find(|n| !self.outputs().contains(&n.as_str())) {
            return Err(GraphError::Unsupported(format!("it has no output `{missing}`")));
        }
        let graph = &mut self.graph;
        graph.output.retain(|o| names.iter().any(|n| n == o.name()));
        graph.output.sort_by_key(|o| names.iter().position(|n| n == o.name()));
        let mut needed: std::collections::BTreeSet<String> = names.iter().cloned().collect();
        // Nodes stand behind those that they take from.
        let mut kept: Vec<Node> = Vec::new();
        for node in std::mem::take(&mut graph.node).into_iter().rev() {
            if node.output.iter().any(|o| needed.contains(o)) {
                needed.extend(node.input.iter().cloned());
                kept.push(node);
            }
        }
        kept.reverse();
        graph.node = kept;
        graph.initializer.retain(|t| needed.contains(t.name()));
        graph.value_info.clear();
        Ok(())
    }

    /// Gives the one input the shape `[batch, 3, height, width]`, `None` for a batch of any size, and forgets all shapes that follow from
    /// it: engines find them anew.
    ///
    /// # Errors
    /// [`GraphError::Unsupported`]: the network has not exactly one input.
    pub fn set_input(&mut self, batch: Option<usize>, height: usize, width: usize) -> Result<String, GraphError> {
        let [name] = self.inputs()[..] else {
            let why = format!("it has {} inputs, one is wanted", self.inputs().len());
            return Err(GraphError::Unsupported(why));
        };
        let name = name.to_owned();
        let size = |n: usize| Dim { value: Some(n as i64), ..Dim::default() };
        let any = Dim { param: Some("batch".to_owned()), ..Dim::default() };
        let shape = vec![batch.map_or(any.clone(), size), size(3), size(height), size(width)];
        let graph = &mut self.graph;
        graph.value_info.clear();
        for value in graph.input.iter_mut().filter(|v| v.name() == name) {
            set_shape(value, Some(shape.clone()));
        }
        graph.output.iter_mut().for_each(|o| set_shape(o, None));
        Ok(name)
    }

    /// The network in another precision; `ranges` matter for eight bits alone.
    ///
    /// # Errors
    /// [`GraphError::Unsupported`].
    pub fn in_precision(&self, precision: Precision, ranges: &ActivationRanges) -> Result<OnnxGraph, GraphError> {
        match precision {
            Precision::Fp32 => Ok(self.clone()),
            Precision::Fp16 => self.convert_fp16(),
            Precision::Int8 => self.quantize_int8(ranges),
        }
    }

    /// Weights and bias of each convolution, in the order in which they are computed: shapes and values in rows.
    ///
    /// # Errors
    /// [`GraphError`]: a weight is not in the file as f32.
    pub fn convolution_weights(&self) -> Result<Vec<(Constant, Option<Constant>)>, GraphError> {
        let sides = |t: &Tensor| t.dims.iter().map(|side| usize::try_from(*side).unwrap_or(0)).collect();
        let constant = |name: &str| {
            let found = self.graph.initializer.iter().find(|t| t.name() == name);
            found.map(|t| Ok((sides(t), floats(t)?))).transpose()
        };
        let mut made = Vec::new();
        for node in self.graph.node.iter().filter(|node| node.op_type() == "Conv") {
            let input = |i: usize| node.input.get(i).map_or(Ok(None), |name| constant(name));
            let missing = || GraphError::Unsupported(format!("the weights of `{}` are not in the file", node.name()));
            made.push((input(1)?.ok_or_else(missing)?, input(2)?));
        }
        Ok(made)
    }

    fn opset(&self) -> i64 {
        let ours = self.model.opset_import.iter().find(|o| o.domain().is_empty() || o.domain() == "ai.onnx");
        ours.map_or(0, proto::Opset::version)
    }
}

fn set_shape(value: &mut ValueInfo, shape: Option<Vec<Dim>>) {
    let tensor = value.kind.get_or_insert_default().tensor.get_or_insert_default();
    tensor.shape = shape.map(|dim| Shape { dim });
}

/// A node with one output.
fn node(op: &str, name: &str, input: &[&str], output: &str, attribute: Vec<Attribute>) -> Node {
    Node {
        op_type: Some(op.to_owned()),
        name: Some(name.to_owned()),
        input: input.iter().map(|i| (*i).to_owned()).collect(),
        output: vec![output.to_owned()],
        attribute,
        ..Node::default()
    }
}

fn int(name: &str, value: i64) -> Attribute {
    // 2 is ONNX's number for a whole number.
    Attribute { name: Some(name.to_owned()), i: Some(value), kind: Some(2), ..Attribute::default() }
}

/// The values of a tensor of f32.
fn floats(tensor: &Tensor) -> Result<Vec<f32>, GraphError> {
    let name = tensor.name();
    let whole = |what: &str| GraphError::Unsupported(format!("the constant `{name}` {what}"));
    if tensor.data_location.unwrap_or(0) != 0 {
        return Err(whole("lies in another file"));
    }
    let count: i64 = tensor.dims.iter().product();
    let values = match &tensor.raw_data {
        Some(raw) if raw.len().is_multiple_of(4) => raw.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        Some(_) => return Err(whole("has bytes that are no whole numbers")),
        None => tensor.float_data.clone(),
    };
    if values.len() as i64 == count { Ok(values) } else { Err(whole("has not as many values as its shape says")) }
}

#[cfg(test)]
mod tests;
