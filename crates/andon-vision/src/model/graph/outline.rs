//! What a network from elsewhere says of itself: what it takes, what it gives, and what is done to a value before it is given.

use std::collections::{HashMap, HashSet};

use super::proto::{Dim, Node, Tensor, ValueInfo};
use super::{FLOAT, HALF, OnnxGraph, floats};

/// A value that a network takes or gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// The type of its numbers.
    pub kind: Kind,
    /// Its sides; `None` where the file leaves one open.
    pub sides: Vec<Option<usize>>,
}

/// A type of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// f32.
    Float,
    /// f16.
    Half,
    /// u8.
    Byte,
    /// Another one, by ONNX's number.
    Other(i32),
}

impl Kind {
    /// ONNX's number.
    pub fn number(self) -> i32 {
        match self {
            Kind::Float => FLOAT,
            Kind::Half => HALF,
            Kind::Byte => 2,
            Kind::Other(number) => number,
        }
    }

    /// Whether pictures are given as it in whole numbers: u8, u16, i32 or i64.
    pub fn is_whole(self) -> bool {
        matches!(self, Kind::Byte | Kind::Other(4 | 6 | 7))
    }

    /// Whether pictures can be given as it.
    pub fn takes_pictures(self) -> bool {
        self.is_whole() || matches!(self, Kind::Float | Kind::Half | Kind::Other(11))
    }

    /// Numbers as a file of ONNX holds them; none if the type is not known, or cannot hold one of them (a fraction, for whole numbers).
    pub fn bytes_of(self, values: &[f64]) -> Option<Vec<u8>> {
        let whole = |least: f64, most: f64| values.iter().all(|v| v.fract() == 0.0 && (least..=most).contains(v));
        Some(match self {
            Kind::Float => values.iter().flat_map(|v| (*v as f32).to_le_bytes()).collect(),
            Kind::Half => values.iter().flat_map(|v| half::f16::from_f64(*v).to_le_bytes()).collect(),
            Kind::Other(11) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Kind::Byte if whole(0.0, 255.0) => values.iter().map(|v| *v as u8).collect(),
            Kind::Other(9) if whole(0.0, 1.0) => values.iter().map(|v| *v as u8).collect(),
            Kind::Other(3) if whole(-128.0, 127.0) => values.iter().flat_map(|v| (*v as i8).to_le_bytes()).collect(),
            Kind::Other(6) if whole(f64::from(i32::MIN), f64::from(i32::MAX)) => {
                values.iter().flat_map(|v| (*v as i32).to_le_bytes()).collect()
            }
            Kind::Other(7) if whole(-9e15, 9e15) => values.iter().flat_map(|v| (*v as i64).to_le_bytes()).collect(),
            _ => return None,
        })
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Kind::Float => f.write_str("f32"),
            Kind::Half => f.write_str("f16"),
            Kind::Byte => f.write_str("u8"),
            Kind::Other(4) => f.write_str("u16"),
            Kind::Other(6) => f.write_str("i32"),
            Kind::Other(7) => f.write_str("i64"),
            Kind::Other(9) => f.write_str("bool"),
            Kind::Other(11) => f.write_str("f64"),
            Kind::Other(number) => write!(f, "type {number}"),
        }
    }
}

impl std::fmt::Display for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let side = |side: &Option<usize>| side.map_or("?".to_owned(), |n| n.to_string());
        write!(f, "{} {}[{}]", self.name, self.kind, self.sides.iter().map(side).collect::<Vec<_>>().join(","))
    }
}

fn port(value: &ValueInfo) -> Port {
    let side = |dim: &Dim| dim.value.and_then(|side| usize::try_from(side).ok()).filter(|side| *side > 0);
    let kind = match value.elem_type().unwrap_or(FLOAT) {
        FLOAT => Kind::Float,
        HALF => Kind::Half,
        2 => Kind::Byte,
        other => Kind::Other(other),
    };
    Port { name: value.name().to_owned(), kind, sides: value.dims().iter().map(side).collect() }
}

/// Operators through which a picture stays the picture.
const CARRIERS: [&str; 11] =
    ["Identity", "Cast", "Resize", "Upsample", "Transpose", "Unsqueeze", "Squeeze", "Reshape", "Pad", "Slice", "Clip"];

impl OnnxGraph {
    /// What it takes, without constants.
    pub fn takes(&self) -> Vec<Port> {
        let constant: HashSet<&str> = self.graph.initializer.iter().map(Tensor::name).collect();
        self.graph.input.iter().filter(|input| !constant.contains(input.name())).map(port).collect()
    }

    /// What it gives.
    pub fn gives(&self) -> Vec<Port> {
        self.graph.output.iter().map(port).collect()
    }

    /// How often each operator occurs, the most frequent first.
    pub fn operators(&self) -> Vec<(String, usize)> {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        self.graph.node.iter().for_each(|node| *counts.entry(node.op_type()).or_default() += 1);
        let mut all: Vec<(String, usize)> = counts.into_iter().map(|(op, n)| (op.to_owned(), n)).collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        all
    }

    /// Bytes of its weights.
    pub fn weight_bytes(&self) -> u64 {
        self.graph.initializer.iter().map(|t| t.raw_data.as_ref().map_or(4 * t.float_data.len(), Vec::len) as u64).sum()
    }

    /// Its version of the standard operators, and the program that wrote it.
    pub fn written_by(&self) -> (i64, String) {
        let version = self.model.producer_version.as_deref().unwrap_or_default();
        (
            self.opset(),
            format!("{} {version}", self.model.producer_name.as_deref().unwrap_or("unknown")).trim().to_owned(),
        )
    }

