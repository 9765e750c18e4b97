//! How far good patches usually are from the bank row that they land on. Around some rows (a printed texture, a shiny edge)
//! distances are large on every good part, around others they are small; dividing by that makes them comparable.

use crate::model::head::nearest::{Nearest, Searcher};

/// The share of a row's good patches that are nearer than its spread.
const QUANTILE: f64 = 0.9;
/// With fewer patches than this a row's spread is the distance to its nearest other row.
const ENOUGH: usize = 3;
/// No row's spread is further from the median than this factor.
const LARGEST: f32 = 16.0;

/// Where the patches of all good pictures landed, and how far.
pub(super) struct Spread {
    /// Distance and picture of each patch, row by row, ascending.
    landed: Vec<(f32, u32)>,
    /// Where each row's patches start; one more at the end.
    start: Vec<u32>,
    /// Distance of each row to its nearest other row.
    apart: Vec<f32>,
    median: f32,
    exponent: f32,
}

impl Spread {
    /// `near` are the leave-one-out neighbours of `per_image` patches of each picture.
    pub fn new(near: &[Nearest], per_image: usize, searcher: &mut Searcher, bank: &[f32], exponent: f32) -> Spread {
        let mut pairs = Vec::new();
        searcher.search_k_into(bank, 2, &mut pairs);
        let apart: Vec<f32> = pairs.chunks_exact(2).map(|p| if p[1].distance.is_finite() { p[1].distance } else { 0.0 }).collect();
        let mut start = vec![0u32; apart.len() + 1];
        near.iter().for_each(|n| start[n.index as usize + 1] += 1);
        for i in 1..start.len() {
            start[i] += start[i - 1];
        }
        let mut landed = vec![(0.0, 0); near.len()];
        let mut next = start.clone();
        for (i, n) in near.iter().enumerate() {
            let at = &mut next[n.index as usize];
            landed[*at as usize] = (n.distance, (i / per_image) as u32);
            *at += 1;
        }
        for row in start.windows(2) {
            landed[row[0] as usize..row[1] as usize].sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        }
        let mut spread = Spread { landed, start, apart, median: 1.0, exponent };
        let mut all: Vec<f32> = (0..spread.apart.len()).map(|row| spread.of(row, None)).collect();
        let middle = all.len() / 2;
        spread.median = *all.select_nth_unstable_by(middle, f32::total_cmp).1;
        spread
    }

    /// Factor of distances to `row`, as learned from all pictures but one.
    pub fn weight(&self, row: usize, without: Option<u32>) -> f32 {
        if self.exponent == 0.0 || self.median <= 0.0 {
            return 1.0;
        }
        let ratio = self.of(row, without) / self.median;
        ratio.clamp(1.0 / LARGEST, LARGEST).powf(-self.exponent)
    }

    /// Distance of each row to its nearest other row.
    pub fn apart(&self) -> &[f32] {
        &self.apart
    }

    fn of(&self, row: usize, without: Option<u32>) -> f32 {
        let landed = &self.landed[self.start[row] as usize..self.start[row + 1] as usize];
        let counts = |image: u32| without != Some(image);
        let n = match without {
            None => landed.len(),
            Some(_) => landed.iter().filter(|(_, image)| counts(*image)).count(),
        };
        if n < ENOUGH {
            return self.apart[row];
        }
        // Linear between the two neighbours, as numpy does.
        let at = QUANTILE * (n - 1) as f64;
        let mut from = landed.iter().filter(|(_, image)| counts(*image)).map(|(d, _)| *d).skip(at as usize);
        let low = from.next().unwrap_or(0.0);
        let high = from.next().unwrap_or(low);
        low + (high - low) * (at - at.floor()) as f32
    }
}
