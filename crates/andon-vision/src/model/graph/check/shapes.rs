//! How large values become, as far as it follows from constants: a few bytes of a file can ask for terabytes. What does not follow is left to the
//! engine.

use std::collections::HashMap;

use prost::Message;

use super::super::Graph;
use super::super::proto::{Attribute, Node, Tensor};
use super::numbers::Numbers;
use super::scope::named;

/// Numbers of one value at most: 1 GiB of f32.
pub(super) const MOST_VALUES: u64 = 1 << 28;
/// Nodes that are run for a picture, those of loops as often as they run.
const MOST_RUNS: u64 = 1_000_000;

/// Sides of a value at most.
const MOST_SIDES: usize = 64;

pub(super) type Shape = Vec<u64>;

/// Goes through the graph in its order, and refuses values that are too large, convolutions of another number of channels, loops without a bound, and what gives other values each time.
pub(super) fn check(graph: &Graph) -> Result<(), String> {
    let mut known = Known { shapes: HashMap::new(), numbers: HashMap::new(), runs: 0 };
    for input in &graph.input {
        // What follows from a side that is not said is not known.
        let sides = input.dims();
        if !sides.is_empty() && sides.iter().all(|dim| dim.value.is_some()) {
            let sides = sides.iter().map(|dim| dim.value.unwrap_or(1) as u64).collect();
            known.shapes.insert(input.name().to_owned(), sides);
        }
    }
    known.through(graph, 1)
}

/// What is known of values by their names.
pub(super) struct Known {
    shapes: HashMap<String, Shape>,
    numbers: HashMap<String, Numbers>,
    runs: u64,
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

impl Known {
    /// Goes through a graph that is run so many times.
    fn through(&mut self, graph: &Graph, times: u64) -> Result<(), String> {
        for tensor in &graph.initializer {
            self.constant(tensor.name(), tensor);
        }
        for node in &graph.node {
            self.runs = self.runs.saturating_add(times);
            if self.runs > MOST_RUNS {
                return Err(format!(
                    "with its loops it comes to more than {MOST_RUNS} nodes a picture, and a frame must be judged in time; the node {} is where",
                    named(node)
                ));
            }
            self.trains(node)?;
            let times = times.saturating_mul(self.rounds(node)?);
            let Some(output) = node.output.first() else { continue };
            if node.op_type() == "Constant" {
                if let Some(tensor) = node.attribute.iter().find_map(|a| a.t.as_ref()) {
                    self.constant(output, tensor);
                } else if let Some(numbers) = Numbers::of_constant(node) {
                    self.numbers.insert(output.clone(), numbers);
                }
                continue;
            }
            if let Some(numbers) = Numbers::made_by(node, self) {
                self.numbers.insert(output.clone(), numbers);
            }
            for bytes in node.attribute.iter().flat_map(|a| a.g.iter().chain(&a.graphs)) {
                let inner = Graph::decode(bytes.as_slice()).map_err(|e| e.to_string())?;
                // What a round makes of what it is given may have another shape each time.
                inner.input.iter().for_each(|input| self.forget(input.name()));
                self.through(&inner, times)?;
            }
            let Some(shape) = self.of(node)? else { continue };
            if shape.len() > MOST_SIDES {
                return Err(format!(
                    "the node {} makes a value of {} sides; no frame needs that",
                    named(node),
                    shape.len()
                ));
            }
            let all = shape.iter().try_fold(1u64, |all, side| all.checked_mul(*side));
            if all.is_none_or(|all| all > MOST_VALUES) {
                let bytes = shape.iter().map(|side| *side as f64).product::<f64>() * 4.0;
                return Err(format!(
                    "the node {} makes a value of the shape {shape:?}, which is 2^{:.0} bytes; no frame needs that",
                    named(node),
                    bytes.log2()
                ));
            }
            self.shapes.insert(output.clone(), shape);
        }
        Ok(())
    }

    fn forget(&mut self, name: &str) {
        self.shapes.remove(name);
        self.numbers.remove(name);
    }

    /// How often the graphs within a node are run at most.
    fn rounds(&self, node: &Node) -> Result<u64, String> {
        if node.op_type() != "Loop" {
            return Ok(1);
        }
        let most = self.numbers_of(node, 0).and_then(|numbers| numbers.values.first().copied());
        match most {
            Some(most) if most <= MOST_RUNS as f64 => Ok(most.max(0.0) as u64),
            Some(most) => Err(format!(
                "the node {} is a Loop of up to {most} rounds, and a frame must be judged in time; export it unrolled",
                named(node)
            )),
            None => Err(format!(
                "the node {} is a Loop that nothing bounds, and a frame must be judged in time; export it unrolled",
                named(node)
            )),
        }
    }

