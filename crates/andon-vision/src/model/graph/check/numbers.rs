//! Short lists of numbers that follow from the file: shapes, repeats, how often a loop runs. They are computed as engines compute them.

use super::super::proto::{Attribute, Node, Tensor};
use super::shapes::{Known, number};
use super::tensors;

/// More numbers than this are no shape.
const SHORT: usize = 64;

/// Numbers that are constant, or follow from constants and shapes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Numbers {
    pub values: Vec<f64>,
    /// Whole numbers: what is divided is cut.
    whole: bool,
}

impl Numbers {
    fn new(values: Vec<f64>, whole: bool) -> Numbers {
        let values = if whole { values.into_iter().map(f64::trunc).collect() } else { values };
        Numbers { values, whole }
    }

    /// Those of a constant, if it is short.
    pub fn of(tensor: &Tensor) -> Option<Numbers> {
        if tensor.dims.iter().try_fold(1i64, |all, side| all.checked_mul(*side)).is_none_or(|all| all > SHORT as i64) {
            return None;
        }
        let bytes = tensors::raw(tensor).ok()?;
        let (values, whole): (Vec<f64>, bool) = match tensor.data_type? {
            1 => (bytes.as_chunks().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect(), false),
            11 => (bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect(), false),
            10 => (bytes.as_chunks().0.iter().map(|b| half::f16::from_le_bytes(*b).to_f64()).collect(), false),
            6 => (bytes.as_chunks().0.iter().map(|b| f64::from(i32::from_le_bytes(*b))).collect(), true),
            7 => (bytes.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b) as f64).collect(), true),
            9 => (bytes.iter().map(|b| f64::from(*b)).collect(), true),
            _ => return None,
        };
        Some(Numbers { values, whole })
    }

    /// What a `Constant` makes.
    pub fn of_constant(node: &Node) -> Option<Numbers> {
        let attribute = node.attribute.first()?;
        match attribute.name() {
            "value" => Numbers::of(attribute.t.as_ref()?),
            "value_int" => Some(Numbers::new(vec![attribute.i? as f64], true)),
            "value_ints" => Some(Numbers::new(attribute.ints.iter().map(|v| *v as f64).collect(), true)),
            "value_float" => Some(Numbers::new(vec![f64::from(attribute.f?)], false)),
            "value_floats" => Some(Numbers::new(attribute.floats.iter().map(|v| f64::from(*v)).collect(), false)),
            _ => None,
        }
        .filter(|numbers| numbers.values.len() <= SHORT)
    }

    /// What a node makes of numbers that are known.
    pub fn made_by(node: &Node, known: &Known) -> Option<Numbers> {
        let at = |input: usize| known.numbers_of(node, input);
        let made = match node.op_type() {
            "Shape" => {
                let shape = known.shape(node, 0)?;
                let place = |name: &str, usual: i64| {
                    let at = number(node, name).unwrap_or(usual);
                    (if at < 0 { at + shape.len() as i64 } else { at }).clamp(0, shape.len() as i64) as usize
                };
                let (start, end) = (place("start", 0), place("end", shape.len() as i64));
                let sides = shape.get(start..end.max(start))?;
                Numbers::new(sides.iter().map(|side| *side as f64).collect(), true)
            }
            "Size" => Numbers::new(vec![known.shape(node, 0)?.iter().map(|side| *side as f64).product()], true),
            "Identity" | "Unsqueeze" | "Squeeze" | "Reshape" | "Flatten" => at(0)?.clone(),
            "Cast" => Numbers::new(at(0)?.values.clone(), !matches!(number(node, "to")?, 1 | 10 | 11 | 16)),
            "Neg" => at(0)?.each(|v| -v),
            "Abs" => at(0)?.each(f64::abs),
            "Floor" => at(0)?.each(f64::floor),
            "Ceil" => at(0)?.each(f64::ceil),
            "Round" => at(0)?.each(f64::round_ties_even),
            "Sqrt" => at(0)?.each(f64::sqrt),
            "Exp" => at(0)?.each(f64::exp),
            "Add" => at(0)?.with(at(1)?, |a, b| a + b)?,
            "Sub" => at(0)?.with(at(1)?, |a, b| a - b)?,
            "Mul" => at(0)?.with(at(1)?, |a, b| a * b)?,
            "Div" => at(0)?.with(at(1)?, |a, b| a / b)?,
            "Pow" => at(0)?.with(at(1)?, f64::powf)?,
            "Max" => at(0)?.with(at(1)?, f64::max)?,
            "Min" => at(0)?.with(at(1)?, f64::min)?,
            "ReduceProd" => Numbers::new(vec![at(0)?.values.iter().product()], at(0)?.whole),
            "ReduceSum" => Numbers::new(vec![at(0)?.values.iter().sum()], at(0)?.whole),
            "ReduceMax" => Numbers::new(vec![at(0)?.values.iter().copied().fold(f64::MIN, f64::max)], at(0)?.whole),
            "Concat" => {
                let all: Vec<&Numbers> = (0..node.input.len()).map(at).collect::<Option<_>>()?;
                let whole = all.iter().all(|numbers| numbers.whole);
                Numbers::new(all.iter().flat_map(|numbers| numbers.values.iter().copied()).collect(), whole)
            }
            "Gather" if number(node, "axis").unwrap_or(0) == 0 => {
                let from = at(0)?;
                let length = from.values.len() as f64;
                let pick = |i: &f64| from.values.get((if *i < 0.0 { i + length } else { *i }) as usize).copied();
                Numbers::new(at(1)?.values.iter().map(pick).collect::<Option<_>>()?, from.whole)
            }
            "Slice" => at(0)?.sliced(node, known)?,
            _ => return None,
        };
        Some(made).filter(|numbers| numbers.values.len() <= SHORT && numbers.values.iter().all(|v| !v.is_nan()))
    }

    fn each(&self, f: impl Fn(f64) -> f64) -> Numbers {
        Numbers::new(self.values.iter().map(|v| f(*v)).collect(), self.whole)
    }

    fn with(&self, other: &Numbers, f: impl Fn(f64, f64) -> f64) -> Option<Numbers> {
        let (a, b) = (&self.values, &other.values);
        let length = match (a.len(), b.len()) {
            (a, b) if a == b => a,
            (1, n) | (n, 1) => n,
            _ => return None,
        };
        let of = |all: &[f64], i: usize| if all.len() == 1 { all[0] } else { all[i] };
        Some(Numbers::new((0..length).map(|i| f(of(a, i), of(b, i))).collect(), self.whole))
    }

    /// A part of a list, from start to end by steps of one.
    fn sliced(&self, node: &Node, known: &Known) -> Option<Numbers> {
        let list = |name: &str, input: usize| -> Option<Vec<f64>> {
            let attribute = node.attribute.iter().find(|a: &&Attribute| a.name() == name);
            let own = attribute.map(|a| a.ints.iter().map(|v| *v as f64).collect());
            own.or_else(|| known.numbers_of(node, input).map(|numbers| numbers.values.clone()))
        };
        let named = |input: usize| node.input.get(input).is_some_and(|name| !name.is_empty());
        if named(4) && list("steps", 4)? != [1.0] {
            return None;
        }
        let (starts, ends) = (list("starts", 1)?, list("ends", 2)?);
        let ([start], [end]) = (starts.as_slice(), ends.as_slice()) else { return None };
        let length = self.values.len() as f64;
        let place = |at: f64| (if at < 0.0 { at + length } else { at }).clamp(0.0, length) as usize;
        Some(Numbers::new(self.values.get(place(*start)..place(*end).max(place(*start)))?.to_vec(), self.whole))
    }
}
