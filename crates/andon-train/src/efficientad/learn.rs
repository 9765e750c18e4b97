//! From good pictures to a model.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use andon_core::SplitMix64;
use andon_vision::fit::{FitError, FitJob, FitOptions, Fitted, NamedPicture};
use andon_vision::methods::efficientad::{About, ID, Params};
use andon_vision::methods::patches::fit_threshold;
use andon_vision::methods::{Facts, MapModel};
use andon_vision::model::embedder::PatchEmbedder;
use andon_vision::model::engine::{EngineOptions, session};
use andon_vision::model::head::score::ImageScore;
use andon_vision::preprocess::InputSpec;
use andon_vision::preprocess::align::Reference;

use super::maps::{self, detector};
use super::natural::Source;
use super::pictures::{Pictures, Reading};
use super::quality::{Gallery, USUAL};
use super::run::{Run, Stage};
use super::{Effort, Form, LearnError, Networks, Penalty, Standing, passes};
use crate::checkpoint;
use crate::networks::{Autoencoder, Pdn, Size};
use crate::optimiser::Optimiser;
use crate::pictures::planes;
use crate::teacher::Teacher;
use crate::trainer::{Snapshot, Trainer, Weight};

/// Sides of pictures are multiples of it.
const STEP: u32 = 8;
/// Smallest and largest side.
const SIDES: [u32; 2] = [128, 1024];
/// Share of a weight that is added to its gradient, as published.
const WEIGHT_DECAY: f32 = 1e-5;
/// By how much the change of the loss may differ from what the gradient says: the loss is curved, and its hard part jumps.
const GRADIENT_TOLERANCE: f64 = 0.15;
/// The map of a student that was ruined; one that says nothing is off by 1.
const WORSE: f32 = 1.05;

/// What is learned from, and how.
pub struct Job<'a> {
    /// How many good pictures there are.
    pub count: usize,
    /// Reads the picture of this number.
    pub read: &'a dyn Fn(usize) -> NamedPicture,
    /// Leaves pictures out that cannot be read, instead of refusing all.
    pub skip_bad: bool,
    /// How to learn; its parameters are those of the method.
    pub options: &'a FitOptions,
    /// Columns and rows at which pictures are seen.
    pub size: [u32; 2],
    /// Of 16-bit values: which becomes 0 and which 255.
    pub range: Option<[u16; 2]>,
    /// The pose that parts are brought into.
    pub align: Option<Arc<Reference>>,
    /// Who teaches.
    pub teacher: &'a Teacher,
    /// What the student is kept off.
    pub penalty: &'a Penalty,
    /// How much is spent.
    pub effort: Effort,
    /// Where it is kept how far the run is.
    pub checkpoint: &'a Path,
    /// How often.
    pub keep_every: Duration,
    /// Runs the training.
    pub engine: &'a EngineOptions,
    /// Told where the run stands; says no to stop.
    pub progress: &'a mut dyn FnMut(&Standing) -> bool,
}

/// Bytes of memory that learning takes: `pictures` at this size, and a training step. Measured, see docs/efficientad.md.
pub fn bytes(size: Size, [width, height]: [u32; 2], pictures: usize) -> u64 {
    let pixels = u64::from(width) * u64::from(height);
    let step = match size {
        Size::Xs => 2_600,
        Size::S => 8_500,
        Size::M => 17_000,
    };
    // Pictures in 8 bits, and those once more by which it is known what is usual; those that are held out and the defects put into them as floats.
    pixels * (3 * (pictures + USUAL) as u64 + 12 * (pictures as u64 / 5 + 96) + step)
}

