//! Distillation: a small network is taught what a large one makes of many pictures. Done once by a maker; what comes out is the teacher of
//! every EfficientAD model. Source: Batzner, Heckler and König, WACV 2024, section 3.1 and its supplement.

mod error;
mod subspace;
mod targets;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use andon_core::SplitMix64;
use andon_vision::model::Embed;
use andon_vision::model::engine::EngineOptions;
use serde::Serialize;

use crate::checkpoint;
use crate::networks::{Pdn, Size};
use crate::optimiser::Optimiser;
use crate::teacher::{PREFIX, Teacher};
use crate::trainer::{Input, Pass, PassBuilder, Snapshot, Trainer, Weight};
pub use error::DistillError;
pub use targets::{Reduction, Source, Targets};

/// Rows and columns of pictures that the small network sees; the large one sees twice as many.
pub const SIDE: usize = 256;
/// The share of pictures that are shown in grey too.
const GREY_SHARE: f64 = 0.1;
/// One picture of so many is held out.
const HELD_OUT: usize = 20;
/// Of what is held out, so many entries are looked at; more would take longer than it tells.
const LOOKED_AT: usize = 40;
/// Steps between two looks at what is held out.
const LOOK: u64 = 100;

/// A network whose mean square is so many times that of the mean was ruined; one of a few steps may lie a little above it.
const WORSE: f32 = 1.05;

/// How a network is taught.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// Which network.
    pub network: Size,
    /// Steps in all.
    pub steps: u64,
    /// Pictures of one step.
    pub batch: usize,
    /// The rate at the start.
    pub rate: f64,
    /// Whether the rate falls in a straight line to 0; else it stays.
    pub falling: bool,
    /// Share of a weight that is added to its gradient.
    pub weight_decay: f32,
    /// Of all that is drawn.
    pub seed: u64,
    /// How the large network's values become so many as the small one has.
    pub reduction: Reduction,
}

impl Plan {
    /// As published for `s` and `m`; `xs` learns faster and from fewer pictures, for the hours that a CPU has.
    pub fn of(network: Size) -> Plan {
        let published = Plan {
            network,
            steps: 60_000,
            batch: 16,
            rate: 1e-4,
            falling: false,
            weight_decay: 1e-5,
            seed: 0,
            reduction: Reduction::Average,
        };
        match network {
            Size::Xs => Plan { batch: 8, rate: 1e-3, falling: true, reduction: Reduction::Components, ..published },
            Size::S | Size::M => published,
        }
    }

    fn rate_at(&self, step: u64) -> f64 {
        let left = 1.0 - step as f64 / self.steps.max(1) as f64;
        if self.falling { self.rate * left } else { self.rate }
    }
}

/// Where a run stands.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Steps that are done.
    pub step: u64,
    /// Mean square of the last step.
    pub loss: f32,
    /// Mean square on what is held out, at the last look.
    pub held_out: f32,
}

/// What a run is made of.
pub struct Job<'a> {
    /// How.
    pub plan: &'a Plan,
    /// Pictures.
    pub files: &'a [PathBuf],
    /// The large network, for pictures of twice [`SIDE`].
    pub trunk: &'a mut dyn Embed,
    /// How many of its values come from each of its layers.
    pub layers: &'a [usize],
    /// Digest of the large network and how it is used.
    pub trunk_digest: String,
    /// Weights to begin with, of a network of the plan's size that was taught before; random ones without.
    pub start: Option<&'a Teacher>,
    /// Where targets and checkpoint are kept.
    pub work: &'a Path,
    /// How often the checkpoint is written.
    pub keep_every: Duration,
    /// Runs the training.
    pub engine: &'a EngineOptions,
    /// Told what is done and how far it is, before training begins; says no to stop.
    pub preparing: &'a mut dyn FnMut(&str, usize, usize) -> bool,
    /// Told where the run stands after each step; says no to stop.
    pub training: &'a mut dyn FnMut(&Standing) -> bool,
}

