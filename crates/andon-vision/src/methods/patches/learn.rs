//! How every method that scores patch features learns: features once, a model for each group of held-out pictures, their scores, the
//! threshold with its claim, then the model of all pictures and its parity set.

use std::time::Duration;

use super::finish::{Measured, finish};
use super::{PatchHead, PatchModel};
use crate::fit::{
    FeatureReader, FeatureSet, FitError, FitJob, FitOptions, Fitted, Phase, Picture, ThresholdRule, groups, threshold,
};
use crate::model::bundle::{Claim, highest_of_groups};
use crate::model::head::score::Scorer;
use andon_core::{Fault, Mono};

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
    let trainer = make_trainer(&set, options, progress)?;
    let held_out = held_out(&set, &grouped, trainer.as_ref(), options, &mut scorer, progress, &mut |_, _, _| Ok(()))?;
    let (limit, claim) = held_out.threshold(&grouped, options)?;
    let model = trainer.learn(&|_| true, &mut |phase, done, total| progress(phase, done, total))?;
    drop(trainer);
    let trained_on = Vec::new();
    let measured = Measured { mask, set, left_out, grouped, held_out, threshold: limit, claim, trained_on };
    finish(id, measured, model.as_ref(), &mut scorer, embedder, backbone, options)
}

/// A bundle of the method `id` with a model that is there already: `job` has good pictures that it was not learned from, and they give threshold,
/// claim and parity set. `trained_on` names those that it was learned from.
///
/// # Errors
/// See [`FitError`].
pub fn fit_threshold(
    id: &str,
    mut job: FitJob<'_>,
    model: &dyn PatchModel,
    trained_on: Vec<String>,
) -> Result<Fitted, FitError> {
    let Begun { mask, mut scorer, set, left_out, grouped } = begin(&mut job)?;
    let FitJob { embedder, backbone, options, .. } = job;
    let mut head = model.head(options.threads);
    let (mut scores, mut maps, mut near, mut map) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for block in set.originals() {
        scores.push(head.score_into(block, &mut scorer, &mut map, &mut near));
        maps.push(scorer.cells().iter().map(|c| map[*c as usize]).collect());
    }
    let held_out = HeldOut::new(scores, maps);
    let (limit, claim) = held_out.threshold(&grouped, options)?;
    let measured = Measured { mask, set, left_out, grouped, held_out, threshold: limit, claim, trained_on };
    finish(id, measured, model, &mut scorer, embedder, backbone, options)
}

/// Learns a bundle of the method `id` once, without a share of the pictures, which give threshold and claim: for methods whose scores have another scale each
/// time that they are learned, so that a model that was learned without some pictures says nothing about another.
///
/// # Errors
/// See [`FitError`].
pub fn fit_held_out(
    id: &str,
    mut job: FitJob<'_>,
    share: f64,
    make_trainer: MakeTrainer<'_>,
) -> Result<Fitted, FitError> {
    let Begun { mask, mut scorer, mut set, left_out, mut grouped } = begin(&mut job)?;
    let FitJob { embedder, backbone, options, progress, .. } = job;
    let parts = ((1.0 / share).round() as usize).clamp(2, grouped.count());
    let part_of = groups::folds(&grouped.groups, parts);
    let inside = |image: usize| part_of[image] == 0;
    let trainer = make_trainer(&set, options, progress)?;
    let model = trainer.learn(&|image| !inside(image), &mut |phase, done, total| progress(phase, done, total))?;
    drop(trainer);
    let mut head = model.head(options.threads);
    let (mut scores, mut maps, mut near, mut map) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (_, block) in set.originals().enumerate().filter(|(image, _)| inside(*image)) {
        scores.push(head.score_into(block, &mut scorer, &mut map, &mut near));
        maps.push(scorer.cells().iter().map(|c| map[*c as usize]).collect());
    }
    // From here on, the pictures are those that were held out.
    let mut trained_on = Vec::new();
    for (image, name) in std::mem::take(&mut set.names).into_iter().enumerate() {
        if inside(image) { set.names.push(name) } else { trained_on.push(name) }
    }
    let held: Vec<u32> = grouped.groups.iter().enumerate().filter(|(i, _)| inside(*i)).map(|(_, g)| *g).collect();
    let mut numbers: Vec<u32> = Vec::new();
    grouped.groups = held
        .iter()
        .map(|group| {
            let known = numbers.iter().position(|n| n == group);
            known.unwrap_or_else(|| {
                numbers.push(*group);
                numbers.len() - 1
            }) as u32
        })
        .collect();
    let held_out = HeldOut::new(scores, maps);
    let (limit, claim) = held_out.threshold(&grouped, options)?;
    let measured = Measured { mask, set, left_out, grouped, held_out, threshold: limit, claim, trained_on };
    finish(id, measured, model.as_ref(), &mut scorer, embedder, backbone, options)
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

/// What pictures come to by models that were learned without them.
pub(super) struct HeldOut {
    /// Of each picture.
    pub scores: Vec<f32>,
    /// The median of their maps.
    pub baseline: f32,
    /// Of each picture: the values of the cells that are judged.
    pub maps: Vec<Vec<f32>>,
}

impl HeldOut {
    /// Of scores and maps of the judged cells.
    fn new(scores: Vec<f32>, maps: Vec<Vec<f32>>) -> HeldOut {
        let mut values = maps.concat();
        let middle = values.len() / 2;
        let baseline = *values.select_nth_unstable_by(middle, f32::total_cmp).1;
        HeldOut { scores, baseline, maps }
    }

    fn threshold(&self, grouped: &groups::Found, options: &FitOptions) -> Result<(f32, Claim), FitError> {
        let highest = highest_of_groups(&self.scores, &grouped.groups);
        let (limit, claim) = threshold(&highest, options.rule).ok_or(FitError::NoSpread)?;
        if limit.is_finite() && limit > self.baseline { Ok((limit, claim)) } else { Err(FitError::NoSpread) }
    }
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
    Ok(HeldOut::new(scores, maps))
}
