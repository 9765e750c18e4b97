use std::sync::Arc;

use super::coreset::greedy_coreset;
use super::features::Set;
use super::options::{FitOptions, Stage};
use super::spread::Spread;
use crate::model::head::nearest::{Nearest, Searcher};

/// What memories are learned from.
pub(super) struct Source<'a> {
    pub set: &'a Set,
    /// Outlier factor of each patch, when those of the highest stay out.
    pub factors: Option<&'a [f32]>,
    /// Grid cells that are looked at.
    pub cells: Vec<u32>,
    pub dim: usize,
    /// Patches in a memory at most.
    pub bank: usize,
    pub options: &'a FitOptions,
}

/// A memory bank that is ready to score.
pub(super) struct Memory {
    /// The patches, by picture.
    pub rows: Arc<[f32]>,
    /// Picture of each row, ascending.
    pub source: Vec<u32>,
    /// Grid cell of each row.
    pub cell: Vec<u32>,
    /// Factor of distances to each row.
    pub weights: Vec<f32>,
    /// Distance of each row to its nearest other row.
    pub apart: Vec<f32>,
    pub searcher: Searcher,
}

impl Source<'_> {
    /// The features of each picture as it is.
    pub fn originals(&self) -> impl Iterator<Item = &[f32]> {
        self.set.originals(self.cells.len() * self.dim)
    }

    /// Learns from the pictures that `keep` names: coreset, then the distances that are usual around each of its rows.
    pub fn learn(&self, keep: &dyn Fn(usize) -> bool, progress: &mut dyn FnMut(Stage, usize, usize)) -> Memory {
        let (cells, dim, options) = (self.cells.len(), self.dim, self.options);
        let among = self.among(keep);
        let k = self.bank.min(among.len());
        let mut report = |done| progress(Stage::Coreset, done, k);
        let mut chosen = greedy_coreset(&self.set.values, dim, &among, k, options.seed, options.threads, &mut report);
        // By patch, so that each picture's rows are one range.
        chosen.sort_unstable();
        let at = |i: &u32| *i as usize * dim;
        let rows: Arc<[f32]> = chosen.iter().flat_map(|i| &self.set.values[at(i)..at(i) + dim]).copied().collect();
        let source: Vec<u32> = chosen.iter().map(|i| self.set.blocks[*i as usize / cells].0).collect();
        let mut searcher = Searcher::new(rows.clone(), dim, options.threads);
        let exponent = if self.factors.is_some() { 0.0 } else { options.scoring.local_scale };
        let near = if exponent > 0.0 { self.leave_one_out(&mut searcher, &source, keep, progress) } else { Vec::new() };
        let spread = Spread::new(&near, &mut searcher, &rows, exponent);
        let outlying = |i: u32| self.factors.map_or(1.0, |f| f[i as usize].clamp(0.25, 4.0));
        Memory {
            weights: chosen.iter().enumerate().map(|(row, i)| spread.weight(row) * outlying(*i)).collect(),
            cell: chosen.iter().map(|i| self.cells[*i as usize % cells]).collect(),
            apart: spread.apart().to_vec(),
            source,
            rows,
            searcher,
        }
    }

    /// The patches that may be chosen.
    fn among(&self, keep: &dyn Fn(usize) -> bool) -> Vec<u32> {
        let cells = self.cells.len() as u32;
        let blocks = (0u32..).zip(&self.set.blocks).filter(|(_, (image, _))| keep(*image as usize));
        let patches = blocks.flat_map(|(b, _)| b * cells..(b + 1) * cells);
        let Some((factors, share)) = self.factors.zip(self.options.denoise) else { return patches.collect() };
        let mut all: Vec<f32> = patches.clone().map(|i| factors[i as usize]).collect();
        let kept = ((all.len() as f64 * (1.0 - share)) as usize).clamp(1, all.len());
        let limit = *all.select_nth_unstable_by(kept - 1, f32::total_cmp).1;
        patches.filter(|i| factors[*i as usize] <= limit).collect()
    }

    /// The neighbours of every picture's patches among the rows that do not come from it.
    fn leave_one_out(
        &self,
        searcher: &mut Searcher,
        source: &[u32],
        keep: &dyn Fn(usize) -> bool,
        progress: &mut dyn FnMut(Stage, usize, usize),
    ) -> Vec<Nearest> {
        let n = self.set.names.len();
        let (mut near, mut all) = (Vec::new(), Vec::new());
        for (i, image) in self.originals().enumerate().filter(|(i, _)| keep(*i)) {
            progress(Stage::Scores, i, n);
            let rows = source.partition_point(|s| (*s as usize) < i)..source.partition_point(|s| (*s as usize) <= i);
            searcher.exclude(Some(rows));
            searcher.search_into(image, &mut near);
            // Without any other picture's row there is no distance to learn from.
            all.extend(near.iter().filter(|n| n.distance.is_finite()));
        }
        searcher.exclude(None);
        progress(Stage::Scores, n, n);
        all
    }
}
