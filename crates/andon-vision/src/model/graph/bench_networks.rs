//! Networks of the shapes of well-known methods, with random weights, to measure how long a card takes for them. They detect nothing.

use std::sync::Arc;

use super::proto::{Graph, Opset, Type};
use super::{Attribute, Dim, FLOAT, Model, Node, Tensor, ValueInfo, int, node, set_shape};
use crate::model::Backbone;
use crate::model::head::aggregate::Layer;
use crate::preprocess::InputSpec;

use prost::Message as _;

/// ResNet18 up to its third stage, strides 8 and 16: 128 + 256 channels at 256x256. Source: He et al., CVPR 2016, table 1; batch
/// normalisation is part of the convolutions' weights, as in every network that is to be run only.
pub fn resnet18_shape() -> Backbone {
    let mut net = Net::new();
    let stem = net.conv("input", 3, 64, 7, 2, 3);
    let stem = net.relu(&stem);
    let mut at = net.pool("MaxPool", &stem, 3, 2, 1);
    let mut outputs = Vec::new();
    for (from, to, stride) in [(64, 64, 1), (64, 128, 2), (128, 256, 2)] {
        at = net.block(&at, from, to, stride);
        at = net.block(&at, to, to, 1);
        outputs.push(at.clone());
    }
    net.finish("resnet18 shape", outputs[1..].to_vec(), 3)
}

/// EfficientAD-S: teacher, student and autoencoder, and the mean of their squared differences as one 56x56 map at 256x256. Source: Batzner
/// et al., WACV 2024, tables 6 and 8; the student's two halves are two convolutions of the same work.
pub fn efficientad_s_shape() -> Backbone {
    let mut net = Net::new();
    let teacher = net.patch_network("input", 1);
    let student = net.patch_network("input", 2);
    let mut code = "input".to_owned();
    for (from, to) in [(3, 32), (32, 32), (32, 64), (64, 64), (64, 64)] {
        let made = net.conv(&code, from, to, 4, 2, 1);
        code = net.relu(&made);
    }
    code = net.conv(&code, 64, 64, 8, 1, 0);
    // From one place to 3, 8, 15, 32, 63 and 127, each made one larger by its convolution; half a place more, for a scale is rounded.
    for (from, to) in [(1.0, 3.0), (4.0, 8.0), (9.0, 15.5), (16.0, 32.0), (33.0, 63.5), (64.0, 127.5)] {
        let larger = net.resize(&code, to / from);
        let made = net.conv(&larger, 64, 64, 4, 1, 2);
        code = net.relu(&made);
    }
    let last = net.resize(&code, 56.5 / 128.0);
    let made = net.conv(&last, 64, 64, 3, 1, 1);
    let made = net.relu(&made);
    let auto = net.conv(&made, 64, 384, 3, 1, 1);
    let maps = [(&teacher[0], &student[0]), (&auto, &student[1])].map(|(a, b)| {
        let off = net.op("Sub", &[a, b], vec![]);
        let square = net.op("Mul", &[&off, &off], vec![]);
        net.op("ReduceMean", &[&square], vec![ints("axes", &[1]), int("keepdims", 1)])
    });
    let map = net.op("Add", &[&maps[0], &maps[1]], vec![]);
    net.finish("efficientad-s shape", vec![map], 1)
}

/// A network that is being written; every value is named by a number.
struct Net {
    graph: Graph,
    random: u32,
}

impl Net {
    fn new() -> Net {
        Net { graph: Graph { name: Some("shape".to_owned()), ..Graph::default() }, random: 0x9E37_79B9 }
    }

    fn op(&mut self, op: &str, inputs: &[&str], attributes: Vec<Attribute>) -> String {
        let name = format!("v{}", self.graph.node.len());
        let made: Node = node(op, &name, inputs, &name, attributes);
        self.graph.node.push(made);
        name
    }

    fn constant(&mut self, values: &[f32], dims: &[i64]) -> String {
        let name = format!("w{}", self.graph.initializer.len());
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.graph.initializer.push(Tensor {
            name: Some(name.clone()),
            dims: dims.to_vec(),
            data_type: Some(FLOAT),
            raw_data: Some(raw),
            ..Tensor::default()
        });
        name
    }

