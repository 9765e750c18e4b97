//! What a network from elsewhere says of itself: what it takes, what it gives, and what is done to a value before it is given.

use std::collections::{HashMap, HashSet};

use super::proto::{Dim, Node, Tensor, ValueInfo};
use super::{FLOAT, HALF, OnnxGraph};

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
            Kind::Other(4) if whole(0.0, 65_535.0) => values.iter().flat_map(|v| (*v as u16).to_le_bytes()).collect(),
            Kind::Other(5) if whole(-32_768.0, 32_767.0) => {
                values.iter().flat_map(|v| (*v as i16).to_le_bytes()).collect()
            }
            Kind::Other(12) if whole(0.0, f64::from(u32::MAX)) => {
                values.iter().flat_map(|v| (*v as u32).to_le_bytes()).collect()
            }
            Kind::Other(13) if whole(0.0, 9e15) => values.iter().flat_map(|v| (*v as u64).to_le_bytes()).collect(),
            Kind::Other(16) => values.iter().flat_map(|v| half::bf16::from_f64(*v).to_le_bytes()).collect(),
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
            Kind::Other(3) => f.write_str("i8"),
            Kind::Other(5) => f.write_str("i16"),
            Kind::Other(12) => f.write_str("u32"),
            Kind::Other(13) => f.write_str("u64"),
            Kind::Other(16) => f.write_str("bf16"),
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
        let (which, clamped, raw) = (last.input.first()?, last.input.get(1)?, last.input.get(2)?);
        // A choice that hangs on the picture is part of the map: a mask of what is looked at, say.
        let chosen_by_picture = self.takes().iter().any(|port| self.comes_from(which, &port.name, &by));
        (!chosen_by_picture && self.comes_from(clamped, raw, &by)).then(|| raw.clone())
    }

    /// Between which numbers a value lies, if it ends in a sigmoid, a hyperbolic tangent or a clip to constants.
    pub fn bounds(&self, value: &str) -> Option<[f32; 2]> {
        let by = self.makers();
        let mut last = by.get(value)?;
        while matches!(last.op_type(), "Identity" | "Transpose" | "Reshape" | "Cast" | "Squeeze" | "Unsqueeze") {
            last = by.get(last.input.first()?.as_str())?;
        }
        let constant = |i: usize| {
            let tensor =
                self.graph.initializer.iter().find(|t| Some(t.name()) == last.input.get(i).map(String::as_str))?;
            super::check::short_numbers(tensor)?.first().map(|v| *v as f32)
        };
        match last.op_type() {
            "Sigmoid" => Some([0.0, 1.0]),
            "Tanh" => Some([-1.0, 1.0]),
            "Clip" => Some([constant(1)?, constant(2)?]),
            _ => None,
        }
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
                "BatchNormalization" => {
                    let [channels] = weights.get(node.input.get(1)?.as_str())? else { return None };
                    return Some((usize::try_from(*channels).ok()?, last));
                }
                "Sub" | "Div" | "Mul" | "Add" | "Identity" | "Cast" | "Resize" | "Pad" | "Clip" => {
                    // A number for each colour says where these are.
                    match node.input.iter().find_map(|i| weights.get(i.as_str())) {
                        Some([.., 3, 1, 1]) => return Some((3, last)),
                        Some([.., 3]) if !last && node.op_type() != "Resize" => return Some((3, true)),
                        _ => {}
                    }
                    carried.extend(node.output.iter().map(|o| (o.as_str(), last)));
                }
                _ => return None,
            }
        }
        None
    }

    /// Whether a part of it carries the name of the library `anomalib`: classes in the metadata of the newer exporter, constants and nodes of the post-processor in those of the older one.
    pub fn names_anomalib(&self) -> bool {
        let has = |bytes: &[u8], name: &[u8]| bytes.windows(name.len()).any(|part| part == name);
        let graph = &self.graph;
        let metadata = graph.node.iter().flat_map(|node| &node.metadata_props).chain(&graph.metadata_props);
        metadata.chain(&self.model.metadata_props).any(|bytes| has(bytes, b"anomalib"))
            || graph.initializer.iter().any(|t| t.name().contains("post_processor"))
            || graph.node.iter().any(|node| node.name().contains("post_processor"))
    }

    /// Whether values are taken by the nearest place, and places may lie halfway between two.
    fn halves_decide(&self, node: &Node, text: &dyn Fn(&Node, &str) -> Vec<u8>) -> bool {
        let mut scales = [2, 1].into_iter().filter_map(|i| {
            let tensor =
                self.graph.initializer.iter().find(|t| Some(t.name()) == node.input.get(i).map(String::as_str))?;
            super::check::short_numbers(tensor).filter(|scales| !scales.is_empty())
        });
        let whole = |scales: &[f64]| scales.iter().all(|scale| *scale >= 1.0 && scale.fract() == 0.0);
        matches!(text(node, "mode").as_slice(), b"" | b"nearest")
            && matches!(
                text(node, "coordinate_transformation_mode").as_slice(),
                b"" | b"half_pixel" | b"pytorch_half_pixel"
            )
            && matches!(text(node, "nearest_mode").as_slice(), b"" | b"round_prefer_floor")
            && !scales.next().is_some_and(|scales| whole(&scales))
    }

    /// Where rten computes something else than the file says, without a word.
    pub fn rten_differs(&self) -> Option<String> {
        let text = |node: &Node, name: &str| {
            node.attribute.iter().find(|a| a.name() == name).and_then(|a| a.s.clone()).unwrap_or_default()
        };
        let differs = |node: &Node| -> Option<&'static str> {
            Some(match node.op_type() {
                "Resize" if text(node, "mode") == b"cubic" => {
                    "resizes by cubic interpolation, which rten computes as linear"
                }
                "Resize" if self.halves_decide(node, &text) => {
                    "takes the nearest values, and rten takes others where a place lies halfway between two"
                }
                "MaxPool" | "AveragePool" | "Conv" | "ConvTranspose" if text(node, "auto_pad") == b"SAME_LOWER" => {
                    "is padded above and left (SAME_LOWER), which rten computes as below and right"
                }
                _ => return None,
            })
        };
        let (node, what) = self.graph.node.iter().find_map(|node| Some((node, differs(node)?)))?;
        Some(format!("`{}` {what}; use ONNX Runtime (--engine ort)", node.name()))
    }

    fn makers(&self) -> HashMap<&str, &Node> {
        self.graph.node.iter().flat_map(|node| node.output.iter().map(move |o| (o.as_str(), node))).collect()
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
