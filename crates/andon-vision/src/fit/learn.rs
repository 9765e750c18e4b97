use std::time::{Duration, Instant};

use super::claim::threshold;
use super::denoise::outlier_factors;
use super::features::{Reader, Set};
use super::images::{ImageError, Picture};
use super::options::{BankSize, FitError, FitOptions, Fitted, Stage};
use super::parity;
use super::source::Source;
use crate::model::bundle::{BackboneRef, Bundle, Manifest, Method, Training};
use crate::model::head::nearest::Searcher;
use crate::model::head::score::Scorer;
use crate::model::{Backbone, Embed};

/// Learns from named pictures. Copies of a picture are left out; with `skip_bad`, pictures that cannot be read are too.
///
/// # Errors
/// See [`FitError`].
pub fn fit(
    pictures: impl ExactSizeIterator<Item = Result<(String, Picture), ImageError>>,
    skip_bad: bool,
    embedder: &mut dyn Embed,
    backbone: &Backbone,
    options: &FitOptions,
    progress: &mut dyn FnMut(Stage, usize, usize),
) -> Result<Fitted, FitError> {
    check(options)?;
    let (grid_w, grid_h) = embedder.grid();
    let mask = options.mask.clone().unwrap_or_else(|| vec![true; grid_w * grid_h]);
    let mut scorer = Scorer::new(options.scoring, grid_w, grid_h, &mask);
    if mask.len() != grid_w * grid_h || scorer.cells().is_empty() {
        return Err(FitError::Option("the mask or region hides the whole picture"));
    }
    let (dim, cells) = (embedder.dim(), scorer.cells().len());
    let mut reader = Reader {
        embedder: &mut *embedder,
        backbone,
        scorer: &scorer,
        augment: options.augment,
        skip_bad,
        any_size: options.learned.any_size,
    };
    let (set, left_out) = reader.read(pictures, progress)?;
    let n = set.names.len();

    let factors = options.denoise.map(|_| factors(&set, n, cells, dim, options.threads, progress));
    let bank = match options.bank {
        BankSize::Patches(n) => n,
        BankSize::Within(budget) => largest_bank(&set.values, dim, cells, budget, options.threads)?,
    };
    let source = Source { set: &set, factors: factors.as_deref(), cells: scorer.cells().to_vec(), dim, bank, options };
    let (scores, typical) = held_out(&source, &mut scorer, progress);
    let (limit, claim) = threshold(&scores, options.policy).ok_or(FitError::NoSpread)?;
    if !(limit.is_finite() && limit > typical) {
        return Err(FitError::NoSpread);
    }
    let mut memory = source.learn(&|_| true, &mut |part, done, total| progress(part, done, total));
    let mut judge = parity::Judge { embedder, scorer: &mut scorer, searcher: &mut memory.searcher };
    let (parity_input, parity_score) = judge
        .make(&set.parity, &memory.rows, &memory.weights)
        .map_err(|fault| FitError::Embed { name: "parity set".into(), fault })?;

    let spacing = memory.apart.iter().copied().filter(|d| *d > 0.0).fold(f32::INFINITY, f32::min);
    let manifest = Manifest {
        name: options.name.clone(),
        created: options.created.clone().unwrap_or_else(|| format!("{:.0}", jiff::Timestamp::now())),
        method: Method::Patchcore,
        backbone: BackboneRef {
            name: backbone.name.clone(),
            outputs: backbone.outputs.clone(),
            layers: backbone.layers.clone(),
        },
        input: backbone.input.clone(),
        tiles: backbone.tiles,
        frame_size: set.size,
        learned: Some(options.learned),
        grid: [grid_w as u32, grid_h as u32],
        dim: dim as u32,
        threshold: limit,
        claim,
        scoring: options.scoring,
        typical,
        parity_tolerance: parity::TOLERANCE,
        training: Training {
            patches: (set.blocks.len() * cells) as u64,
            seed: options.seed,
            asked_false_reject: options.policy.max_false_reject,
            spacing: if spacing.is_finite() { spacing } else { 0.0 },
            engine: options.engine.clone(),
            sources: set.names,
            added: 0,
        },
    };
    let suspects = suspects(&manifest.training.sources, &scores);
    let bundle = Bundle {
        manifest,
        bank: memory.rows,
        bank_source: memory.source,
        bank_cell: memory.cell,
        bank_weight: memory.weights,
        mask: mask.iter().map(|look| u8::from(*look)).collect(),
        train_scores: scores,
        backbone: backbone.onnx.clone(),
        parity_input,
        parity_score,
        blake3: String::new(),
    };
    Ok(Fitted { bundle, left_out, suspects })
}

fn check(options: &FitOptions) -> Result<(), FitError> {
    options.scoring.check().map_err(FitError::Option)?;
    let share = |v: f64| v > 0.0 && v < 1.0;
    let rules = [
        (options.bank != BankSize::Patches(0), "--bank: the memory bank needs at least 1 patch"),
        (share(options.policy.max_false_reject), "--max-false-reject is a share above 0 and below 100 %"),
        (share(options.policy.confidence), "--confidence is a share above 0 and below 100 %"),
        (options.denoise.is_none_or(|d| share(d) && d <= 0.5), "--denoise is a share above 0 and at most 50 %"),
    ];
    rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, why)| Err(FitError::Option(why)))
}

