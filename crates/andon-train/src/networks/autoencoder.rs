//! The autoencoder of EfficientAD: sees the whole picture through one narrow place and guesses what a teacher makes of it. Source: Batzner,
//! Heckler and König, WACV 2024, table 8; sizes other than 256 by the rule that gives those of the table.

use andon_core::SplitMix64;

use super::pdn::Size;
use crate::tape::{Tape, Var};
use crate::trainer::{Weight, Weights};

/// Probability that a value is dropped while it learns.
pub const DROPOUT: f64 = 0.2;

/// An autoencoder for pictures of one size.
#[derive(Clone, Debug)]
pub struct Autoencoder {
    encoder: Vec<Conv>,
    /// Each follows a resizing to the rows and columns beside it.
    decoder: Vec<([usize; 2], Conv)>,
    last: Conv,
}

#[derive(Clone, Debug)]
struct Conv {
    name: String,
    inputs: usize,
    filters: usize,
    kernel: [usize; 2],
    stride: usize,
    pad: usize,
    dropout: bool,
}

impl Autoencoder {
    /// For pictures of `picture` rows and columns, beside a network of this size that makes `outputs` values at each of `grid` places.
    pub fn new(size: Size, picture: [usize; 2], outputs: usize, grid: [usize; 2]) -> Autoencoder {
        // Thin where every multiplication counts.
        let (few, many, stages) = match size {
            Size::Xs => (16, 32, 4),
            Size::S | Size::M => (32, 64, 6),
        };
        let conv = |name: String, inputs, filters, kernel, stride, pad| Conv {
            name,
            inputs,
            filters,
            kernel,
            stride,
            pad,
            dropout: false,
        };
        let mut encoder = Vec::new();
        let (mut inputs, mut at) = (3, picture);
        for (number, filters) in [few, few, many, many, many].into_iter().enumerate() {
            encoder.push(conv(format!("encoder{}", number + 1), inputs, filters, [4, 4], 2, 1));
            inputs = filters;
            at = at.map(|side| (side / 2).max(1));
        }
        // What is left becomes one place: 8x8 at 256x256.
        encoder.push(conv("encoder6".to_owned(), many, many, at, 1, 0));
        // 3, 8, 15, 32, 63, 127 at 256x256.
        let sides: [fn(usize) -> usize; 6] = [
            |n| (n / 64).saturating_sub(1),
            |n| n / 32,
            |n| (n / 16).saturating_sub(1),
            |n| n / 8,
            |n| n / 4 - 1,
            |n| n / 2 - 1,
        ];
        let mut decoder = Vec::new();
        for (number, side) in sides.into_iter().take(stages).enumerate() {
            let mut next = conv(format!("decoder{}", number + 1), many, many, [4, 4], 1, 2);
            next.dropout = true;
            decoder.push((picture.map(|n| side(n).max(1)), next));
        }
        decoder.push((grid, conv(format!("decoder{}", stages + 1), many, many, [3, 3], 1, 1)));
        let last = conv(format!("decoder{}", stages + 2), many, outputs, [3, 3], 1, 1);
        Autoencoder { encoder, decoder, last }
    }

    /// Parameters to start from, named `ae.encoderN.weight` and so on.
    pub fn start(&self, random: &mut SplitMix64) -> Vec<Weight> {
        let mut weights = Vec::new();
        for conv in self.convs() {
            let inputs = conv.inputs * conv.kernel[0] * conv.kernel[1];
            let shape = [conv.filters, conv.inputs, conv.kernel[0], conv.kernel[1]];
            weights.push(Weight::uniform(&format!("ae.{}.weight", conv.name), &shape, inputs, random));
            weights.push(Weight::uniform(&format!("ae.{}.bias", conv.name), &[conv.filters], inputs, random));
        }
        weights
    }

    fn convs(&self) -> impl Iterator<Item = &Conv> {
        self.encoder.iter().chain(self.decoder.iter().map(|(_, conv)| conv)).chain([&self.last])
    }

    /// Shapes of the dropout masks that learning takes: 0, or `1 / (1 - DROPOUT)`.
    pub fn masks(&self) -> Vec<[usize; 4]> {
        let dropped = self.decoder.iter().filter(|(_, conv)| conv.dropout);
        dropped
            .map(|([rows, columns], conv)| {
                let grown = |side: &usize, k: usize| side + 2 * conv.pad + 1 - k;
                [1, conv.filters, grown(rows, conv.kernel[0]), grown(columns, conv.kernel[1])]
            })
            .collect()
    }

    /// The network's guess for the picture `x` `[1, 3, h, w]`; `masks` as [`Autoencoder::masks`] gives their shapes, none on the line.
    pub fn forward(&self, tape: &mut Tape, x: Var, weights: &mut dyn Weights, masks: &[Var]) -> Var {
        let mut at = x;
        let mut masks = masks.iter();
        for (number, conv) in self.encoder.iter().enumerate() {
            at = apply(tape, at, weights, conv);
            if number + 1 < self.encoder.len() {
                at = tape.relu(at);
            }
        }
        for (grid, conv) in &self.decoder {
            at = tape.resize(at, *grid);
            at = apply(tape, at, weights, conv);
            at = tape.relu(at);
            if conv.dropout
                && let Some(mask) = masks.next()
            {
                at = tape.mul(at, *mask);
            }
        }
        apply(tape, at, weights, &self.last)
    }
}

fn apply(tape: &mut Tape, x: Var, weights: &mut dyn Weights, conv: &Conv) -> Var {
    let weight = weights.get(tape, &format!("ae.{}.weight", conv.name));
    let bias = weights.get(tape, &format!("ae.{}.bias", conv.name));
    tape.conv(x, weight, bias, conv.stride, conv.pad)
}
