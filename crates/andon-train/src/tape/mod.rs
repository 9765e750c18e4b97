//! A tape: records what a network computes and writes its gradients behind it, all as one plain ONNX graph of ordinary operators, which any
//! engine can run.
//!
//! ```text
//!  let loss = tape.mean_square(y, target);         forward nodes
//!  let [dw] = tape.gradients(loss, [w]);           backward nodes, last first
//!  tape.output(dw, "dw"); tape.finish()            ONNX
//! ```
//!
//! All values are f32 of a shape that is known when the graph is written. What a shape has to be is said by each layer; a wrong one is a mistake in
//! the program, and panics while the graph is written, not while it runs.

mod activation;
mod conv;
mod loss;
mod norm;
mod shape;

pub use loss::hardest;

use andon_vision::model::graph::{Attr, GraphBuilder};

/// A value on the tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Var(usize);

/// Given the gradient of an output, writes those of the inputs.
type Backward = Box<dyn FnOnce(&mut Tape, Var) -> Vec<(Var, Var)>>;

struct Value {
    name: String,
    shape: Vec<usize>,
    /// Whether a parameter leads to it.
    tracked: bool,
}

/// A network in the making. See the module.
pub struct Tape {
    graph: GraphBuilder,
    values: Vec<Value>,
    recorded: Vec<(Var, Backward)>,
}

impl Tape {
    /// An empty tape; the name goes into the file.
    pub fn new(name: &str) -> Tape {
        Tape { graph: GraphBuilder::new(name), values: Vec::new(), recorded: Vec::new() }
    }

    /// An input that no gradient is wanted of.
    pub fn input(&mut self, name: &str, shape: &[usize]) -> Var {
        self.graph.input(name, shape);
        self.push(name.to_owned(), shape, false)
    }

    /// An input that gradients are wanted of.
    pub fn parameter(&mut self, name: &str, shape: &[usize]) -> Var {
        self.graph.input(name, shape);
        self.push(name.to_owned(), shape, true)
    }

