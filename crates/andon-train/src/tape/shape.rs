//! Layers that move values: resizing, cutting, joining.

use andon_vision::model::graph::Attr;

use super::conv::transposed;
use super::{Tape, Var};

impl Tape {
    /// Bilinear resizing of `[n, c, h, w]` to `rows` and `columns`, as PyTorch's `interpolate` with `align_corners=False`: by two constant
    /// matrices, since ONNX has no gradient of its own operator, and engines differ in it.
    pub fn resize(&mut self, x: Var, [rows, columns]: [usize; 2]) -> Var {
        let [_, _, h, w] = self.dims(x);
        let (down, across) = (bilinear(h, rows), bilinear(w, columns));
        let y = self.between(x, (&down, rows), (&transposed(&across, columns, w), columns));
        self.record(y, &[x], move |tape, g| vec![(x, tape.between(g, (&transposed(&down, rows, h), h), (&across, w)))])
    }

    /// Channels `from..to` of `[n, c, …]`.
    pub fn channels(&mut self, x: Var, from: usize, to: usize) -> Var {
        self.cut(x, 1, from, to)
    }

    /// Rows `from..to` of `[n, …]`.
    pub fn rows(&mut self, x: Var, from: usize, to: usize) -> Var {
        self.cut(x, 0, from, to)
    }

    fn cut(&mut self, x: Var, axis: usize, from: usize, to: usize) -> Var {
        let whole = self.shape(x).to_vec();
        assert!(from < to && to <= whole[axis], "{from}..{to} of {} along {axis}", whole[axis]);
        let mut shape = whole.clone();
        shape[axis] = to - from;
        let y = self.emit_with("Slice", &[x], &[&[from as i64], &[to as i64], &[axis as i64]], &[], &shape);
        self.record(y, &[x], move |tape, g| {
            let mut pads = vec![0; 2 * whole.len()];
            (pads[axis], pads[whole.len() + axis]) = (from as i64, (whole[axis] - to) as i64);
            vec![(x, tape.emit_with("Pad", &[g], &[&pads], &[], &whole))]
        })
    }

    /// Values side by side along the channels, `[n, c, …]`.
    pub fn concat(&mut self, parts: &[Var]) -> Var {
        self.join(parts, 1)
    }

    /// Values one below the other, `[n, …]`.
    pub fn stack(&mut self, parts: &[Var]) -> Var {
        self.join(parts, 0)
    }

    fn join(&mut self, parts: &[Var], axis: usize) -> Var {
        let mut shape = self.shape(parts[0]).to_vec();
        let lengths: Vec<usize> = parts.iter().map(|part| self.shape(*part)[axis]).collect();
        shape[axis] = lengths.iter().sum();
        let y = self.emit("Concat", parts, &[Attr::Int("axis", axis as i64)], &shape);
        let inputs = parts.to_vec();
        self.record(y, parts, move |tape, g| {
            let mut from = 0;
            let mut cut = Vec::new();
            for (part, length) in inputs.into_iter().zip(lengths) {
                let shape = tape.shape(part).to_vec();
                let to = (from + length) as i64;
                let indices: [&[i64]; 3] = [&[from as i64], &[to], &[axis as i64]];
                cut.push((part, tape.emit_with("Slice", &[g], &indices, &[], &shape)));
                from += length;
            }
            cut
        })
    }
}

/// `[to, from]`: what share each of `from` values has in each of `to`.
fn bilinear(from: usize, to: usize) -> Vec<f32> {
    let mut matrix = vec![0.0; to * from];
    for (row, shares) in matrix.chunks_exact_mut(from).enumerate() {
        let at = ((row as f64 + 0.5) * from as f64 / to as f64 - 0.5).max(0.0);
        let low = (at as usize).min(from - 1);
        let high = (low + 1).min(from - 1);
        let share = at - low as f64;
        shares[low] += (1.0 - share) as f32;
        shares[high] += share as f32;
    }
    matrix
}
