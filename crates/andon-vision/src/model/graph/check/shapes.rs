//! How large values become, as far as it follows from constants: a few bytes of a file can ask for terabytes. What does not follow is left to the
//! engine.

use std::collections::HashMap;

use super::super::Graph;
use super::super::proto::{Attribute, Node, Tensor};
use super::scope::named;

/// Numbers of one value at most: 1 GiB of f32.
pub(super) const MOST_VALUES: u64 = 1 << 28;

type Shape = Vec<u64>;

/// Goes through the graph in its order, and refuses values that are too large, and convolutions of another number of channels.
pub(super) fn check(graph: &Graph) -> Result<(), String> {
    let mut known = Known { shapes: HashMap::new(), numbers: HashMap::new() };
    for tensor in &graph.initializer {
        known.constant(tensor.name(), tensor);
    }
    for input in graph.input.iter().filter(|input| !known.shapes.contains_key(input.name())).collect::<Vec<_>>() {
        // A side that is not said is 1 at least, so that what follows is never too large by mistake.
        let sides = input.dims();
        if !sides.is_empty() && sides.iter().all(|dim| dim.value.is_some()) {
            known.shapes.insert(input.name(), sides.iter().map(|dim| dim.value.unwrap_or(1) as u64).collect());
        }
    }
    for node in &graph.node {
        if node.op_type() == "Constant" {
            if let (Some(output), Some(tensor)) =
                (node.output.first(), node.attribute.iter().find_map(|a| a.t.as_ref()))
            {
                known.constant(output, tensor);
            }
            continue;
        }
        let Some(shape) = known.of(node)? else { continue };
        let all = shape.iter().try_fold(1u64, |all, side| all.checked_mul(*side));
        if all.is_none_or(|all| all > MOST_VALUES) {
            let bytes = shape.iter().map(|side| *side as f64).product::<f64>() * 4.0;
            return Err(format!(
                "the node {} makes a value of the shape {shape:?}, which is 2^{:.0} bytes; no frame needs that",
                named(node),
                bytes.log2()
            ));
        }
        if let Some(output) = node.output.first() {
            known.shapes.insert(output, shape);
        }
    }
    Ok(())
}

struct Known<'a> {
    shapes: HashMap<&'a str, Shape>,
    /// Whole numbers that are constant.
    numbers: HashMap<&'a str, Vec<i64>>,
}

