//! Trains CFA: a layer on features and their place that draws good patches into spheres around their nearest centres, and keeps the next centres out of them. Source: Lee, Lee and Song,
//! IEEE Access 2022. Ours differ in that features are first brought to mean 0 and, by one factor for all values, to a variance of 1 in the mean, that centres are the patches that cover the good ones best (not means of places), that the layer starts by
//! changing nothing, and that spheres have one given radius.

#[cfg(test)]
mod tests;

use andon_core::SplitMix64;
use andon_vision::fit::{FeatureSet, FitError, FitJob, FitOptions, Fitted, Phase, greedy_coreset};
use andon_vision::methods::cfa::{CfaModel, Descriptor, ID, NEAR, Params, coordinates};
use andon_vision::methods::patches::{self, PatchModel, PatchTrainer};
use andon_vision::methods::{Cost, FitSize, Learner, Probes, Trial};
use andon_vision::model::engine::{EngineError, EngineOptions};
use andon_vision::model::head::knn::KnnSearcher;

use crate::optimiser::Optimiser;
use crate::standard::Standard;
use crate::tape::{Tape, Var};
use crate::trainer::{Input, Learned, Pass, PassBuilder, Snapshot, Trainer, Weight, Weights};

/// Centres that are to stay out of a patch's sphere: those after the [`NEAR`] nearest, as published.
const FAR: usize = 3;
/// How far inside a sphere they may lie, in squared usual distances, as published for squared distances near 1.
const MARGIN: f32 = 0.1;
/// Share of a weight that is taken off at each step, as published.
const WEIGHT_DECAY: f32 = 5e-4;

/// How CFA learns, with the engine that runs the training.
#[derive(Clone, Debug)]
pub struct CfaLearner {
    /// Runs the training.
    pub engine: EngineOptions,
}

fn params(options: &FitOptions) -> Result<Params, FitError> {
    let params: Params = options.params()?;
    params.check().map_err(FitError::Option)?;
    Ok(params)
}

impl Learner for CfaLearner {
    fn cost(&self, size: &FitSize, options: &FitOptions) -> Result<Cost, FitError> {
        let params = params(options)?;
        let (cells, dim, centres) = (size.cells as f64, size.dim as f64, params.centres as f64);
        let patches = (size.pictures * options.augment.count()) as f64 * cells;
        let rows = params.pictures as f64 * cells;
        let bytes = patches * dim * 8.0 + rows * dim * 4.0 * 3.0 * 6.0 * (NEAR + FAR) as f64 + 60e6;
        // Forward three times and backward, and a search, at some 8 GFLOP/s a thread.
        let step = (8.0 * rows * dim * dim + 2.0 * rows * centres * dim) / (8e9 * options.threads as f64)
            + rows * dim * 60e-9 * (NEAR + FAR) as f64;
        let choice = patches * centres * 128.0 / (8e9 * options.threads as f64);
        Ok(Cost { bytes, seconds: params.steps as f64 * step + choice })
    }

    fn fit(&self, job: FitJob<'_>) -> Result<Fitted, FitError> {
        let share = params(job.options)?.held_out;
        let engine = self.engine.clone();
        patches::fit_held_out(ID, job, share, &move |set, options, _| {
            Ok(Box::new(LayerTrainer { set, params: params(options)?, options, engine: engine.clone() }))
        })
    }

    /// Scores of two trainings have no common scale.
    fn trial(&self, _: FitJob<'_>, _: &Probes<'_>) -> Result<Trial, FitError> {
        Err(FitError::OwnTraining { id: ID })
    }
}

struct LayerTrainer<'a> {
    set: &'a FeatureSet,
    params: Params,
    options: &'a FitOptions,
    engine: EngineOptions,
}

impl PatchTrainer for LayerTrainer<'_> {
    fn learn(
        &self,
        keep: &dyn Fn(usize) -> bool,
        progress: &mut dyn FnMut(Phase, usize, usize),
    ) -> Result<Box<dyn PatchModel>, FitError> {
        let (set, params, options) = (self.set, &self.params, self.options);
        let blocks = set.blocks.iter().enumerate().filter(|(_, (image, _))| keep(*image as usize));
        let blocks: Vec<usize> = blocks.map(|(b, _)| b).collect();
        let good = Good::new(set, &blocks, options.seed);
        let all: Vec<u32> = (0..(good.values.len() / set.dim) as u32).collect();
        let count = params.centres.min(all.len());
        if count < NEAR + FAR {
            return Err(FitError::NoSpread);
        }
        let mut report = |done| progress(Phase::Coreset, done, count);
        let chosen = greedy_coreset(&good.values, set.dim, &all, count, options.seed, options.threads, &mut report);
        let centres: Vec<f32> = chosen.iter().flat_map(|patch| good.patch(*patch as usize)).copied().collect();
        let descriptor = train(&good, centres, params, &self.engine, options.threads, &mut |done| {
            progress(Phase::Training, done as usize, params.steps as usize);
        })?;
        Ok(Box::new(CfaModel::new(params, descriptor, coordinates(&set.cells, set.grid))))
    }
}

