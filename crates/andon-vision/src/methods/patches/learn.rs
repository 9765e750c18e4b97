//! How every method that scores patch features learns: features once, a model for each group of held-out pictures, their scores, the
//! threshold with its claim, then the model of all pictures and its parity set.

use std::time::Duration;

use super::{PatchHead, PatchModel};
use crate::fit::{
    FeatureReader, FeatureSet, FitError, FitJob, FitOptions, Fitted, Grouping, Phase, Picture, ThresholdRule, groups,
    stands_out_above, threshold,
};
use crate::model::Embed;
use crate::model::bundle::{Alignment, BackboneRef, Bundle, Manifest, MethodPart, Training, highest_of_groups};
use crate::model::head::score::Scorer;
use andon_core::{AnomalyMap, Fault, Mono};

/// Pictures whose held-out maps are kept for people to look at.
const SHOWN: usize = 40;

/// What makes models from features.
pub trait PatchTrainer {
    /// A model of the pictures whose number `keep` says yes to.
    fn learn(
        &self,
        keep: &dyn Fn(usize) -> bool,
        progress: &mut dyn FnMut(Phase, usize, usize),
    ) -> Result<Box<dyn PatchModel>, FitError>;
}

/// Makes the trainer once the features are there.
pub type MakeTrainer<'m> = &'m dyn for<'a> Fn(
    &'a FeatureSet,
    &'a FitOptions,
    &mut dyn FnMut(Phase, usize, usize),
) -> Result<Box<dyn PatchTrainer + 'a>, FitError>;

/// Learns a bundle of the method `id`.
///
/// # Errors
/// See [`FitError`].
pub fn fit(id: &str, mut job: FitJob<'_>, make_trainer: MakeTrainer<'_>) -> Result<Fitted, FitError> {
    let Begun { mask, mut scorer, set, left_out, grouped } = begin(&mut job)?;
    let FitJob { embedder, backbone, options, progress, .. } = job;
    let (grid_w, grid_h) = embedder.grid();
    let trainer = make_trainer(&set, options, progress)?;
    let HeldOut { scores, baseline, maps } =
        held_out(&set, &grouped, trainer.as_ref(), options, &mut scorer, progress, &mut |_, _, _| Ok(()))?;
    let (limit, claim) =
        threshold(&highest_of_groups(&scores, &grouped.groups), options.rule).ok_or(FitError::NoSpread)?;
    if !(limit.is_finite() && limit > baseline) {
        return Err(FitError::NoSpread);
    }
    let model = trainer.learn(&|_| true, &mut |phase, done, total| progress(phase, done, total))?;
    drop(trainer);
    let mut head = model.head(options.threads);
    let (parity_input, parity_score) = parity_set(&set.parity, embedder, &mut scorer, head.as_mut())
        .map_err(|fault| FitError::Embed { name: "parity set".into(), fault })?;
    let (params, tensors) = model.part();
    let manifest = Manifest {
        name: options.name.clone(),
        created: options.created.clone().unwrap_or_else(|| format!("{:.0}", jiff::Timestamp::now())),
        method: MethodPart { id: id.to_owned(), params },
        backbone: BackboneRef {
            name: backbone.name.clone(),
            outputs: backbone.outputs.clone(),
            layers: backbone.layers.clone(),
        },
        input: backbone.input.clone(),
        tiles: backbone.tiles,
        align: backbone
            .align
            .as_ref()
            .map(|a| Alignment { most_residual: a.most_residual, usual_residual: a.usual_residual }),
        frame_size: set.size,
        learned: Some(options.learned),
        grid: [grid_w as u32, grid_h as u32],
        threshold: limit,
        claim,
        chosen: None,
        scoring: options.scoring,
        baseline,
        parity_tolerance: crate::fit::PARITY_TOLERANCE,
        training: Training {
            seed: options.seed,
            asked_false_reject: match options.rule {
                ThresholdRule::Ordinary { .. } => None,
                ThresholdRule::FalseReject(policy) => Some(policy.max_false_reject),
            },
            engine: options.engine.clone(),
            sources: set.names,
            added: 0,
            groups: if grouped.count() < scores.len() { grouped.groups.clone() } else { Vec::new() },
        },
    };
    let oddest = oddest(&scores, maps, [grid_w, grid_h], scorer.cells());
    let suspects = suspects(&manifest.training.sources, &scores);
    let bundle = Bundle {
        manifest,
        tensors,
        mask: mask.iter().map(|judged| u8::from(*judged)).collect(),
        train_scores: scores,
        backbone: backbone.onnx.clone(),
        parity_input,
        parity_score,
        align: backbone.align.as_ref().map(|a| a.template.clone()).unwrap_or_default(),
        blake3: String::new(),
    };
    let grouped = Some(grouped).filter(|_| options.grouping != Grouping::Alone);
    Ok(Fitted { bundle, left_out, grouped, suspects, oddest })
}

