//! From a network and good pictures to a model.

use std::sync::Arc;

use andon_core::SplitMix64;

use super::outputs::{Output, Role};
use super::{ImportError, MapOf, Normalise, Understood};
use crate::eval::Curve;
use crate::fit::{FitError, FitJob, FitOptions, Fitted, Mask, NamedPicture, Picture, at_input_size};
use crate::methods::imported::{About, ID, Taken};
use crate::methods::patches::fit_threshold;
use crate::methods::{Facts, MapModel};
use crate::model::embedder::PatchEmbedder;
use crate::model::engine::EngineOptions;
use crate::model::graph::{Latent, OnnxGraph, Plane, PlaneOf, Reconstruction};
use crate::model::head::aggregate::Layer;
use crate::model::{Backbone, Embed};
use crate::preprocess::InputSpec;
use crate::search::synthetic::{self, KINDS};

/// Defects that are put into good pictures, to see that they score higher.
const DEFECTS: usize = 48;
/// Good pictures by which ranges are worked out, at most.
const LOOKED_AT: usize = 200;
/// From here on defects are told from good pictures at all.
const RIGHT: f64 = 0.65;
/// How much better they are told the other way round, if that is the right one.
const BETTER: f64 = 0.2;
/// By how many standard deviations of chance it has to be the right one: a network that is refused for it must be wrong.
const SURE: f64 = 3.0;
/// How far below the lowest value that was seen zero is put, in shares of the range.
const ROOM: f32 = 0.1;

/// What is brought in, and with what.
pub struct Job<'a> {
    /// The network, checked.
    pub graph: &'a OnnxGraph,
    /// Its name in messages and in the model.
    pub file: String,
    /// BLAKE3 of its file.
    pub digest: String,
    /// What was found out of it.
    pub understood: Understood,
    /// High means good.
    pub invert: bool,
    /// How many good pictures there are.
    pub count: usize,
    /// Reads the good picture of this number.
    pub read: &'a dyn Fn(usize) -> NamedPicture,
    /// Leaves pictures out that cannot be read, instead of refusing all.
    pub skip_bad: bool,
    /// Name, rule, grouping and scoring.
    pub options: &'a FitOptions,
    /// Of 16-bit values: which becomes 0 and which 255.
    pub range: Option<[u16; 2]>,
    /// Where is looked; without it everywhere.
    pub mask: Option<&'a Mask>,
    /// Runs it.
    pub engine: &'a EngineOptions,
    /// Told how many pictures of how many are done.
    pub progress: &'a mut dyn FnMut(usize, usize),
}

/// Makes a model of a network; also says what was found out, in words.
///
/// # Errors
/// [`ImportError`].
pub fn import(job: Job<'_>) -> Result<(Fitted, Vec<String>), ImportError> {
    let Job { graph, understood, options, engine, .. } = job;
    if job.mask.is_some() && understood.score.is_some() {
        return Err(ImportError::ScoreOfAll { map: understood.map.is_some() });
    }
    let sign = if job.invert { -1.0 } else { 1.0 };
    let mut words = understood.found_out.clone();
    let (map, score) = (understood.map.as_ref(), understood.score.map(|i| &understood.outputs[i]));
    let plain = planes(&understood, sign);
    let backbone = backbone(graph, &understood, &plain, &job.file, job.range)?;
    let (mut embedder, _) = PatchEmbedder::open(&backbone, engine)?;
    let seen = look(&mut embedder, &backbone, job.count, job.read, map.is_some() && score.is_some(), job.progress)?;
    words.extend(seen.direction()?);
    if seen.broken > 0 {
        words.push(format!(
            "{} pictures with defects that were put in gave values that are not finite: such a part is an ERROR, never a PASS",
            seen.broken
        ));
    }
    let planes: Vec<Plane> = plain
        .into_iter()
        .zip(seen.moves())
        .map(|(plane, [factor, shift])| Plane {
            factor: plane.factor * factor,
            shift: plane.shift * factor + shift,
            ..plane
        })
        .collect();
    let taken = |name: &str| {
        let plane = planes.iter().find(|plane| plane.name == name)?;
        Some(Taken { value: plane.made.names(), factor: plane.factor, shift: plane.shift })
    };
    let about = About {
        file: job.file.clone(),
        digest: job.digest.clone(),
        input: understood.takes.port.name.clone(),
        map: map.and_then(|_| taken(MAP)),
        score: score.and_then(|_| taken(if map.is_some() { SCORE } else { MAP })),
        found_out: words.clone(),
    };
    let backbone = self::backbone(graph, &understood, &planes, &job.file, job.range)?;
    let (mut embedder, _) = PatchEmbedder::open(&backbone, engine)?;
    let mut options = options.clone();
    ID.clone_into(&mut options.method);
    embedder.engine_name().clone_into(&mut options.engine);
    let (columns, rows) = embedder.grid();
    options.mask = job.mask.map(|mask| mask.cells(columns, rows));
    let facts = Facts { label: "brought in", text: String::new(), bank_rows: None, dim: 1 };
    let model = MapModel::new(columns * rows, serde_json::to_value(about).unwrap_or_default(), facts);
    let model = if planes.len() > 1 { model.with_own_score() } else { model };
    let total = job.count;
    let progress = job.progress;
    let fit = FitJob {
        pictures: &mut (0..job.count).map(|number| (job.read)(number)),
        skip_bad: job.skip_bad,
        embedder: &mut embedder,
        backbone: &backbone,
        options: &options,
        progress: &mut |_, done, _| progress(done, total),
    };
    Ok((fit_threshold(ID, fit, &model, Vec::new())?, words))
}

