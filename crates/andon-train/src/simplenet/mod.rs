//! Trains SimpleNet: a layer that adapts features, and a discriminator of two layers that tells them from the same with noise added. Source: Liu et al.,
//! CVPR 2023. Ours differ in that features are first brought to mean 0 and deviation 1, value by value, so that one strength of noise suits every network.

#[cfg(test)]
mod tests;

use andon_core::SplitMix64;
use andon_vision::fit::{FeatureSet, FitError, FitJob, FitOptions, Fitted, Phase};
use andon_vision::methods::patches::{self, PatchModel, PatchTrainer};
use andon_vision::methods::simplenet::{ID, Network, Params, SimpleNetModel};
use andon_vision::methods::{Cost, FitSize, Learner, Probes, Trial};
use andon_vision::model::engine::{EngineError, EngineOptions};

use crate::optimiser::Optimiser;
use crate::standard::Standard;
use crate::tape::{Tape, Var};
use crate::trainer::{Input, Learned, Pass, PassBuilder, Snapshot, Trainer, Weight, Weights};

/// The margin within which evidence still counts as too little, as published.
const MARGIN: f32 = 0.5;
/// Added to variances.
const EPSILON: f32 = 1e-5;
/// Share of a weight that is added to its gradient.
const WEIGHT_DECAY: f32 = 1e-5;
/// Batches over which the statistics of the normalisation are taken at the end.
const STATISTICS: usize = 32;

/// How SimpleNet learns, with the engine that runs the training.
#[derive(Clone, Debug)]
pub struct SimpleNetLearner {
    /// Runs the training.
    pub engine: EngineOptions,
}

fn params(options: &FitOptions) -> Result<Params, FitError> {
    let params: Params = options.params()?;
    params.check().map_err(FitError::Option)?;
    Ok(params)
}

impl Learner for SimpleNetLearner {
    fn cost(&self, size: &FitSize, options: &FitOptions) -> Result<Cost, FitError> {
        let params = params(options)?;
        let (cells, dim, hidden) = (size.cells as f64, size.dim as f64, params.hidden as f64);
        let patches = (size.pictures * options.augment.count()) as f64 * cells;
        let batch = 2.0 * params.pictures as f64 * cells;
        // Values and gradients of each layer, and what the engine copies.
        let bytes = patches * dim * 4.0 + batch * (6.0 * dim + 12.0 * hidden) * 4.0 * 3.0 + 60e6;
        // Forward, and twice as much backward, at some 40 GFLOP/s a thread (measured with ONNX Runtime).
        let step = 6.0 * batch * (dim * dim + dim * hidden) / (40e9 * options.threads as f64) + batch * dim * 10e-9;
        Ok(Cost { bytes, seconds: params.steps as f64 * step })
    }

    fn fit(&self, job: FitJob<'_>) -> Result<Fitted, FitError> {
        let share = params(job.options)?.held_out;
        let engine = self.engine.clone();
        patches::fit_held_out(ID, job, share, &move |set, options, _| make_trainer(set, options, engine.clone()))
    }

    /// Scores of two trainings have no common scale.
    fn trial(&self, _: FitJob<'_>, _: &Probes<'_>) -> Result<Trial, FitError> {
        Err(FitError::OwnTraining { id: ID })
    }
}

fn make_trainer<'a>(
    set: &'a FeatureSet,
    options: &'a FitOptions,
    engine: EngineOptions,
) -> Result<Box<dyn PatchTrainer + 'a>, FitError> {
    Ok(Box::new(HeadTrainer { set, params: params(options)?, seed: options.seed, engine }))
}

struct HeadTrainer<'a> {
    set: &'a FeatureSet,
    params: Params,
    seed: u64,
    engine: EngineOptions,
}

impl PatchTrainer for HeadTrainer<'_> {
    fn learn(
        &self,
        keep: &dyn Fn(usize) -> bool,
        progress: &mut dyn FnMut(Phase, usize, usize),
    ) -> Result<Box<dyn PatchModel>, FitError> {
        let blocks = self.set.blocks.iter().enumerate().filter(|(_, (image, _))| keep(*image as usize));
        let blocks: Vec<usize> = blocks.map(|(b, _)| b).collect();
        let batch = Batches::new(self.set, &blocks, &self.params, self.seed);
        let network = train(&batch, &self.params, &self.engine, &mut |done| {
            progress(Phase::Training, done as usize, self.params.steps as usize);
        })?;
        Ok(Box::new(SimpleNetModel::new(&self.params, self.set.dim, network)))
    }
}