/// Learns. A run that was ended goes on where its last checkpoint was, to the same model as if nothing had happened.
///
/// # Errors
/// [`LearnError`].
pub fn learn(job: Job<'_>) -> Result<Fitted, LearnError> {
    let began = Instant::now();
    let Job { options, teacher, penalty, effort, engine, progress, .. } = job;
    let params: Params = options.params()?;
    params.check().map_err(FitError::Option)?;
    if matches!(options.scoring.image, ImageScore::Reweighted(_)) {
        return Err(FitError::Option("--score reweighted looks into a memory bank, and efficientad has none").into());
    }
    let networks = networks(&params, job.size, teacher)?;
    let [width, height] = job.size;
    let input = InputSpec { width, height, mean: [0.0; 3], scale: [1.0; 3], range: job.range };
    let reading = Reading {
        count: job.count,
        read: job.read,
        skip_bad: job.skip_bad,
        options,
        input: &input,
        align: job.align.as_ref(),
        held_out: params.held_out,
    };
    let mut tell = |done| progress(&Standing::at(Stage::Reading, done, job.count));
    let pictures = Pictures::read(&reading, &mut tell)?;
    let normalised = normalised(&networks, teacher, &pictures, engine, progress)?;
    let (map_columns, map_rows) = map_size(params.size, job.size);
    let mask = options.mask.as_deref().map(|mask| (mask, map_columns));
    let gallery = Gallery::new(&pictures, &networks, mask, options.seed);

    let optimiser = Optimiser::Adam { weight_decay: WEIGHT_DECAY };
    let start = Snapshot::start(networks.start(options.seed), optimiser);
    let of = digest(&pictures, &params, teacher, penalty, effort, options);
    let snapshot = checkpoint::read(job.checkpoint, &start, &of)?;
    let goes_on = snapshot.is_some();
    let snapshot = snapshot.unwrap_or(start);
    let form = form(params.size);
    let mut all = passes(&networks, &snapshot.weights, &normalised, form, passes::easy(params.size));
    all.push(maps::probe(&networks, &snapshot.weights, &normalised));
    let probe = all.len() - 1;
    let mut trainer = Trainer::open(all, &snapshot, optimiser, engine)?;
    let mut run = Run {
        networks: &networks,
        form,
        pictures: &pictures,
        gallery: &gallery,
        natural: Source::new(penalty, networks.penalty),
        rate: params.rate.unwrap_or(rate(params.size)),
        seed: options.seed,
        effort,
        began,
        checkpoint: job.checkpoint,
        of: &of,
        keep_every: job.keep_every,
        probe,
        progress,
    };
    if !goes_on {
        check_gradients(&mut run, &mut trainer, &snapshot.weights)?;
    }
    let (steps, seen) = run.train(&mut trainer, snapshot.planned)?;
    let all = networks.pdn.outputs();
    if seen.off.is_nan() || seen.off > WORSE {
        return Err(LearnError::NotLearned { steps, off: seen.off });
    }
    if seen.dead * 2 > all {
        return Err(LearnError::Dead { steps, dead: seen.dead, all });
    }
    let scale = seen.scale(params.autoencoder);
    let weights = trainer.weights()?;
    drop(trainer);
    if !weights.iter().all(|w| w.values.iter().all(|v| v.is_finite())) {
        return Err(LearnError::Diverged { loss: f32::NAN, step: steps });
    }
    let by_place = scale.places.is_some();
    let backbone = detector(&networks, &weights, &normalised, &scale, job.range, job.align.clone());
    let about = About {
        size: params.size,
        steps,
        teacher: teacher.about.clone(),
        penalty: penalty.words(),
        student: seen.student_quantiles,
        autoencoder: scale.autoencoder.map(|_| seen.autoencoder_quantiles),
        by_place,
    };
    let facts = Facts { label: "networks", text: String::new(), bank_rows: None, dim: 1 };
    let about = serde_json::to_value(about).unwrap_or_default();
    let model = MapModel::new(map_columns * map_rows, about, facts);
    let (mut embedder, _) = PatchEmbedder::open(&backbone, engine)?;
    let mut options = options.clone();
    embedder.engine_name().clone_into(&mut options.engine);
    let numbers: Vec<usize> = pictures.held_out.iter().map(|i| pictures.named[*i].1).collect();
    let mut fitted = fit_threshold(
        ID,
        FitJob {
            pictures: &mut numbers.iter().map(|number| (job.read)(*number)),
            skip_bad: false,
            embedder: &mut embedder,
            backbone: &backbone,
            options: &options,
            progress: &mut |_, _, _| {},
        },
        &model,
        pictures.learned.iter().map(|i| pictures.named[*i].0.clone()).collect(),
    )?;
    fitted.left_out.splice(0..0, pictures.left_out);
    Ok(fitted)
}

fn networks(params: &Params, [width, height]: [u32; 2], teacher: &Teacher) -> Result<Networks, LearnError> {
    let fits = |side: u32| side.is_multiple_of(STEP) && (SIDES[0]..=SIDES[1]).contains(&side);
    if !fits(width) || !fits(height) {
        let [least, most] = SIDES;
        return Err(LearnError::PictureSize { width, height, least, most, step: STEP });
    }
    if teacher.pdn.size() != params.size {
        return Err(LearnError::OtherTeacher { got: teacher.pdn.size().as_str(), want: params.size.as_str() });
    }
    let picture = [height as usize, width as usize];
    let pdn = Pdn::new(params.size);
    let grid = pdn.grid(picture, false).unwrap_or([1; 2]);
    let penalty = match params.size {
        // Enough of them, for a quarter of the work.
        Size::Xs => picture.map(|side| (side / 2).next_multiple_of(STEP as usize)),
        Size::S | Size::M => picture,
    };
    let autoencoder = Autoencoder::new(params.size, picture, pdn.outputs(), grid);
    Ok(Networks { autoencoder, pdn, picture, penalty })
}

/// Columns and rows of the map for pictures of so many columns and rows.
pub fn map_size(size: Size, [width, height]: [u32; 2]) -> (usize, usize) {
    let [rows, columns] = [height, width].map(|side| side as usize);
    match size {
        Size::Xs => {
            let grid = Pdn::new(size).grid([rows, columns], false).unwrap_or([1; 2]);
            (grid[1] + 2 * maps::BORDER, grid[0] + 2 * maps::BORDER)
        }
        Size::S | Size::M => (columns, rows),
    }
}

fn form(size: Size) -> Form {
    match size {
        Size::Xs => Form::Joined,
        Size::S | Size::M => Form::Published,
    }
}