/// Good patches, brought to mean 0 and one scale, block by block.
struct Good {
    values: Vec<f32>,
    dim: usize,
    /// Of each cell.
    coordinates: Vec<[f32; 2]>,
    standard: Standard,
    seed: u64,
}

impl Good {
    fn new(set: &FeatureSet, blocks: &[usize], seed: u64) -> Good {
        let standard = Standard::of(set, blocks).evenly();
        let len = set.cells.len() * set.dim;
        let mut values = Vec::with_capacity(blocks.len() * len);
        for x in blocks.iter().flat_map(|b| set.values[b * len..(b + 1) * len].chunks_exact(set.dim)) {
            standard.append(x, &mut values);
        }
        Good { values, dim: set.dim, coordinates: coordinates(&set.cells, set.grid), standard, seed }
    }

    fn patch(&self, number: usize) -> &[f32] {
        &self.values[number * self.dim..(number + 1) * self.dim]
    }

    /// Writes patches with their places, `dim + 2` values each, of the pictures of a step: which, depends on its number alone.
    fn fill(&self, step: u64, pictures: usize, out: &mut Vec<f32>) {
        let mut random = SplitMix64::new(SplitMix64::mix(self.seed ^ SplitMix64::mix(step + 1)));
        let cells = self.coordinates.len();
        let blocks = self.values.len() / (cells * self.dim);
        out.clear();
        for _ in 0..pictures {
            let block = random.below(blocks as u64) as usize;
            for (cell, place) in self.coordinates.iter().enumerate() {
                out.extend(self.patch(block * cells + cell));
                out.extend(place);
            }
        }
    }
}

/// The layer as it starts: it changes nothing.
fn start(dim: usize) -> Vec<Weight> {
    let mut layer = vec![0.0; dim * (dim + 2)];
    (0..dim).for_each(|i| layer[i * (dim + 2) + i] = 1.0);
    vec![
        Weight { name: "layer".to_owned(), shape: vec![dim, dim + 2], values: layer },
        Weight { name: "offset".to_owned(), shape: vec![dim], values: vec![0.0; dim] },
    ]
}

fn describe(tape: &mut Tape, learned: &mut Learned, features: Var) -> Var {
    let (layer, offset) = (learned.get(tape, "layer"), learned.get(tape, "offset"));
    tape.linear(features, layer, offset)
}

/// The mean over rows and centres of how far squared distances lie on the wrong side of a limit: above it (`sign` -1), or below it (`sign` 1).
fn outside(tape: &mut Tape, descriptions: Var, centres: Var, sign: f32, limit: f32) -> Var {
    let dim = tape.shape(descriptions)[1];
    let off = tape.sub(descriptions, centres);
    let square = tape.mul(off, off);
    let (ones, none) = (tape.constant(&[1, dim], &vec![1.0; dim]), tape.constant(&[1], &[0.0]));
    let distances = tape.linear(square, ones, none);
    tape.hinge_loss(distances, sign, sign * limit)
}

/// The pass that learns, and the one that describes. Centres come as `count` blocks of as many rows as there are patches. `usual` is the squared usual distance: losses are in its units.
fn passes(weights: &[Weight], rows: usize, dim: usize, radius: f32, usual: f32) -> Vec<Pass> {
    let mut learns = PassBuilder::new("cfa", weights);
    let features = learns.tape.input("features", &[rows, dim + 2]);
    let near = learns.tape.input("near", &[NEAR * rows, dim]);
    let far = learns.tape.input("far", &[FAR * rows, dim]);
    let y = describe(&mut learns.tape, &mut learns.learned, features);
    let limit = radius * radius * usual;
    let (to_near, to_far) = (learns.tape.stack(&[y; NEAR]), learns.tape.stack(&[y; FAR]));
    let attracted = outside(&mut learns.tape, to_near, near, -1.0, limit);
    let repelled = outside(&mut learns.tape, to_far, far, 1.0, limit - MARGIN * usual);
    let losses = [("attracted", attracted), ("repelled", repelled)]
        .map(|(name, loss)| (name, learns.tape.scale(loss, 1.0 / usual)));
    let mut describes = PassBuilder::new("describe", weights);
    let features = describes.tape.input("features", &[rows, dim + 2]);
    let y = describe(&mut describes.tape, &mut describes.learned, features);
    vec![
        learns.finish(&losses, &["features", "near", "far"]),
        describes.finish_probe(&[("descriptions", y)], &["features"]),
    ]
}

