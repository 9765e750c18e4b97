//! From distances to an anomaly map and an image score: each patch's distance on the scale of the place it landed in, smoothed
//! over neighbouring patches, the largest value taken. Learning and inspection use the same code, so that a score means the same
//! in both.

use serde::{Deserialize, Serialize};

use super::knn::{KnnSearcher, MAX_K, Nearest, squared};

/// How the anomaly map is smoothed and becomes the image's score. Part of the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scoring {
    /// Standard deviation of the Gaussian that smooths the map, in cells; 0 leaves it sharp; 0..=8.
    pub smoothing: f32,
    /// How the map becomes the image's score.
    pub image: ImageScore,
    /// Smaller regions than this many pixels of the network's input are not reported.
    pub min_area: u32,
}

/// The image's score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageScore {
    /// The largest value of the map.
    Max,
    /// The mean of this many largest values.
    Top(u32),
    /// The largest value, re-weighted by how crowded the bank is around its nearest row: PatchCore, Roth et al. 2022, equation
    /// 7, over this many bank rows around it (un-squared distances).
    Reweighted(u32),
}

impl Scoring {
    /// Whether the values are in their ranges.
    ///
    /// # Errors
    /// What is wrong, for a bundle or an option.
    pub fn check(&self) -> Result<(), &'static str> {
        let rules = [
            ((0.0..=8.0).contains(&self.smoothing), "smoothing is not in 0..=8 cells"),
            (
                match self.image {
                    ImageScore::Max => true,
                    ImageScore::Top(n) => n >= 1,
                    ImageScore::Reweighted(n) => (2..=MAX_K as u32).contains(&n),
                },
                "the image score is max, top:N with N from 1, or reweighted:B with B from 2 to 9",
            ),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, why)| Err(why))
    }
}

/// Scores maps of one grid; owns its scratch memory.
#[derive(Debug)]
pub struct Scorer {
    scoring: Scoring,
    width: usize,
    height: usize,
    /// Grid cells that are looked at, ascending.
    cells: Vec<u32>,
    kernel: Vec<f32>,
    /// The smoothed mask, by which a smoothed map is divided; empty when all cells are looked at.
    share: Vec<f32>,
    line: Vec<f32>,
    other: Vec<f32>,
    near: Vec<Nearest>,
}

/// The fixed parts of a [`Scorer`], which its twin on a GPU needs.
pub struct ScorerTables<'a> {
    /// Columns of the grid.
    pub width: usize,
    /// Rows of the grid.
    pub height: usize,
    /// The cells that are not masked, ascending.
    pub cells: &'a [u32],
    /// Weights of the smoothing along one axis; empty without smoothing.
    pub kernel: &'a [f32],
    /// The smoothed mask; empty when no cell is masked.
    pub share: &'a [f32],
}

impl Scorer {
    /// `mask` has one entry for each of `width * height` cells: whether it is looked at.
    pub fn new(scoring: Scoring, width: usize, height: usize, mask: &[bool]) -> Scorer {
        let cells: Vec<u32> = (0..).zip(mask).filter(|(_, look)| **look).map(|(i, _)| i).collect();
        let mut scorer = Scorer {
            scoring,
            width,
            height,
            kernel: gaussian(scoring.smoothing),
            share: Vec::new(),
            line: Vec::new(),
            other: Vec::new(),
            near: Vec::new(),
            cells,
        };
        if scorer.cells.len() < width * height {
            let mut share: Vec<f32> = mask.iter().map(|look| f32::from(u8::from(*look))).collect();
            scorer.smooth(&mut share);
            scorer.share = share;
        }
        scorer
    }

    /// Grid cells that are looked at, ascending.
    pub fn cells(&self) -> &[u32] {
        &self.cells
    }

