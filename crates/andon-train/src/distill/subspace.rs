//! The directions in which values vary most.

use std::ops::{AddAssign, Mul};

use andon_core::SplitMix64;

/// Rounds of the iteration; the share of variance found changes by less than a thousandth after it.
const ROUNDS: usize = 30;

/// The means of values, and the directions of their largest variance with that variance, largest first.
#[derive(Clone, Debug)]
pub struct Subspace {
    /// One for each value.
    pub mean: Vec<f64>,
    /// `directions * values`, each of length 1, at right angles to one another.
    pub directions: Vec<f64>,
    /// Variance along each direction.
    pub variance: Vec<f64>,
    /// Of all values together.
    pub total: f64,
}

impl Subspace {
    /// The `count` main directions of rows of `dim` values: principal components, by orthogonal iteration (Golub and Van Loan, "Matrix
    /// Computations", 8.2.4) on the covariance.
    pub fn of(rows: &[f32], dim: usize, count: usize) -> Subspace {
        let n = (rows.len() / dim).max(1) as f64;
        let mut mean = vec![0.0f64; dim];
        for row in rows.chunks_exact(dim) {
            row.iter().zip(&mut mean).for_each(|(v, m)| *m += f64::from(*v) / n);
        }
        let covariance = covariance(rows, &mean, dim);
        let total = (0..dim).map(|i| covariance[i * dim + i]).sum();
        let mut random = SplitMix64::new(1);
        let mut directions: Vec<f64> = (0..count * dim).map(|_| random.unit() - 0.5).collect();
        orthonormal(&mut directions, dim);
        for _ in 0..ROUNDS {
            directions = product(&directions, &covariance, dim);
            orthonormal(&mut directions, dim);
        }
        let moved = product(&directions, &covariance, dim);
        let lengths = directions.chunks_exact(dim).zip(moved.chunks_exact(dim));
        let variance: Vec<f64> = lengths.map(|(d, m)| dot(d, m).max(0.0)).collect();
        Subspace { mean, directions, variance, total }
    }
}

fn covariance(rows: &[f32], mean: &[f64], dim: usize) -> Vec<f64> {
    /// Rows that are taken together, so that the matrix is gone over less often.
    const BLOCK: usize = 64;
    let n = (rows.len() / dim).max(1) as f64;
    let mut sums = vec![0.0f64; dim * dim];
    let mut columns = vec![0.0f64; dim * BLOCK];
    for block in rows.chunks(dim * BLOCK) {
        columns.fill(0.0);
        for (r, row) in block.chunks_exact(dim).enumerate() {
            row.iter().zip(mean).enumerate().for_each(|(c, (v, m))| columns[c * BLOCK + r] = f64::from(*v) - m);
        }
        for i in 0..dim {
            let a = &columns[i * BLOCK..(i + 1) * BLOCK];
            for j in i..dim {
                sums[i * dim + j] += dot(a, &columns[j * BLOCK..(j + 1) * BLOCK]);
            }
        }
    }
    for i in 0..dim {
        for j in i..dim {
            let value = sums[i * dim + j] / n;
            (sums[i * dim + j], sums[j * dim + i]) = (value, value);
        }
    }
    sums
}

/// Each row times a symmetric matrix.
fn product(rows: &[f64], matrix: &[f64], dim: usize) -> Vec<f64> {
    rows.chunks_exact(dim).flat_map(|row| matrix.chunks_exact(dim).map(move |column| dot(row, column))).collect()
}

/// Gram and Schmidt's, each row against those before it, twice, for rounding.
fn orthonormal(rows: &mut [f64], dim: usize) {
    for i in 0..rows.len() / dim {
        let (before, rest) = rows.split_at_mut(i * dim);
        let row = &mut rest[..dim];
        for _ in 0..2 {
            for other in before.chunks_exact(dim) {
                let along = dot(row, other);
                row.iter_mut().zip(other).for_each(|(v, o)| *v -= along * o);
            }
        }
        let length = dot(row, row).sqrt().max(1e-30);
        row.iter_mut().for_each(|v| *v /= length);
    }
}

/// The sum of products, in lanes that a compiler turns into vector instructions, and in an order that is the same everywhere.
pub(super) fn dot<T: Copy + Default + Mul<Output = T> + AddAssign>(a: &[T], b: &[T]) -> T {
    let (a, b) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [T::default(); LANES];
    for (a, b) in a.0.iter().zip(b.0) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let mut sum = T::default();
    sums.into_iter().for_each(|lane| sum += lane);
    a.1.iter().zip(b.1).for_each(|(a, b)| sum += *a * *b);
    sum
}

const LANES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_directions_of_values_that_vary_along_known_ones_are_found() {
        let mut random = SplitMix64::new(3);
        // Along (3, 4, 0) / 5 with deviation 2, along the third axis with 1, hardly at all else.
        let rows: Vec<f32> = (0..4000)
            .flat_map(|_| {
                let [a, b, c] = [0; 3].map(|_| (random.unit() * 2.0 - 1.0) * 3f64.sqrt());
                let long = 2.0 * a;
                [0.6 * long - 0.8 * 0.01 * c + 5.0, 0.8 * long + 0.6 * 0.01 * c, b].map(|v| v as f32)
            })
            .collect();
        let found = Subspace::of(&rows, 3, 2);
        assert!((found.variance[0] - 4.0).abs() < 0.2 && (found.variance[1] - 1.0).abs() < 0.1, "{:?}", found.variance);
        assert!((found.directions[0].abs() - 0.6).abs() < 0.02 && (found.directions[1].abs() - 0.8).abs() < 0.02);
        assert!((found.directions[5].abs() - 1.0).abs() < 0.02 && (found.mean[0] - 5.0).abs() < 0.2);
        assert!((found.total - 5.0).abs() < 0.3);
    }
}
