//! Convolutions, pooling and full connections.

use andon_vision::model::graph::Attr;

use super::{Tape, Var};

/// Below so many input channels, one product of all taps side by side is faster than one for each tap (measured: docs/efficientad.md).
const FEW_CHANNELS: usize = 32;

impl Tape {
    /// Convolution of `x` `[n, c, h, w]` with `weight` `[m, c, kh, kw]` and `bias` `[m]`, to `[n, m, (h + 2 pad - kh) / stride + 1, …]`.
    pub fn conv(&mut self, x: Var, weight: Var, bias: Var, stride: usize, pad: usize) -> Var {
        let ([n, c, h, w], [m, of, kh, kw]) = (self.dims(x), self.dims(weight));
        assert!(c == of && h + 2 * pad >= kh && w + 2 * pad >= kw, "a kernel of {kh}x{kw}x{of} for {h}x{w}x{c}");
        let shape = [n, m, (h + 2 * pad - kh) / stride + 1, (w + 2 * pad - kw) / stride + 1];
        let y = self.window("Conv", &[x, weight, bias], [kh, kw], stride, pad, &[], &shape);
        self.record(y, &[x, weight, bias], move |tape, g| {
            let mut parts = Vec::new();
            if tape.tracked(x) {
                parts.push((x, tape.conv_input_gradient(g, weight, [n, c, h, w], stride, pad)));
            }
            if tape.tracked(weight) {
                parts.push((weight, tape.tap_products(x, g, [kh, kw], stride, pad)));
            }
            if tape.tracked(bias) {
                parts.push((bias, tape.sum_over(g, &[0, 2, 3])));
            }
            parts
        })
    }

    /// Transposed convolution of `x` `[n, c, h, w]` with `weight` `[c, m, k, k]` and `bias` `[m]`, to `[n, m, (h - 1) stride + k - 2 pad, …]`.
    pub fn conv_transpose(&mut self, x: Var, weight: Var, bias: Var, stride: usize, pad: usize) -> Var {
        let ([n, c, h, w], [of, m, kh, kw]) = (self.dims(x), self.dims(weight));
        assert_eq!(c, of, "channels");
        let shape = [n, m, (h - 1) * stride + kh - 2 * pad, (w - 1) * stride + kw - 2 * pad];
        let y = self.window("ConvTranspose", &[x, weight, bias], [kh, kw], stride, pad, &[], &shape);
        self.record(y, &[x, weight, bias], move |tape, g| {
            let mut parts = Vec::new();
            if tape.tracked(x) {
                parts.push((x, tape.window("Conv", &[g, weight], [kh, kw], stride, pad, &[], &[n, c, h, w])));
            }
            if tape.tracked(weight) {
                // The convolution's weight gradient, with input and output in each other's place.
                parts.push((weight, tape.tap_products(g, x, [kh, kw], stride, pad)));
            }
            if tape.tracked(bias) {
                parts.push((bias, tape.sum_over(g, &[0, 2, 3])));
            }
            parts
        })
    }

    /// The mean of `k * k` values, `k` apart; zeros beyond the border count.
    pub fn average_pool(&mut self, x: Var, k: usize, pad: usize) -> Var {
        let [n, c, h, w] = self.dims(x);
        let [rows, columns] = [h, w].map(|side| (side + 2 * pad - k) / k + 1);
        let shape = [n, c, rows, columns];
        let y = self.window("AveragePool", &[x], [k, k], k, pad, &[Attr::Int("count_include_pad", 1)], &shape);
        self.record(y, &[x], move |tape, g| {
            // Repetition as products with constant matrices; a row that belongs to no window stays 0, which no operator for repetition does.
            let down = spread(h, rows, k, pad);
            let across = transposed(&spread(w, columns, k, pad), w, columns);
            vec![(x, tape.between(g, (&down, h), (&across, w)))]
        })
    }

    /// `x weight^T + bias`: `x` `[n, c]`, `weight` `[m, c]`, `bias` `[m]`.
    pub fn linear(&mut self, x: Var, weight: Var, bias: Var) -> Var {
        let ([n, c], [m, of]) = (self.dims(x), self.dims(weight));
        assert_eq!(c, of, "values");
        let y = self.emit("Gemm", &[x, weight, bias], &[Attr::Int("transB", 1)], &[n, m]);
        self.record(y, &[x, weight, bias], move |tape, g| {
            let mut parts = Vec::new();
            if tape.tracked(x) {
                parts.push((x, tape.emit("MatMul", &[g, weight], &[], &[n, c])));
            }
            if tape.tracked(weight) {
                parts.push((weight, tape.emit("Gemm", &[g, x], &[Attr::Int("transA", 1)], &[m, c])));
            }
            if tape.tracked(bias) {
                parts.push((bias, tape.sum_over(g, &[0])));
            }
            parts
        })
    }

    /// Matrices on both sides of each plane of `x` `[n, c, h, w]`: `left` `[rows, h]` and `right` `[w, columns]`.
    pub(super) fn between(&mut self, x: Var, left: (&[f32], usize), right: (&[f32], usize)) -> Var {
        let [n, c, h, w] = self.dims(x);
        let ((left, rows), (right, columns)) = (left, right);
        let (left, right) = (self.constant(&[rows, h], left), self.constant(&[w, columns], right));
        let half = self.emit("MatMul", &[left, x], &[], &[n, c, rows, w]);
        self.emit("MatMul", &[half, right], &[], &[n, c, rows, columns])
    }

