//! Patch description networks: each value of the output describes 33x33 pixels of the picture and nothing beyond. Source: Batzner, Heckler and
//! König, "EfficientAD: Accurate Visual Anomaly Detection at Millisecond-Level Latencies", WACV 2024, tables 6 and 7; `xs` is ours, for
//! processors without a GPU.

use andon_core::SplitMix64;
pub use andon_vision::methods::efficientad::Size;

use crate::tape::{Tape, Var};
use crate::trainer::{Weight, Weights};

/// What becomes of a convolution's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// Nothing: it is the last.
    Nothing,
    /// Values below 0 become 0.
    Relu,
    /// The same, and then the mean of each 2x2.
    ReluPool,
}

/// A convolution.
#[derive(Clone, Copy, Debug)]
struct Conv {
    filters: usize,
    kernel: usize,
    stride: usize,
    /// Zeros around its input while the teacher is taught; never on the line.
    pad: usize,
    then: Then,
}

/// Convolutions of one stride and the padding that the published networks have.
const fn conv(filters: usize, kernel: usize, pad: usize, then: Then) -> Conv {
    Conv { filters, kernel, stride: 1, pad, then }
}

/// A patch description network.
#[derive(Clone, Debug)]
pub struct Pdn {
    size: Size,
    convs: Vec<Conv>,
}

impl Pdn {
    /// The network of this size.
    pub fn new(size: Size) -> Pdn {
        let convs = match size {
            Size::Xs => vec![
                Conv { filters: 32, kernel: 4, stride: 2, pad: 1, then: Then::Relu },
                Conv { filters: 64, kernel: 4, stride: 2, pad: 1, then: Then::Relu },
                conv(64, 3, 1, Then::Relu),
                conv(64, 3, 1, Then::Relu),
                conv(64, 3, 1, Then::Relu),
                conv(96, 1, 0, Then::Nothing),
            ],
            Size::S => vec![
                conv(128, 4, 3, Then::ReluPool),
                conv(256, 4, 3, Then::ReluPool),
                conv(256, 3, 1, Then::Relu),
                conv(384, 4, 0, Then::Nothing),
            ],
            Size::M => vec![
                conv(256, 4, 3, Then::ReluPool),
                conv(512, 4, 3, Then::ReluPool),
                conv(512, 1, 0, Then::Relu),
                conv(512, 3, 1, Then::Relu),
                conv(384, 4, 0, Then::Relu),
                conv(384, 1, 0, Then::Nothing),
            ],
        };
        Pdn { size, convs }
    }

    /// Its size.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Values of one place of its output.
    pub fn outputs(&self) -> usize {
        self.convs.last().map_or(0, |conv| conv.filters)
    }

    /// Names, shapes and inputs of one output of all weights and biases, first to last.
    fn parts(&self, prefix: &str) -> Vec<(String, Vec<usize>, usize)> {
        let mut channels = 3;
        let mut parts = Vec::new();
        for (number, conv) in self.convs.iter().enumerate() {
            let inputs = channels * conv.kernel * conv.kernel;
            let name = format!("{prefix}.conv{}", number + 1);
            parts.push((format!("{name}.weight"), vec![conv.filters, channels, conv.kernel, conv.kernel], inputs));
            parts.push((format!("{name}.bias"), vec![conv.filters], inputs));
            channels = conv.filters;
        }
        parts
    }

    /// Names and shapes of its parameters, first to last.
    pub fn shapes(&self, prefix: &str) -> Vec<(String, Vec<usize>)> {
        self.parts(prefix).into_iter().map(|(name, shape, _)| (name, shape)).collect()
    }

    /// Parameters to start from, named `PREFIX.convN.weight` and `.bias`.
    pub fn start(&self, prefix: &str, random: &mut SplitMix64) -> Vec<Weight> {
        self.parts(prefix).iter().map(|(name, shape, inputs)| Weight::uniform(name, shape, *inputs, random)).collect()
    }

    /// Parameters of a second last convolution, that [`Pdn::head`] takes: `PREFIX.weight` and `.bias`.
    pub fn start_head(&self, prefix: &str, random: &mut SplitMix64) -> Vec<Weight> {
        let all = self.parts("");
        let last = all.iter().rev().take(2).rev();
        let names = ["weight", "bias"].map(|part| format!("{prefix}.{part}"));
        names.iter().zip(last).map(|(name, (_, shape, inputs))| Weight::uniform(name, shape, *inputs, random)).collect()
    }

    /// Rows and columns of the output for a picture of so many; `padded` as in [`Pdn::trunk`]. `None` for one that is too small.
    pub fn grid(&self, picture: [usize; 2], padded: bool) -> Option<[usize; 2]> {
        let mut at = picture;
        for conv in &self.convs {
            let pad = if padded { conv.pad } else { 0 };
            for side in &mut at {
                *side = (*side + 2 * pad).checked_sub(conv.kernel)? / conv.stride + 1;
                if conv.then == Then::ReluPool {
                    *side = (*side + 2 * usize::from(padded)) / 2;
                }
            }
        }
        at.iter().all(|side| *side > 0).then_some(at)
    }

    /// All but the last convolution of the picture `x` `[n, 3, h, w]`. `padded`: with zeros around, as while a teacher is taught.
    pub fn trunk(&self, tape: &mut Tape, x: Var, weights: &mut dyn Weights, prefix: &str, padded: bool) -> Var {
        let mut at = x;
        for (number, conv) in self.convs.iter().enumerate().take(self.convs.len() - 1) {
            at = self.conv(tape, at, weights, &format!("{prefix}.conv{}", number + 1), conv, padded);
            at = match conv.then {
                Then::Nothing => at,
                Then::Relu => tape.relu(at),
                Then::ReluPool => {
                    let positive = tape.relu(at);
                    tape.average_pool(positive, 2, usize::from(padded))
                }
            };
        }
        at
    }

    /// The last convolution, with the weights of this name.
    pub fn head(&self, tape: &mut Tape, trunk: Var, weights: &mut dyn Weights, name: &str) -> Var {
        let last = self.convs[self.convs.len() - 1];
        self.conv(tape, trunk, weights, name, &last, false)
    }

    /// The name of the last convolution.
    pub fn last(&self, prefix: &str) -> String {
        format!("{prefix}.conv{}", self.convs.len())
    }

    /// The whole network.
    pub fn forward(&self, tape: &mut Tape, x: Var, weights: &mut dyn Weights, prefix: &str, padded: bool) -> Var {
        let trunk = self.trunk(tape, x, weights, prefix, padded);
        self.head(tape, trunk, weights, &self.last(prefix))
    }

    fn conv(&self, tape: &mut Tape, x: Var, weights: &mut dyn Weights, name: &str, conv: &Conv, padded: bool) -> Var {
        let weight = weights.get(tape, &format!("{name}.weight"));
        let bias = weights.get(tape, &format!("{name}.bias"));
        tape.conv(x, weight, bias, conv.stride, if padded { conv.pad } else { 0 })
    }
}
