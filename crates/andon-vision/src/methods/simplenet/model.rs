//! The trained network: what a model file holds of it, and how it scores features on the CPU.

use std::sync::Arc;

use serde_json::Value;

use super::{ID, Params};
use crate::methods::Facts;
use crate::methods::patches::{PatchHead, PatchModel, dot};
use crate::model::bundle::Bundle;
use crate::model::head::knn::Nearest;
use crate::model::head::score::{ImageScore, Scorer};
use crate::model::tensors::{Tensor, Tensors};

/// The slope of the hidden layer below 0, as published.
const SLOPE: f32 = 0.2;

/// A trained network, with all that is constant folded in: a patch `x` has the evidence `D = out . leaky(W x + b)` of being good, and the distance
/// `ln(1 + exp(-D))`, which orders patches as `-D` does and is above 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// `hidden * dim` values.
    pub weight: Vec<f32>,
    /// `hidden` values.
    pub bias: Vec<f32>,
    /// `hidden` values.
    pub out: Vec<f32>,
}

/// The same, shared. In the model file:
///
/// | tensor | type, shape | what |
/// |---|---|---|
/// | `simplenet/weight` | f32 `[hidden, dim]` | the first layer |
/// | `simplenet/bias` | f32 `[1, hidden]` | its offset |
/// | `simplenet/out` | f32 `[1, hidden]` | the second layer |
#[derive(Clone, Debug, PartialEq)]
pub struct SimpleNetModel {
    params: Params,
    dim: usize,
    weight: Arc<[f32]>,
    bias: Arc<[f32]>,
    out: Arc<[f32]>,
}

impl SimpleNetModel {
    /// Of a trained network for features of `dim` values.
    pub fn new(params: &Params, dim: usize, network: Network) -> SimpleNetModel {
        let Network { weight, bias, out } = network;
        SimpleNetModel { params: params.clone(), dim, weight: weight.into(), bias: bias.into(), out: out.into() }
    }

    /// The network of a bundle, checked.
    ///
    /// # Errors
    /// What is missing or does not fit together.
    pub fn of(bundle: &Bundle) -> Result<SimpleNetModel, String> {
        let m = &bundle.manifest;
        if m.method.id != ID {
            return Err(format!("it was learned by the method `{}`, not `{ID}`", m.method.id));
        }
        let params: Params = m.method.read()?;
        params.check()?;
        if matches!(m.scoring.image, ImageScore::Reweighted(_)) {
            return Err("its score looks into a memory bank, and it has none".to_owned());
        }
        let (hidden, dim) = bundle.tensors.matrix("weight")?;
        if hidden == 0 || dim == 0 {
            return Err("the network is empty".to_owned());
        }
        Ok(SimpleNetModel {
            params,
            dim,
            weight: bundle.tensors.f32("weight", &[hidden, dim])?,
            bias: bundle.tensors.f32("bias", &[1, hidden])?,
            out: bundle.tensors.f32("out", &[1, hidden])?,
        })
    }
}

impl PatchModel for SimpleNetModel {
    fn dim(&self) -> usize {
        self.dim
    }

    /// It remembers no patch.
    fn nearest_good(&self, _: u32) -> Option<(u32, u32)> {
        None
    }

    fn head(&self, _: usize) -> Box<dyn PatchHead> {
        Box::new(NetworkHead { model: self.clone(), distances: Vec::new() })
    }

    fn part(&self) -> (Value, Tensors) {
        let hidden = self.bias.len();
        let mut tensors = Tensors::default();
        tensors.insert("weight", Tensor::f32(&[hidden, self.dim], self.weight.clone()));
        tensors.insert("bias", Tensor::f32(&[1, hidden], self.bias.clone()));
        tensors.insert("out", Tensor::f32(&[1, hidden], self.out.clone()));
        (serde_json::to_value(&self.params).unwrap_or_default(), tensors)
    }

    fn facts(&self) -> Facts {
        let text = format!("{} values to {} to 1, {} steps", self.dim, self.bias.len(), self.params.steps);
        Facts { label: "network", text, bank_rows: None, dim: self.dim }
    }
}

struct NetworkHead {
    model: SimpleNetModel,
    distances: Vec<f32>,
}

impl PatchHead for NetworkHead {
    fn score_into(
        &mut self,
        features: &[f32],
        scorer: &mut Scorer,
        map: &mut Vec<f32>,
        nearest: &mut Vec<Nearest>,
    ) -> f32 {
        nearest.clear();
        let SimpleNetModel { dim, weight, bias, out, .. } = &self.model;
        self.distances.clear();
        for x in features.chunks_exact(*dim) {
            let mut evidence = 0.0f32;
            for ((row, b), o) in weight.chunks_exact(*dim).zip(bias.iter()).zip(out.iter()) {
                let y = dot(row, x) + b;
                evidence += o * if y < 0.0 { SLOPE * y } else { y };
            }
            self.distances.push(distance(evidence));
        }
        scorer.map_of(self.distances.iter().copied(), map);
        scorer.score_of_map(map)
    }
}

/// `ln(1 + exp(-evidence))` without overflow; NaN for what is not finite.
fn distance(evidence: f32) -> f32 {
    if !evidence.is_finite() {
        return f32::NAN;
    }
    (-evidence).max(0.0) + (-evidence.abs()).exp().ln_1p()
}