/// What steps are made of: which blocks and which noise a step takes depends on its number alone.
struct Batches<'a> {
    set: &'a FeatureSet,
    blocks: &'a [usize],
    standard: Standard,
    pictures: usize,
    noise: f32,
    seed: u64,
}

impl<'a> Batches<'a> {
    fn new(set: &'a FeatureSet, blocks: &'a [usize], params: &Params, seed: u64) -> Batches<'a> {
        let standard = Standard::of(set, blocks);
        Batches { set, blocks, standard, pictures: params.pictures, noise: params.noise as f32, seed }
    }

    /// Rows of a batch, without those that carry noise.
    fn rows(&self) -> usize {
        self.pictures * self.set.cells.len()
    }

    /// Writes the features of a batch, and noise for as many.
    fn fill(&self, number: u64, features: &mut Vec<f32>, noise: &mut Vec<f32>) {
        let mut random = SplitMix64::new(SplitMix64::mix(self.seed ^ SplitMix64::mix(number + 1)));
        features.clear();
        noise.clear();
        let (cells, dim) = (self.set.cells.len(), self.set.dim);
        for _ in 0..self.pictures {
            let block = self.blocks[random.below(self.blocks.len() as u64) as usize];
            for x in self.set.values[block * cells * dim..(block + 1) * cells * dim].chunks_exact(dim) {
                self.standard.append(x, features);
            }
        }
        while noise.len() < features.len() {
            // Box and Muller's pair.
            let (radius, turn) =
                ((-2.0 * random.unit().max(1e-300).ln()).sqrt(), random.unit() * std::f64::consts::TAU);
            noise.push((radius * turn.cos()) as f32 * self.noise);
            noise.push((radius * turn.sin()) as f32 * self.noise);
        }
        noise.truncate(features.len());
    }
}

/// The parameters as they start.
fn start(dim: usize, hidden: usize, seed: u64) -> Vec<Weight> {
    let mut random = SplitMix64::new(seed);
    let each =
        |name: &str, value: f32| Weight { name: name.to_owned(), shape: vec![1, hidden], values: vec![value; hidden] };
    vec![
        Weight::uniform("adapt", &[dim, dim], dim, &mut random),
        Weight::uniform("hidden", &[hidden, dim], dim, &mut random),
        each("gain", 1.0),
        each("shift", 0.0),
        Weight::uniform("out", &[1, hidden], hidden, &mut random),
    ]
}

/// Evidence of being good, `[2 * rows, 1]`: of the features, then of the same with noise; and the normalisation's mean and variance.
fn discriminate(tape: &mut Tape, learned: &mut Learned, features: Var, noise: Var) -> [Var; 3] {
    let rows = tape.shape(features)[0];
    let zeros = |tape: &mut Tape, n: usize| tape.constant(&[n], &vec![0.0; n]);
    let adapt = learned.get(tape, "adapt");
    let dim = tape.shape(adapt)[0];
    let none = zeros(tape, dim);
    let adapted = tape.linear(features, adapt, none);
    let noised = tape.add(adapted, noise);
    let both = tape.stack(&[adapted, noised]);
    let weight = learned.get(tape, "hidden");
    let hidden = tape.shape(weight)[0];
    let none = zeros(tape, hidden);
    let y = tape.linear(both, weight, none);
    let (gain, shift) = (learned.get(tape, "gain"), learned.get(tape, "shift"));
    let normalised = tape.batch_norm(y, gain, shift, EPSILON);
    let active = tape.leaky_relu(normalised.y, 0.2);
    let out = learned.get(tape, "out");
    let none = zeros(tape, 1);
    let evidence = tape.linear(active, out, none);
    debug_assert_eq!(tape.shape(evidence), [2 * rows, 1]);
    [evidence, normalised.mean, normalised.variance]
}

/// The pass that learns, and the one that reads the normalisation's statistics.
fn passes(weights: &[Weight], rows: usize, dim: usize) -> Vec<Pass> {
    let inputs = ["features", "noise"];
    let build = |learns: bool| {
        let mut pass = PassBuilder::new("simplenet", weights);
        let features = pass.tape.input("features", &[rows, dim]);
        let noise = pass.tape.input("noise", &[rows, dim]);
        let [evidence, mean, variance] = discriminate(&mut pass.tape, &mut pass.learned, features, noise);
        if !learns {
            return pass.finish_probe(&[("mean", mean), ("variance", variance)], &inputs);
        }
        let good = pass.tape.rows(evidence, 0, rows);
        let noised = pass.tape.rows(evidence, rows, 2 * rows);
        let (good, noised) = (pass.tape.hinge_loss(good, 1.0, MARGIN), pass.tape.hinge_loss(noised, -1.0, MARGIN));
        pass.finish(&[("good", good), ("noised", noised)], &inputs)
    };
    vec![build(true), build(false)]
}