    /// The value that a post-processor takes an output from: `anomalib` ends in `Where(valid, clamped, raw)`, of which both come from `raw`, and
    /// scores clamped to 0..1 cannot tell parts apart any more. `None` if there is nothing of that kind.
    pub fn raw_of(&self, output: &str) -> Option<String> {
        let by = self.makers();
        let mut last = by.get(output)?;
        while last.op_type() == "Identity" {
            last = by.get(last.input.first()?.as_str())?;
        }
        if last.op_type() != "Where" {
            return None;
        }
        let (clamped, raw) = (last.input.get(1)?, last.input.get(2)?);
        self.comes_from(clamped, raw, &by).then(|| raw.clone())
    }

    /// How many channels the first convolution takes of an input, and whether channels are brought from the last place to the first before it: for networks that
    /// leave the sides of their pictures open. None if it is not to be seen.
    pub fn channels_taken(&self, input: &str) -> Option<(usize, bool)> {
        let weights: HashMap<&str, &[i64]> =
            self.graph.initializer.iter().map(|t| (t.name(), t.dims.as_slice())).collect();
        let mut carried: HashMap<&str, bool> = HashMap::from([(input, false)]);
        for node in &self.graph.node {
            let Some(last) = node.input.iter().find_map(|i| carried.get(i.as_str())).copied() else { continue };
            let number = |name: &str| node.attribute.iter().find(|a| a.name() == name);
            match node.op_type() {
                "Conv" => {
                    let [_, channels, ..] = weights.get(node.input.get(1)?.as_str())? else { return None };
                    let group = number("group").and_then(|a| a.i).unwrap_or(1);
                    return Some((usize::try_from(channels.checked_mul(group)?).ok()?, last));
                }
                "Transpose" if number("perm").is_some_and(|a| a.ints == [0, 3, 1, 2]) => {
                    carried.extend(node.output.iter().map(|o| (o.as_str(), true)));
                }
                "Sub" | "Div" | "Mul" | "Add" | "Identity" | "Cast" | "Resize" | "Pad" | "Clip" => {
                    carried.extend(node.output.iter().map(|o| (o.as_str(), last)));
                }
                _ => return None,
            }
        }
        None
    }

    /// Where rten computes something else than the file says, without a word: cubic resizing becomes linear in it.
    pub fn rten_differs(&self) -> Option<String> {
        let text = |node: &Node, name: &str| {
            node.attribute.iter().find(|a| a.name() == name).and_then(|a| a.s.clone()).unwrap_or_default()
        };
        let cubic = self.graph.node.iter().find(|node| node.op_type() == "Resize" && text(node, "mode") == b"cubic")?;
        Some(format!(
            "`{}` resizes by cubic interpolation, which rten computes as linear; use ONNX Runtime (--engine ort)",
            cubic.name()
        ))
    }

    /// Whether the picture is normalised by ImageNet's mean and deviation inside the network: its first arithmetic is with three such numbers.
    pub fn normalises_inside(&self, input: &str) -> bool {
        /// By how much a number may be off.
        const CLOSE: f32 = 0.02;
        let expected = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];
        let constants = self.constants();
        let mut carried: HashSet<&str> = HashSet::from([input]);
        for node in &self.graph.node {
            if !node.input.iter().any(|i| carried.contains(i.as_str())) {
                continue;
            }
            match node.op_type() {
                "Sub" | "Div" | "Mul" | "Add" => {
                    let three = node.input.iter().filter_map(|i| constants.get(i.as_str())).find(|c| c.len() == 3);
                    if let Some(three) = three {
                        let near = |want: &[f32; 3]| {
                            let [plain, inverse] = [1.0, -1.0].map(|power| {
                                three
                                    .iter()
                                    .zip(want)
                                    .all(|(v, w)| (v.abs() - w.powf(power)).abs() < CLOSE * w.powf(power))
                            });
                            plain || inverse
                        };
                        return expected.iter().any(near);
                    }
                    // By one number: 255, say.
                    carried.extend(node.output.iter().map(String::as_str));
                }
                op if CARRIERS.contains(&op) => carried.extend(node.output.iter().map(String::as_str)),
                _ => {}
            }
        }
        false
    }

    fn makers(&self) -> HashMap<&str, &Node> {
        self.graph.node.iter().flat_map(|node| node.output.iter().map(move |o| (o.as_str(), node))).collect()
    }

    /// Short constants of f32 by name.
    fn constants(&self) -> HashMap<String, Vec<f32>> {
        const SHORT: i64 = 16;
        let short = |t: &&Tensor| t.data_type == Some(FLOAT) && t.dims.iter().product::<i64>() <= SHORT;
        let named = self.graph.initializer.iter().map(|t| (t.name(), t));
        let nodes = self.graph.node.iter().filter(|node| node.op_type() == "Constant");
        let made = nodes.filter_map(|node| {
            Some((node.output.first()?.as_str(), node.attribute.iter().find_map(|a| a.t.as_ref())?))
        });
        let all = named.chain(made).filter(|(_, t)| short(t));
        all.filter_map(|(name, t)| Some((name.to_owned(), floats(t).ok()?))).collect()
    }

    /// Whether a value is computed from another.
    fn comes_from(&self, value: &str, other: &str, by: &HashMap<&str, &Node>) -> bool {
        let (mut open, mut seen) = (vec![value], HashSet::new());
        while let Some(name) = open.pop() {
            if name == other {
                return true;
            }
            if let Some(node) = by.get(name).filter(|_| seen.insert(name)) {
                open.extend(node.input.iter().map(String::as_str));
            }
        }
        false
    }
}