    /// Networks as they are trained leave values out by chance.
    fn trains(&self, node: &Node) -> Result<(), String> {
        let by_chance = match node.op_type() {
            "Dropout" => {
                let says = self.numbers_of(node, 2).and_then(|numbers| numbers.values.first());
                says.is_some_and(|training| *training != 0.0)
                    && self.numbers_of(node, 1).and_then(|ratio| ratio.values.first()).is_none_or(|ratio| *ratio > 0.0)
            }
            _ => false,
        };
        match by_chance {
            true => Err(format!(
                "the node {} leaves out values by chance, as in training, and the same picture must get the same verdict; export the network for judging (model.eval())",
                named(node)
            )),
            false => Ok(()),
        }
    }

    fn constant(&mut self, name: &str, tensor: &Tensor) {
        self.shapes.insert(name.to_owned(), tensor.dims.iter().map(|side| *side as u64).collect());
        if let Some(numbers) = Numbers::of(tensor) {
            self.numbers.insert(name.to_owned(), numbers);
        }
    }

    pub fn shape(&self, node: &Node, input: usize) -> Option<&Shape> {
        self.shapes.get(node.input.get(input)?.as_str())
    }

    pub fn numbers_of(&self, node: &Node, input: usize) -> Option<&Numbers> {
        self.numbers.get(node.input.get(input)?.as_str())
    }

    /// Whole numbers that are known.
    pub(super) fn numbers(&self, node: &Node, input: usize) -> Option<Vec<i64>> {
        Some(self.numbers_of(node, input)?.values.iter().map(|v| *v as i64).collect())
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
            "Range" => self.range(node),
            "OneHot" => self.one_hot(node),
            "Gather" => self.gather(node),
            "Unsqueeze" => self.unsqueeze(node),
            "ConvTranspose" => self.conv_transpose(node),
            "RoiAlign" => self.roi_align(node),
            "Expand" => self
                .shape(node, 0)
                .zip(self.numbers(node, 1))
                .and_then(|(from, to)| broadcast(&[from, &to.iter().map(side).collect()])),
            "Tile" => self.shape(node, 0).zip(self.numbers(node, 1)).map(|(from, times)| {
                from.iter().zip(&times).map(|(side, n)| side.saturating_mul(n.unsigned_abs())).collect()
            }),
            "Reshape" => self.reshape(node),
            "Transpose" => self.shape(node, 0).and_then(|from| {
                let order = list(node, "perm").unwrap_or_else(|| (0..from.len() as i64).rev().collect());
                order.iter().map(|i| from.get(*i as usize).copied()).collect()
            }),
            "Pad" => self.shape(node, 0).and_then(|from| {
                let pads = self.numbers(node, 1).or_else(|| list(node, "pads"))?;
                let n = from.len();
                let grown =
                    |i: usize| Some(from[i].saturating_add(side(pads.get(i)?)).saturating_add(side(pads.get(n + i)?)));
                (0..n).map(grown).collect()
            }),
            "Resize" => match self.numbers(node, 3).filter(|sizes| !sizes.is_empty()) {
                Some(sizes) if list(node, "axes").is_none() => Some(sizes.iter().map(side).collect()),
                Some(_) => None,
                None if node.input.len() == 2 => self.scaled(node, 1),
                None => self.scaled(node, 2),
            },
            "Upsample" => self.scaled(node, 1),
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
            |name: &str, i: usize, usual: i64| list(node, name).and_then(|n| n.get(i).copied()).unwrap_or(usual);
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
            let pads = i128::from(number("pads", i, 0)) + i128::from(number("pads", spatial + i, 0));
            let window = i128::from(dilation) * (i128::from(w[2 + i]) - 1) + 1;
            let room = i128::from(x[2 + i]) + pads - window;
            (room >= 0).then(|| u64::try_from(room / i128::from(stride) + 1).unwrap_or(u64::MAX))
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

/// Whole numbers of a node's attributes.
pub(super) fn list(node: &Node, name: &str) -> Option<Vec<i64>> {
    node.attribute.iter().find(|a: &&Attribute| a.name() == name).map(|a| a.ints.clone())
}

/// A whole number of a node's attributes.
pub(super) fn number(node: &Node, name: &str) -> Option<i64> {
    node.attribute.iter().find(|a: &&Attribute| a.name() == name).and_then(|a| a.i)
}
