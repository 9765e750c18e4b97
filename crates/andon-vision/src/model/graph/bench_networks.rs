//! Networks of the shapes of well-known methods, with random weights, to measure how long a card takes for them. They detect nothing.

use std::sync::Arc;

use super::{Attr, GraphBuilder};
use crate::model::Backbone;
use crate::model::head::aggregate::Layer;
use crate::preprocess::InputSpec;

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
        let off = net.graph.node("Sub", &[a, b], &[]);
        let square = net.graph.node("Mul", &[&off, &off], &[]);
        net.graph.node("ReduceMean", &[&square], &[Attr::Ints("axes", &[1])])
    });
    let map = net.graph.node("Add", &[&maps[0], &maps[1]], &[]);
    net.finish("efficientad-s shape", vec![map], 1)
}

/// A network of random weights that is being written.
struct Net {
    graph: GraphBuilder,
    random: u32,
}

impl Net {
    fn new() -> Net {
        let mut graph = GraphBuilder::new("shape");
        graph.input("input", &[0, 3, 256, 256]);
        Net { graph, random: 0x9E37_79B9 }
    }

    /// Weights that keep the size of values as they are (He et al., ICCV 2015), so that half precision does not overflow.
    fn conv(&mut self, from: &str, channels: usize, filters: usize, size: usize, stride: i64, pad: i64) -> String {
        let inputs = channels * size * size;
        let largest = (6.0 / inputs as f32).sqrt();
        let values: Vec<f32> = (0..filters * inputs).map(|_| (self.random() * 2.0 - 1.0) * largest).collect();
        let weights = self.graph.constant(&[filters, channels, size, size], &values);
        let bias = self.graph.constant(&[filters], &vec![0.01; filters]);
        self.window("Conv", &[from, &weights, &bias], size as i64, stride, pad)
    }

    /// Xorshift (Marsaglia 2003), 0 to 1.
    fn random(&mut self) -> f32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.random as f32 / u32::MAX as f32
    }

    fn relu(&mut self, from: &str) -> String {
        self.graph.node("Relu", &[from], &[])
    }

    fn pool(&mut self, op: &str, from: &str, size: i64, stride: i64, pad: i64) -> String {
        self.window(op, &[from], size, stride, pad)
    }

    fn window(&mut self, op: &str, inputs: &[&str], size: i64, stride: i64, pad: i64) -> String {
        let (kernel, strides, pads) = ([size; 2], [stride; 2], [pad; 4]);
        let attributes =
            [Attr::Ints("kernel_shape", &kernel), Attr::Ints("strides", &strides), Attr::Ints("pads", &pads)];
        self.graph.node(op, inputs, &attributes)
    }

    /// Bilinear.
    fn resize(&mut self, from: &str, scale: f32) -> String {
        let scales = self.graph.constant(&[4], &[1.0, 1.0, scale, scale]);
        self.graph.node("Resize", &[from, "", &scales], &[Attr::Text("mode", "linear")])
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
        let sum = self.graph.node("Add", &[&second, &shortcut], &[]);
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
        let outputs: Vec<String> = outputs
            .iter()
            .enumerate()
            .map(|(i, value)| {
                let output = format!("output{i}");
                self.graph.output(value, &output, None);
                output
            })
            .collect();
        Backbone {
            name: name.to_owned(),
            onnx: Arc::from(self.graph.write()),
            input: InputSpec { width: 256, height: 256, mean: [127.0; 3], scale: [1.0 / 64.0; 3], range: None },
            layers: vec![Layer { pool, weight: 1.0 }; outputs.len()],
            outputs,
            align: None,
            tiles: [1, 1],
        }
    }
}