/// The first output of the network in the form of the line, and the second.
const MAP: &str = "andon.map";
const SCORE: &str = "andon.score";

fn planes(understood: &Understood, sign: f32) -> Vec<Plane> {
    let outputs = &understood.outputs;
    let of = |output: &Output| {
        let (size, channel) = match output.role {
            Role::Map { size, channel } => (size, channel),
            Role::Score { channel } => ([1; 2], channel),
            Role::Logits { size, channel } => (size, Some(channel)),
            _ => ([1; 2], None),
        };
        let made = PlaneOf::Value(output.value.clone());
        Plane { made, size, channel, factor: sign, shift: 0.0, name: MAP.to_owned() }
    };
    let [columns, rows] = understood.takes.size;
    let plane = |made, size, factor, shift| Plane { made, size, channel: None, factor, shift, name: MAP.to_owned() };
    let map = understood.map.as_ref().map(|map| match map {
        MapOf::Map(number) => of(&outputs[*number]),
        MapOf::Reconstruction(number, distance, range) => {
            let Output { value, shape, .. } = &outputs[*number];
            let sides: Vec<Option<usize>> = shape.iter().copied().map(Some).collect();
            let made = Reconstruction {
                value: value.clone(),
                distance: *distance,
                colours_last: match shape.as_slice() {
                    [.., r, c, last] if [*r, *c] == [rows, columns] && *last == understood.takes.colours() => true,
                    _ => sides.len() == 4 && understood.takes.channels_last(&sides),
                },
                range: range.map(Normalise::arithmetic),
            };
            plane(PlaneOf::Reconstruction(made), [rows, columns], 1.0, 0.0)
        }
        MapOf::Pair(both, distance) => {
            let [a, b] = both.map(|number| &outputs[number]);
            let size = [2, 3].map(|axis| a.shape.get(axis).copied().unwrap_or(1));
            let channels = a.shape.get(1).copied().unwrap_or(1);
            plane(PlaneOf::Pair([a.value.clone(), b.value.clone()], channels, *distance), size, 1.0, 0.0)
        }
        MapOf::Latents(all) => {
            let sides = |axis: usize| all.iter().map(|(number, _)| outputs[*number].shape[axis]).max().unwrap_or(1);
            let made = all.iter().map(|(number, log_det)| {
                let log_det = log_det.map(|d| {
                    let output = &outputs[d];
                    (output.value.clone(), matches!(output.role, Role::Map { .. }))
                });
                Latent { value: outputs[*number].value.clone(), channels: outputs[*number].shape[1], log_det }
            });
            let share = 1.0 / all.len() as f32;
            let (factor, shift) =
                if all.iter().any(|(_, log_det)| log_det.is_some()) { (share, 0.0) } else { (-share, 1.0) };
            plane(PlaneOf::Latents(made.collect()), [sides(2), sides(3)], factor, shift)
        }
    });
    let score = understood.score.map(|number| of(&outputs[number]));
    let named = |(plane, name): (Plane, &str)| Plane { name: name.to_owned(), ..plane };
    map.into_iter().chain(score).zip([MAP, SCORE]).map(named).collect()
}

fn backbone(
    graph: &OnnxGraph,
    understood: &Understood,
    planes: &[Plane],
    file: &str,
    range: Option<[u16; 2]>,
) -> Result<Backbone, ImportError> {
    let [columns, rows] = understood.takes.size;
    Ok(Backbone {
        name: file.to_owned(),
        onnx: Arc::from(graph.adapt(&understood.takes, planes)?.write()),
        // Values of 0 to 255: all else is done in the graph.
        input: InputSpec { width: columns as u32, height: rows as u32, mean: [0.0; 3], scale: [1.0; 3], range },
        outputs: planes.iter().map(|plane| plane.name.clone()).collect(),
        layers: vec![Layer { pool: 1, weight: 1.0 }; planes.len()],
        tiles: [1, 1],
        align: None,
    })
}

/// What the network gives for good pictures and for the same with defects.
struct Seen {
    /// Of each good picture: the largest value of the map, the score, and the score if high meant good.
    good: Vec<[f32; 3]>,
    bad: Vec<[f32; 3]>,
    /// Pictures with defects whose values are not all finite.
    broken: usize,
    /// The smallest value of map and score.
    least: [f32; 2],
    both: bool,
}

