//! What a network does to a picture before anything else: which numbers its input has, and in which order its colours come, as far as that shows.

use std::collections::HashMap;

use super::proto::{Node, Tensor};
use super::{OnnxGraph, check};

/// The numbers that a network wants in its input, by the normalisation that it does itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// 0 to 1.
    Unit,
    /// 0 to 255.
    Bytes,
    /// -1 to 1.
    Centred,
}

/// A normalisation inside a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inside {
    /// What it takes.
    pub range: Range,
    /// Whose numbers: `ImageNet` or `CLIP`.
    pub of: &'static str,
    /// Blue comes first.
    pub bgr: bool,
}

/// Mean and deviation of red, green and blue in 0..1.
const KNOWN: [(&str, [f64; 3], [f64; 3]); 2] = [
    ("ImageNet", [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ("CLIP", [0.481_454_66, 0.457_827_5, 0.408_210_73], [0.268_629_54, 0.261_302_58, 0.275_777_11]),
];
/// By how much a number may be off, in shares.
const CLOSE: f64 = 0.02;

/// `value * factor + shift` of each channel.
#[derive(Clone, Copy, Debug)]
struct Line {
    factor: [f64; 3],
    shift: [f64; 3],
    /// The order of the channels was turned round.
    turned: bool,
}

impl Line {
    const NONE: Line = Line { factor: [1.0; 3], shift: [0.0; 3], turned: false };

    /// This, and then a node with a constant.
    fn after(self, op: &str, by: [f64; 3], constant_first: bool) -> Option<Line> {
        let of = |f: &dyn Fn(usize) -> (f64, f64)| {
            let both: [(f64, f64); 3] = std::array::from_fn(f);
            Line { factor: both.map(|v| v.0), shift: both.map(|v| v.1), ..self }
        };
        let (a, b) = (self.factor, self.shift);
        Some(match (op, constant_first) {
            ("Add", _) => of(&|i| (a[i], b[i] + by[i])),
            ("Sub", false) => of(&|i| (a[i], b[i] - by[i])),
            ("Sub", true) => of(&|i| (-a[i], by[i] - b[i])),
            ("Mul", _) => of(&|i| (a[i] * by[i], b[i] * by[i])),
            ("Div", false) => of(&|i| (a[i] / by[i], b[i] / by[i])),
            _ => return None,
        })
    }

    /// The normalisation that this is the whole, or the mean, of: the nearest of those that it could be.
    fn known(&self) -> Option<Inside> {
        const RANGES: [(Range, f64, f64); 3] =
            [(Range::Unit, 1.0, 0.0), (Range::Bytes, 1.0 / 255.0, 0.0), (Range::Centred, 0.5, 0.5)];
        let mut nearest: Option<(f64, Inside)> = None;
        for (of, mean, deviation) in KNOWN {
            for (range, scale, zero) in RANGES {
                // Of one that leaves the deviation to the weights, the mean shows, in 0..1 or in 0..255.
                let whole = |i: usize| (scale / deviation[i], (zero - mean[i]) / deviation[i]);
                let mean_alone = |i: usize| (scale, zero - mean[i]);
                let mean_of_bytes = |i: usize| (1.0, -255.0 * mean[i]);
                let forms: [&dyn Fn(usize) -> (f64, f64); 3] = [&whole, &mean_alone, &mean_of_bytes];
                let forms = if range == Range::Bytes { &forms[..] } else { &forms[..2] };
                for (form, bgr) in forms.iter().flat_map(|form| [(form, false), (form, true)]) {
                    let off = self.off(|i| form(if bgr { 2 - i } else { i }));
                    if off < CLOSE && nearest.is_none_or(|(before, _)| off < before) {
                        nearest = Some((off, Inside { range, of, bgr: bgr != self.turned }));
                    }
                }
            }
        }
        nearest.map(|(_, inside)| inside)
    }

    /// By how much it is off another one at most, in shares.
    fn off(&self, other: impl Fn(usize) -> (f64, f64)) -> f64 {
        let of = |i: usize| {
            let (factor, shift) = other(i);
            let of_factor = (self.factor[i] - factor).abs() / factor;
            of_factor.max((self.shift[i] - shift).abs() / shift.abs().max(factor.min(1.0)))
        };
        (0..3).map(of).fold(0.0, f64::max)
    }
}

impl OnnxGraph {
    /// The normalisation by known numbers that a network does to this input before anything else; none if none is to be seen.
    pub fn normalises_inside(&self, input: &str) -> Option<Inside> {
        let constants = self.short_constants();
        let mut carried: HashMap<&str, Line> = HashMap::from([(input, Line::NONE)]);
        for node in &self.graph.node {
            let at = node.input.iter().position(|i| carried.contains_key(i.as_str()));
            let Some((at, line)) = at.and_then(|at| Some((at, *carried.get(node.input[at].as_str())?))) else {
                continue;
            };
            let constant = |i: usize| constants.get(node.input.get(i)?.as_str()).map(Vec::as_slice);
            let next = match node.op_type() {
                op @ ("Add" | "Sub" | "Mul" | "Div") => match constant(1 - at.min(1)) {
                    Some([one]) => line.after(op, [*one; 3], at == 1),
                    Some([a, b, c]) => line.after(op, [*a, *b, *c], at == 1),
                    _ => None,
                },
                "BatchNormalization" => batch_normalization(line, node, &constant),
                "Gather" if at == 0 => {
                    let [mut factor, mut shift] = [line.factor, line.shift];
                    factor.reverse();
                    shift.reverse();
                    (constant(1) == Some(&[2.0, 1.0, 0.0])).then_some(Line { factor, shift, turned: !line.turned })
                }
                "Identity" | "Cast" | "Resize" | "Upsample" | "Transpose" | "Unsqueeze" | "Squeeze" | "Reshape"
                | "Pad" | "Slice" | "Clip" | "Expand" => Some(line),
                _ => None,
            };
            let (Some(next), Some(output)) = (next, node.output.first()) else { continue };
            if let Some(inside) = next.known() {
                return Some(inside);
            }
            carried.insert(output, next);
        }
        None
    }

    /// Constants of one or three numbers by name, and what is made of them alone.
    fn short_constants(&self) -> HashMap<String, Vec<f64>> {
        let mut all: HashMap<String, Vec<f64>> = HashMap::new();
        let of = |tensor: &Tensor| check::short_numbers(tensor).filter(|values| matches!(values.len(), 1 | 3));
        for tensor in &self.graph.initializer {
            if let Some(values) = of(tensor) {
                all.insert(tensor.name().to_owned(), values);
            }
        }
        for node in &self.graph.node {
            let Some(output) = node.output.first() else { continue };
            let given = |i: usize| node.input.get(i).and_then(|name| all.get(name));
            let made = match node.op_type() {
                "Constant" => check::numbers_of_constant(node).filter(|values| matches!(values.len(), 1 | 3)),
                "Identity" | "Cast" | "Unsqueeze" | "Squeeze" | "Reshape" => given(0).cloned(),
                op @ ("Add" | "Sub" | "Mul" | "Div") => given(0).zip(given(1)).map(|(a, b)| {
                    let of = |all: &[f64], i: usize| all[i % all.len()];
                    let by = |i: usize| match op {
                        "Add" => of(a, i) + of(b, i),
                        "Sub" => of(a, i) - of(b, i),
                        "Mul" => of(a, i) * of(b, i),
                        _ => of(a, i) / of(b, i),
                    };
                    (0..a.len().max(b.len())).map(by).collect()
                }),
                _ => None,
            };
            if let Some(made) = made {
                all.insert(output.clone(), made);
            }
        }
        all
    }
}

/// One over three channels, as it judges.
fn batch_normalization<'c>(line: Line, node: &Node, constant: &dyn Fn(usize) -> Option<&'c [f64]>) -> Option<Line> {
    let three = |i: usize| -> Option<[f64; 3]> { constant(i)?.try_into().ok() };
    let (scale, bias, mean, variance) = (three(1)?, three(2)?, three(3)?, three(4)?);
    let epsilon = node.attribute.iter().find(|a| a.name() == "epsilon").and_then(|a| a.f).unwrap_or(1e-5);
    let factor: [f64; 3] = std::array::from_fn(|i| scale[i] / (variance[i] + f64::from(epsilon)).sqrt());
    line.after("Sub", mean, false)?.after("Mul", factor, false)?.after("Add", bias, false)
}

#[cfg(test)]
mod tests {
    use super::super::GraphBuilder;
    use super::*;

    /// What is seen of a network whose first nodes are these, each with one constant.
    fn seen(nodes: &[(&str, &[f32])]) -> Option<(Range, &'static str, bool)> {
        let mut graph = GraphBuilder::new("normalising");
        graph.input("x", &[1, 3, 8, 8]);
        let mut at = "x".to_owned();
        for (op, values) in nodes {
            let shape = [1, values.len(), 1, 1];
            let by = graph.constant(if values.len() == 1 { &[] } else { &shape[..] }, values);
            at = graph.node(op, &[&at, &by], &[]);
        }
        let weights = graph.constant(&[1, 3, 1, 1], &[1.0; 3]);
        let map = graph.node("Conv", &[&at, &weights], &[]);
        graph.output(&map, "map", None);
        let inside = OnnxGraph::read(&graph.write()).unwrap().normalises_inside("x")?;
        Some((inside.range, inside.of, inside.bgr))
    }

    #[test]
    fn what_a_network_wants_follows_from_its_first_arithmetic() {
        let (mean, deviation) = (&[0.485, 0.456, 0.406][..], &[0.229, 0.224, 0.225][..]);
        let backwards: Vec<f32> = mean.iter().rev().copied().collect();
        let backwards_too: Vec<f32> = deviation.iter().rev().copied().collect();
        let inverse: Vec<f32> = deviation.iter().map(|d| 1.0 / d).collect();
        let moved: Vec<f32> = mean.iter().zip(deviation).map(|(m, d)| -m / d).collect();
        let of_bytes: Vec<f32> = mean.iter().map(|m| 255.0 * m).collect();
        let wide: Vec<f32> = deviation.iter().map(|d| 255.0 * d).collect();
        let clip = &[0.481_454_66, 0.457_827_5, 0.408_210_73][..];
        let imagenet = |range, bgr| Some((range, "ImageNet", bgr));
        for (nodes, want) in [
            (vec![("Sub", mean), ("Div", deviation)], imagenet(Range::Unit, false)),
            (vec![("Mul", &inverse[..]), ("Add", &moved[..])], imagenet(Range::Unit, false)),
            (vec![("Div", &[255.0][..]), ("Sub", mean), ("Div", deviation)], imagenet(Range::Bytes, false)),
            (vec![("Mul", &[1.0 / 255.0][..]), ("Sub", mean), ("Div", deviation)], imagenet(Range::Bytes, false)),
            (vec![("Sub", &of_bytes[..]), ("Div", &wide[..])], imagenet(Range::Bytes, false)),
            (
                vec![("Add", &[1.0][..]), ("Div", &[2.0]), ("Sub", mean), ("Div", deviation)],
                imagenet(Range::Centred, false),
            ),
            (vec![("Sub", &backwards[..]), ("Div", &backwards_too[..])], imagenet(Range::Unit, true)),
            (vec![("Sub", clip)], Some((Range::Unit, "CLIP", false))),
            (vec![("Mul", &[2.0][..]), ("Sub", &[1.0])], None),
            (vec![("Sub", &[0.1, 0.2, 0.3][..])], None),
            (vec![], None),
        ] {
            assert_eq!(seen(&nodes), want, "{nodes:?}");
        }
    }
}