/// Teaches a network. A run that was ended goes on where its last checkpoint was, to the same bytes.
///
/// # Errors
/// [`DistillError`].
pub fn distill(job: Job<'_>) -> Result<(Teacher, Standing), DistillError> {
    let Job { plan, files, trunk, layers, trunk_digest, start, work, keep_every, engine, preparing, training } = job;
    if files.len() < HELD_OUT {
        return Err(DistillError::TooFew(files.len()));
    }
    let pdn = Pdn::new(plan.network);
    if let Some(before) = start.filter(|before| before.pdn.size() != plan.network) {
        let (got, want) = (before.pdn.size().as_str(), plan.network.as_str());
        return Err(DistillError::OtherStart { got, want });
    }
    let of = digest(files, &trunk_digest, plan)?;
    let (columns, rows) = trunk.grid();
    let want = pdn.grid([SIDE; 2], true).unwrap_or([0; 2]);
    if want != [rows, columns] {
        return Err(DistillError::Grid { got: [rows, columns], want, picture: 2 * SIDE });
    }
    let source = Source { files, trunk, layers, outputs: pdn.outputs(), reduction: plan.reduction, of: of.clone() };
    let targets = Targets::open(work, source, preparing)?;
    let optimiser = Optimiser::Adam { weight_decay: plan.weight_decay };
    let run_of = run_of(&of, plan, start);
    let weights = match start {
        Some(before) => before.weights.clone(),
        None => pdn.start(PREFIX, &mut SplitMix64::new(plan.seed)),
    };
    let start = Snapshot::start(weights, optimiser);
    let kept = work.join("checkpoint.safetensors");
    let snapshot = checkpoint::read(&kept, &start, &run_of)?.unwrap_or(start);
    let passes = vec![pass(&pdn, &snapshot.weights, &targets, true), pass(&pdn, &snapshot.weights, &targets, false)];
    let mut trainer = Trainer::open(passes, &snapshot, optimiser, engine)?;
    let run = Run {
        plan,
        learned: targets.entries(|picture| !picture.is_multiple_of(HELD_OUT)),
        held_out: targets.entries(|picture| picture.is_multiple_of(HELD_OUT)).into_iter().take(LOOKED_AT).collect(),
        targets: &targets,
        work,
    };
    if trainer.steps() == 0 {
        run.begin_curve()?;
    }
    let mut standing = Standing { step: trainer.steps(), loss: f32::NAN, held_out: f32::NAN };
    let mut written = Instant::now();
    while trainer.steps() < plan.steps {
        let step = trainer.steps();
        if step.is_multiple_of(LOOK) {
            standing.held_out = run.look(&mut trainer, standing.loss)?;
        }
        standing.loss = run.step(&mut trainer)?;
        standing.step = trainer.steps();
        if !standing.loss.is_finite() {
            return Err(DistillError::Diverged { loss: standing.loss, step });
        }
        let go_on = training(&standing);
        if !go_on || written.elapsed() >= keep_every {
            checkpoint::write(&kept, &trainer.snapshot()?, &run_of)?;
            written = Instant::now();
        }
        if !go_on {
            return Err(DistillError::Stopped);
        }
    }
    standing.held_out = run.look(&mut trainer, standing.loss)?;
    let (reached, mean) = (standing.held_out, run.of_the_mean()?);
    if reached.is_nan() || reached > WORSE * mean {
        return Err(DistillError::NotLearned { reached, mean, steps: plan.steps });
    }
    checkpoint::write(&kept, &trainer.snapshot()?, &run_of)?;
    let about = BTreeMap::from([
        ("steps".to_owned(), plan.steps.to_string()),
        ("batch".to_owned(), plan.batch.to_string()),
        ("pictures".to_owned(), files.len().to_string()),
        ("held_out_mean_square".to_owned(), format!("{:.4}", standing.held_out)),
        ("variance_kept".to_owned(), format!("{:.3}", targets.kept())),
        ("plan".to_owned(), serde_json::to_string(plan).unwrap_or_default()),
    ]);
    Ok((Teacher { pdn, weights: trainer.weights()?, about }, standing))
}

/// What a checkpoint belongs to.
fn run_of(of: &str, plan: &Plan, start: Option<&Teacher>) -> String {
    let run = format!("{of} {}", serde_json::to_string(plan).unwrap_or_default());
    let Some(before) = start else { return run };
    let mut hasher = blake3::Hasher::new();
    for value in before.weights.iter().flat_map(|weight| &weight.values) {
        hasher.update(&value.to_le_bytes());
    }
    format!("{run} from {}", hasher.finalize().to_hex())
}

/// A digest of the large network, the reduction, and the pictures by name and length: reading millions of them would take longer than it tells.
fn digest(files: &[PathBuf], trunk: &str, plan: &Plan) -> Result<String, DistillError> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(trunk.as_bytes());
    hasher.update(format!("{:?} {:?} {SIDE}", plan.reduction, plan.network).as_bytes());
    for file in files {
        let failed = |source| DistillError::File { file: file.display().to_string(), source };
        let length = std::fs::metadata(file).map_err(failed)?.len();
        hasher.update(format!("{:?} {length}\n", file.file_name()).as_bytes());
    }
    Ok(hasher.finalize().to_hex().to_string())
}

