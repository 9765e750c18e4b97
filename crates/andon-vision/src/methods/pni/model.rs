//! The memory bank with the places of its rows, and how they score features on the CPU.

use std::sync::Arc;

use serde_json::Value;

use super::{Params, Pni};
use crate::fit::Phase;
use crate::methods::Facts;
use crate::methods::patchcore::PatchCoreModel;
use crate::methods::patches::{Around, FeatureMethod, Learning, PatchHead, PatchModel};
use crate::model::bundle::Bundle;
use crate::model::head::knn::{KnnSearcher, MAX_K, Nearest};
use crate::model::head::score::Scorer;
use crate::model::tensors::{Tensor, Tensors};

/// A memory bank with places. In the model file, besides what PatchCore's has ([`PatchCoreModel`]):
///
/// | tensor | type, shape | what |
/// |---|---|---|
/// | `pni/places` | u32 `[n, words]` | bit `i` of a row: it belongs to the judged cell `i`, lowest bit first |
#[derive(Clone, Debug, PartialEq)]
pub struct PniModel {
    params: Params,
    bank: PatchCoreModel,
    /// `u32`s of a row.
    words: usize,
    places: Arc<[u32]>,
}

impl PniModel {
    /// Finds out where good patches land on each row.
    pub(super) fn new(
        params: &Params,
        learning: &Learning<'_>,
        bank: PatchCoreModel,
        progress: &mut dyn FnMut(Phase, usize, usize),
    ) -> PniModel {
        let set = learning.set;
        let cells = set.cells.len();
        let words = cells.div_ceil(32);
        let mut seen = vec![false; bank.rows() * cells];
        let mut searcher = KnnSearcher::new(bank.bank.clone(), set.dim, learning.options.threads);
        let mut near = Vec::new();
        for (done, block) in learning.features().enumerate() {
            progress(Phase::Scores, done, learning.blocks.len());
            searcher.search_into(block, &mut near);
            for (place, n) in near.iter().enumerate() {
                seen[n.index as usize * cells + place] = true;
            }
        }
        let around = Around::new(&set.cells, set.grid[0], params.reach);
        let mut places = vec![0u32; bank.rows() * words];
        for (row, seen) in seen.chunks_exact(cells).enumerate() {
            for place in (0..cells).filter(|place| seen[*place]) {
                for other in around.of(place) {
                    places[row * words + *other as usize / 32] |= 1 << (*other % 32);
                }
            }
        }
        PniModel { params: params.clone(), bank, words, places: places.into() }
    }

    /// The memory bank of a bundle, checked.
    ///
    /// # Errors
    /// What is missing or does not fit together.
    pub fn of(bundle: &Bundle) -> Result<PniModel, String> {
        let about: About = bundle.manifest.method.read()?;
        Pni::check(&about.params)?;
        let bank = PatchCoreModel::of_parts(bundle, Pni::ID, about.bank)?;
        let judged = bundle.mask.iter().filter(|judged| **judged != 0).count();
        let words = judged.div_ceil(32);
        let places = bundle.tensors.u32("places", &[bank.rows(), words])?;
        Ok(PniModel { params: about.params, bank, words, places })
    }
}

/// What the manifest says.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    params: Params,
    bank: crate::methods::patchcore::About,
}

impl PatchModel for PniModel {
    fn dim(&self) -> usize {
        self.bank.dim()
    }

    fn nearest_good(&self, patch: u32) -> Option<(u32, u32)> {
        self.bank.nearest_good(patch)
    }

    fn head(&self, threads: usize) -> Box<dyn PatchHead> {
        Box::new(PniHead {
            searcher: KnnSearcher::new(self.bank.bank.clone(), self.dim(), threads),
            words: self.words,
            places: self.places.clone(),
            found: Vec::new(),
        })
    }

    fn part(&self) -> (Value, Tensors) {
        let (_, mut tensors) = self.bank.part();
        tensors.insert("places", Tensor::u32(&[self.bank.rows(), self.words], self.places.clone()));
        let about = About { params: self.params.clone(), bank: self.bank.about };
        (serde_json::to_value(about).unwrap_or_default(), tensors)
    }

    fn facts(&self) -> Facts {
        let facts = self.bank.facts();
        let text = format!("{}, each with its places", facts.text);
        Facts { text, ..facts }
    }
}

struct PniHead {
    searcher: KnnSearcher,
    words: usize,
    places: Arc<[u32]>,
    /// [`MAX_K`] rows a patch, the nearest first.
    found: Vec<Nearest>,
}

impl PatchHead for PniHead {
    fn score_into(
        &mut self,
        features: &[f32],
        scorer: &mut Scorer,
        map: &mut Vec<f32>,
        nearest: &mut Vec<Nearest>,
    ) -> f32 {
        self.searcher.search_k_into(features, MAX_K, &mut self.found);
        nearest.clear();
        for (place, found) in self.found.chunks_exact(MAX_K).enumerate() {
            let belongs = |n: &&Nearest| {
                let word = self.places[n.index as usize * self.words + place / 32];
                n.distance.is_nan() || (n.distance.is_finite() && word >> (place % 32) & 1 == 1)
            };
            // Where none of those found belongs here, the nearest that does is at least as far as the last of them; fewer rows than are asked for end with
            // infinite distances, which are none.
            let last = found.iter().rev().find(|n| !n.distance.is_infinite()).or(found.first());
            nearest.extend(found.iter().find(belongs).or(last));
        }
        scorer.map_of(nearest.iter().map(|n| n.distance), map);
        scorer.score_of_map(map)
    }
}
