//! Normalisation.

use super::{Tape, Var};

/// What batch normalisation made, and by which statistics.
#[derive(Clone, Copy, Debug)]
pub struct Normalised {
    /// The values.
    pub y: Var,
    /// Mean of each channel, `[1, c, 1, 1]` or `[1, c]`.
    pub mean: Var,
    /// Biased variance of each channel, in the same shape.
    pub variance: Var,
}

impl Tape {
    /// Batch normalisation as in training, by the statistics of `x`, `[n, c, h, w]` or `[n, c]`: `gain` and `shift` have one value a channel,
    /// `[1, c, 1, 1]` or `[1, c]`. Source: Ioffe and Szegedy, ICML 2015.
    pub fn batch_norm(&mut self, x: Var, gain: Var, shift: Var, epsilon: f32) -> Normalised {
        let shape = self.shape(x).to_vec();
        let axes: &'static [i64] = if shape.len() == 4 { &[0, 2, 3] } else { &[0] };
        let mut each = vec![1; shape.len()];
        each[1] = shape[1];
        assert!(self.shape(gain) == each && self.shape(shift) == each, "one value a channel");
        let count = (shape.iter().product::<usize>() / shape[1]) as f32;
        let mean = self.channel_mean(x, axes, &each, count);
        let centred = self.emit("Sub", &[x, mean], &[], &shape);
        let square = self.pair("Mul", centred, centred);
        let variance = self.channel_mean(square, axes, &each, count);
        let floor = self.scalar(epsilon);
        let sum = self.pair("Add", variance, floor);
        let deviation = self.one("Sqrt", sum);
        let unit = self.emit("Div", &[centred, deviation], &[], &shape);
        let scaled = self.emit("Mul", &[unit, gain], &[], &shape);
        let y = self.emit("Add", &[scaled, shift], &[], &shape);
        let y = self.record(y, &[x, gain, shift], move |tape, g| {
            let by_unit = tape.pair("Mul", g, unit);
            let gain_gradient = tape.emit_with("ReduceSum", &[by_unit], &[axes], &[], &each);
            let shift_gradient = tape.emit_with("ReduceSum", &[g], &[axes], &[], &each);
            // gain / deviation * (g - mean of g - unit * mean of g * unit)
            let mean_g = tape.scaled(shift_gradient, 1.0 / count);
            let mean_product = tape.scaled(gain_gradient, 1.0 / count);
            let along = tape.emit("Mul", &[unit, mean_product], &[], &shape);
            let off = tape.emit("Sub", &[g, mean_g], &[], &shape);
            let off = tape.pair("Sub", off, along);
            let factor = tape.pair("Div", gain, deviation);
            vec![(x, tape.emit("Mul", &[off, factor], &[], &shape)), (gain, gain_gradient), (shift, shift_gradient)]
        });
        Normalised { y, mean, variance }
    }

    fn channel_mean(&mut self, x: Var, axes: &[i64], each: &[usize], count: f32) -> Var {
        let sum = self.emit_with("ReduceSum", &[x], &[axes], &[], each);
        self.scaled(sum, 1.0 / count)
    }
}