    /// What a twin on another processor needs.
    pub fn tables(&self) -> ScorerTables<'_> {
        let Scorer { width, height, cells, kernel, share, .. } = self;
        ScorerTables { width: *width, height: *height, cells, kernel, share }
    }

    /// Keeps the features of the cells that are looked at. `all` holds `dim` values for each cell of the grid.
    pub fn keep_cells(&self, all: &mut Vec<f32>, dim: usize) {
        if self.cells.len() == self.width * self.height {
            return;
        }
        for (to, from) in self.cells.iter().enumerate() {
            let from = *from as usize * dim;
            all.copy_within(from..from + dim, to * dim);
        }
        all.truncate(self.cells.len() * dim);
    }

    /// Writes the map from the distances of the patches that [`Scorer::keep_cells`] kept, to their nearest bank rows. `weights` has a
    /// factor for each bank row.
    pub fn map_into(&mut self, near: &[Nearest], weights: &[f32], map: &mut Vec<f32>) {
        // Row 0 stands in where there is no row; the distance says so itself.
        let weighted = |n: &Nearest| n.distance * weights.get(n.index as usize).copied().unwrap_or(1.0);
        self.map_of(near.iter().map(weighted), map);
    }

    /// Writes the map (`width * height` values; 0 where it is masked) from one distance for each cell that is not masked.
    pub fn map_of(&mut self, distances: impl Iterator<Item = f32>, map: &mut Vec<f32>) {
        map.clear();
        map.resize(self.width * self.height, 0.0);
        for (cell, distance) in self.cells.iter().zip(distances) {
            map[*cell as usize] = distance;
        }
        self.smooth(map);
        if !self.share.is_empty() {
            for (v, share) in map.iter_mut().zip(&self.share) {
                *v = if *share > 0.0 { *v / *share } else { 0.0 };
            }
            let mut at = 0;
            for (i, v) in map.iter_mut().enumerate() {
                match self.cells.get(at) {
                    Some(cell) if *cell as usize == i => at += 1,
                    _ => *v = 0.0,
                }
            }
        }
    }

    /// The image's score: NaN if any cell is, or if there is none. `features` are those that were searched.
    pub fn score(
        &mut self,
        map: &[f32],
        near: &[Nearest],
        features: &[f32],
        rows: &[f32],
        searcher: &mut KnnSearcher,
    ) -> f32 {
        let Some((peak, at)) = self.peak(map) else { return f32::NAN };
        if !self.looks_around() || peak.is_nan() {
            return self.of_map(map, peak);
        }
        let dim = features.len() / self.cells.len();
        self.reweighted(peak, &near[at], &features[at * dim..(at + 1) * dim], rows, searcher)
    }

    /// The image's score from the map alone: NaN if any cell is, or if there is none.
    pub fn score_of_map(&mut self, map: &[f32]) -> f32 {
        match self.peak(map) {
            Some((peak, _)) => self.of_map(map, peak),
            None => f32::NAN,
        }
    }

    /// The largest value of the cells that are looked at, NaN before all others, and which of them it is; `None` if there are none.
    pub fn peak(&self, map: &[f32]) -> Option<(f32, usize)> {
        let looked = self.cells.iter().map(|c| map[*c as usize]);
        looked.zip(0..).reduce(|a, b| if a.0.is_nan() || a.0 >= b.0 { a } else { b })
    }

    /// Whether the score asks how crowded the bank is around the nearest row.
    pub fn looks_around(&self) -> bool {
        matches!(self.scoring.image, ImageScore::Reweighted(_))
    }

    /// The score, where the map is enough for it.
    pub fn of_map(&mut self, map: &[f32], peak: f32) -> f32 {
        match self.scoring.image {
            ImageScore::Top(n) if !peak.is_nan() => {
                let n = (n as usize).min(self.cells.len());
                self.line.clear();
                self.line.extend(self.cells.iter().map(|c| map[*c as usize]));
                self.line.select_nth_unstable_by(n - 1, |a, b| b.total_cmp(a));
                // In order, so that the sum does not depend on how the selection shuffled.
                self.line[..n].sort_unstable_by(f32::total_cmp);
                self.line[..n].iter().sum::<f32>() / n as f32
            }
            _ => peak,
        }
    }

    /// The score of [`ImageScore::Reweighted`], from the patch with the largest value and its nearest row.
    pub fn reweighted(
        &mut self,
        peak: f32,
        nearest: &Nearest,
        query: &[f32],
        rows: &[f32],
        searcher: &mut KnnSearcher,
    ) -> f32 {
        let ImageScore::Reweighted(count) = self.scoring.image else { return peak };
        let dim = query.len();
        let row = |i: u32| &rows[i as usize * dim..(i as usize + 1) * dim];
        searcher.search_k_into(row(nearest.index), count as usize, &mut self.near);
        let around = self.near.iter().filter(|n| n.distance.is_finite());
        // exp(d*) / sum exp(d), as a sum of differences so that nothing overflows.
        let sum: f32 = around.map(|n| (squared(query, row(n.index)).sqrt() - nearest.distance).exp()).sum();
        peak * (1.0 - 1.0 / sum.max(1.0))
    }

    /// As `scipy.ndimage.gaussian_filter` in mode `reflect`, cut at four sigma.
    fn smooth(&mut self, map: &mut [f32]) {
        if self.kernel.len() < 2 {
            return;
        }
        let (width, height) = (self.width, self.height);
        self.other.resize(width * height, 0.0);
        for (row, out) in map.chunks_exact(width).zip(self.other.chunks_exact_mut(width)) {
            convolve(row.iter().copied(), &self.kernel, &mut self.line, |x, v| out[x] = v);
        }
        for x in 0..width {
            let column = self.other[x..].iter().step_by(width).copied();
            convolve(column, &self.kernel, &mut self.line, |y, v| map[y * width + x] = v);
        }
        debug_assert_eq!(map.len(), width * height);
    }
}

