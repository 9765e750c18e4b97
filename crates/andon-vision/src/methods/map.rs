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
    fn op(&self) -> Option<PatchOp<'_>> {
        Some(PatchOp::Gaussian { channels: &[0], mean: &self.zeros, spread: Spread::Diagonal(&self.ones) })
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

/// What a network says of a cell: what lies below 0 is 0, and what is not finite is NaN, so that it is no PASS. Not done inside the network, because engines
/// make 0 of NaN there (`Relu`).
fn value(v: f32) -> f32 {
    match v.is_finite() {
        true if v < 0.0 => 0.0,
        true => v,
        false => f32::NAN,
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
        scorer.map_of(features.iter().step_by(1 + usize::from(self.own_score)).map(|v| value(*v)), map);
        let of_map = scorer.score_of_map(map);
        match features.get(1).filter(|_| self.own_score) {
            // A map with a NaN in it is no evidence, whatever the score says.
            Some(score) if !of_map.is_nan() => *score,
            _ => of_map,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::head::score::{ImageScore, Scoring};

    fn score(own_score: bool, features: &[f32]) -> f32 {
        let cells = features.len() / (1 + usize::from(own_score));
        let scoring = Scoring { smoothing: 0.0, image: ImageScore::Max, min_area: 0 };
        let mut scorer = Scorer::new(scoring, cells, 1, &vec![true; cells]);
        MapHead { own_score }.score_into(features, &mut scorer, &mut Vec::new(), &mut Vec::new())
    }

    /// A network that puts out NaN, or infinity of either sign, has no score, whatever else it says.
    #[test]
    fn what_is_not_finite_is_never_a_score() {
        assert_eq!(score(false, &[0.5, -3.0, 2.0]), 2.0);
        assert_eq!(score(false, &[-1.0, -3.0]), 0.0);
        assert_eq!(score(true, &[0.5, 0.7, 2.0, 0.7]), 0.7);
        for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(!score(false, &[0.5, wrong, 2.0]).is_finite());
            assert!(!score(true, &[0.5, 0.7, wrong, 0.7]).is_finite(), "the map is part of it");
            assert!(!score(true, &[0.5, wrong, 2.0, wrong]).is_finite());
        }
    }
}
