//! Writes ONNX networks, node by node.

use std::collections::HashMap;

use prost::Message as _;

use super::proto::{Attribute, Dim, Graph, Model, Opset, Tensor, ValueInfo};
use super::{FLOAT, int, node, set_shape};

/// Version of ONNX's set of operators that is written: the one in which every operator that is used here has its present form, and which
/// every engine that is of use knows.
const OPSET: i64 = 17;

/// ONNX's number for 64-bit whole numbers.
const INT64: i32 = 7;

/// An attribute of a node.
#[derive(Clone, Copy, Debug)]
pub enum Attr<'a> {
    /// A whole number.
    Int(&'a str, i64),
    /// Whole numbers.
    Ints(&'a str, &'a [i64]),
    /// A number.
    Float(&'a str, f32),
    /// A text.
    Text(&'a str, &'a str),
}

/// An ONNX network in the making. Values are known by their names; nodes have to be added behind those whose outputs they take.
#[derive(Clone, Debug, Default)]
pub struct GraphBuilder {
    graph: Graph,
    /// Lists of whole numbers that are there already: shapes and axes come again and again.
    whole: HashMap<Vec<i64>, String>,
}

impl GraphBuilder {
    /// An empty network of this name.
    pub fn new(name: &str) -> GraphBuilder {
        GraphBuilder { graph: Graph { name: Some(name.to_owned()), ..Graph::default() }, whole: HashMap::new() }
    }

    /// An input of f32 values; a length that is not known before it runs (a batch) is 0.
    pub fn input(&mut self, name: &str, shape: &[usize]) {
        self.graph.input.push(value(name, FLOAT, Some(shape)));
    }

    /// A constant of f32 values.
    pub fn constant(&mut self, shape: &[usize], values: &[f32]) -> String {
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.initializer(shape, FLOAT, raw)
    }

    /// A constant list of whole numbers: axes, shapes, indices.
    pub fn whole_numbers(&mut self, values: &[i64]) -> String {
        if let Some(name) = self.whole.get(values) {
            return name.clone();
        }
        let name =
            self.initializer(&[values.len()], INT64, values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>());
        self.whole.insert(values.to_vec(), name.clone());
        name
    }

    fn initializer(&mut self, shape: &[usize], data_type: i32, raw: Vec<u8>) -> String {
        let name = format!("c{}", self.graph.initializer.len());
        self.graph.initializer.push(Tensor {
            name: Some(name.clone()),
            dims: shape.iter().map(|n| *n as i64).collect(),
            data_type: Some(data_type),
            raw_data: Some(raw),
            ..Tensor::default()
        });
        name
    }

    /// A node with one output, whose name is returned. An empty name among the inputs stands for one that is left out.
    pub fn node(&mut self, op: &str, inputs: &[&str], attributes: &[Attr<'_>]) -> String {
        let name = format!("v{}", self.graph.node.len());
        self.graph.node.push(node(op, &name, inputs, &name, attributes.iter().map(attribute).collect()));
        name
    }

    /// A node with several outputs.
    pub fn node_of<const N: usize>(&mut self, op: &str, inputs: &[&str], attributes: &[Attr<'_>]) -> [String; N] {
        let first = self.node(op, inputs, attributes);
        let names = std::array::from_fn(|i| if i == 0 { first.clone() } else { format!("{first}.{i}") });
        if let Some(made) = self.graph.node.last_mut() {
            made.output = names.to_vec();
        }
        names
    }

    /// Makes a value an output of the network, under another name. `shape` is `None` where it follows from the input's.
    pub fn output(&mut self, value_name: &str, name: &str, shape: Option<&[usize]>) {
        let made = node("Identity", name, &[value_name], name, Vec::new());
        self.graph.node.push(made);
        self.graph.output.push(value(name, FLOAT, shape));
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.graph.node.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.graph.node.is_empty()
    }

    /// The ONNX file.
    pub fn write(self) -> Vec<u8> {
        let opset = Opset { version: Some(OPSET), ..Opset::default() };
        let model =
            Model { ir_version: Some(8), opset_import: vec![opset], graph: Some(self.graph), ..Model::default() };
        model.encode_to_vec()
    }
}

fn value(name: &str, kind: i32, shape: Option<&[usize]>) -> ValueInfo {
    let size = |n: &usize| match n {
        0 => Dim { param: Some("batch".to_owned()), ..Dim::default() },
        n => Dim { value: Some(*n as i64), ..Dim::default() },
    };
    let mut value = ValueInfo { name: Some(name.to_owned()), ..ValueInfo::default() };
    set_shape(&mut value, shape.map(|lengths| lengths.iter().map(size).collect()));
    value.kind.get_or_insert_default().tensor.get_or_insert_default().elem_type = Some(kind);
    value
}

/// The numbers are those of ONNX's kinds of attributes.
fn attribute(attr: &Attr<'_>) -> Attribute {
    match attr {
        Attr::Int(name, value) => int(name, *value),
        Attr::Float(name, value) => {
            Attribute { name: Some((*name).to_owned()), f: Some(*value), kind: Some(1), ..Attribute::default() }
        }
        Attr::Text(name, text) => Attribute {
            name: Some((*name).to_owned()),
            s: Some(text.as_bytes().to_vec()),
            kind: Some(3),
            ..Attribute::default()
        },
        Attr::Ints(name, values) => {
            Attribute { name: Some((*name).to_owned()), ints: values.to_vec(), kind: Some(7), ..Attribute::default() }
        }
    }
}
