//! Learning a memory bank: outliers kept out, the greedy coreset, and what distances are usual around each of its rows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::denoise::outlier_factors;
use super::model::{About, PatchCoreModel};
use super::params::{BankSize, Params};
use super::spread::Spread;
use crate::fit::{FeatureSet, FitError, FitOptions, Phase, greedy_coreset};
use crate::methods::patches::{PatchModel, PatchTrainer};
use crate::model::head::knn::{KnnSearcher, Nearest};

/// What banks are learned from.
pub(in crate::methods) struct Trainer<'a> {
    set: &'a FeatureSet,
    options: &'a FitOptions,
    params: Params,
    /// Outlier factor of each patch, when those of the highest stay out.
    factors: Option<Vec<f32>>,
    /// Patches in a bank at most.
    bank: usize,
}

impl<'a> Trainer<'a> {
    /// Looks for outliers and finds the bank's size, where that is asked for.
    ///
    /// # Errors
    /// [`FitError::TooSlow`].
    pub fn new(
        set: &'a FeatureSet,
        options: &'a FitOptions,
        params: Params,
        progress: &mut dyn FnMut(Phase, usize, usize),
    ) -> Result<Trainer<'a>, FitError> {
        let factors = params.denoise.map(|_| factors(set, options.threads, progress));
        let bank = match params.bank_size() {
            BankSize::Patches(n) => n,
            BankSize::Within(budget) => largest_bank(set, budget, options.threads)?,
        };
        Ok(Trainer { set, options, params, factors, bank })
    }
}

impl PatchTrainer for Trainer<'_> {
    fn learn(
        &self,
        keep: &dyn Fn(usize) -> bool,
        progress: &mut dyn FnMut(Phase, usize, usize),
    ) -> Result<Box<dyn PatchModel>, FitError> {
        Ok(Box::new(self.bank_of(&self.candidates(keep), keep, progress)))
    }
}

impl Trainer<'_> {
    /// A bank of some of these patches, of pictures that `keep` says yes to: the coreset, then the distances that are usual around each of its rows.
    pub fn bank_of(
        &self,
        candidates: &[u32],
        keep: &dyn Fn(usize) -> bool,
        progress: &mut dyn FnMut(Phase, usize, usize),
    ) -> PatchCoreModel {
        let (set, threads) = (self.set, self.options.threads);
        let (cells, dim) = (set.cells.len(), set.dim);
        let k = self.bank.min(candidates.len());
        let mut report = |done| progress(Phase::Coreset, done, k);
        let mut chosen = greedy_coreset(&set.values, dim, candidates, k, self.options.seed, threads, &mut report);
        // By patch, so that each picture's rows are one range.
        chosen.sort_unstable();
        let at = |i: &u32| *i as usize * dim;
        let rows: Arc<[f32]> = chosen.iter().flat_map(|i| &set.values[at(i)..at(i) + dim]).copied().collect();
        let source: Arc<[u32]> = chosen.iter().map(|i| set.blocks[*i as usize / cells].0).collect();
        let mut searcher = KnnSearcher::new(rows.clone(), dim, threads);
        let exponent = if self.factors.is_some() { 0.0 } else { self.params.local_scale };
        let near = if exponent > 0.0 { self.leave_one_out(&mut searcher, &source, keep, progress) } else { Vec::new() };
        let spread = Spread::new(&near, &mut searcher, &rows, exponent);
        let outlying = |i: u32| self.factors.as_ref().map_or(1.0, |f| f[i as usize].clamp(0.25, 4.0));
        let spacing = spread.row_spacing().iter().copied().filter(|d| *d > 0.0).fold(f32::INFINITY, f32::min);
        PatchCoreModel {
            about: About {
                dim: dim as u32,
                local_scale: self.params.local_scale,
                patches: (set.blocks.len() * cells) as u64,
                spacing: if spacing.is_finite() { spacing } else { 0.0 },
            },
            weight: chosen.iter().enumerate().map(|(row, i)| spread.weight(row) * outlying(*i)).collect(),
            cell: chosen.iter().map(|i| set.cells[*i as usize % cells]).collect(),
            source,
            bank: rows,
        }
    }

    /// The patches that may be chosen.
    pub fn candidates(&self, keep: &dyn Fn(usize) -> bool) -> Vec<u32> {
        let cells = self.set.cells.len() as u32;
        let blocks = (0u32..).zip(&self.set.blocks).filter(|(_, (image, _))| keep(*image as usize));
        let patches = blocks.flat_map(|(b, _)| b * cells..(b + 1) * cells);
        let Some((factors, share)) = self.factors.as_ref().zip(self.params.denoise) else { return patches.collect() };
        let mut all: Vec<f32> = patches.clone().map(|i| factors[i as usize]).collect();
        let kept = ((all.len() as f64 * (1.0 - share)) as usize).clamp(1, all.len());
        let limit = *all.select_nth_unstable_by(kept - 1, f32::total_cmp).1;
        patches.filter(|i| factors[*i as usize] <= limit).collect()
    }

    /// The neighbours of every picture's patches among the rows that do not come from it.
    fn leave_one_out(
        &self,
        searcher: &mut KnnSearcher,
        source: &[u32],
        keep: &dyn Fn(usize) -> bool,
        progress: &mut dyn FnMut(Phase, usize, usize),
    ) -> Vec<Nearest> {
        let n = self.set.names.len();
        let (mut near, mut all) = (Vec::new(), Vec::new());
        for (i, image) in self.set.originals().enumerate().filter(|(i, _)| keep(*i)) {
            progress(Phase::Scores, i, n);
            let rows = source.partition_point(|s| (*s as usize) < i)..source.partition_point(|s| (*s as usize) <= i);
            searcher.exclude(Some(rows));
            searcher.search_into(image, &mut near);
            // Without any other picture's row there is no distance to learn from.
            all.extend(near.iter().filter(|n| n.distance.is_finite()));
        }
        searcher.exclude(None);
        progress(Phase::Scores, n, n);
        all
    }
}

/// The outlier factor of every patch; changed copies of a picture have those of the picture.
fn factors(set: &FeatureSet, threads: usize, progress: &mut dyn FnMut(Phase, usize, usize)) -> Vec<f32> {
    let (n, cells) = (set.names.len(), set.cells.len());
    let originals: Vec<f32> = set.originals().flatten().copied().collect();
    let factors = outlier_factors(&originals, (n, cells, set.dim), threads, &mut |done| {
        progress(Phase::Outliers, done, cells);
    });
    set.blocks
        .iter()
        .flat_map(|(image, _)| &factors[*image as usize * cells..(*image as usize + 1) * cells])
        .copied()
        .collect()
}

/// The largest bank that a picture's patches are compared with in the time: measured with real features, then approached from below.
fn largest_bank(set: &FeatureSet, budget: Duration, threads: usize) -> Result<usize, FitError> {
    const SMALLEST: usize = 100;
    let (values, dim, cells) = (&set.values, set.dim, set.cells.len());
    let patches = values.len() / dim;
    let queries = &values[..cells * dim];
    let mut near = Vec::new();
    let mut seconds = |n: usize| {
        let step = patches / n;
        let rows: Vec<f32> = (0..n).flat_map(|i| &values[i * step * dim..(i * step + 1) * dim]).copied().collect();
        let mut searcher = KnnSearcher::new(rows.into(), dim, threads);
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