fn pass(pdn: &Pdn, weights: &[Weight], targets: &Targets, learns: bool) -> Pass {
    let [outputs, rows, columns] = targets.shape();
    let mut pass = PassBuilder::new("distill", weights);
    let picture = pass.tape.input("picture", &[1, 3, SIDE, SIDE]);
    let target = pass.tape.input("target", &[1, outputs, rows, columns]);
    let y = pdn.forward(&mut pass.tape, picture, &mut pass.learned, PREFIX, true);
    let square = pass.tape.mean_square(y, target);
    let inputs = ["picture", "target"];
    if learns { pass.finish(&[("square", square)], &inputs) } else { pass.finish_probe(&[("square", square)], &inputs) }
}

struct Run<'a> {
    plan: &'a Plan,
    targets: &'a Targets,
    learned: Vec<usize>,
    held_out: Vec<usize>,
    work: &'a Path,
}

impl Run<'_> {
    fn entry(&self, trainer: &mut Trainer, pass: usize, entry: usize, mirrored: bool) -> Result<f32, DistillError> {
        let failed = |source| DistillError::File { file: self.work.display().to_string(), source };
        let (picture, target) = self.targets.read(entry, mirrored).map_err(failed)?;
        let [outputs, rows, columns] = self.targets.shape();
        let inputs = [
            Input { shape: &[1, 3, SIDE, SIDE], values: &picture },
            Input { shape: &[1, outputs, rows, columns], values: &target },
        ];
        Ok(trainer.pass(pass, &inputs)?[0])
    }

    /// Which entries a step takes depends on its number alone, so that a run that goes on takes what it would have taken.
    fn step(&self, trainer: &mut Trainer) -> Result<f32, DistillError> {
        let step = trainer.steps();
        let mut random = SplitMix64::new(SplitMix64::mix(self.plan.seed ^ SplitMix64::mix(step + 1)));
        let mut sum = 0.0;
        for _ in 0..self.plan.batch {
            let entry = self.learned[random.below(self.learned.len() as u64) as usize];
            let mirrored = random.unit() < 0.5;
            sum += self.entry(trainer, 0, entry, mirrored)?;
        }
        trainer.step(self.plan.rate_at(step), self.plan.batch)?;
        Ok(sum / self.plan.batch as f32)
    }

    fn curve(&self) -> PathBuf {
        self.work.join("curve.csv")
    }

    /// A run that begins has a curve of its own, whatever an older one has left there.
    fn begin_curve(&self) -> Result<(), DistillError> {
        let path = self.curve();
        let failed = |source| DistillError::File { file: path.display().to_string(), source };
        std::fs::write(&path, "step,loss,held_out\n").map_err(failed)
    }

    /// The mean square of the targets that are held out: what a network has that says their mean, which is 0.
    fn of_the_mean(&self) -> Result<f32, DistillError> {
        let failed = |source| DistillError::File { file: self.work.display().to_string(), source };
        let mut sum = 0.0;
        for entry in &self.held_out {
            let (_, target) = self.targets.read(*entry, false).map_err(failed)?;
            sum += target.iter().map(|v| v * v).sum::<f32>() / target.len() as f32;
        }
        Ok(sum / self.held_out.len().max(1) as f32)
    }

    /// The mean square on what is held out; adds a line to the curve.
    fn look(&self, trainer: &mut Trainer, loss: f32) -> Result<f32, DistillError> {
        let mut sum = 0.0;
        for entry in &self.held_out {
            sum += self.entry(trainer, 1, *entry, false)?;
        }
        let mean = sum / self.held_out.len().max(1) as f32;
        let path = self.curve();
        let failed = |source| DistillError::File { file: path.display().to_string(), source };
        let mut curve = std::fs::read_to_string(&path).map_err(failed)?;
        let line = format!("{},", trainer.steps());
        if !curve.lines().any(|l| l.starts_with(&line)) {
            // There is none before the first step, nor right after a run was gone on with.
            let loss = if loss.is_finite() { format!("{loss:.5}") } else { String::new() };
            curve.push_str(&format!("{line}{loss},{mean:.5}\n"));
            std::fs::write(&path, curve).map_err(failed)?;
        }
        Ok(mean)
    }
}

#[cfg(test)]
mod tests;
