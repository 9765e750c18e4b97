//! The pictures that are kept, and how they score features on the CPU.

use std::sync::Arc;

use serde_json::Value;

use super::{Params, Spade};
use crate::methods::Facts;
use crate::methods::patches::{Around, FeatureMethod, Learning, PatchHead, PatchModel};
use crate::model::bundle::Bundle;
use crate::model::head::knn::{Nearest, squared};
use crate::model::head::score::Scorer;
use crate::model::tensors::{Tensor, Tensors};

/// The features of good pictures. In the model file:
///
/// | tensor | type, shape | what |
/// |---|---|---|
/// | `spade/features` | f32 `[pictures * cells, dim]` | patches, picture by picture |
/// | `spade/source` | u32 `[pictures]` | which training image each is |
#[derive(Clone, Debug, PartialEq)]
pub struct SpadeModel {
    params: Params,
    dim: usize,
    features: Arc<[f32]>,
    source: Arc<[u32]>,
    /// The judged cells of the grid.
    cells: Arc<[u32]>,
    width: usize,
}

/// Appends the mean of a picture's patches, `dim` values.
pub(super) fn vector_of(block: &[f32], dim: usize, out: &mut Vec<f32>) {
    let (from, count) = (out.len(), (block.len() / dim) as f32);
    out.resize(from + dim, 0.0);
    for patch in block.chunks_exact(dim) {
        out[from..].iter_mut().zip(patch).for_each(|(sum, v)| *sum += v);
    }
    out[from..].iter_mut().for_each(|sum| *sum /= count);
}

impl SpadeModel {
    /// Of the blocks at these places of those that are learned from.
    pub(super) fn new(params: &Params, learning: &Learning<'_>, chosen: &[u32]) -> SpadeModel {
        let blocks = chosen.iter().map(|c| learning.blocks[*c as usize]);
        SpadeModel {
            params: params.clone(),
            dim: learning.set.dim,
            features: blocks.clone().flat_map(|b| learning.block(b)).copied().collect(),
            source: blocks.map(|b| learning.set.blocks[b].0).collect(),
            cells: learning.set.cells.as_slice().into(),
            width: learning.set.grid[0],
        }
    }

    /// The pictures of a bundle, checked.
    ///
    /// # Errors
    /// What is missing or does not fit together.
    pub fn of(bundle: &Bundle) -> Result<SpadeModel, String> {
        let m = &bundle.manifest;
        if m.method.id != Spade::ID {
            return Err(format!("it was learned by the method `{}`, not `{}`", m.method.id, Spade::ID));
        }
        let params: Params = m.method.read()?;
        Spade::check(&params)?;
        let cells: Arc<[u32]> = (0..).zip(&bundle.mask).filter(|(_, judged)| **judged != 0).map(|(c, _)| c).collect();
        let (rows, dim) = bundle.tensors.matrix("features")?;
        let pictures = bundle.tensors.rows("source")?;
        if pictures == 0 || dim == 0 || cells.is_empty() || Some(rows) != pictures.checked_mul(cells.len()) {
            return Err(format!("{rows} patches are not those of {pictures} pictures of {} cells", cells.len()));
        }
        let source = bundle.tensors.u32("source", &[pictures])?;
        if source.iter().any(|s| *s as usize >= m.training.sources.len()) {
            return Err("it names an image that is not listed".to_owned());
        }
        let features = bundle.tensors.f32("features", &[rows, dim])?;
        Ok(SpadeModel { params, dim, features, source, cells, width: m.grid[0] as usize })
    }
}

impl PatchModel for SpadeModel {
    fn dim(&self) -> usize {
        self.dim
    }

    fn nearest_good(&self, patch: u32) -> Option<(u32, u32)> {
        let (picture, place) = (patch as usize / self.cells.len(), patch as usize % self.cells.len());
        Some((*self.source.get(picture)?, *self.cells.get(place)?))
    }

    fn head(&self, _: usize) -> Box<dyn PatchHead> {
        let mut vectors = Vec::with_capacity(self.source.len() * self.dim);
        for block in self.features.chunks_exact(self.cells.len() * self.dim) {
            vector_of(block, self.dim, &mut vectors);
        }
        Box::new(SpadeHead {
            around: Around::new(&self.cells, self.width, self.params.reach),
            model: self.clone(),
            vectors,
            own: Vec::with_capacity(self.dim),
            order: Vec::with_capacity(self.source.len()),
        })
    }

    fn part(&self) -> (Value, Tensors) {
        let pictures = self.source.len();
        let mut tensors = Tensors::default();
        tensors.insert("features", Tensor::f32(&[pictures * self.cells.len(), self.dim], self.features.clone()));
        tensors.insert("source", Tensor::u32(&[pictures], self.source.clone()));
        (serde_json::to_value(&self.params).unwrap_or_default(), tensors)
    }

    fn facts(&self) -> Facts {
        let (pictures, cells) = (self.source.len(), self.cells.len());
        Facts {
            label: "pictures",
            text: format!("{pictures} of {cells} patches, {} values each", self.dim),
            bank_rows: Some(pictures * cells),
            dim: self.dim,
        }
    }
}

struct SpadeHead {
    model: SpadeModel,
    around: Around,
    /// The mean patch of each picture: `pictures * dim`.
    vectors: Vec<f32>,
    own: Vec<f32>,
    /// Squared distance and number of each picture, the most alike first.
    order: Vec<(f32, u32)>,
}

impl PatchHead for SpadeHead {
    fn score_into(
        &mut self,
        features: &[f32],
        scorer: &mut Scorer,
        map: &mut Vec<f32>,
        nearest: &mut Vec<Nearest>,
    ) -> f32 {
        let SpadeModel { params, dim, features: good, cells, .. } = &self.model;
        self.own.clear();
        vector_of(features, *dim, &mut self.own);
        self.order.clear();
        let distances = self.vectors.chunks_exact(*dim).map(|vector| squared(vector, &self.own));
        self.order.extend(distances.zip(0..));
        // Ties go to the lower number; a NaN is the largest, and its map is NaN in any case.
        self.order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        self.order.truncate(params.neighbors);
        nearest.clear();
        for (place, x) in features.chunks_exact(*dim).enumerate() {
            let mut best = (f32::INFINITY, 0);
            let mut broken = false;
            for (_, picture) in &self.order {
                let first = *picture as usize * cells.len();
                for other in self.around.of(place) {
                    let row = first + *other as usize;
                    let distance = squared(x, &good[row * dim..(row + 1) * dim]);
                    broken |= distance.is_nan();
                    if distance < best.0 {
                        best = (distance, row as u32);
                    }
                }
            }
            let distance = if broken { f32::NAN } else { best.0.sqrt() };
            nearest.push(Nearest { index: best.1, distance });
        }
        scorer.map_of(nearest.iter().map(|n| n.distance), map);
        scorer.score_of_map(map)
    }
}