/// What every learning begins with.
struct Begun {
    mask: Vec<bool>,
    scorer: Scorer,
    set: FeatureSet,
    left_out: Vec<String>,
    grouped: groups::Found,
}

/// Checks the options and reads the pictures.
fn begin(job: &mut FitJob<'_>) -> Result<Begun, FitError> {
    let options = job.options;
    check(options)?;
    let (grid_w, grid_h) = job.embedder.grid();
    let mask = options.mask.clone().unwrap_or_else(|| vec![true; grid_w * grid_h]);
    let scorer = Scorer::new(options.scoring, grid_w, grid_h, &mask);
    if mask.len() != grid_w * grid_h || scorer.cells().is_empty() {
        return Err(FitError::Option("the mask or region hides the whole picture"));
    }
    let mut reader = FeatureReader {
        embedder: &mut *job.embedder,
        backbone: job.backbone,
        scorer: &scorer,
        augment: options.augment,
        skip_bad: job.skip_bad,
        any_size: options.learned.any_size,
    };
    let (set, left_out) = reader.read(job.pictures, job.progress)?;
    let grouped = options.grouping.of(&set.names, &set.thumbnails);
    if grouped.count() < 2 {
        return Err(FitError::OneGroup);
    }
    Ok(Begun { mask, scorer, set, left_out, grouped })
}

/// Pictures that a trial scores besides the good ones.
pub struct Probes<'a> {
    /// For each: the number of a good picture. The model that scores it was learned without that picture.
    pub beside: &'a [usize],
    /// Makes the picture of this number.
    pub make: &'a dyn Fn(usize) -> Picture,
}

/// What a way to learn makes of good pictures and probes, every one scored by a model that was learned without it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trial {
    /// Scores of the good pictures, in their order.
    pub good: Vec<f32>,
    /// Scores of the probes, in theirs.
    pub probes: Vec<f32>,
    /// What judging one picture takes here: the median over the probes. The one value that differs from run to run.
    pub time: Duration,
}

/// Learns as often as there are groups and scores what was held out, without making a model file.
///
/// # Errors
/// See [`FitError`].
pub fn trial(mut job: FitJob<'_>, probes: &Probes<'_>, make_trainer: MakeTrainer<'_>) -> Result<Trial, FitError> {
    let Begun { mut scorer, set, grouped, .. } = begin(&mut job)?;
    let FitJob { embedder, options, progress, .. } = job;
    let trainer = make_trainer(&set, options, progress)?;
    let mut scores = vec![0.0; probes.beside.len()];
    let (mut features, mut map, mut near, mut times) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let held_out =
        held_out(&set, &grouped, trainer.as_ref(), options, &mut scorer, progress, &mut |inside, head, scorer| {
            for (number, score) in scores.iter_mut().enumerate().filter(|(i, _)| inside(probes.beside[*i])) {
                let name = || format!("probe {number}");
                let picture = (probes.make)(number);
                let view = picture.view().ok_or_else(|| FitError::Embed { name: name(), fault: Fault::BadFrame })?;
                let start = Mono::now();
                match embedder.embed(&view, &mut features) {
                    Ok(()) => {}
                    // Such a part does not pass, whatever the threshold is.
                    Err(Fault::NotAligned { .. }) => {
                        *score = f32::INFINITY;
                        continue;
                    }
                    Err(fault) => return Err(FitError::Embed { name: name(), fault }),
                }
                scorer.keep_cells(&mut features, embedder.dim());
                *score = head.score_into(&features, scorer, &mut map, &mut near);
                times.push(Mono::now().since(start));
                if !score.is_finite() {
                    return Err(FitError::NotFinite { name: name() });
                }
            }
            Ok(())
        })?;
    times.sort_unstable();
    Ok(Trial { good: held_out.scores, probes: scores, time: times.get(times.len() / 2).copied().unwrap_or_default() })
}

/// The pixels of the parity pictures, and their scores by the finished model.
pub(crate) fn parity_set(
    pictures: &[Picture],
    embedder: &mut dyn Embed,
    scorer: &mut Scorer,
    head: &mut dyn PatchHead,
) -> Result<(Vec<u8>, Vec<f32>), Fault> {
    let (mut features, mut near, mut map) = (Vec::new(), Vec::new(), Vec::new());
    let mut scores = Vec::new();
    for picture in pictures {
        embedder.embed(&picture.view().ok_or(Fault::BadFrame)?, &mut features)?;
        scorer.keep_cells(&mut features, embedder.dim());
        scores.push(head.score_into(&features, scorer, &mut map, &mut near));
    }
    Ok((pictures.iter().flat_map(|p| &p.rgb).copied().collect(), scores))
}

