//! Losses: each is one number.

use andon_vision::model::graph::Attr;

use super::{Tape, Var};

/// ONNX's number for f32.
const FLOAT: i64 = 1;

impl Tape {
    /// The mean of the squared differences.
    pub fn mean_square(&mut self, a: Var, b: Var) -> Var {
        let off = self.pair("Sub", a, b);
        let count = self.shape(off).iter().product::<usize>() as f32;
        let square = self.pair("Mul", off, off);
        let y = self.emit("ReduceMean", &[square], &[Attr::Int("keepdims", 0)], &[]);
        self.record(y, &[a, b], move |tape, g| tape.off_gradients(a, b, off, g, 2.0 / count))
    }

    /// The mean of the `count` largest squared differences and of those that are equal to the least of them. With the count that
    /// [`hardest`] gives, the hard feature loss of EfficientAD.
    pub fn hardest_mean_square(&mut self, a: Var, b: Var, count: usize) -> Var {
        let off = self.pair("Sub", a, b);
        let square = self.pair("Mul", off, off);
        let all = self.shape(square).iter().product();
        let flat = self.reshape(square, &[all]);
        let [count_name, flat_name] = [self.graph.whole_numbers(&[count as i64]), self.values[flat.0].name.clone()];
        let [largest, _] = self.graph.node_of("TopK", &[&flat_name, &count_name], &[]);
        let largest = self.push(largest, &[count], false);
        let least = self.emit("ReduceMin", &[largest], &[Attr::Int("keepdims", 0)], &[]);
        let hard = self.pair("GreaterOrEqual", square, least);
        let shape = self.shape(square).to_vec();
        let gate = self.emit("Cast", &[hard], &[Attr::Int("to", FLOAT)], &shape);
        let there = self.emit("ReduceSum", &[gate], &[Attr::Int("keepdims", 0)], &[]);
        let kept = self.pair("Mul", square, gate);
        let sum = self.emit("ReduceSum", &[kept], &[Attr::Int("keepdims", 0)], &[]);
        let y = self.pair("Div", sum, there);
        self.record(y, &[a, b], move |tape, g| {
            let share = tape.pair("Div", g, there);
            let off = tape.pair("Mul", off, gate);
            tape.off_gradients(a, b, off, share, 2.0)
        })
    }

    /// The mean of `1 - cosine` of the angle between `a` and `b` along the channels, `[n, c, …]`.
    pub fn cosine_loss(&mut self, a: Var, b: Var) -> Var {
        let shape = self.shape(a).to_vec();
        let mut row = shape.clone();
        row[1] = 1;
        let count = row.iter().product::<usize>() as f32;
        let length = |tape: &mut Tape, x: Var| {
            let square = tape.pair("Mul", x, x);
            let sum = tape.emit_with("ReduceSum", &[square], &[&[1]], &[], &row);
            // Nothing is so short that this shows, and nothing is divided by 0.
            let floor = tape.scalar(1e-12);
            let sum = tape.pair("Add", sum, floor);
            tape.one("Sqrt", sum)
        };
        let (of_a, of_b) = (length(self, a), length(self, b));
        let unit_a = self.emit("Div", &[a, of_a], &[], &shape);
        let unit_b = self.emit("Div", &[b, of_b], &[], &shape);
        let products = self.pair("Mul", unit_a, unit_b);
        let cosine = self.emit_with("ReduceSum", &[products], &[&[1]], &[], &row);
        let mean = self.emit("ReduceMean", &[cosine], &[Attr::Int("keepdims", 0)], &[]);
        let one = self.scalar(1.0);
        let y = self.pair("Sub", one, mean);
        self.record(y, &[a, b], move |tape, g| {
            let share = tape.scaled(g, -1.0 / count);
            // (other unit - own unit * cosine) / own length
            let mut toward = |own: Var, other: Var, length: Var| {
                let along = tape.emit("Mul", &[own, cosine], &[], &shape);
                let off = tape.pair("Sub", other, along);
                let slope = tape.emit("Div", &[off, length], &[], &shape);
                tape.pair("Mul", slope, share)
            };
            vec![(a, toward(unit_a, unit_b, of_a)), (b, toward(unit_b, unit_a, of_b))]
        })
    }

    /// The mean of `max(0, margin - sign * x)`: `x` is pushed above the margin, or with the sign -1 below its negative.
    pub fn hinge_loss(&mut self, x: Var, sign: f32, margin: f32) -> Var {
        let toward = self.scale(x, -sign);
        let margin = self.scalar(margin);
        let short = self.add(toward, margin);
        let short = self.relu(short);
        self.mean(short)
    }

    /// The focal loss of two classes: `x` before the sigmoid, `target` 0 or 1, `alpha` the weight of class 1, `gamma` how much less what is right
    /// already counts. Source: Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, equation 5.
    pub fn focal_loss(&mut self, x: Var, target: Var, alpha: f32, gamma: f32) -> Var {
        // The probability of the right class: sigmoid of x, or of -x.
        let doubled = self.scaled(target, 2.0);
        let one = self.scalar(1.0);
        let sign = self.pair("Sub", doubled, one);
        let toward = self.mul(x, sign);
        let right = self.sigmoid(toward);
        let negative = self.scale(right, -1.0);
        let wrong = self.add(negative, one);
        let focus = self.power(wrong, gamma);
        let floor = self.scalar(1e-12);
        let right = self.add(right, floor);
        let log = self.log(right);
        // alpha where the target is 1, else 1 - alpha.
        let weight = self.scaled(target, 1.0 - 2.0 * alpha);
        let weight = {
            let base = self.scalar(alpha - 1.0);
            self.pair("Add", weight, base)
        };
        let each = self.mul(focus, log);
        let each = self.mul(each, weight);
        self.mean(each)
    }

    /// `factor * g * off` for `a`, and its negative for `b`, where wanted; `g` is one number.
    fn off_gradients(&mut self, a: Var, b: Var, off: Var, g: Var, factor: f32) -> Vec<(Var, Var)> {
        let factor = self.scaled(g, factor);
        let to_a = self.pair("Mul", off, factor);
        let mut parts = vec![(a, self.like(to_a, a))];
        if self.tracked(b) {
            let minus = self.scaled(to_a, -1.0);
            parts.push((b, self.like(minus, b)));
        }
        parts
    }
}

/// How many of `count` values lie at or above their interpolated quantile `q`, when no two are equal.
pub fn hardest(count: usize, q: f64) -> usize {
    let at = q * (count.saturating_sub(1)) as f64;
    // A quantile that falls on a value holds it.
    let below = (at - 1e-9).ceil() as usize;
    count.saturating_sub(below).max(1)
}
