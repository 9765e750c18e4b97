//! The trained layer and its centres: what a model file holds of them, and how they score features on the CPU.

use std::sync::Arc;

use serde_json::Value;

use super::{ID, NEAR, Params};
use crate::methods::Facts;
use crate::methods::patches::{PatchHead, PatchModel, dot};
use crate::model::bundle::Bundle;
use crate::model::head::knn::{KnnSearcher, Nearest};
use crate::model::head::score::{ImageScore, Scorer};
use crate::model::tensors::{Tensor, Tensors};

/// A trained layer, with all that is constant folded in: a patch `x` at the place `c` has the description `W x + P c + b`.
#[derive(Clone, Debug, PartialEq)]
pub struct Descriptor {
    /// `W`: `dim * dim` values.
    pub weight: Vec<f32>,
    /// `P`: `dim * 2` values.
    pub place: Vec<f32>,
    /// `b`: `dim` values.
    pub bias: Vec<f32>,
    /// `centres * dim` values.
    pub centres: Vec<f32>,
}

/// Where on a grid of columns and rows each cell lies: column and row from -1 to 1.
pub fn coordinates(cells: &[u32], [columns, rows]: [usize; 2]) -> Vec<[f32; 2]> {
    let at = |n: usize, side: usize| (2 * n) as f32 / side.saturating_sub(1).max(1) as f32 - 1.0;
    let place = |cell: &u32| [at(*cell as usize % columns, columns), at(*cell as usize / columns, rows)];
    cells.iter().map(place).collect()
}

/// The same, shared. In the model file:
///
/// | tensor | type, shape | what |
/// |---|---|---|
/// | `cfa/weight` | f32 `[dim, dim]` | the layer |
/// | `cfa/place` | f32 `[dim, 2]` | what a column and a row add |
/// | `cfa/bias` | f32 `[1, dim]` | its offset |
/// | `cfa/centres` | f32 `[centres, dim]` | what good patches were drawn to |
#[derive(Clone, Debug, PartialEq)]
pub struct CfaModel {
    params: Params,
    weight: Arc<[f32]>,
    place: Arc<[f32]>,
    bias: Arc<[f32]>,
    centres: Arc<[f32]>,
    coordinates: Arc<[[f32; 2]]>,
}

impl CfaModel {
    /// Of a trained layer, for cells at these [`coordinates`].
    pub fn new(params: &Params, descriptor: Descriptor, coordinates: Vec<[f32; 2]>) -> CfaModel {
        let Descriptor { weight, place, bias, centres } = descriptor;
        CfaModel {
            params: params.clone(),
            weight: weight.into(),
            place: place.into(),
            bias: bias.into(),
            centres: centres.into(),
            coordinates: coordinates.into(),
        }
    }

    /// The layer of a bundle, checked.
    ///
    /// # Errors
    /// What is missing or does not fit together.
    pub fn of(bundle: &Bundle) -> Result<CfaModel, String> {
        let m = &bundle.manifest;
        if m.method.id != ID {
            return Err(format!("it was learned by the method `{}`, not `{ID}`", m.method.id));
        }
        if matches!(m.scoring.image, ImageScore::Reweighted(_)) {
            return Err("its score looks into a memory bank, and it has none".to_owned());
        }
        let params: Params = m.method.read()?;
        params.check()?;
        let t = &bundle.tensors;
        let ((dim, _), (centres, _)) = (t.matrix("weight")?, t.matrix("centres")?);
        if dim == 0 || centres < NEAR {
            return Err(format!("{centres} centres of {dim} values; {NEAR} centres are looked at"));
        }
        let cells: Vec<u32> = (0..).zip(&bundle.mask).filter(|(_, judged)| **judged != 0).map(|(c, _)| c).collect();
        Ok(CfaModel {
            params,
            weight: t.f32("weight", &[dim, dim])?,
            place: t.f32("place", &[dim, 2])?,
            bias: t.f32("bias", &[1, dim])?,
            centres: t.f32("centres", &[centres, dim])?,
            coordinates: coordinates(&cells, m.grid.map(|side| side as usize)).into(),
        })
    }
}

impl PatchModel for CfaModel {
    fn dim(&self) -> usize {
        self.bias.len()
    }

    /// A centre is no patch of a picture after the layer was trained.
    fn nearest_good(&self, _: u32) -> Option<(u32, u32)> {
        None
    }

    fn head(&self, threads: usize) -> Box<dyn PatchHead> {
        Box::new(CentreHead {
            searcher: KnnSearcher::new(self.centres.clone(), self.dim(), threads),
            model: self.clone(),
            descriptions: Vec::new(),
            found: Vec::new(),
        })
    }

    fn part(&self) -> (Value, Tensors) {
        let dim = self.dim();
        let mut tensors = Tensors::default();
        tensors.insert("weight", Tensor::f32(&[dim, dim], self.weight.clone()));
        tensors.insert("place", Tensor::f32(&[dim, 2], self.place.clone()));
        tensors.insert("bias", Tensor::f32(&[1, dim], self.bias.clone()));
        tensors.insert("centres", Tensor::f32(&[self.centres.len() / dim, dim], self.centres.clone()));
        (serde_json::to_value(&self.params).unwrap_or_default(), tensors)
    }

    fn facts(&self) -> Facts {
        let (centres, dim) = (self.centres.len() / self.dim(), self.dim());
        let text = format!("{centres} centres of {dim} values, {} steps", self.params.steps);
        Facts { label: "centres", text, bank_rows: Some(centres), dim }
    }
}

struct CentreHead {
    model: CfaModel,
    searcher: KnnSearcher,
    descriptions: Vec<f32>,
    found: Vec<Nearest>,
}

impl PatchHead for CentreHead {
    fn score_into(
        &mut self,
        features: &[f32],
        scorer: &mut Scorer,
        map: &mut Vec<f32>,
        nearest: &mut Vec<Nearest>,
    ) -> f32 {
        nearest.clear();
        let CfaModel { weight, place, bias, coordinates, .. } = &self.model;
        let dim = bias.len();
        self.descriptions.clear();
        for (x, c) in features.chunks_exact(dim).zip(coordinates.iter()) {
            let rows = weight.chunks_exact(dim).zip(place.as_chunks::<2>().0).zip(bias.iter());
            self.descriptions.extend(rows.map(|((row, p), b)| dot(row, x) + p[0] * c[0] + p[1] * c[1] + b));
        }
        self.searcher.search_k_into(&self.descriptions, NEAR, &mut self.found);
        let found = self.found.as_chunks::<NEAR>().0.iter().zip(self.descriptions.chunks_exact(dim));
        let distances = found.map(|(near, y)| match y.iter().all(|v| v.is_finite()) {
            true => distance(near.map(|near| near.distance)),
            false => f32::NAN,
        });
        scorer.map_of(distances, map);
        scorer.score_of_map(map)
    }
}

/// `d0 exp(-d0) / sum exp(-dk)` of ascending distances, without overflow.
fn distance(near: [f32; NEAR]) -> f32 {
    let sum: f32 = near.iter().map(|d| (near[0] - d).exp()).sum();
    near[0] / sum
}