fn gaussian(sigma: f32) -> Vec<f32> {
    if sigma <= 0.0 {
        return Vec::new();
    }
    let radius = (4.0 * sigma + 0.5) as usize;
    let mut kernel: Vec<f32> =
        (0..=2 * radius).map(|i| (-0.5 * ((i as f32 - radius as f32) / sigma).powi(2)).exp()).collect();
    let sum: f32 = kernel.iter().sum();
    kernel.iter_mut().for_each(|k| *k /= sum);
    kernel
}

/// Mirrors with the edge repeated: (d c b a | a b c d | d c b a).
fn convolve(from: impl Iterator<Item = f32>, kernel: &[f32], line: &mut Vec<f32>, mut put: impl FnMut(usize, f32)) {
    let radius = kernel.len() / 2;
    line.clear();
    line.resize(radius, 0.0);
    line.extend(from);
    let n = line.len() - radius;
    line.resize(n + 2 * radius, 0.0);
    let mirrored = |i: isize| {
        let i = i.rem_euclid(2 * n as isize) as usize;
        radius + if i < n { i } else { 2 * n - 1 - i }
    };
    for i in 0..radius {
        line[i] = line[mirrored(i as isize - radius as isize)];
        line[radius + n + i] = line[mirrored((n + i) as isize)];
    }
    for x in 0..n {
        let sum = line[x..x + kernel.len()].iter().zip(kernel).fold(0.0, |sum, (v, k)| sum + v * k);
        put(x, sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scoring(smoothing: f32, image: ImageScore) -> Scoring {
        Scoring { smoothing, image, min_area: 0 }
    }

    fn near(distances: &[f32]) -> Vec<Nearest> {
        distances.iter().map(|d| Nearest { index: 0, distance: *d }).collect()
    }

    fn score(image: ImageScore, distances: &[f32]) -> f32 {
        let mut scorer = Scorer::new(scoring(0.0, image), distances.len(), 1, &vec![true; distances.len()]);
        let mut map = Vec::new();
        let near = near(distances);
        scorer.map_into(&near, &[], &mut map);
        let mut searcher = KnnSearcher::new(vec![0.0, 1.0].into(), 1, 1);
        scorer.score(&map, &near, distances, &[0.0, 1.0], &mut searcher)
    }

    #[test]
    fn one_nan_anywhere_makes_the_score_nan() {
        assert_eq!(score(ImageScore::Max, &[1.0, 3.0, 2.0]), 3.0);
        for image in [ImageScore::Max, ImageScore::Top(2), ImageScore::Reweighted(2)] {
            for values in [[f32::NAN, 1.0, 2.0], [1.0, f32::NAN, 2.0], [1.0, 2.0, f32::NAN]] {
                assert!(score(image, &values).is_nan());
            }
            assert!(score(image, &[]).is_nan());
        }
    }

    #[test]
    fn top_n_is_the_mean_of_the_largest() {
        assert_eq!(score(ImageScore::Top(2), &[1.0, 5.0, 2.0, 4.0]), 4.5);
        assert_eq!(score(ImageScore::Top(99), &[1.0, 5.0, 3.0]), 3.0);
    }

    /// Bank rows 0 and 1 on a line; the query at 3 has its nearest row at distance 2 (row 1), and the other at 3:
    /// w = 1 - e^2 / (e^2 + e^3).
    #[test]
    fn reweighting_follows_the_paper() {
        let near = [Nearest { index: 1, distance: 2.0 }];
        let mut scorer = Scorer::new(scoring(0.0, ImageScore::Reweighted(2)), 1, 1, &[true]);
        let mut searcher = KnnSearcher::new(vec![0.0, 1.0].into(), 1, 1);
        let got = scorer.score(&[2.0], &near, &[3.0], &[0.0, 1.0], &mut searcher);
        let want = 2.0 * (1.0 - 2.0f64.exp() / (2.0f64.exp() + 3.0f64.exp()));
        assert!((f64::from(got) - want).abs() < 1e-6, "{got} {want}");
    }

    #[test]
    fn an_even_map_stays_even_whatever_is_masked() {
        for mask in [[true; 12].to_vec(), (0..12).map(|i| i % 4 < 2).collect()] {
            let mut scorer = Scorer::new(scoring(1.0, ImageScore::Max), 4, 3, &mask);
            let near = near(&vec![2.0; scorer.cells().len()]);
            let mut map = Vec::new();
            scorer.map_into(&near, &[], &mut map);
            for (v, look) in map.iter().zip(&mask) {
                assert!((v - if *look { 2.0 } else { 0.0 }).abs() < 1e-6, "{map:?}");
            }
        }
    }

    #[test]
    fn masked_cells_leave_no_features() {
        let scorer = Scorer::new(scoring(0.0, ImageScore::Max), 2, 2, &[true, false, false, true]);
        let mut features = vec![1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0];
        scorer.keep_cells(&mut features, 2);
        assert_eq!(features, [1.0, 1.0, 4.0, 4.0]);
    }
}