/// Trains, and folds all that is constant into the layer.
fn train(
    good: &Good,
    centres: Vec<f32>,
    params: &Params,
    engine: &EngineOptions,
    threads: usize,
    progress: &mut dyn FnMut(u64),
) -> Result<Descriptor, FitError> {
    let failed = |e: EngineError| FitError::Training(Box::new(e));
    let (dim, rows) = (good.dim, params.pictures * good.coordinates.len());
    let mut searcher = KnnSearcher::new(centres.as_slice().into(), dim, threads);
    let (mut features, mut found) = (Vec::new(), Vec::new());
    // Patches that are centres themselves lie at 0: the usual distance is that to the next one.
    let sample: Vec<f32> =
        good.values.chunks_exact(dim).step_by((good.values.len() / dim / 4096).max(1)).flatten().copied().collect();
    searcher.search_k_into(&sample, 2, &mut found);
    let mut apart: Vec<f32> = found.iter().map(|near| near.distance * near.distance).filter(|d| *d > 0.0).collect();
    apart.sort_unstable_by(f32::total_cmp);
    let usual = apart.get(apart.len() / 2).copied().ok_or(FitError::NoSpread)?;
    let optimiser = Optimiser::AdamW { weight_decay: WEIGHT_DECAY };
    let start = Snapshot::start(start(dim), optimiser);
    let passes = passes(&start.weights, rows, dim, params.radius as f32, usual);
    let mut trainer = Trainer::open(passes, &start, optimiser, engine).map_err(failed)?;
    let (mut near, mut far) = (Vec::new(), Vec::new());
    for step in 0..params.steps {
        progress(step);
        good.fill(step, params.pictures, &mut features);
        let input = Input { shape: &[rows, dim + 2], values: &features };
        let described = trainer.probe(1, &[input]).map_err(failed)?;
        let described = described.first().map_or(&[][..], Vec::as_slice);
        if !described.iter().all(|v| v.is_finite()) {
            return Err(FitError::Option("the training's values are not finite; a smaller --param rate=… may help"));
        }
        searcher.search_k_into(described, NEAR + FAR, &mut found);
        for (centres_of, from, count) in [(&mut near, 0, NEAR), (&mut far, NEAR, FAR)] {
            centres_of.clear();
            for k in from..from + count {
                for row in found.chunks_exact(NEAR + FAR) {
                    centres_of.extend(&centres[row[k].index as usize * dim..][..dim]);
                }
            }
        }
        let inputs = [
            input,
            Input { shape: &[NEAR * rows, dim], values: &near },
            Input { shape: &[FAR * rows, dim], values: &far },
        ];
        trainer.pass(0, &inputs).map_err(failed)?;
        trainer.step(params.rate, 1).map_err(failed)?;
    }
    progress(params.steps);
    let descriptor = fold(&trainer.weights().map_err(failed)?, good, centres);
    match descriptor.weight.iter().chain(&descriptor.bias).all(|v| v.is_finite()) {
        true => Ok(descriptor),
        false => Err(FitError::Option("the trained layer is not finite; a smaller --param rate=… may help")),
    }
}

/// The layer on features as they are.
fn fold(weights: &[Weight], good: &Good, centres: Vec<f32>) -> Descriptor {
    let dim = good.dim;
    let values = |name: &str| weights.iter().find(|w| w.name == name).map_or(&[][..], |w| w.values.as_slice());
    let (mut weight, mut place, mut bias) = (Vec::with_capacity(dim * dim), Vec::new(), Vec::new());
    for (row, offset) in values("layer").chunks_exact(dim + 2).zip(values("offset")) {
        let mut folded = f64::from(*offset);
        for ((w, m), s) in row.iter().zip(&good.standard.mean).zip(&good.standard.scale) {
            weight.push(w * s);
            folded -= f64::from(*w) * f64::from(*s) * f64::from(*m);
        }
        place.extend(&row[dim..]);
        bias.push(folded as f32);
    }
    Descriptor { weight, place, bias, centres }
}