    #[expect(clippy::too_many_arguments, reason = "what a window has")]
    fn window(
        &mut self,
        op: &str,
        inputs: &[Var],
        kernel: [usize; 2],
        stride: usize,
        pad: usize,
        more: &[Attr<'_>],
        shape: &[usize],
    ) -> Var {
        let (kernel, strides, pads) = (kernel.map(|k| k as i64), [stride as i64; 2], [pad as i64; 4]);
        let mut attributes =
            vec![Attr::Ints("kernel_shape", &kernel), Attr::Ints("strides", &strides), Attr::Ints("pads", &pads)];
        attributes.extend(more);
        self.emit(op, inputs, &attributes, shape)
    }

    /// The gradient of a convolution's input, from that of its output.
    fn conv_input_gradient(&mut self, g: Var, weight: Var, input: [usize; 4], stride: usize, pad: usize) -> Var {
        let [m, c, kh, kw] = self.dims(weight);
        if stride == 1 && kh == kw && pad < kh {
            // Faster than the transposed convolution on the CPU.
            let taps = kh * kw;
            let rows = self.reshape(weight, &[m, c, taps]);
            let backwards: Vec<i64> = (0..taps as i64).rev().collect();
            let mirrored = self.emit_with("Gather", &[rows], &[&backwards], &[Attr::Int("axis", 2)], &[m, c, taps]);
            let mirrored = self.reshape(mirrored, &[m, c, kh, kw]);
            let mirrored = self.transpose(mirrored, &[1, 0, 2, 3]);
            return self.window("Conv", &[g, mirrored], [kh, kw], 1, kh - 1 - pad, &[], &input);
        }
        let [_, _, rows, columns] = self.dims(g);
        let left = |side: usize, k: usize, out: usize| (side + 2 * pad - k - (out - 1) * stride) as i64;
        let more = [left(input[2], kh, rows), left(input[3], kw, columns)];
        self.window(
            "ConvTranspose",
            &[g, weight],
            [kh, kw],
            stride,
            pad,
            &[Attr::Ints("output_padding", &more)],
            &input,
        )
    }

    /// For each tap of a window: the products of every channel of `small` with every one of `big` under that tap, summed over all places and
    /// pictures. The gradient of a convolution's weights: `big` `[n, c, h, w]` is its input, `small` `[n, m, …]` the gradient of its output, the
    /// result `[m, c, kh, kw]`.
    fn tap_products(&mut self, big: Var, small: Var, [kh, kw]: [usize; 2], stride: usize, pad: usize) -> Var {
        let ([n, c, h, w], [_, m, rows, columns]) = (self.dims(big), self.dims(small));
        let taps = kh * kw;
        let padded = match pad as i64 {
            0 => big,
            p => self.emit_with("Pad", &[big], &[&[0, 0, p, p, 0, 0, p, p]], &[], &[n, c, h + 2 * pad, w + 2 * pad]),
        };
        let small = self.channel_rows(small);
        let mut under = Vec::with_capacity(taps);
        for (y, x) in (0..kh).flat_map(|y| (0..kw).map(move |x| (y as i64, x as i64))) {
            let step = stride as i64;
            let ends = [y + (rows as i64 - 1) * step + 1, x + (columns as i64 - 1) * step + 1];
            let numbers: [&[i64]; 4] = [&[y, x], &ends, &[2, 3], &[step, step]];
            let seen = self.emit_with("Slice", &[padded], &numbers, &[], &[n, c, rows, columns]);
            under.push(self.channel_rows(seen));
        }
        if c < FEW_CHANNELS {
            let places = n * rows * columns;
            let all = self.emit("Concat", &under, &[Attr::Int("axis", 0)], &[taps * c, places]);
            let products = self.emit("Gemm", &[small, all], &[Attr::Int("transB", 1)], &[m, taps * c]);
            let by_tap = self.reshape(products, &[m, taps, c]);
            let by_channel = self.transpose(by_tap, &[0, 2, 1]);
            return self.reshape(by_channel, &[m, c, kh, kw]);
        }
        let columns: Vec<Var> = under
            .into_iter()
            .map(|seen| {
                let products = self.emit("Gemm", &[small, seen], &[Attr::Int("transB", 1)], &[m, c]);
                self.reshape(products, &[m, c, 1])
            })
            .collect();
        let together = self.emit("Concat", &columns, &[Attr::Int("axis", 2)], &[m, c, taps]);
        self.reshape(together, &[m, c, kh, kw])
    }

    /// `[n, c, h, w]` as `[c, n * h * w]`.
    fn channel_rows(&mut self, x: Var) -> Var {
        let [n, c, h, w] = self.dims(x);
        let first = if n == 1 { x } else { self.transpose(x, &[1, 0, 2, 3]) };
        self.reshape(first, &[c, n * h * w])
    }
}

/// `[side, windows]`: what share of a window's mean a row has.
fn spread(side: usize, windows: usize, k: usize, pad: usize) -> Vec<f32> {
    let share = |row: usize, window: usize| if (row + pad) / k == window { 1.0 / k as f32 } else { 0.0 };
    (0..side).flat_map(|row| (0..windows).map(move |window| share(row, window))).collect()
}

/// A matrix of `rows` and `columns`, turned over.
pub(super) fn transposed(matrix: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|c| (0..rows).map(move |r| matrix[r * columns + c])).collect()
}