fn look(
    embedder: &mut PatchEmbedder,
    backbone: &Backbone,
    count: usize,
    read: &dyn Fn(usize) -> NamedPicture,
    both: bool,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Seen, ImportError> {
    let step = count.div_ceil(LOOKED_AT).max(1);
    let numbers: Vec<usize> = (0..count).step_by(step).collect();
    let mut seen = Seen { good: Vec::new(), bad: Vec::new(), broken: 0, least: [f32::INFINITY; 2], both };
    let (mut values, mut before): (Vec<f32>, Option<Picture>) = (Vec::new(), None);
    let mut random = SplitMix64::new(1);
    let mut tried = 0;
    for (done, number) in numbers.iter().enumerate() {
        progress(done, numbers.len());
        // What cannot be read is named when the threshold is set.
        let Ok((name, picture)) = read(*number) else { continue };
        let small = picture.view().map(|view| at_input_size(&view, backbone));
        let Some(small) = small else { continue };
        let other = before.as_ref().unwrap_or(&small);
        let mut of = |picture: &Picture, seen: &mut Seen, bad: bool| -> Result<(), ImportError> {
            let failed = |fault| FitError::Embed { name: name.clone(), fault };
            let view = picture.view().ok_or(andon_core::Fault::BadFrame).map_err(failed)?;
            embedder.embed(&view, &mut values).map_err(failed)?;
            match values.iter().all(|v| v.is_finite()) {
                true => seen.add(&values, bad),
                false if bad => seen.broken += 1,
                false => return Err(FitError::NotFinite { name: name.clone() }.into()),
            }
            Ok(())
        };
        of(&small, &mut seen, false)?;
        // As many of each picture as make up the number; some kinds do not show on some pictures.
        let due = ((done + 1) * DEFECTS).div_ceil(numbers.len());
        for _ in 0..due.saturating_sub(tried) {
            let kind = KINDS[tried % KINDS.len()];
            tried += 1;
            if let Some((changed, _)) = synthetic::add(&small, other, kind, &|_, _| true, &mut random) {
                of(&changed, &mut seen, true)?;
            }
        }
        before = Some(small);
    }
    Ok(seen)
}

impl Seen {
    fn add(&mut self, values: &[f32], bad: bool) {
        let step = 1 + usize::from(self.both);
        let (mut largest, mut least) = (f32::NEG_INFINITY, f32::INFINITY);
        for v in values.iter().step_by(step) {
            (largest, least) = (largest.max(*v), least.min(*v));
        }
        let score = if self.both { values[1] } else { largest };
        self.least = [self.least[0].min(least), self.least[1].min(if self.both { score } else { least })];
        let turned = if self.both { -score } else { -least };
        if bad { self.bad.push([largest, score, turned]) } else { self.good.push([largest, score, turned]) }
    }

    /// Whether defects score higher, in words.
    fn direction(&self) -> Result<Option<String>, ImportError> {
        let labelled = |all: &[[f32; 3]], at: usize, bad| all.iter().map(move |v| (v[at], bad)).collect::<Vec<_>>();
        let told = |at| Curve::new([labelled(&self.good, at, false), labelled(&self.bad, at, true)].concat()).auroc();
        let Some((auroc, turned)) = told(1).zip(told(2)) else { return Ok(None) };
        let defects = self.bad.len();
        // By how much the share is off one half by chance, if nothing is told: Hanley and McNeil, 1982.
        let (good, bad) = (self.good.len() as f64, defects as f64);
        let chance = ((good + bad + 1.0) / (12.0 * good * bad)).sqrt();
        Ok(match auroc {
            _ if turned > auroc + BETTER && turned > RIGHT.max(0.5 + SURE * chance) => {
                return Err(ImportError::WrongWayRound { auroc, turned, defects });
            }
            _ if auroc < RIGHT => Some(format!(
                "defects that were put into good pictures are hardly told from them (AUROC {auroc:.2} of {defects}): are they pictures of the part that it was trained on, normalised as then?"
            )),
            _ => Some(format!(
                "defects that were put into good pictures score higher than these (AUROC {auroc:.2} of {defects})"
            )),
        })
    }

    /// Factor and shift of map and score: from 0 on, and both on the scale of the score, so that a region of the map that would reject a part is
    /// shown as one.
    fn moves(&self) -> [[f32; 2]; 2] {
        let highest = |at: usize| self.good.iter().chain(&self.bad).map(|v| v[at]).fold(f32::MIN, f32::max);
        let shift = |at: usize| {
            let least = self.least[at];
            if least >= 0.0 { 0.0 } else { -least + ROOM * (highest(at) - least) }
        };
        let [map_shift, score_shift] = [shift(0), shift(1)];
        let median = |at: usize, shift: f32| {
            let mut all: Vec<f32> = self.good.iter().map(|v| v[at] + shift).collect();
            all.sort_unstable_by(f32::total_cmp);
            all.get(all.len() / 2).copied().unwrap_or(1.0)
        };
        let stretch = median(1, score_shift) / median(0, map_shift);
        let stretch = if self.both && stretch.is_finite() && stretch > 0.0 { stretch } else { 1.0 };
        [[stretch, map_shift * stretch], [1.0, score_shift]]
    }
}
