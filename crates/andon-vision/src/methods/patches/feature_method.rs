//! The short way to add a method that scores patch features: what it learns and how its model is read; all else is the same for every one.

use serde::de::DeserializeOwned;

use super::{PatchModel, PatchTrainer, Probes, Trial, fit, trial};
use crate::fit::{FeatureSet, FitError, FitJob, FitOptions, Fitted, Phase};
use crate::methods::{Cost, FitSize, Learner, Method, Param};
use crate::model::bundle::Bundle;
use crate::model::head::score::ImageScore;

/// What a method learns from, and with what.
pub struct Learning<'a> {
    /// The features of all pictures.
    pub set: &'a FeatureSet,
    /// The numbers of the blocks that may be learned from, ascending.
    pub blocks: Vec<usize>,
    /// Seed, threads and what else was asked for.
    pub options: &'a FitOptions,
}

impl<'a> Learning<'a> {
    /// Values of a block: `dim` for each cell.
    fn len(&self) -> usize {
        self.set.cells.len() * self.set.dim
    }

    /// The features of the block of this number: `cells * dim` values.
    pub fn block(&self, number: usize) -> &'a [f32] {
        &self.set.values[number * self.len()..(number + 1) * self.len()]
    }

    /// The features of each block that may be learned from.
    pub fn features(&self) -> impl Iterator<Item = &'a [f32]> + '_ {
        self.blocks.iter().map(|b| self.block(*b))
    }

    /// The numbers of the patches that may be learned from, ascending: a patch's values stand at `number * dim` of the set's.
    pub fn patches(&self) -> impl Iterator<Item = u32> + '_ {
        let cells = self.set.cells.len() as u32;
        self.blocks.iter().flat_map(move |b| *b as u32 * cells..(*b as u32 + 1) * cells)
    }

    /// The values of the patch of this number.
    pub fn patch(&self, number: u32) -> &'a [f32] {
        let dim = self.set.dim;
        &self.set.values[number as usize * dim..(number as usize + 1) * dim]
    }
}

/// A method that scores patch features.
pub trait FeatureMethod: Sync + Sized + 'static {
    /// Its name in model files and for `fit --method`.
    const ID: &'static str;
    /// One sentence: what it does and where it is good.
    const ABOUT: &'static str;
    /// Its parameters.
    const PARAMS: &'static [Param];
    /// Its distances come with a row of a memory bank, around which a score may look (`--score reweighted`).
    const HAS_BANK: bool = false;
    /// The parameters as they are written, with defaults.
    type Params: DeserializeOwned;

    /// The one of it in [`crate::methods::ALL`].
    fn instance() -> &'static Self;

    /// Whether the parameters are in their ranges.
    ///
    /// # Errors
    /// What is wrong.
    fn check(params: &Self::Params) -> Result<(), &'static str>;

    /// Bytes of a model beside the features, and seconds of learning once from all pictures on one thread, estimated.
    fn cost(params: &Self::Params, size: &FitSize, patches: f64) -> Cost;

    /// Learns from some of the pictures. Called for each group that is held out, and once for all.
    ///
    /// # Errors
    /// [`FitError`].
    fn learn(
        params: &Self::Params,
        learning: &Learning<'_>,
        progress: &mut dyn FnMut(Phase, usize, usize),
    ) -> Result<Box<dyn PatchModel>, FitError>;

    /// The model of a file, checked: nothing that comes out of a file is trusted.
    ///
    /// # Errors
    /// What is missing or does not fit together.
    fn model(bundle: &Bundle) -> Result<Box<dyn PatchModel>, String>;
}

impl<M: FeatureMethod> Method for M {
    fn id(&self) -> &'static str {
        M::ID
    }

    fn about(&self) -> &'static str {
        M::ABOUT
    }

    fn params(&self) -> &'static [Param] {
        M::PARAMS
    }

    fn learner(&self) -> Option<&'static dyn Learner> {
        Some(M::instance())
    }

    fn patch_model(&self, bundle: &Bundle) -> Result<Option<Box<dyn PatchModel>>, String> {
        Ok(Some(M::model(bundle)?))
    }
}

/// The parameters of an option, in their ranges.
fn checked<M: FeatureMethod>(options: &FitOptions) -> Result<M::Params, FitError> {
    let params = options.params::<M::Params>()?;
    M::check(&params).map_err(FitError::Option)?;
    if !M::HAS_BANK && matches!(options.scoring.image, ImageScore::Reweighted(_)) {
        return Err(FitError::Option(
            "--score reweighted looks into a memory bank, and this method has none of that kind",
        ));
    }
    Ok(params)
}

impl<M: FeatureMethod> Learner for M {
    fn cost(&self, size: &FitSize, options: &FitOptions) -> Result<Cost, FitError> {
        let blocks = (size.pictures * options.augment.count()) as f64;
        let patches = blocks * size.cells as f64;
        let once = M::cost(&checked::<M>(options)?, size, patches);
        let rounds = options.folds.min(size.pictures) as f64 + 1.0;
        let bytes = patches * size.dim as f64 * 4.0 + once.bytes + 60e6;
        Ok(Cost { bytes, seconds: rounds * once.seconds / options.threads as f64 })
    }

    fn fit(&self, job: FitJob<'_>) -> Result<Fitted, FitError> {
        checked::<M>(job.options)?;
        fit(M::ID, job, &make_trainer::<M>)
    }

    fn trial(&self, job: FitJob<'_>, probes: &Probes<'_>) -> Result<Trial, FitError> {
        checked::<M>(job.options)?;
        trial(job, probes, &make_trainer::<M>)
    }
}

fn make_trainer<'a, M: FeatureMethod>(
    set: &'a FeatureSet,
    options: &'a FitOptions,
    _: &mut dyn FnMut(Phase, usize, usize),
) -> Result<Box<dyn PatchTrainer + 'a>, FitError> {
    Ok(Box::new(Trainer::<M> { set, options, params: checked::<M>(options)? }))
}

struct Trainer<'a, M: FeatureMethod> {
    set: &'a FeatureSet,
    options: &'a FitOptions,
    params: M::Params,
}

impl<M: FeatureMethod> PatchTrainer for Trainer<'_, M> {
    fn learn(
        &self,
        keep: &dyn Fn(usize) -> bool,
        progress: &mut dyn FnMut(Phase, usize, usize),
    ) -> Result<Box<dyn PatchModel>, FitError> {
        let blocks = self.set.blocks.iter().enumerate().filter(|(_, (image, _))| keep(*image as usize));
        let learning = Learning { set: self.set, blocks: blocks.map(|(b, _)| b).collect(), options: self.options };
        M::learn(&self.params, &learning, progress)
    }
}
