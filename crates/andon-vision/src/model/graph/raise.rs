//! Brings a network's operators to a later version of the standard set: what moved from attributes to inputs, was renamed, or has another default.

use prost::Message;

use super::maker::{INT64, text};
use super::proto::{Attribute, Graph, Node};
use super::{FLOAT, GraphError, OnnxGraph, Tensor, int, node};

impl OnnxGraph {
    /// The network in a later version of the standard operators; the same computation.
    ///
    /// # Errors
    /// [`GraphError::Unsupported`]: it has an operator that became another one.
    pub(super) fn raised(&self, to: i64) -> Result<OnnxGraph, GraphError> {
        let mut made = self.clone();
        let from = self.opset();
        let mut raise = Raise { from, to, made: 0 };
        raise.graph(&mut made.graph)?;
        for set in made.model.opset_import.iter_mut().filter(|o| o.domain().is_empty() || o.domain() == "ai.onnx") {
            set.version = Some(to);
        }
        made.graph.value_info.clear();
        Ok(made)
    }
}

struct Raise {
    from: i64,
    to: i64,
    /// Values and constants that were made, to name the next.
    made: usize,
}

impl Raise {
    /// Whether a change of this version lies between.
    fn over(&self, version: i64) -> bool {
        self.from < version && version <= self.to
    }

    fn graph(&mut self, graph: &mut Graph) -> Result<(), GraphError> {
        let mut nodes = Vec::new();
        let mut constants = Vec::new();
        for mut one in std::mem::take(&mut graph.node) {
            for bytes in one.attribute.iter_mut().flat_map(|a| a.g.iter_mut().chain(&mut a.graphs)) {
                let mut inner = Graph::decode(bytes.as_slice()).map_err(|e| GraphError::NotOnnx(e.to_string()))?;
                self.graph(&mut inner)?;
                *bytes = inner.encode_to_vec();
            }
            match one.domain.as_deref() {
                None | Some("" | "ai.onnx") => self.node(one, &mut nodes, &mut constants)?,
                _ => nodes.push(one),
            }
        }
        graph.node = nodes;
        graph.initializer.append(&mut constants);
        Ok(())
    }

    fn node(&mut self, mut n: Node, nodes: &mut Vec<Node>, constants: &mut Vec<Tensor>) -> Result<(), GraphError> {
        let op = n.op_type().to_owned();
        match op.as_str() {
            "Clip" if self.over(11) => {
                let [least, most] = ["min", "max"].map(|name| taken(&mut n, name).and_then(|a| a.f));
                self.input(&mut n, 1, least.map(scalar), constants);
                self.input(&mut n, 2, most.map(scalar), constants);
            }
            "Squeeze" | "Unsqueeze" | "ReduceSum" if self.over(13) => self.list(&mut n, "axes", 1, constants),
            "ReduceMax" | "ReduceMin" | "ReduceMean" | "ReduceProd" | "ReduceL1" | "ReduceL2" | "ReduceLogSum"
            | "ReduceLogSumExp" | "ReduceSumSquare"
                if self.over(18) =>
            {
                self.list(&mut n, "axes", 1, constants);
            }
            "Split" => {
                if self.over(13) {
                    self.list(&mut n, "split", 1, constants);
                }
                if self.over(18) && n.input.get(1).is_none_or(String::is_empty) {
                    n.attribute.push(int("num_outputs", n.output.len() as i64));
                }
            }
            "Softmax" | "LogSoftmax" | "Hardmax" if self.over(13) => return self.softmax(n, nodes),
            "Pad" if self.over(11) => {
                self.list(&mut n, "pads", 1, constants);
                let value = taken(&mut n, "value").and_then(|a| a.f);
                self.input(&mut n, 2, value.map(scalar), constants);
            }
            "Slice" if self.over(10) => {
                self.list(&mut n, "starts", 1, constants);
                self.list(&mut n, "ends", 2, constants);
                self.list(&mut n, "axes", 3, constants);
            }
            "TopK" if self.over(10) => {
                let k = taken(&mut n, "k").and_then(|a| a.i);
                self.input(&mut n, 1, k.map(|k| whole(&[k])), constants);
            }
            "Dropout" if self.over(12) => {
                n.op_type = Some("Identity".to_owned());
                n.attribute.clear();
                n.output.truncate(1);
            }
            "Upsample" if self.over(10) => {
                let scales = taken(&mut n, "scales").map(|a| a.floats);
                n.op_type = Some("Resize".to_owned());
                if self.to >= 11 {
                    let given = n.input.get(1).cloned().unwrap_or_default();
                    n.input.truncate(1);
                    n.input.extend([String::new(), given]);
                    n.attribute
                        .extend([text("coordinate_transformation_mode", "asymmetric"), text("nearest_mode", "floor")]);
                }
                // Before version 13, a region has to be there, if only an empty one.
                let region = (11..13).contains(&self.to).then(|| singles(&[]));
                self.input(&mut n, 1, region, constants);
                let at = if self.to >= 11 { 2 } else { 1 };
                self.input(&mut n, at, scales.map(|scales| singles(&scales)), constants);
            }
            "Scatter" if self.over(11) => n.op_type = Some("ScatterElements".to_owned()),
            "BatchNormalization" if self.over(9) && taken(&mut n, "spatial").and_then(|a| a.i) == Some(0) => {
                return Err(refused(&n, self));
            }
            "BatchNormalization" if self.over(14) => n.output.truncate(1),
            "RoiAlign" if self.over(16) => {
                n.attribute.push(text("coordinate_transformation_mode", "output_half_pixel"));
            }
            "GridSample" if self.over(20) => {
                for mode in n.attribute.iter_mut().filter(|a| a.name() == "mode") {
                    mode.s = match mode.s.as_deref() {
                        Some(b"bilinear") => Some(b"linear".to_vec()),
                        Some(b"bicubic") => Some(b"cubic".to_vec()),
                        _ => mode.s.take(),
                    };
                }
            }
            "Resize" if self.over(11) => return Err(refused(&n, self)),
            "Scan" if self.over(9) => return Err(refused(&n, self)),
            "DFT" if self.over(20) => return Err(refused(&n, self)),
            "GroupNormalization" if self.over(21) => return Err(refused(&n, self)),
            _ => {}
        }
        nodes.push(n);
        Ok(())
    }