/// As published for `s` and `m`; `xs` is given minutes.
fn rate(size: Size) -> f64 {
    match size {
        Size::Xs => 4e-4,
        Size::S | Size::M => 1e-4,
    }
}

/// All that the result depends on.
fn digest(
    pictures: &Pictures,
    params: &Params,
    teacher: &Teacher,
    penalty: &Penalty,
    effort: Effort,
    options: &FitOptions,
) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(pictures.digest.as_bytes());
    hasher.update(format!("{params:?} {effort:?} {penalty:?} {} {:?}", options.seed, options.grouping).as_bytes());
    for weight in &teacher.weights {
        weight.values.iter().for_each(|v| {
            hasher.update(&v.to_le_bytes());
        });
    }
    hasher.finalize().to_hex().to_string()
}

/// The teacher whose values have mean 0 and deviation 1 on the pictures that are learned from: as published, and folded into its last convolution.
fn normalised(
    networks: &Networks,
    teacher: &Teacher,
    pictures: &Pictures,
    engine: &EngineOptions,
    progress: &mut dyn FnMut(&Standing) -> bool,
) -> Result<Vec<Weight>, LearnError> {
    let mut session = session::open(&maps::teacher_alone(networks, &teacher.weights), engine)?;
    let [rows, columns] = networks.picture;
    let all = networks.pdn.outputs();
    let mut sums = vec![[0.0f64; 2]; all];
    let mut places = 0;
    for (done, number) in pictures.learned.iter().enumerate() {
        if !progress(&Standing::at(Stage::Teacher, done, pictures.learned.len())) {
            return Err(LearnError::Stopped);
        }
        let picture = session.value(&[1, 3, rows, columns], &planes(&pictures.small[*number].rgb))?;
        let says = session.run(&[("picture", &picture)], &["says"])?;
        let (_, values) = session.read(&says[0])?;
        places += values.len() / all;
        for (sums, plane) in sums.iter_mut().zip(values.chunks_exact(values.len() / all)) {
            for v in plane {
                sums[0] += f64::from(*v);
                sums[1] += f64::from(*v) * f64::from(*v);
            }
        }
    }
    let moments: Vec<(f64, f64)> = sums
        .iter()
        .map(|[sum, square]| {
            let mean = sum / places as f64;
            (mean, (square / places as f64 - mean * mean).max(0.0).sqrt())
        })
        .collect();
    let dead = moments.iter().filter(|(_, deviation)| deviation.is_nan() || *deviation < 1e-6).count();
    if dead * 2 > all {
        return Err(LearnError::DeadTeacher { dead, all });
    }
    let last = networks.pdn.last(passes::TEACHER);
    let mut weights = teacher.weights.clone();
    for weight in &mut weights {
        let each = weight.values.len() / all.max(1);
        let (of_weight, of_bias) = (weight.name == format!("{last}.weight"), weight.name == format!("{last}.bias"));
        for (channel, (mean, deviation)) in moments.iter().enumerate().filter(|_| of_weight || of_bias) {
            for value in &mut weight.values[channel * each..(channel + 1) * each] {
                let moved = if of_bias { f64::from(*value) - mean } else { f64::from(*value) };
                // A value that never changes is no evidence, whatever it is.
                *value = if *deviation < 1e-6 { 0.0 } else { (moved / deviation) as f32 };
            }
        }
    }
    Ok(weights)
}

/// Goes a little way along the gradient and looks whether the loss changes as the gradient says: an engine that computes it wrongly would waste
/// hours.
fn check_gradients(run: &mut Run<'_>, trainer: &mut Trainer, start: &[Weight]) -> Result<(), LearnError> {
    let at = |run: &mut Run<'_>, trainer: &mut Trainer| {
        let mut losses = [0.0; 4];
        trainer.forget();
        run.passes(trainer, &mut SplitMix64::new(1), &mut losses)?;
        Ok::<f64, LearnError>(losses.iter().map(|l| f64::from(*l)).sum())
    };
    at(run, trainer)?;
    let gradients = trainer.gradients()?;
    let square: f64 = gradients.iter().flatten().map(|g| f64::from(*g) * f64::from(*g)).sum();
    // As far as changes the loss by a thousandth, where rounding does not show and its curve hardly does.
    let far = 1e-3 / square.max(1e-12);
    let mut changes = [0.0; 2];
    for (change, sign) in changes.iter_mut().zip([1.0, -1.0]) {
        let moved = start.iter().zip(&gradients).map(|(w, g)| Weight {
            values: w.values.iter().zip(g).map(|(w, g)| (f64::from(*w) + sign * far * f64::from(*g)) as f32).collect(),
            ..w.clone()
        });
        trainer.set_weights(&moved.collect::<Vec<_>>())?;
        *change = at(run, trainer)?;
    }
    trainer.set_weights(start)?;
    trainer.forget();
    let ratio = (changes[0] - changes[1]) / (2.0 * far * square);
    match (ratio - 1.0).abs() <= GRADIENT_TOLERANCE {
        true => Ok(()),
        false => Err(LearnError::Gradients { engine: trainer.engine_name(), ratio }),
    }
}
