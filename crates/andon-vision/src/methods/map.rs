//! Networks whose one output is the anomaly map: what they say of a cell is its distance, and all that follows (smoothing, score, regions,
//! heatmap) is as for patch features of one value.

use std::sync::Arc;

use serde_json::Value;

use super::Facts;
use super::patches::{PatchHead, PatchModel, PatchOp, Spread};
use crate::model::head::knn::Nearest;
use crate::model::head::score::Scorer;
use crate::model::tensors::Tensors;

/// A model that is all network. The network's values are at least 0.
#[derive(Clone, Debug)]
pub struct MapModel {
    params: Value,
    facts: Facts,
    zeros: Arc<[f32]>,
    ones: Arc<[f32]>,
    /// The network has a score of its own, a second value of every cell.
    own_score: bool,
}

impl MapModel {
    /// For a map of so many cells; `params` is the method's part of the manifest.
    pub fn new(cells: usize, params: Value, facts: Facts) -> MapModel {
        MapModel { params, facts, zeros: vec![0.0; cells].into(), ones: vec![1.0; cells].into(), own_score: false }
    }

    /// The network's second output is the picture's score.
    #[must_use]
    pub fn with_own_score(self) -> MapModel {
        MapModel { own_score: true, ..self }
    }
}

impl PatchModel for MapModel {
    fn dim(&self) -> usize {
        1 + usize::from(self.own_score)
    }

    /// The distance from 0 in units of 1: a backend takes the map as it is, without a kernel of its own. A score of the network's own is not said by
    /// this, so that such a model fails the comparison on a backend that knows no better, and stays on the CPU.
    fn op(&self) -> PatchOp<'_> {
        PatchOp::Gaussian { channels: &[0], mean: &self.zeros, spread: Spread::Diagonal(&self.ones) }
    }

    fn nearest_good(&self, _: u32) -> Option<(u32, u32)> {
        None
    }

    fn head(&self, _: usize) -> Box<dyn PatchHead> {
        Box::new(MapHead { own_score: self.own_score })
    }

    fn part(&self) -> (Value, Tensors) {
        (self.params.clone(), Tensors::default())
    }

    fn facts(&self) -> Facts {
        self.facts.clone()
    }
}

struct MapHead {
    own_score: bool,
}

impl PatchHead for MapHead {
    fn score_into(
        &mut self,
        features: &[f32],
        scorer: &mut Scorer,
        map: &mut Vec<f32>,
        nearest: &mut Vec<Nearest>,
    ) -> f32 {
        nearest.clear();
        scorer.map_of(features.iter().step_by(1 + usize::from(self.own_score)).copied(), map);
        let of_map = scorer.score_of_map(map);
        match features.get(1).filter(|_| self.own_score) {
            // A map with a NaN in it is no evidence, whatever the score says.
            Some(score) if !of_map.is_nan() => *score,
            _ => of_map,
        }
    }
}
