//! Distances that are lengths of affine functions of a patch's feature: `|W x - b|`, with one `W` for all cells and one `b`, or one for each
//! cell. What is left of a feature outside a subspace is one, and so is its difference to a linear reconstruction.

use std::sync::Arc;

use serde_json::Value;

use super::{PatchHead, PatchModel};
use crate::methods::Facts;
use crate::model::bundle::Bundle;
use crate::model::head::knn::Nearest;
use crate::model::head::score::Scorer;
use crate::model::tensors::{Tensor, Tensors};

/// A model whose distances are `|W x - b|`. In the model file:
///
/// | tensor | type, shape | what |
/// |---|---|---|
/// | `weight` | f32 `[rows, dim]` | `W` |
/// | `offset` | f32 `[1, rows]` or `[cells, rows]` | `b`, of all cells or of each |
#[derive(Clone, Debug, PartialEq)]
pub struct AffineModel {
    /// The method's part of the manifest.
    pub params: Value,
    /// What it is, for people.
    pub label: &'static str,
    /// Values of a patch's feature.
    pub dim: usize,
    /// `rows * dim` values.
    pub weight: Arc<[f32]>,
    /// `rows` values, or `cells * rows`.
    pub offset: Arc<[f32]>,
}

impl AffineModel {
    /// The tensors of a bundle whose method is `id`, checked.
    ///
    /// # Errors
    /// What is missing or does not fit together.
    pub fn of(bundle: &Bundle, id: &str, label: &'static str) -> Result<AffineModel, String> {
        let m = &bundle.manifest;
        if m.method.id != id {
            return Err(format!("it was learned by the method `{}`, not `{id}`", m.method.id));
        }
        let (rows, dim) = bundle.tensors.matrix("weight")?;
        if rows == 0 || dim == 0 {
            return Err("the matrix `weight` is empty".to_owned());
        }
        let judged = bundle.mask.iter().filter(|judged| **judged != 0).count();
        let offsets = bundle.tensors.rows("offset")?;
        if offsets != 1 && offsets != judged {
            return Err(format!("{offsets} offsets are neither one for all cells nor one for each of {judged}"));
        }
        Ok(AffineModel {
            params: m.method.params.clone(),
            label,
            dim,
            weight: bundle.tensors.f32("weight", &[rows, dim])?,
            offset: bundle.tensors.f32("offset", &[offsets, rows])?,
        })
    }

    /// Values of `W x`.
    pub fn rows(&self) -> usize {
        self.weight.len() / self.dim
    }
}

impl PatchModel for AffineModel {
    fn dim(&self) -> usize {
        self.dim
    }

    /// Directions are no good patch to show.
    fn nearest_good(&self, _: u32) -> Option<(u32, u32)> {
        None
    }

    fn head(&self, _: usize) -> Box<dyn PatchHead> {
        Box::new(AffineHead { model: self.clone(), distances: Vec::new() })
    }

    fn part(&self) -> (Value, Tensors) {
        let rows = self.rows();
        let mut tensors = Tensors::default();
        tensors.insert("weight", Tensor::f32(&[rows, self.dim], self.weight.clone()));
        tensors.insert("offset", Tensor::f32(&[self.offset.len() / rows, rows], self.offset.clone()));
        (self.params.clone(), tensors)
    }

    fn facts(&self) -> Facts {
        let text = format!("{} directions of {} values", self.rows(), self.dim);
        Facts { label: self.label, text, bank_rows: None, dim: self.dim }
    }
}

struct AffineHead {
    model: AffineModel,
    distances: Vec<f32>,
}

impl PatchHead for AffineHead {
    fn score_into(
        &mut self,
        features: &[f32],
        scorer: &mut Scorer,
        map: &mut Vec<f32>,
        nearest: &mut Vec<Nearest>,
    ) -> f32 {
        nearest.clear();
        let AffineModel { dim, weight, offset, .. } = &self.model;
        let rows = weight.len() / dim;
        self.distances.clear();
        let offsets = offset.chunks_exact(rows).cycle();
        for (x, offset) in features.chunks_exact(*dim).zip(offsets) {
            let squared = weight.chunks_exact(*dim).zip(offset).fold(0.0f32, |sum, (row, b)| {
                let y = dot(row, x) - b;
                sum + y * y
            });
            self.distances.push(squared.sqrt());
        }
        scorer.map_of(self.distances.iter().copied(), map);
        scorer.score_of_map(map)
    }
}

/// Sums that a compiler turns into vector instructions; in a fixed order, so that every machine gets the same bits.
const LANES: usize = 16;

/// The inner product of two vectors of one length.
pub(in crate::methods) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (a, b) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.0.iter().zip(b.0) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a.1.iter().zip(b.1).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}