/// The outlier factor of every patch; changed copies of a picture have those of the picture.
fn factors(
    set: &Set,
    n: usize,
    cells: usize,
    dim: usize,
    threads: usize,
    progress: &mut dyn FnMut(Stage, usize, usize),
) -> Vec<f32> {
    let originals: Vec<f32> = set.originals(cells * dim).flatten().copied().collect();
    let factors = outlier_factors(&originals, (n, cells, dim), threads, &mut |done| {
        progress(Stage::Outliers, done, cells);
    });
    set.blocks
        .iter()
        .flat_map(|(image, _)| &factors[*image as usize * cells..(*image as usize + 1) * cells])
        .copied()
        .collect()
}

/// The largest bank that `cells` patches are compared with in the time: measured with real features, then approached from below.
fn largest_bank(values: &[f32], dim: usize, cells: usize, budget: Duration, threads: usize) -> Result<usize, FitError> {
    const SMALLEST: usize = 100;
    let patches = values.len() / dim;
    let queries = &values[..cells * dim];
    let mut near = Vec::new();
    let mut seconds = |n: usize| {
        let step = patches / n;
        let rows: Vec<f32> = (0..n).flat_map(|i| &values[i * step * dim..(i * step + 1) * dim]).copied().collect();
        let mut searcher = Searcher::new(rows.into(), dim, threads);
        let mut times: Vec<Duration> = (0..12)
            .map(|_| {
                let start = Instant::now();
                searcher.search_into(queries, &mut near);
                start.elapsed()
            })
            .collect();
        times.sort_unstable();
        // Not the median: the budget is meant to be kept nearly always.
        times[times.len() * 3 / 4].as_secs_f64()
    };
    let budget_s = budget.as_secs_f64();
    let mut n = patches.min(4000);
    for _ in 0..8 {
        let took = seconds(n);
        let fits = took <= budget_s;
        if fits && (n == patches || took >= 0.93 * budget_s) {
            return Ok(n);
        }
        let next = ((n as f64 * (budget_s / took) * 0.97) as usize).clamp(1, patches);
        if next < SMALLEST.min(patches) {
            return Err(FitError::TooSlow { cells, smallest: SMALLEST, budget });
        }
        n = next;
    }
    Ok(n)
}

/// The score of every picture by a memory that was learned without it, and the median of their maps. The pictures are dealt into
/// as many groups as `folds` says; each group is scored by a memory learned from the others, coreset and all. Leaving out only the
/// rows of the finished bank that come from a picture would not do: a picture's oddest patches are in the bank because they are odd,
/// and the bank without them was never built to do without (measured: median score 4 % higher than on new pictures, 99 % quantile
/// 11 %).
fn held_out(
    source: &Source<'_>,
    scorer: &mut Scorer,
    progress: &mut dyn FnMut(Stage, usize, usize),
) -> (Vec<f32>, f32) {
    let n = source.set.names.len();
    let folds = source.options.folds.clamp(2, n);
    let (mut scores, mut maps, mut near, mut map) = (vec![0.0; n], Vec::new(), Vec::new(), Vec::new());
    for fold in 0..folds {
        let inside = |image: usize| image % folds == fold;
        let mut memory = source.learn(&|image| !inside(image), &mut |part, done, total| {
            // Each fold has two halves, of unequal length; the bar moves on all the same.
            let half = usize::from(part == Stage::Scores);
            progress(Stage::HeldOut, (2 * fold + half) * 1000 + done * 1000 / total.max(1), folds * 2000);
        });
        for (image, block) in source.originals().enumerate().filter(|(image, _)| inside(*image)) {
            memory.searcher.search_into(block, &mut near);
            scorer.map_into(&near, &memory.weights, &mut map);
            scores[image] = scorer.score(&map, &near, block, &memory.rows, &mut memory.searcher);
            maps.extend(scorer.cells().iter().map(|c| map[*c as usize]));
        }
    }
    progress(Stage::HeldOut, folds * 2000, folds * 2000);
    let middle = maps.len() / 2;
    (scores, *maps.select_nth_unstable_by(middle, f32::total_cmp).1)
}

/// Pictures whose score lies far above the others': more than four robust standard deviations (1.4826 median absolute deviations)
/// of the scores' logarithms, which are nearer to a normal distribution than the scores are.
fn suspects(names: &[String], scores: &[f32]) -> Vec<(String, f32)> {
    let middle = |mut v: Vec<f32>| {
        let at = v.len() / 2;
        *v.select_nth_unstable_by(at, f32::total_cmp).1
    };
    let logs: Vec<f32> = scores.iter().map(|s| s.max(f32::MIN_POSITIVE).ln()).collect();
    let median = middle(logs.clone());
    let deviation = 1.4826 * middle(logs.iter().map(|l| (l - median).abs()).collect());
    let mut found: Vec<(String, f32)> = (names.iter().zip(scores).zip(&logs))
        .filter(|(_, l)| **l > median + 4.0 * deviation)
        .map(|((name, score), _)| (name.clone(), *score))
        .collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    found
}

#[cfg(test)]
mod tests;