    /// Before version 13 it went over all sides from its axis on, as one.
    fn softmax(&mut self, mut n: Node, nodes: &mut Vec<Node>) -> Result<(), GraphError> {
        let axis = taken(&mut n, "axis").and_then(|a| a.i).unwrap_or(1);
        n.attribute.push(int("axis", -1));
        if axis == -1 {
            nodes.push(n);
            return Ok(());
        }
        let (Some(input), Some(output)) = (n.input.first().cloned(), n.output.first().cloned()) else {
            return Err(refused(&n, self));
        };
        let [shape, flat, made] = ["shape", "flat", "made"].map(|what| self.name(what));
        nodes.push(node("Shape", &shape, &[&input], &shape, Vec::new()));
        nodes.push(node("Flatten", &flat, &[&input], &flat, vec![int("axis", axis)]));
        (n.input, n.output) = (vec![flat], vec![made.clone()]);
        nodes.push(n);
        let back = self.name("back");
        nodes.push(node("Reshape", &back, &[&made, &shape], &output, Vec::new()));
        Ok(())
    }

    /// A list of whole numbers from an attribute to an input.
    fn list(&mut self, n: &mut Node, name: &str, at: usize, constants: &mut Vec<Tensor>) {
        let list = taken(n, name).map(|a| whole(&a.ints));
        self.input(n, at, list, constants);
    }

    /// Puts a constant in as an input, if there is one.
    fn input(&mut self, n: &mut Node, at: usize, tensor: Option<Tensor>, constants: &mut Vec<Tensor>) {
        let Some(tensor) = tensor else { return };
        let name = self.name("constant");
        n.input.resize(n.input.len().max(at + 1), String::new());
        n.input[at].clone_from(&name);
        constants.push(Tensor { name: Some(name), ..tensor });
    }

    fn name(&mut self, what: &str) -> String {
        self.made += 1;
        format!("raised.{}.{what}{}", self.to, self.made)
    }
}

fn refused(n: &Node, raise: &Raise) -> GraphError {
    GraphError::Unsupported(format!(
        "`{}` ({}) is another operator in opset {} than in {}; export both networks alike",
        n.name(),
        n.op_type(),
        raise.to,
        raise.from
    ))
}

/// An attribute, taken off.
fn taken(n: &mut Node, name: &str) -> Option<Attribute> {
    let at = n.attribute.iter().position(|a| a.name() == name)?;
    Some(n.attribute.remove(at))
}

fn scalar(value: f32) -> Tensor {
    Tensor { dims: Vec::new(), ..singles(&[value]) }
}

fn singles(values: &[f32]) -> Tensor {
    constant(values.len(), FLOAT, values.iter().flat_map(|v| v.to_le_bytes()).collect())
}

fn whole(values: &[i64]) -> Tensor {
    constant(values.len(), INT64, values.iter().flat_map(|v| v.to_le_bytes()).collect())
}

fn constant(length: usize, data_type: i32, raw: Vec<u8>) -> Tensor {
    Tensor { dims: vec![length as i64], data_type: Some(data_type), raw_data: Some(raw), ..Tensor::default() }
}

#[cfg(test)]
#[cfg(feature = "ort")]
mod tests {
    use super::super::maker::ints;
    use super::super::{Attr, GraphBuilder};
    use super::*;
    use crate::model::engine::{EngineChoice, EngineOptions, find_ort_library, session};

