//! Activations and other functions of single values.

use std::f32::consts::{FRAC_1_SQRT_2, PI};

use andon_vision::model::graph::Attr;

use super::{Tape, Var};

/// ONNX's number for f32.
const FLOAT: i64 = 1;

impl Tape {
    /// `max(x, 0)`.
    pub fn relu(&mut self, x: Var) -> Var {
        let y = self.one("Relu", x);
        self.record(y, &[x], move |tape, g| {
            let gate = tape.positive(y);
            vec![(x, tape.pair("Mul", g, gate))]
        })
    }

    /// `x` where it is above 0, else `slope * x`.
    pub fn leaky_relu(&mut self, x: Var, slope: f32) -> Var {
        let shape = self.shape(x).to_vec();
        let y = self.emit("LeakyRelu", &[x], &[Attr::Float("alpha", slope)], &shape);
        self.record(y, &[x], move |tape, g| {
            let above = tape.positive(x);
            let above = tape.scaled(above, 1.0 - slope);
            let slope = tape.scalar(slope);
            let gate = tape.pair("Add", above, slope);
            vec![(x, tape.pair("Mul", g, gate))]
        })
    }

    /// `x` times the normal distribution function of `x`, exactly.
    pub fn gelu(&mut self, x: Var) -> Var {
        let share = self.normal_share(x);
        let y = self.pair("Mul", x, share);
        self.record(y, &[x], move |tape, g| {
            // share + x * density
            let square = tape.pair("Mul", x, x);
            let exponent = tape.scaled(square, -0.5);
            let bell = tape.one("Exp", exponent);
            let density = tape.scaled(bell, 1.0 / (2.0 * PI).sqrt());
            let slope = tape.pair("Mul", x, density);
            let slope = tape.pair("Add", slope, share);
            vec![(x, tape.pair("Mul", g, slope))]
        })
    }

    /// `1 / (1 + exp(-x))`.
    pub fn sigmoid(&mut self, x: Var) -> Var {
        let y = self.one("Sigmoid", x);
        self.record(y, &[x], move |tape, g| {
            let one = tape.scalar(1.0);
            let rest = tape.pair("Sub", one, y);
            let slope = tape.pair("Mul", y, rest);
            vec![(x, tape.pair("Mul", g, slope))]
        })
    }

    /// Shares that add up to 1 along the last dimension.
    pub fn softmax(&mut self, x: Var) -> Var {
        let shape = self.shape(x).to_vec();
        let y = self.emit("Softmax", &[x], &[Attr::Int("axis", -1)], &shape);
        self.record(y, &[x], move |tape, g| {
            // y * (g - sum of g * y)
            let weighted = tape.pair("Mul", g, y);
            let mut row = shape.clone();
            row[shape.len() - 1] = 1;
            let sum = tape.emit_with("ReduceSum", &[weighted], &[&[-1]], &[], &row);
            let off = tape.emit("Sub", &[g, sum], &[], &shape);
            vec![(x, tape.pair("Mul", y, off))]
        })
    }

    /// The natural logarithm of values above 0.
    pub fn log(&mut self, x: Var) -> Var {
        let y = self.one("Log", x);
        self.record(y, &[x], move |tape, g| vec![(x, tape.pair("Div", g, x))])
    }

    /// `x` to a power; `x` is not below 0.
    pub fn power(&mut self, x: Var, exponent: f32) -> Var {
        let raised = move |tape: &mut Tape, to: f32| {
            let to = tape.scalar(to);
            tape.pair("Pow", x, to)
        };
        let y = raised(self, exponent);
        self.record(y, &[x], move |tape, g| {
            let slope = raised(tape, exponent - 1.0);
            let slope = tape.scaled(slope, exponent);
            vec![(x, tape.pair("Mul", g, slope))]
        })
    }

    /// 1 where a value is above 0, else 0. Not by `Sign`, which rten 0.27 takes to be 1 at 0.
    pub(super) fn positive(&mut self, x: Var) -> Var {
        let zero = self.scalar(0.0);
        let above = self.pair("Greater", x, zero);
        let shape = self.shape(x).to_vec();
        self.emit("Cast", &[above], &[Attr::Int("to", FLOAT)], &shape)
    }

    fn normal_share(&mut self, x: Var) -> Var {
        let scaled = self.scaled(x, FRAC_1_SQRT_2);
        let erf = self.one("Erf", scaled);
        let one = self.scalar(1.0);
        let sum = self.pair("Add", erf, one);
        self.scaled(sum, 0.5)
    }
}
