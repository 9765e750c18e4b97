//! The Gaussians: what a model file holds of them, and how they score features on the CPU.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::gaussian::Fitted;
use super::{ID, MOST_CHANNELS, Params};
use crate::fit::FeatureSet;
use crate::methods::Facts;
use crate::methods::patches::{PatchHead, PatchModel, PatchOp, Spread};
use crate::model::bundle::Bundle;
use crate::model::head::knn::Nearest;
use crate::model::head::score::Scorer;
use crate::model::tensors::{Tensor, Tensors};

/// Which entries of the covariance are learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Covariance {
    /// All of them.
    #[default]
    Full,
    /// The variances only.
    Diagonal,
}

/// One Gaussian for each cell that is not masked. In the model file:
///
/// | tensor | type, shape | what |
/// |---|---|---|
/// | `padim/channels` | u32 `[k]` | the values of a feature that are used, ascending |
/// | `padim/mean` | f32 `[cells, k]` | means |
/// | `padim/spread` | f32 `[cells, k]` or `[cells, k * (k + 1) / 2]` | inverse variances, or lower triangles `W` with `W^T W` the inverse covariance |
#[derive(Clone, Debug, PartialEq)]
pub struct PadimModel {
    about: About,
    cells: usize,
    channels: Arc<[u32]>,
    mean: Arc<[f32]>,
    spread: Arc<[f32]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    /// Length of a patch feature.
    dim: u32,
    covariance: Covariance,
    regularization: f64,
}

impl PadimModel {
    pub(super) fn new(set: &FeatureSet, params: &Params, channels: Vec<u32>, fitted: Fitted) -> PadimModel {
        PadimModel {
            about: About { dim: set.dim as u32, covariance: params.covariance, regularization: params.regularization },
            cells: set.cells.len(),
            channels: channels.into(),
            mean: fitted.mean.into(),
            spread: fitted.spread.into(),
        }
    }

    /// The Gaussians of a bundle, checked.
    ///
    /// # Errors
    /// What is missing or does not fit together.
    pub fn of(bundle: &Bundle) -> Result<PadimModel, String> {
        let m = &bundle.manifest;
        if m.method.id != ID {
            return Err(format!("it was learned by the method `{}`, not `{ID}`", m.method.id));
        }
        let about: About = m.method.read()?;
        let cells = bundle.mask.iter().filter(|judged| **judged != 0).count();
        let k = bundle.tensors.rows("channels")?;
        if k == 0 || k > about.dim as usize || (about.covariance == Covariance::Full && k > MOST_CHANNELS) {
            return Err(format!("{k} values of {} are no number of channels", about.dim));
        }
        let model = PadimModel {
            about,
            cells,
            channels: bundle.tensors.u32("channels", &[k])?,
            mean: bundle.tensors.f32("mean", &[cells, k])?,
            spread: bundle.tensors.f32("spread", &[cells, each(about.covariance, k)])?,
        };
        let rules = [
            (model.channels.is_sorted_by(|a, b| a < b), "the channels are not in ascending order"),
            (model.channels.iter().all(|c| *c < about.dim), "a channel lies outside the feature"),
            (
                about.covariance == Covariance::Full || model.spread.iter().all(|v| *v > 0.0),
                "an inverse variance is not above 0",
            ),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(model), |(_, why)| Err(why.to_owned()))
    }
}

fn each(covariance: Covariance, k: usize) -> usize {
    match covariance {
        Covariance::Diagonal => k,
        Covariance::Full => k * (k + 1) / 2,
    }
}

impl PatchModel for PadimModel {
    fn dim(&self) -> usize {
        self.about.dim as usize
    }

    fn op(&self) -> Option<PatchOp<'_>> {
        let spread = match self.about.covariance {
            Covariance::Diagonal => Spread::Diagonal(&self.spread),
            Covariance::Full => Spread::Whitening(&self.spread),
        };
        Some(PatchOp::Gaussian { channels: &self.channels, mean: &self.mean, spread })
    }

    /// A distribution has no single good patch to show.
    fn nearest_good(&self, _: u32) -> Option<(u32, u32)> {
        None
    }

    fn head(&self, _: usize) -> Box<dyn PatchHead> {
        let k = self.channels.len();
        Box::new(GaussianHead { model: self.clone(), centred: vec![0.0; k], distances: Vec::with_capacity(self.cells) })
    }

    fn part(&self) -> (Value, Tensors) {
        let k = self.channels.len();
        let mut tensors = Tensors::default();
        tensors.insert("channels", Tensor::u32(&[k], self.channels.clone()));
        tensors.insert("mean", Tensor::f32(&[self.cells, k], self.mean.clone()));
        tensors.insert("spread", Tensor::f32(&[self.cells, each(self.about.covariance, k)], self.spread.clone()));
        (serde_json::to_value(self.about).unwrap_or_default(), tensors)
    }

    fn facts(&self) -> Facts {
        let covariance = match self.about.covariance {
            Covariance::Full => "full",
            Covariance::Diagonal => "diagonal",
        };
        Facts {
            label: "distributions",
            text: format!(
                "{} places, {covariance} covariance of {} of {} values",
                self.cells,
                self.channels.len(),
                self.about.dim
            ),
            bank_rows: None,
            dim: self.dim(),
        }
    }
}

struct GaussianHead {
    model: PadimModel,
    centred: Vec<f32>,
    distances: Vec<f32>,
}

impl PatchHead for GaussianHead {
    fn score_into(
        &mut self,
        features: &[f32],
        scorer: &mut Scorer,
        map: &mut Vec<f32>,
        nearest: &mut Vec<Nearest>,
    ) -> f32 {
        nearest.clear();
        let PadimModel { about, channels, mean, spread, .. } = &self.model;
        let k = channels.len();
        let cells = features.chunks_exact(about.dim as usize).zip(mean.chunks_exact(k));
        self.distances.clear();
        for ((x, mean), spread) in cells.zip(spread.chunks_exact(each(about.covariance, k))) {
            for ((c, channel), m) in self.centred.iter_mut().zip(channels.iter()).zip(mean) {
                *c = x[*channel as usize] - m;
            }
            self.distances.push(match about.covariance {
                Covariance::Diagonal => weighted(&self.centred, spread).sqrt(),
                Covariance::Full => whitened(&self.centred, spread).sqrt(),
            });
        }
        scorer.map_of(self.distances.iter().copied(), map);
        scorer.score_of_map(map)
    }
}

/// `sum c^2 * inverse variance`.
fn weighted(centred: &[f32], inverse: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (c, i) = (centred.as_chunks::<LANES>(), inverse.as_chunks::<LANES>());
    for (c, i) in c.0.iter().zip(i.0) {
        for lane in 0..LANES {
            sums[lane] += c[lane] * c[lane] * i[lane];
        }
    }
    let rest: f32 = c.1.iter().zip(i.1).map(|(c, i)| c * c * i).sum();
    sums.iter().sum::<f32>() + rest
}

/// The squared length of `W c`, with `W` a lower triangle row by row.
fn whitened(centred: &[f32], triangle: &[f32]) -> f32 {
    let (mut start, mut sum) = (0, 0.0f32);
    for row in 0..centred.len() {
        let y = dot(&triangle[start..start + row + 1], &centred[..row + 1]);
        start += row + 1;
        sum += y * y;
    }
    sum
}

/// Sums that a compiler turns into vector instructions; in a fixed order, so that every machine gets the same bits.
const LANES: usize = 8;

fn dot(a: &[f32], b: &[f32]) -> f32 {
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
