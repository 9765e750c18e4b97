//! The mean and the inverse covariance of each cell's features, in double precision.
//!
//! For samples `x_1 .. x_N` of a cell: `mean = sum x / N`, `S = sum (x - mean)(x - mean)^T / (N - 1) + (r + 1e-5) I` with the regularisation
//! `r`, `S = G G^T` by Cholesky, and `W = G^-1`, lower triangular: the Mahalanobis distance is the length of `W (x - mean)`.

use super::{Covariance, Params};
use crate::fit::FeatureSet;

/// What anomalib adds to the regularisation before it inverts.
const STABILITY: f64 = 1e-5;

/// Means and inverse spreads of all cells.
pub(super) struct Fitted {
    /// `cells * k` values.
    pub mean: Vec<f32>,
    /// Diagonal: inverse variances, `cells * k`. Full: lower triangles `W`, `cells * k * (k + 1) / 2`.
    pub spread: Vec<f32>,
}

/// Learns from these blocks of the set, `channels` of each feature; `None` if a covariance cannot be inverted, which the regularisation
/// rules out for finite features.
pub(super) fn fit(
    set: &FeatureSet,
    blocks: &[usize],
    channels: &[u32],
    params: &Params,
    threads: usize,
) -> Option<Fitted> {
    let (cells, k) = (set.cells.len(), channels.len());
    let each = match params.covariance {
        Covariance::Diagonal => k,
        Covariance::Full => k * (k + 1) / 2,
    };
    let mut fitted = Fitted { mean: vec![0.0; cells * k], spread: vec![0.0; cells * each] };
    let share = cells.div_ceil(threads.clamp(1, cells));
    let parts = fitted.mean.chunks_mut(share * k).zip(fitted.spread.chunks_mut(share * each)).enumerate();
    let worked = std::thread::scope(|scope| {
        let run = |first: usize, means: &mut [f32], spreads: &mut [f32]| {
            let mut cell = Cell::new(k, params);
            let mut slots = means.chunks_exact_mut(k).zip(spreads.chunks_exact_mut(each)).enumerate();
            slots.all(|(i, (mean, spread))| cell.fit(set, blocks, channels, first + i, mean, spread))
        };
        let workers: Vec<_> =
            parts.map(|(n, (means, spreads))| scope.spawn(move || run(n * share, means, spreads))).collect();
        workers.into_iter().all(|worker| worker.join().unwrap_or(false))
    });
    worked.then_some(fitted)
}

/// Scratch memory for one cell at a time.
struct Cell {
    k: usize,
    covariance: Covariance,
    added: f64,
    mean: Vec<f64>,
    centred: Vec<f64>,
    /// `k * k`, lower triangle; the covariance, then its Cholesky factor.
    matrix: Vec<f64>,
    column: Vec<f64>,
}

impl Cell {
    fn new(k: usize, params: &Params) -> Cell {
        let square = if params.covariance == Covariance::Full { k * k } else { k };
        Cell {
            k,
            covariance: params.covariance,
            added: params.regularization + STABILITY,
            mean: vec![0.0; k],
            centred: vec![0.0; k],
            matrix: vec![0.0; square],
            column: vec![0.0; k],
        }
    }

    fn fit(
        &mut self,
        set: &FeatureSet,
        blocks: &[usize],
        channels: &[u32],
        cell: usize,
        mean: &mut [f32],
        spread: &mut [f32],
    ) -> bool {
        let sample = |block: usize| {
            let at = (block * set.cells.len() + cell) * set.dim;
            &set.values[at..at + set.dim]
        };
        self.mean.fill(0.0);
        for block in blocks {
            let x = sample(*block);
            self.mean.iter_mut().zip(channels).for_each(|(m, c)| *m += f64::from(x[*c as usize]));
        }
        self.mean.iter_mut().for_each(|m| *m /= blocks.len() as f64);
        self.matrix.fill(0.0);
        for block in blocks {
            let x = sample(*block);
            for (d, c) in channels.iter().enumerate() {
                self.centred[d] = f64::from(x[*c as usize]) - self.mean[d];
            }
            match self.covariance {
                Covariance::Diagonal => self.matrix.iter_mut().zip(&self.centred).for_each(|(v, c)| *v += c * c),
                Covariance::Full => {
                    for (row, values) in self.matrix.chunks_exact_mut(self.k).enumerate() {
                        let own = self.centred[row];
                        values[..=row].iter_mut().zip(&self.centred).for_each(|(v, c)| *v += own * c);
                    }
                }
            }
        }
        // One sample has no spread; the regularisation is then all there is.
        let scale = 1.0 / (blocks.len().max(2) - 1) as f64;
        self.matrix.iter_mut().for_each(|v| *v *= scale);
        mean.iter_mut().zip(&self.mean).for_each(|(to, m)| *to = *m as f32);
        match self.covariance {
            Covariance::Diagonal => {
                spread.iter_mut().zip(&self.matrix).for_each(|(to, v)| *to = (1.0 / (v + self.added)) as f32);
                spread.iter().all(|v| v.is_finite() && *v > 0.0)
            }
            Covariance::Full => {
                for d in 0..self.k {
                    self.matrix[d * self.k + d] += self.added;
                }
                self.cholesky() && self.invert_into(spread)
            }
        }
    }

    /// The covariance becomes its factor `G`, in place.
    fn cholesky(&mut self) -> bool {
        let k = self.k;
        for row in 0..k {
            let (above, rest) = self.matrix.split_at_mut(row * k);
            for column in 0..row {
                let other = &above[column * k..column * k + column];
                let sum: f64 = rest[..column].iter().zip(other).map(|(a, b)| a * b).sum();
                rest[column] = (rest[column] - sum) / above[column * k + column];
            }
            let sum: f64 = rest[..row].iter().map(|v| v * v).sum();
            let pivot = rest[row] - sum;
            if !(pivot.is_finite() && pivot > 0.0) {
                return false;
            }
            rest[row] = pivot.sqrt();
        }
        true
    }

    /// Writes `G^-1`, the lower triangle row by row.
    fn invert_into(&mut self, out: &mut [f32]) -> bool {
        let k = self.k;
        for column in 0..k {
            self.column.fill(0.0);
            for row in column..k {
                let line = &self.matrix[row * k..row * k + row + 1];
                let sum: f64 = line[column..row].iter().zip(&self.column[column..row]).map(|(g, w)| g * w).sum();
                let own = if row == column { 1.0 } else { 0.0 };
                self.column[row] = (own - sum) / line[row];
                out[row * (row + 1) / 2 + column] = self.column[row] as f32;
            }
        }
        out.iter().all(|v| v.is_finite())
    }
}
