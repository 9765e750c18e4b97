//! Nodes and constants that are put behind a network, named so that they meet none of its own names.

use super::proto::{Attribute, Node, Tensor};
use super::{FLOAT, OnnxGraph, int, node};

/// ONNX's number for 64-bit whole numbers.
pub(super) const INT64: i32 = 7;

/// Nodes and constants in the making.
pub(super) struct Maker {
    prefix: String,
    nodes: Vec<Node>,
    constants: Vec<Tensor>,
}

impl Maker {
    /// Nothing yet; all names will begin with `prefix` and a dot.
    pub fn new(prefix: &str) -> Maker {
        Maker { prefix: prefix.to_owned(), nodes: Vec::new(), constants: Vec::new() }
    }

    /// A node with one output, whose name is returned. An empty name among the inputs stands for one that is left out.
    pub fn add(&mut self, op: &str, inputs: &[&str], attributes: Vec<Attribute>) -> String {
        let name = format!("{}.{}{}", self.prefix, op.to_lowercase(), self.nodes.len());
        self.nodes.push(node(op, &name, inputs, &name, attributes));
        name
    }

    /// A constant of f32 values.
    pub fn constant(&mut self, dims: &[usize], values: &[f32]) -> String {
        self.tensor(dims, FLOAT, values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    /// One number without sides.
    pub fn number(&mut self, value: f32) -> String {
        self.constant(&[], &[value])
    }

    /// A list of whole numbers: a shape, axes, indices.
    pub fn whole(&mut self, numbers: &[i64]) -> String {
        self.tensor(&[numbers.len()], INT64, numbers.iter().flat_map(|n| n.to_le_bytes()).collect())
    }

    /// The weighted sum over `weights.len()` channels of `[1, channels, rows, columns]`: one channel.
    pub fn channels(&mut self, value: &str, weights: &[f32]) -> String {
        let weights = self.constant(&[1, weights.len(), 1, 1], weights);
        self.conv(value, &weights, [1, 1], 1)
    }

    /// A convolution with a kernel of these rows and columns, without padding.
    pub fn conv(&mut self, value: &str, weights: &str, kernel: [i64; 2], group: i64) -> String {
        let attributes = vec![
            ints("kernel_shape", &kernel),
            ints("strides", &[1, 1]),
            ints("dilations", &[1, 1]),
            ints("pads", &[0; 4]),
            int("group", group),
        ];
        self.add("Conv", &[value, weights], attributes)
    }

    /// Puts so many rows and columns around every plane: those inside, mirrored without the outermost.
    pub fn mirror(&mut self, value: &str, by: i64) -> String {
        let pads = self.whole(&[0, 0, by, by, 0, 0, by, by]);
        self.add("Pad", &[value, &pads], vec![text("mode", "reflect")])
    }

    /// Brings planes `[1, channels, …]` to so many rows and columns by linear interpolation between the centres of pixels.
    pub fn resize(&mut self, value: &str, channels: usize, [rows, columns]: [usize; 2]) -> String {
        let size = self.whole(&[1, channels as i64, rows as i64, columns as i64]);
        self.add("Resize", &[value, "", "", &size], vec![text("mode", "linear")])
    }

    /// Puts all of it behind a network's own nodes.
    pub fn finish(mut self, graph: &mut OnnxGraph) {
        graph.graph.node.append(&mut self.nodes);
        graph.graph.initializer.append(&mut self.constants);
    }

    /// Puts all of it before a network's own nodes.
    pub fn precede(mut self, graph: &mut OnnxGraph) {
        self.nodes.append(&mut graph.graph.node);
        graph.graph.node = self.nodes;
        graph.graph.initializer.append(&mut self.constants);
    }

    fn tensor(&mut self, dims: &[usize], data_type: i32, raw: Vec<u8>) -> String {
        let name = format!("{}.c{}", self.prefix, self.constants.len());
        self.constants.push(Tensor {
            name: Some(name.clone()),
            dims: dims.iter().map(|side| *side as i64).collect(),
            data_type: Some(data_type),
            raw_data: Some(raw),
            ..Tensor::default()
        });
        name
    }
}

/// An attribute of whole numbers.
pub(super) fn ints(name: &str, values: &[i64]) -> Attribute {
    Attribute { name: Some(name.to_owned()), ints: values.to_vec(), kind: Some(7), ..Attribute::default() }
}

/// An attribute of text.
pub(super) fn text(name: &str, value: &str) -> Attribute {
    Attribute { name: Some(name.to_owned()), s: Some(value.as_bytes().to_vec()), kind: Some(3), ..Attribute::default() }
}