    /// Fixed values, in rows.
    pub fn constant(&mut self, shape: &[usize], values: &[f32]) -> Var {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "as many values as the shape says");
        let name = self.graph.constant(shape, values);
        self.push(name, shape, false)
    }

    fn scalar(&mut self, value: f32) -> Var {
        self.constant(&[], &[value])
    }

    /// The shape of a value.
    pub fn shape(&self, var: Var) -> &[usize] {
        &self.values[var.0].shape
    }

    /// The shape of a value of `N` dimensions.
    fn dims<const N: usize>(&self, var: Var) -> [usize; N] {
        let shape = self.shape(var);
        assert_eq!(shape.len(), N, "dimensions of a value of {shape:?}");
        std::array::from_fn(|axis| shape[axis])
    }

    /// The same value, through which no gradient flows.
    pub fn detach(&mut self, x: Var) -> Var {
        let Value { name, shape, .. } = &self.values[x.0];
        let (name, shape) = (name.clone(), shape.clone());
        self.push(name, &shape, false)
    }

    /// `a + b`; the shapes are equal, or one is a single number.
    pub fn add(&mut self, a: Var, b: Var) -> Var {
        let y = self.pair("Add", a, b);
        self.record(y, &[a, b], move |tape, g| vec![(a, tape.like(g, a)), (b, tape.like(g, b))])
    }

    /// `a - b`; shapes as with [`Tape::add`].
    pub fn sub(&mut self, a: Var, b: Var) -> Var {
        let y = self.pair("Sub", a, b);
        self.record(y, &[a, b], move |tape, g| {
            let (to_a, minus) = (tape.like(g, a), tape.scaled(g, -1.0));
            vec![(a, to_a), (b, tape.like(minus, b))]
        })
    }

    /// `a * b`, value by value; shapes as with [`Tape::add`].
    pub fn mul(&mut self, a: Var, b: Var) -> Var {
        let y = self.pair("Mul", a, b);
        self.record(y, &[a, b], move |tape, g| {
            let (by_b, by_a) = (tape.pair("Mul", g, b), tape.pair("Mul", g, a));
            vec![(a, tape.like(by_b, a)), (b, tape.like(by_a, b))]
        })
    }

    /// `x * factor`.
    pub fn scale(&mut self, x: Var, factor: f32) -> Var {
        let y = self.scaled(x, factor);
        self.record(y, &[x], move |tape, g| vec![(x, tape.scaled(g, factor))])
    }

    /// The mean of all values, one number.
    pub fn mean(&mut self, x: Var) -> Var {
        let y = self.emit("ReduceMean", &[x], &[Attr::Int("keepdims", 0)], &[]);
        self.record(y, &[x], move |tape, g| {
            let shape = tape.shape(x).to_vec();
            let share = tape.scaled(g, 1.0 / shape.iter().product::<usize>() as f32);
            vec![(x, tape.expand(share, &shape))]
        })
    }

    /// The sum of losses, each with its weight.
    pub fn weighted_sum(&mut self, losses: &[(Var, f32)]) -> Var {
        let mut sum: Option<Var> = None;
        for (loss, weight) in losses {
            let part = if *weight == 1.0 { *loss } else { self.scale(*loss, *weight) };
            sum = Some(sum.map_or(part, |sum| self.add(sum, part)));
        }
        sum.unwrap_or_else(|| self.scalar(0.0))
    }

    /// Writes the gradients of `loss`, one number, with respect to parameters; zeros where it does not depend on one.
    pub fn gradients(&mut self, loss: Var, of: &[Var]) -> Vec<Var> {
        assert!(self.shape(loss).is_empty(), "a loss is one number");
        let mut found: Vec<Option<Var>> = vec![None; self.values.len()];
        found[loss.0] = Some(self.scalar(1.0));
        for (output, backward) in std::mem::take(&mut self.recorded).into_iter().rev() {
            let Some(gradient) = found[output.0].take() else { continue };
            for (input, part) in backward(self, gradient) {
                if self.values[input.0].tracked {
                    assert_eq!(self.shape(part), self.shape(input), "a gradient has the shape of its value");
                    found[input.0] = Some(match found[input.0] {
                        None => part,
                        Some(sum) => self.pair("Add", sum, part),
                    });
                }
            }
        }
        of.iter()
            .map(|var| {
                found[var.0].unwrap_or_else(|| {
                    let shape = self.shape(*var).to_vec();
                    let zero = self.scalar(0.0);
                    self.expand(zero, &shape)
                })
            })
            .collect()
    }

    /// Makes a value an output of this name.
    pub fn output(&mut self, var: Var, name: &str) {
        let Value { name: inner, shape, .. } = &self.values[var.0];
        self.graph.output(inner, name, Some(shape));
    }

    /// The ONNX file.
    pub fn finish(self) -> Vec<u8> {
        self.graph.write()
    }

    fn push(&mut self, name: String, shape: &[usize], tracked: bool) -> Var {
        self.values.push(Value { name, shape: shape.to_vec(), tracked });
        Var(self.values.len() - 1)
    }

    fn tracked(&self, var: Var) -> bool {
        self.values[var.0].tracked
    }

    /// A node whose output nobody tracks.
    fn emit(&mut self, op: &str, inputs: &[Var], attributes: &[Attr<'_>], shape: &[usize]) -> Var {
        let names: Vec<&str> = inputs.iter().map(|v| self.values[v.0].name.as_str()).collect();
        let name = self.graph.node(op, &names, attributes);
        self.push(name, shape, false)
    }

    /// A node with lists of whole numbers behind its values.
    fn emit_with(
        &mut self,
        op: &str,
        inputs: &[Var],
        numbers: &[&[i64]],
        attributes: &[Attr<'_>],
        shape: &[usize],
    ) -> Var {
        let numbers: Vec<String> = numbers.iter().map(|list| self.graph.whole_numbers(list)).collect();
        let names: Vec<&str> =
            inputs.iter().map(|v| self.values[v.0].name.as_str()).chain(numbers.iter().map(String::as_str)).collect();
        let name = self.graph.node(op, &names, attributes);
        self.push(name, shape, false)
    }

    /// Remembers how gradients flow back from `output`, if any has to.
    fn record(
        &mut self,
        output: Var,
        inputs: &[Var],
        backward: impl FnOnce(&mut Tape, Var) -> Vec<(Var, Var)> + 'static,
    ) -> Var {
        if inputs.iter().any(|input| self.tracked(*input)) {
            self.values[output.0].tracked = true;
            self.recorded.push((output, Box::new(backward)));
        }
        output
    }

    /// Value by value; the shapes are equal, or one is a single number.
    fn pair(&mut self, op: &str, a: Var, b: Var) -> Var {
        let (of_a, of_b) = (self.shape(a), self.shape(b));
        assert!(of_a == of_b || of_a.is_empty() || of_b.is_empty(), "{op} of {of_a:?} and {of_b:?}");
        let shape = if of_a.is_empty() { of_b } else { of_a }.to_vec();
        self.emit(op, &[a, b], &[], &shape)
    }

    fn scaled(&mut self, x: Var, factor: f32) -> Var {
        let factor = self.scalar(factor);
        self.pair("Mul", x, factor)
    }

    fn one(&mut self, op: &str, x: Var) -> Var {
        let shape = self.shape(x).to_vec();
        self.emit(op, &[x], &[], &shape)
    }

    /// A gradient in the shape of `of`: summed, where that is a single number.
    fn like(&mut self, gradient: Var, of: Var) -> Var {
        match (self.shape(gradient).is_empty(), self.shape(of).is_empty()) {
            (false, true) => self.emit("ReduceSum", &[gradient], &[Attr::Int("keepdims", 0)], &[]),
            (true, false) => {
                let shape = self.shape(of).to_vec();
                self.expand(gradient, &shape)
            }
            _ => gradient,
        }
    }

    fn expand(&mut self, x: Var, shape: &[usize]) -> Var {
        let lengths: Vec<i64> = shape.iter().map(|n| *n as i64).collect();
        self.emit_with("Expand", &[x], &[&lengths], &[], shape)
    }

    fn reshape(&mut self, x: Var, shape: &[usize]) -> Var {
        let lengths: Vec<i64> = shape.iter().map(|n| *n as i64).collect();
        self.emit_with("Reshape", &[x], &[&lengths], &[], shape)
    }

    fn transpose(&mut self, x: Var, order: &[i64]) -> Var {
        let shape: Vec<usize> = order.iter().map(|axis| self.shape(x)[*axis as usize]).collect();
        self.emit("Transpose", &[x], &[Attr::Ints("perm", order)], &shape)
    }

    /// The sum over axes, which are gone afterwards.
    fn sum_over(&mut self, x: Var, axes: &[i64]) -> Var {
        let left = |axis: &usize| !axes.contains(&(*axis as i64));
        let old = self.shape(x);
        let shape: Vec<usize> = (0..old.len()).filter(left).map(|axis| old[axis]).collect();
        self.emit_with("ReduceSum", &[x], &[axes], &[Attr::Int("keepdims", 0)], &shape)
    }
}

#[cfg(test)]
pub(crate) mod tests;