    /// What a network of an old version gives, and what it gives once it is raised, by ONNX Runtime.
    fn both(from: i64, to: i64, shape: &[usize], build: impl Fn(&mut OnnxGraph)) -> Option<[Vec<f32>; 2]> {
        if find_ort_library(None).is_err() {
            assert!(std::env::var_os("ANDON_REQUIRE_PEERS").is_none(), "no ONNX Runtime: run `make setup`");
            return None;
        }
        let mut graph = GraphBuilder::new("old");
        graph.input("x", shape);
        let same = graph.node("Identity", &["x"], &[]);
        graph.output(&same, "y", None);
        let mut old = OnnxGraph::read(&graph.write()).unwrap();
        old.graph.node.clear();
        old.model.opset_import[0].version = Some(from);
        build(&mut old);
        let numbers: Vec<f32> = (0..shape.iter().product()).map(|i| ((i * 7919) % 101) as f32 / 50.0 - 1.0).collect();
        let options = EngineOptions { choice: EngineChoice::Ort, threads: 1, ..EngineOptions::default() };
        let run = |graph: &OnnxGraph| {
            let mut session = session::open(&graph.write(), &options).unwrap();
            let input = session.value(shape, &numbers).unwrap();
            let made = session.run(&[("x", &input)], &["y"]).unwrap().remove(0);
            session.read(&made).unwrap().1
        };
        let raised = old.raised(to).unwrap();
        assert_eq!(raised.opset(), to);
        Some([run(&old), run(&raised)])
    }

    #[test]
    fn raised_operators_compute_what_they_computed() {
        let one = |op: &str, attributes: Vec<Attribute>| {
            let op = op.to_owned();
            move |graph: &mut OnnxGraph| graph.graph.node.push(node(&op, "n", &["x"], "y", attributes.clone()))
        };
        let float = |name: &str, value| Attribute {
            name: Some(name.to_owned()),
            f: Some(value),
            kind: Some(1),
            ..Attribute::default()
        };
        let scales = Attribute {
            name: Some("scales".to_owned()),
            floats: vec![1.0, 1.0, 2.0, 3.0],
            kind: Some(6),
            ..Attribute::default()
        };
        let shape = [1, 3, 4, 5];
        for (from, to, build) in [
            (9, 17, one("Clip", vec![float("min", -0.5), float("max", 0.25)])),
            (9, 26, one("Clip", vec![float("max", 0.25)])),
            (11, 17, one("Squeeze", vec![ints("axes", &[0])])),
            (11, 18, one("Unsqueeze", vec![ints("axes", &[1])])),
            (11, 18, one("ReduceSum", vec![ints("axes", &[1]), int("keepdims", 0)])),
            (13, 18, one("ReduceMean", vec![ints("axes", &[2, 3])])),
            (17, 18, one("ReduceMax", vec![ints("axes", &[1])])),
            (11, 17, one("Softmax", vec![])),
            (11, 17, one("Softmax", vec![int("axis", 2)])),
            (11, 17, one("LogSoftmax", vec![int("axis", -1)])),
            (9, 17, one("Pad", vec![ints("pads", &[0, 0, 1, 0, 0, 0, 0, 2]), float("value", 0.75)])),
            (9, 13, one("Slice", vec![ints("starts", &[1, 0]), ints("ends", &[3, 4]), ints("axes", &[2, 3])])),
            (9, 17, one("Dropout", vec![float("ratio", 0.4)])),
            (8, 17, one("Upsample", vec![text("mode", "nearest"), scales.clone()])),
            (8, 11, one("Upsample", vec![text("mode", "linear"), scales.clone()])),
        ] {
            let Some([old, new]) = both(from, to, &shape, build) else { return };
            assert_eq!(old.len(), new.len());
            assert!(old.iter().zip(&new).all(|(a, b)| (a - b).abs() < 1e-6), "from {from} to {to}: {old:?} {new:?}");
        }
        let split = |graph: &mut OnnxGraph| {
            let mut parts = node("Split", "n", &["x"], "a", vec![int("axis", 3), ints("split", &[2, 2, 1])]);
            parts.output = ["a", "b", "c"].map(str::to_owned).to_vec();
            graph.graph.node.push(parts);
            graph.graph.node.push(node("Sub", "s", &["a", "b"], "y", Vec::new()));
        };
        let Some([old, new]) = both(11, 18, &shape, split) else { return };
        assert_eq!(old, new);
    }

    #[test]
    fn operators_that_became_others_are_named() {
        let mut graph = GraphBuilder::new("old");
        graph.input("x", &[1, 3, 4, 5]);
        let scales = graph.constant(&[4], &[1.0, 1.0, 2.0, 2.0]);
        let large = graph.node("Resize", &["x", &scales], &[Attr::Text("mode", "linear")]);
        graph.output(&large, "y", None);
        let mut old = OnnxGraph::read(&graph.write()).unwrap();
        old.model.opset_import[0].version = Some(10);
        let why = old.raised(17).unwrap_err().to_string();
        assert!(why.contains("(Resize) is another operator in opset 17 than in 10"), "{why}");
    }
}
