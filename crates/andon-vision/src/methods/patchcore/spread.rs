//! How far good patches usually are from the bank row that they land on. Around some rows (a printed texture, a shiny edge)
//! distances are large on every good part, around others they are small; dividing by that makes them comparable.

use crate::model::head::knn::{KnnSearcher, Nearest};

/// The share of a row's good patches that are nearer than its spread.
const QUANTILE: f64 = 0.9;
/// A row's own spread counts as much as the median of all once it rests on this many patches; with a few pictures, when rows
/// have a handful each, it would be noise.
const PRIOR: f32 = 50.0;
/// No row's spread is further from the median than this factor.
const LARGEST: f32 = 16.0;

/// Where the patches of all good pictures landed, and how far.
pub(super) struct Spread {
    /// Distance of each patch, row by row, ascending.
    landed: Vec<f32>,
    /// Where each row's patches start; one more at the end.
    start: Vec<u32>,
    /// Distance of each row to its nearest other row.
    spacing: Vec<f32>,
    median: f32,
    exponent: f32,
}

impl Spread {
    /// `near` are the neighbours of the good patches among the rows that do not come from their own picture.
    pub fn new(near: &[Nearest], searcher: &mut KnnSearcher, bank: &[f32], exponent: f32) -> Spread {
        let mut pairs = Vec::new();
        searcher.search_k_into(bank, 2, &mut pairs);
        let spacing: Vec<f32> =
            pairs.chunks_exact(2).map(|p| if p[1].distance.is_finite() { p[1].distance } else { 0.0 }).collect();
        let mut start = vec![0u32; spacing.len() + 1];
        near.iter().for_each(|n| start[n.index as usize + 1] += 1);
        for i in 1..start.len() {
            start[i] += start[i - 1];
        }
        let mut landed = vec![0.0; near.len()];
        let mut next = start.clone();
        for n in near {
            let at = &mut next[n.index as usize];
            landed[*at as usize] = n.distance;
            *at += 1;
        }
        for row in start.windows(2) {
            landed[row[0] as usize..row[1] as usize].sort_unstable_by(f32::total_cmp);
        }
        let mut spread = Spread { landed, start, spacing, median: 1.0, exponent };
        let rows = (0..spread.spacing.len()).map(|row| spread.of(row));
        let mut all: Vec<f32> = rows.filter(|(n, _)| *n > 0).map(|s| s.1).collect();
        let middle = all.len() / 2;
        spread.median = if all.is_empty() { 0.0 } else { *all.select_nth_unstable_by(middle, f32::total_cmp).1 };
        spread
    }

    /// Factor of distances to `row`.
    pub fn weight(&self, row: usize) -> f32 {
        if self.exponent == 0.0 || self.median <= 0.0 {
            return 1.0;
        }
        let (n, spread) = self.of(row);
        let ratio = (n as f32 * spread / self.median + PRIOR) / (n as f32 + PRIOR);
        ratio.clamp(1.0 / LARGEST, LARGEST).powf(-self.exponent)
    }

    /// Distance of each row to its nearest other row.
    pub fn row_spacing(&self) -> &[f32] {
        &self.spacing
    }

    /// Patches that landed on the row, and the distance that most of them keep.
    fn of(&self, row: usize) -> (usize, f32) {
        let landed = &self.landed[self.start[row] as usize..self.start[row + 1] as usize];
        let Some(last) = landed.len().checked_sub(1) else { return (0, 0.0) };
        // Linear between the two neighbours, as numpy does.
        let at = QUANTILE * last as f64;
        let (low, high) = (landed[at as usize], landed[(at as usize + 1).min(last)]);
        (landed.len(), low + (high - low) * (at - at.floor()) as f32)
    }
}
