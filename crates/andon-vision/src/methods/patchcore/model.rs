//! The memory bank: what a model file holds of it, and how it scores features on the CPU.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ID;
use crate::methods::Facts;
use crate::methods::patches::{PatchHead, PatchModel, PatchOp};
use crate::model::bundle::Bundle;
use crate::model::head::knn::{KnnSearcher, Nearest};
use crate::model::head::score::Scorer;
use crate::model::tensors::{Tensor, Tensors};

/// A learned memory bank. In the model file:
///
/// | tensor | type, shape | what |
/// |---|---|---|
/// | `patchcore/bank` | f32 `[n, dim]` | patches, sorted by source image |
/// | `patchcore/source` | u32 `[n]` | which training image a row comes from |
/// | `patchcore/cell` | u32 `[n]` | which cell of the grid it comes from, row by row |
/// | `patchcore/weight` | f32 `[n]` | factor of distances to it |
#[derive(Clone, Debug, PartialEq)]
pub struct PatchCoreModel {
    /// Its numbers.
    pub about: About,
    /// `n * dim` values.
    pub bank: Arc<[f32]>,
    /// Source image of each row, ascending.
    pub source: Arc<[u32]>,
    /// Grid cell of each row.
    pub cell: Arc<[u32]>,
    /// Factor of distances to each row, above 0.
    pub weight: Arc<[f32]>,
}

/// What the manifest says of a memory bank.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// Length of a patch feature.
    pub dim: u32,
    /// See [`super::Params::local_scale`].
    pub local_scale: f32,
    /// Patches of all images before the coreset.
    pub patches: u64,
    /// Every row's distance to its nearest other row is at least this; a picture that is added later becomes rows by it.
    pub spacing: f32,
}

impl PatchCoreModel {
    /// The memory bank of a bundle, checked.
    ///
    /// # Errors
    /// What is missing or does not fit together.
    pub fn of(bundle: &Bundle) -> Result<PatchCoreModel, String> {
        PatchCoreModel::of_method(bundle, ID)
    }

    /// The memory bank of a bundle of the method `id`, which keeps one of the same form.
    ///
    /// # Errors
    /// As [`PatchCoreModel::of`].
    pub fn of_method(bundle: &Bundle, id: &str) -> Result<PatchCoreModel, String> {
        PatchCoreModel::of_parts(bundle, id, bundle.manifest.method.read()?)
    }

    /// As [`PatchCoreModel::of_method`], where the manifest's part of the method holds more than `about`.
    ///
    /// # Errors
    /// As [`PatchCoreModel::of`].
    pub(in crate::methods) fn of_parts(bundle: &Bundle, id: &str, about: About) -> Result<PatchCoreModel, String> {
        let m = &bundle.manifest;
        if m.method.id != id {
            return Err(format!("it was learned by the method `{}`, not `{id}`", m.method.id));
        }
        let (rows, dim) = (bundle.tensors.rows("bank")?, about.dim as usize);
        if rows == 0 || dim == 0 {
            return Err("the memory bank is empty".to_owned());
        }
        let model = PatchCoreModel {
            about,
            bank: bundle.tensors.f32("bank", &[rows, dim])?,
            source: bundle.tensors.u32("source", &[rows])?,
            cell: bundle.tensors.u32("cell", &[rows])?,
            weight: bundle.tensors.f32("weight", &[rows])?,
        };
        let (images, cells) = (m.training.sources.len(), m.grid[0] * m.grid[1]);
        let rules = [
            (model.source.is_sorted(), "the memory bank is not sorted by image"),
            (model.source.iter().all(|s| (*s as usize) < images), "the memory bank names an image that is not listed"),
            (model.cell.iter().all(|c| *c < cells), "the memory bank names a cell outside the grid"),
            (model.weight.iter().all(|w| *w > 0.0), "a bank weight is not above 0"),
            ((0.0..=1.0).contains(&about.local_scale), "local_scale is not in 0..=1"),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(model), |(_, why)| Err(why.to_owned()))
    }

    /// Rows of the bank.
    pub fn rows(&self) -> usize {
        self.source.len()
    }

    /// Puts this memory bank into a bundle in place of its own.
    pub(super) fn put_into(&self, bundle: &mut Bundle) {
        let (params, tensors) = self.part();
        bundle.manifest.method.params = params;
        bundle.tensors = tensors;
    }
}

impl PatchModel for PatchCoreModel {
    fn dim(&self) -> usize {
        self.about.dim as usize
    }

    fn op(&self) -> Option<PatchOp<'_>> {
        Some(PatchOp::Nearest { rows: &self.bank, weights: &self.weight })
    }

    fn nearest_good(&self, patch: u32) -> Option<(u32, u32)> {
        let row = patch as usize;
        Some((*self.source.get(row)?, *self.cell.get(row)?))
    }

    fn head(&self, threads: usize) -> Box<dyn PatchHead> {
        Box::new(BankHead {
            searcher: KnnSearcher::new(self.bank.clone(), self.dim(), threads),
            rows: self.bank.clone(),
            weights: self.weight.clone(),
        })
    }

    fn part(&self) -> (Value, Tensors) {
        let rows = self.rows();
        let mut tensors = Tensors::default();
        tensors.insert("bank", Tensor::f32(&[rows, self.dim()], self.bank.clone()));
        tensors.insert("source", Tensor::u32(&[rows], self.source.clone()));
        tensors.insert("cell", Tensor::u32(&[rows], self.cell.clone()));
        tensors.insert("weight", Tensor::f32(&[rows], self.weight.clone()));
        (serde_json::to_value(self.about).unwrap_or_default(), tensors)
    }

    fn facts(&self) -> Facts {
        Facts {
            label: "memory bank",
            text: format!("{} of {} patches, {} values each", self.rows(), self.about.patches, self.about.dim),
            bank_rows: Some(self.rows()),
            dim: self.dim(),
        }
    }
}

/// Scores features against a memory bank. The one place where that is done on the CPU: learning, parity, adaptation and inspection call it.
pub(super) struct BankHead {
    searcher: KnnSearcher,
    rows: Arc<[f32]>,
    weights: Arc<[f32]>,
}

impl PatchHead for BankHead {
    fn score_into(
        &mut self,
        features: &[f32],
        scorer: &mut Scorer,
        map: &mut Vec<f32>,
        nearest: &mut Vec<Nearest>,
    ) -> f32 {
        self.searcher.search_into(features, nearest);
        scorer.map_into(nearest, &self.weights, map);
        scorer.score(map, nearest, features, &self.rows, &mut self.searcher)
    }
}
