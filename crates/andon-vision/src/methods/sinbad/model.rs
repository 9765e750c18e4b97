//! Descriptions of good pictures, and how they score features on the CPU.

use std::sync::Arc;

use serde_json::Value;

use super::windows::{SIZES, Windows};
use super::{Params, Sinbad};
use crate::methods::Facts;
use crate::methods::patches::{FeatureMethod, PatchHead, PatchModel, dot};
use crate::model::bundle::Bundle;
use crate::model::head::knn::{Nearest, squared};
use crate::model::head::score::Scorer;
use crate::model::tensors::{Tensor, Tensors};

/// How a set of patches is described: for each direction the shares of patches that lie at or below each threshold.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Description {
    pub dim: usize,
    /// `directions * dim` values.
    pub projections: Arc<[f32]>,
    /// `directions * thresholds` values.
    pub thresholds: Arc<[f32]>,
}

/// The inner product in double precision, in a fixed order: whether a patch lies below a threshold must not hang on how sums are rounded.
pub(super) fn project(direction: &[f32], x: &[f32]) -> f64 {
    /// Sums that a compiler turns into vector instructions.
    const LANES: usize = 8;
    let (d, v) = (direction.as_chunks::<LANES>(), x.as_chunks::<LANES>());
    let mut sums = [0.0f64; LANES];
    for (d, v) in d.0.iter().zip(v.0) {
        for lane in 0..LANES {
            sums[lane] += f64::from(d[lane]) * f64::from(v[lane]);
        }
    }
    let rest: f64 = d.1.iter().zip(v.1).map(|(d, v)| f64::from(*d) * f64::from(*v)).sum();
    sums.iter().sum::<f64>() + rest
}

impl Description {
    /// Values of a description.
    pub fn len(&self) -> usize {
        self.thresholds.len()
    }

    /// For each patch, each direction and each threshold, 1 if it lies at or below, else 0.
    pub fn below_into(&self, features: &[f32], below: &mut Vec<u8>) {
        let each = self.thresholds.len() / (self.projections.len() / self.dim);
        below.clear();
        for x in features.chunks_exact(self.dim) {
            for (direction, thresholds) in
                self.projections.chunks_exact(self.dim).zip(self.thresholds.chunks_exact(each))
            {
                let value = project(direction, x);
                below.extend(thresholds.iter().map(|threshold| u8::from(value <= f64::from(*threshold))));
            }
        }
    }

    /// Appends the description of the patches at these places.
    pub fn describe_into(&self, below: &[u8], places: &[u32], out: &mut Vec<f32>) {
        let (from, count) = (out.len(), self.len());
        out.resize(from + count, 0.0);
        for place in places {
            let own = &below[*place as usize * count..][..count];
            out[from..].iter_mut().zip(own).for_each(|(sum, below)| *sum += f32::from(*below));
        }
        let share = places.len() as f32;
        out[from..].iter_mut().for_each(|sum| *sum /= share);
    }
}

/// Multiplies descriptions by a lower triangular matrix, in place.
pub(super) fn whiten(matrix: &[f32], count: usize, descriptions: &mut [f32]) {
    for x in descriptions.chunks_exact_mut(count) {
        // From the last on, since a row takes what is before it.
        for i in (0..count).rev() {
            x[i] = dot(&matrix[i * count..][..=i], &x[..=i]);
        }
    }
}

/// What was learned.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Parts {
    pub description: Description,
    /// Lower triangular, `n * n` values for each size, with `n` values of a description.
    pub whitening: Arc<[f32]>,
    /// Whitened descriptions: window by window, in each those of all pictures.
    pub bank: Arc<[f32]>,
    /// How far apart good pictures are, for each window.
    pub usual: Arc<[f32]>,
    /// Which training image each picture is.
    pub source: Arc<[u32]>,
}

/// A learned model. In the model file:
///
/// | tensor | type, shape | what |
/// |---|---|---|
/// | `sinbad/projections` | f32 `[directions, dim]` | random directions |
/// | `sinbad/thresholds` | f32 `[directions, thresholds]` | along each |
/// | `sinbad/whitening` | f32 `[2 * n, n]` | of the whole, then of halves; `n` is `directions * thresholds` |
/// | `sinbad/bank` | f32 `[windows * pictures, n]` | descriptions of good pictures |
/// | `sinbad/usual` | f32 `[1, windows]` | the usual distance of good pictures |
/// | `sinbad/source` | u32 `[pictures]` | which training image each is |
#[derive(Clone, Debug, PartialEq)]
pub struct SinbadModel {
    params: Params,
    parts: Parts,
    windows: Windows,
}

impl SinbadModel {
    pub(super) fn new(params: Params, parts: Parts, windows: Windows) -> SinbadModel {
        SinbadModel { params, parts, windows }
    }