fn check(options: &FitOptions) -> Result<(), FitError> {
    options.scoring.check().map_err(FitError::Option)?;
    let share = |v: f64| v > 0.0 && v < 1.0;
    let rules = [
        (
            match options.rule {
                ThresholdRule::Ordinary { .. } => true,
                ThresholdRule::FalseReject(policy) => share(policy.max_false_reject),
            },
            "--max-false-reject is a share above 0 and below 100 %",
        ),
        (share(options.rule.confidence()), "--confidence is a share above 0 and below 100 %"),
    ];
    rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, why)| Err(FitError::Option(why)))
}

struct HeldOut {
    /// Of each picture.
    scores: Vec<f32>,
    /// The median of their maps.
    baseline: f32,
    /// Of each picture: the values of the cells that are judged.
    maps: Vec<Vec<f32>>,
}

/// What else is done with the model of each group: whether it was learned without a picture, and what scores by it.
type WithModel<'a> = &'a mut dyn FnMut(&dyn Fn(usize) -> bool, &mut dyn PatchHead, &mut Scorer) -> Result<(), FitError>;

/// The score of every picture by a model that was learned without it, and the median of their maps. The pictures are dealt into
/// as many folds as the options say, those that belong together into one; each fold is scored by a model learned from the others, coreset and all. Leaving out only the
/// rows of a finished memory bank that come from a picture would not do: a picture's oddest patches are in the bank because they are odd,
/// and the bank without them was never built to do without (measured: median score 4 % higher than on new pictures, 99 % quantile
/// 11 %).
fn held_out(
    set: &FeatureSet,
    grouped: &groups::Found,
    trainer: &dyn PatchTrainer,
    options: &FitOptions,
    scorer: &mut Scorer,
    progress: &mut dyn FnMut(Phase, usize, usize),
    with_model: WithModel<'_>,
) -> Result<HeldOut, FitError> {
    let n = set.names.len();
    let folds = options.folds.clamp(2, grouped.count());
    let fold_of = groups::folds(&grouped.groups, folds);
    let (mut scores, mut maps) = (vec![0.0; n], vec![Vec::new(); n]);
    let (mut near, mut map) = (Vec::new(), Vec::new());
    for fold in 0..folds {
        let inside = |image: usize| fold_of[image] == fold;
        let model = trainer.learn(&|image| !inside(image), &mut |phase, done, total| {
            // Each fold has two halves, of unequal length; the bar moves on all the same.
            let half = usize::from(phase == Phase::Scores);
            progress(Phase::HeldOut, (2 * fold + half) * 1000 + done * 1000 / total.max(1), folds * 2000);
        })?;
        let mut head = model.head(options.threads);
        for (image, block) in set.originals().enumerate().filter(|(image, _)| inside(*image)) {
            scores[image] = head.score_into(block, scorer, &mut map, &mut near);
            maps[image] = scorer.cells().iter().map(|c| map[*c as usize]).collect();
        }
        with_model(&inside, head.as_mut(), scorer)?;
    }
    progress(Phase::HeldOut, folds * 2000, folds * 2000);
    let mut values = maps.concat();
    let middle = values.len() / 2;
    let baseline = *values.select_nth_unstable_by(middle, f32::total_cmp).1;
    Ok(HeldOut { scores, baseline, maps })
}

/// The maps of the pictures with the highest scores, the highest first; 0 where a cell is masked.
fn oddest(
    scores: &[f32],
    mut maps: Vec<Vec<f32>>,
    [width, height]: [usize; 2],
    cells: &[u32],
) -> Vec<(usize, AnomalyMap)> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    let whole = |image: usize| {
        let mut data = vec![0.0; width * height];
        for (cell, value) in cells.iter().zip(std::mem::take(&mut maps[image])) {
            data[*cell as usize] = value;
        }
        (image, AnomalyMap { width, height, data })
    };
    order.into_iter().take(SHOWN).map(whole).collect()
}

/// Pictures whose score stands out from the others', the highest first.
fn suspects(names: &[String], scores: &[f32]) -> Vec<(String, f32)> {
    let Some(limit) = stands_out_above(scores) else { return Vec::new() };
    let mut found: Vec<(String, f32)> =
        names.iter().cloned().zip(scores.iter().copied()).filter(|(_, score)| *score > limit).collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    found
}