/// Trains, and folds all that is constant into two layers.
fn train(
    batches: &Batches<'_>,
    params: &Params,
    engine: &EngineOptions,
    progress: &mut dyn FnMut(u64),
) -> Result<Network, FitError> {
    let failed = |e: EngineError| FitError::Training(Box::new(e));
    let (dim, rows) = (batches.set.dim, batches.rows());
    let optimiser = Optimiser::AdamW { weight_decay: WEIGHT_DECAY };
    let start = Snapshot::start(start(dim, params.hidden, batches.seed), optimiser);
    let mut trainer = Trainer::open(passes(&start.weights, rows, dim), &start, optimiser, engine).map_err(failed)?;
    let (mut features, mut noise) = (Vec::new(), Vec::new());
    let shape = [rows, dim];
    for step in 0..params.steps {
        progress(step);
        batches.fill(step, &mut features, &mut noise);
        let inputs = [Input { shape: &shape, values: &features }, Input { shape: &shape, values: &noise }];
        let losses = trainer.pass(0, &inputs).map_err(failed)?;
        if !losses.iter().all(|loss| loss.is_finite()) {
            return Err(FitError::Option("the training's loss is not finite; a smaller --param rate=… may help"));
        }
        trainer.step(params.rate, 1).map_err(failed)?;
    }
    progress(params.steps);
    let (mut mean, mut variance) = (vec![0.0f64; params.hidden], vec![0.0f64; params.hidden]);
    for batch in 0..STATISTICS as u64 {
        batches.fill(params.steps + batch, &mut features, &mut noise);
        let inputs = [Input { shape: &shape, values: &features }, Input { shape: &shape, values: &noise }];
        let read = trainer.probe(1, &inputs).map_err(failed)?;
        for (sums, values) in [&mut mean, &mut variance].into_iter().zip(&read) {
            sums.iter_mut().zip(values).for_each(|(sum, v)| *sum += f64::from(*v) / STATISTICS as f64);
        }
    }
    let weights = trainer.weights().map_err(failed)?;
    let network = fold(&weights, batches, &mean, &variance);
    let finite = |values: &[f32]| values.iter().all(|v| v.is_finite());
    match finite(&network.weight) && finite(&network.bias) && finite(&network.out) {
        true => Ok(network),
        false => Err(FitError::Option(
            "the trained network holds values that are not finite; a smaller --param rate=… may help",
        )),
    }
}

/// `hidden . adapt` on brought-in features, normalised, is one matrix and one offset on the features as they are.
fn fold(weights: &[Weight], batches: &Batches<'_>, mean: &[f64], variance: &[f64]) -> Network {
    let dim = batches.set.dim;
    let values = |name: &str| weights.iter().find(|w| w.name == name).map_or(&[][..], |w| w.values.as_slice());
    let (adapt, hidden, gain, shift, out) =
        (values("adapt"), values("hidden"), values("gain"), values("shift"), values("out"));
    let (mut weight, mut bias) = (Vec::with_capacity(hidden.len()), Vec::with_capacity(gain.len()));
    for (row, ((gain, shift), (mean, variance))) in gain.iter().zip(shift).zip(mean.iter().zip(variance)).enumerate() {
        let factor = f64::from(*gain) / (variance + f64::from(EPSILON)).sqrt();
        let mut product = vec![0.0f64; dim];
        for (h, adapt) in hidden[row * dim..(row + 1) * dim].iter().zip(adapt.chunks_exact(dim)) {
            product.iter_mut().zip(adapt).for_each(|(sum, a)| *sum += f64::from(*h) * f64::from(*a));
        }
        let mut offset = -mean;
        for ((p, m), s) in product.iter_mut().zip(&batches.standard.mean).zip(&batches.standard.scale) {
            *p *= f64::from(*s);
            offset -= *p * f64::from(*m);
        }
        weight.extend(product.iter().map(|p| (p * factor) as f32));
        bias.push((offset * factor + f64::from(*shift)) as f32);
    }
    Network { weight, bias, out: out.to_vec() }
}