    /// The model of a bundle, checked.
    ///
    /// # Errors
    /// What is missing or does not fit together.
    pub fn of(bundle: &Bundle) -> Result<SinbadModel, String> {
        let m = &bundle.manifest;
        if m.method.id != Sinbad::ID {
            return Err(format!("it was learned by the method `{}`, not `{}`", m.method.id, Sinbad::ID));
        }
        let params: Params = m.method.read()?;
        Sinbad::check(&params)?;
        let cells: Vec<u32> = (0..).zip(&bundle.mask).filter(|(_, judged)| **judged != 0).map(|(c, _)| c).collect();
        let windows = Windows::new(&cells, m.grid.map(|side| side as usize));
        let t = &bundle.tensors;
        let (directions, dim) = t.matrix("projections")?;
        let (pictures, count) = (t.rows("source")?, params.projections * params.thresholds);
        if directions != params.projections || dim == 0 || pictures == 0 || cells.is_empty() {
            return Err(format!("{directions} directions of {dim} values and {pictures} pictures do not fit"));
        }
        let source = t.u32("source", &[pictures])?;
        if source.iter().any(|s| *s as usize >= m.training.sources.len()) {
            return Err("it names an image that is not listed".to_owned());
        }
        let parts = Parts {
            description: Description {
                dim,
                projections: t.f32("projections", &[directions, dim])?,
                thresholds: t.f32("thresholds", &[directions, params.thresholds])?,
            },
            whitening: t.f32("whitening", &[SIZES * count, count])?,
            bank: t.f32("bank", &[windows.count() * pictures, count])?,
            usual: t.f32("usual", &[1, windows.count()])?,
            source,
        };
        if !parts.usual.iter().all(|usual| usual.is_finite() && *usual > 0.0) {
            return Err("a usual distance is not above 0".to_owned());
        }
        Ok(SinbadModel { params, parts, windows })
    }
}

impl PatchModel for SinbadModel {
    fn dim(&self) -> usize {
        self.parts.description.dim
    }

    /// Sets are compared as a whole, and no patch is the evidence.
    fn nearest_good(&self, _: u32) -> Option<(u32, u32)> {
        None
    }

    fn head(&self, _: usize) -> Box<dyn PatchHead> {
        Box::new(SetHead { model: self.clone(), below: Vec::new(), description: Vec::new(), distances: Vec::new() })
    }

    fn part(&self) -> (Value, Tensors) {
        let Parts { description, whitening, bank, usual, source } = &self.parts;
        let (count, directions) = (description.len(), self.params.projections);
        let mut tensors = Tensors::default();
        tensors.insert("projections", Tensor::f32(&[directions, description.dim], description.projections.clone()));
        tensors.insert("thresholds", Tensor::f32(&[directions, count / directions], description.thresholds.clone()));
        tensors.insert("whitening", Tensor::f32(&[SIZES * count, count], whitening.clone()));
        tensors.insert("bank", Tensor::f32(&[bank.len() / count, count], bank.clone()));
        tensors.insert("usual", Tensor::f32(&[1, usual.len()], usual.clone()));
        tensors.insert("source", Tensor::u32(&[source.len()], source.clone()));
        (serde_json::to_value(&self.params).unwrap_or_default(), tensors)
    }

    fn facts(&self) -> Facts {
        let (pictures, windows) = (self.parts.source.len(), self.windows.count());
        let text =
            format!("{pictures} pictures, {windows} parts of each, {} values a part", self.parts.description.len());
        Facts { label: "sets", text, bank_rows: None, dim: self.dim() }
    }
}

struct SetHead {
    model: SinbadModel,
    below: Vec<u8>,
    description: Vec<f32>,
    distances: Vec<f32>,
}

impl PatchHead for SetHead {
    /// What a cell has is the mean over the parts it lies in of their distances, each in multiples of what is usual.
    fn score_into(
        &mut self,
        features: &[f32],
        scorer: &mut Scorer,
        map: &mut Vec<f32>,
        nearest: &mut Vec<Nearest>,
    ) -> f32 {
        nearest.clear();
        let SinbadModel { parts, windows, .. } = &self.model;
        let (description, count, pictures) = (&parts.description, parts.description.len(), parts.source.len());
        self.distances.clear();
        self.distances.resize(features.len() / description.dim, 0.0);
        description.below_into(features, &mut self.below);
        for window in 0..windows.count() {
            let places = windows.places(window);
            self.description.clear();
            description.describe_into(&self.below, places, &mut self.description);
            let matrix = &parts.whitening[windows.size_of(window) * count * count..][..count * count];
            whiten(matrix, count, &mut self.description);
            let bank = &parts.bank[window * pictures * count..][..pictures * count];
            let least = bank.chunks_exact(count).map(|y| squared(y, &self.description)).fold(f32::INFINITY, f32::min);
            let distance = least.sqrt() / parts.usual[window];
            places.iter().for_each(|place| self.distances[*place as usize] += distance);
        }
        // A histogram swallows what is not finite.
        let broken = !features.iter().all(|v| v.is_finite());
        let of = |(place, sum): (usize, &f32)| if broken { f32::NAN } else { sum / windows.cover(place) as f32 };
        scorer.map_of(self.distances.iter().enumerate().map(of), map);
        scorer.score_of_map(map)
    }
}