    /// Weights that keep the size of values as they are (He et al., ICCV 2015), so that half precision does not overflow.
    fn conv(&mut self, from: &str, channels: usize, filters: usize, size: usize, stride: i64, pad: i64) -> String {
        let inputs = channels * size * size;
        let largest = (6.0 / inputs as f32).sqrt();
        let values: Vec<f32> = (0..filters * inputs).map(|_| (self.random() * 2.0 - 1.0) * largest).collect();
        let weights = self.constant(&values, &[filters as i64, channels as i64, size as i64, size as i64]);
        let bias = self.constant(&vec![0.01; filters], &[filters as i64]);
        let attributes = window(size as i64, stride, pad);
        self.op("Conv", &[from, &weights, &bias], attributes)
    }

    /// Xorshift (Marsaglia 2003), 0 to 1.
    fn random(&mut self) -> f32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.random as f32 / u32::MAX as f32
    }

    fn relu(&mut self, from: &str) -> String {
        self.op("Relu", &[from], vec![])
    }

    fn pool(&mut self, op: &str, from: &str, size: i64, stride: i64, pad: i64) -> String {
        self.op(op, &[from], window(size, stride, pad))
    }

    /// Bilinear.
    fn resize(&mut self, from: &str, scale: f32) -> String {
        let scales = self.constant(&[1.0, 1.0, scale, scale], &[4]);
        // 3 is ONNX's number for text.
        let mode = Attribute {
            name: Some("mode".to_owned()),
            s: Some(b"linear".to_vec()),
            kind: Some(3),
            ..Attribute::default()
        };
        self.op("Resize", &[from, "", &scales], vec![mode])
    }

    /// Two convolutions beside a shortcut.
    fn block(&mut self, from: &str, channels: usize, filters: usize, stride: i64) -> String {
        let first = self.conv(from, channels, filters, 3, stride, 1);
        let first = self.relu(&first);
        let second = self.conv(&first, filters, filters, 3, 1, 1);
        let shortcut = match channels == filters {
            true => from.to_owned(),
            false => self.conv(from, channels, filters, 1, stride, 0),
        };
        let sum = self.op("Add", &[&second, &shortcut], vec![]);
        self.relu(&sum)
    }

    /// The small patch description network: 33x33 pixels to 384 values, with as many last convolutions as are asked for.
    fn patch_network(&mut self, from: &str, heads: usize) -> Vec<String> {
        let one = self.conv(from, 3, 128, 4, 1, 0);
        let one = self.relu(&one);
        let one = self.pool("AveragePool", &one, 2, 2, 0);
        let two = self.conv(&one, 128, 256, 4, 1, 0);
        let two = self.relu(&two);
        let two = self.pool("AveragePool", &two, 2, 2, 0);
        let three = self.conv(&two, 256, 256, 3, 1, 0);
        let three = self.relu(&three);
        (0..heads).map(|_| self.conv(&three, 256, 384, 4, 1, 0)).collect()
    }

    fn finish(mut self, name: &str, outputs: Vec<String>, pool: u32) -> Backbone {
        let value = |name: &str, shape: Option<Vec<Dim>>| {
            let mut value = ValueInfo { name: Some(name.to_owned()), ..ValueInfo::default() };
            set_shape(&mut value, shape);
            value.kind.get_or_insert_with(Type::default).tensor.get_or_insert_default().elem_type = Some(FLOAT);
            value
        };
        let size = |n: i64| Dim { value: Some(n), ..Dim::default() };
        let batch = Dim { param: Some("batch".to_owned()), ..Dim::default() };
        self.graph.input.push(value("input", Some(vec![batch, size(3), size(256), size(256)])));
        self.graph.output.extend(outputs.iter().map(|o| value(o, None)));
        let opset = Opset { version: Some(17), ..Opset::default() };
        let model =
            Model { ir_version: Some(8), opset_import: vec![opset], graph: Some(self.graph), ..Model::default() };
        Backbone {
            name: name.to_owned(),
            onnx: Arc::from(model.encode_to_vec()),
            input: InputSpec { width: 256, height: 256, mean: [127.0; 3], scale: [1.0 / 64.0; 3], range: None },
            layers: vec![Layer { pool, weight: 1.0 }; outputs.len()],
            outputs,
            align: None,
            tiles: [1, 1],
        }
    }
}

fn window(size: i64, stride: i64, pad: i64) -> Vec<Attribute> {
    vec![ints("kernel_shape", &[size; 2]), ints("strides", &[stride; 2]), ints("pads", &[pad; 4])]
}

fn ints(name: &str, values: &[i64]) -> Attribute {
    // 7 is ONNX's number for whole numbers.
    Attribute { name: Some(name.to_owned()), ints: values.to_vec(), kind: Some(7), ..Attribute::default() }
}