/// Operators whose output has the shape of their first input.
const ALIKE: [&str; 31] = [
    "Relu",
    "LeakyRelu",
    "Sigmoid",
    "Tanh",
    "Clip",
    "Elu",
    "Selu",
    "HardSigmoid",
    "HardSwish",
    "Gelu",
    "Erf",
    "Exp",
    "Log",
    "Sqrt",
    "Abs",
    "Neg",
    "Floor",
    "Ceil",
    "Round",
    "Reciprocal",
    "Softplus",
    "Softmax",
    "LogSoftmax",
    "Identity",
    "Cast",
    "Dropout",
    "BatchNormalization",
    "InstanceNormalization",
    "LayerNormalization",
    "LRN",
    "Not",
];
/// Operators that stretch their inputs to one another.
const PAIRS: [&str; 15] =
    ["Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "Sum", "Mean", "Equal", "Greater", "Less", "And", "Or", "Where"];

impl<'a> Known<'a> {
    fn constant(&mut self, name: &'a str, tensor: &Tensor) {
        const INT64: i32 = 7;
        /// Shapes, pads and the like are short.
        const SHORT: usize = 64;
        self.shapes.insert(name, tensor.dims.iter().map(|side| *side as u64).collect());
        let numbers = match &tensor.raw_data {
            Some(raw) => raw.as_chunks::<8>().0.iter().take(SHORT + 1).map(|b| i64::from_le_bytes(*b)).collect(),
            None => tensor.int64_data.clone(),
        };
        if tensor.data_type == Some(INT64) && numbers.len() <= SHORT {
            self.numbers.insert(name, numbers);
        }
    }

    fn shape(&self, node: &Node, input: usize) -> Option<&Shape> {
        self.shapes.get(node.input.get(input)?.as_str())
    }

    fn numbers(&self, node: &Node, input: usize) -> Option<&Vec<i64>> {
        self.numbers.get(node.input.get(input)?.as_str())
    }

    /// The shape of what a node makes, if it follows.
    fn of(&self, node: &Node) -> Result<Option<Shape>, String> {
        let op = node.op_type();
        if op == "Conv" {
            return self.conv(node);
        }
        let side = |n: &i64| u64::try_from(*n).unwrap_or(0);
        Ok(match op {
            _ if ALIKE.contains(&op) => self.shape(node, 0).cloned(),
            _ if PAIRS.contains(&op) => self.stretched(node),
            "Concat" => self.concat(node),
            "ConstantOfShape" => self.numbers(node, 0).map(|sides| sides.iter().map(side).collect()),
            "Expand" => self
                .shape(node, 0)
                .zip(self.numbers(node, 1))
                .and_then(|(from, to)| broadcast(&[from, &to.iter().map(side).collect()])),
            "Tile" => self.shape(node, 0).zip(self.numbers(node, 1)).map(|(from, times)| {
                from.iter().zip(times).map(|(side, n)| side.saturating_mul(n.unsigned_abs())).collect()
            }),
            "Reshape" => self.reshape(node),
            "Transpose" => self.shape(node, 0).and_then(|from| {
                let order = numbers(node, "perm").unwrap_or_else(|| (0..from.len() as i64).rev().collect());
                order.iter().map(|i| from.get(*i as usize).copied()).collect()
            }),
            "Pad" => self.shape(node, 0).and_then(|from| {
                let pads = self.numbers(node, 1).cloned().or_else(|| numbers(node, "pads"))?;
                let n = from.len();
                let grown =
                    |i: usize| Some(from[i].saturating_add(side(pads.get(i)?)).saturating_add(side(pads.get(n + i)?)));
                (0..n).map(grown).collect()
            }),
            "Resize" => {
                self.numbers(node, 3).filter(|sizes| !sizes.is_empty()).map(|sizes| sizes.iter().map(side).collect())
            }
            "MatMul" => self.shape(node, 0).zip(self.shape(node, 1)).and_then(|(a, b)| {
                let ([.., m, _], [.., n]) = (a.as_slice(), b.as_slice()) else { return None };
                (b.len() >= 2).then_some(())?;
                let (a, b) = (a[..a.len() - 2].to_vec(), b[..b.len() - 2].to_vec());
                let mut all = broadcast(&[&a, &b])?;
                all.extend([*m, *n]);
                Some(all)
            }),
            _ => None,
        })
    }

    fn stretched(&self, node: &Node) -> Option<Shape> {
        let shapes: Option<Vec<&Shape>> = (0..node.input.len()).map(|i| self.shape(node, i)).collect();
        broadcast(&shapes?)
    }

    fn concat(&self, node: &Node) -> Option<Shape> {
        let mut whole = self.shape(node, 0)?.clone();
        let axis = node.attribute.iter().find(|a| a.name() == "axis").and_then(|a| a.i).unwrap_or(0);
        let axis = if axis < 0 { axis + whole.len() as i64 } else { axis } as usize;
        let sides = (0..node.input.len()).map(|i| self.shape(node, i).and_then(|shape| shape.get(axis)).copied());
        *whole.get_mut(axis)? = sides.sum::<Option<u64>>()?;
        Some(whole)
    }

    fn reshape(&self, node: &Node) -> Option<Shape> {
        let (from, to) = (self.shape(node, 0)?, self.numbers(node, 1)?);
        let all: u64 = from.iter().try_fold(1u64, |all, side| all.checked_mul(*side))?;
        let mut sides: Vec<Option<u64>> = Vec::new();
        for (i, side) in to.iter().enumerate() {
            sides.push(match side {
                0 => from.get(i).copied(),
                -1 => None,
                n => Some(u64::try_from(*n).ok()?),
            });
        }
        let known: u64 = sides.iter().flatten().try_fold(1u64, |all, side| all.checked_mul(*side))?;
        Some(sides.into_iter().map(|side| side.unwrap_or(all / known.max(1))).collect())
    }

    fn conv(&self, node: &Node) -> Result<Option<Shape>, String> {
        let (Some(x), Some(w)) = (self.shape(node, 0), self.shape(node, 1)) else { return Ok(None) };
        let number =
            |name: &str, i: usize, usual: i64| numbers(node, name).and_then(|n| n.get(i).copied()).unwrap_or(usual);
        let groups = node.attribute.iter().find(|a| a.name() == "group").and_then(|a| a.i).unwrap_or(1).max(1) as u64;
        if x.len() < 3 || w.len() != x.len() {
            return Ok(None);
        }
        if w[1].saturating_mul(groups) != x[1] {
            let wanted = w[1].saturating_mul(groups);
            return Err(format!("the node {} is given {} channels, and its weights want {wanted}", named(node), x[1]));
        }
        if node.attribute.iter().any(|a| a.name() == "auto_pad" && a.s.as_deref().is_some_and(|s| s != b"NOTSET")) {
            return Ok(None);
        }
        let spatial = x.len() - 2;
        let side = |i: usize| {
            let (stride, dilation) = (number("strides", i, 1).max(1), number("dilations", i, 1).max(1));
            let pads = number("pads", i, 0) + number("pads", spatial + i, 0);
            let room = x[2 + i] as i64 + pads - dilation * (w[2 + i] as i64 - 1) - 1;
            (room >= 0).then(|| (room / stride + 1) as u64)
        };
        let sides: Option<Shape> = (0..spatial).map(side).collect();
        Ok(sides.map(|sides| [vec![x[0], w[0]], sides].concat()))
    }
}

/// The shape that all of these stretch to, as numpy does it; `None` where they do not fit.
fn broadcast(shapes: &[&Shape]) -> Option<Shape> {
    let rank = shapes.iter().map(|shape| shape.len()).max()?;
    let side = |i: usize| {
        let mut largest = 1;
        for shape in shapes {
            let at = (i + shape.len()).checked_sub(rank).map_or(1, |at| shape[at]);
            if at != 1 && largest != 1 && at != largest {
                return None;
            }
            largest = largest.max(at);
        }
        Some(largest)
    };
    (0..rank).map(side).collect()
}

fn numbers(node: &Node, name: &str) -> Option<Vec<i64>> {
    node.attribute.iter().find(|a: &&Attribute| a.name() == name).map(|a| a.ints.clone())
}
