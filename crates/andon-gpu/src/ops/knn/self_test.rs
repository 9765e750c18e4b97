//! Compares searches with all distances in f64.

use super::{KnnAlgorithm, KnnIndex, Neighbors};
use crate::driver::Device;
use crate::error::CudaError;
use crate::ops::compare::Random;
use andon_vision::model::head::knn::Nearest;

/// Random queries and rows, some of them alike: `(dim, queries, rows)`.
fn queries_and_bank(random: &mut Random) -> (usize, Vec<f32>, Vec<f32>) {
    let dim = [1, 3, 16, 152, 200, 384][random.whole(0, 5)];
    let (count, rows) = (random.whole(1, 140), random.whole(1, 300));
    let (mut queries, mut bank) = (random.values(count * dim), random.values(rows * dim));
    // Rows that are there twice, and queries that are rows.
    if rows > 1 {
        bank.copy_within(0..dim, (rows - 1) * dim);
    }
    queries[..dim].copy_from_slice(&bank[..dim]);
    (dim, queries, bank)
}

/// All distances of each query in f64, ascending, with their rows.
fn sorted(dim: usize, queries: &[f32], bank: &[f32]) -> Vec<Vec<(f64, u32)>> {
    let squared =
        |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2)).sum::<f64>();
    let all = |query: &[f32]| {
        let mut near: Vec<(f64, u32)> =
            bank.chunks_exact(dim).zip(0..).map(|(row, n)| (squared(query, row).sqrt(), n)).collect();
        near.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        near
    };
    queries.chunks_exact(dim).map(all).collect()
}

/// The distance that was found beside the true one of that rank, and beside the true one of the row that was found.
fn off(found: &Nearest, rank: usize, all: &[(f64, u32)]) -> f64 {
    let Some((expected, _)) = all.get(rank) else {
        return if found.distance == f32::INFINITY { 0.0 } else { f64::INFINITY };
    };
    let Some((own, _)) = all.iter().find(|(_, row)| *row == found.index) else { return f64::INFINITY };
    let relative = |true_distance: f64| (f64::from(found.distance) - true_distance).abs() / true_distance.max(1e-3);
    relative(*expected).max(relative(*own))
}

fn search(device: &Device, random: &mut Random, k: usize, algorithm: KnnAlgorithm) -> Result<f64, CudaError> {
    let (dim, mut queries, mut bank) = queries_and_bank(random);
    let count = queries.len() / dim;
    if algorithm == KnnAlgorithm::TensorCore && random.one_in(2) {
        // Far from the origin, where norms and products cancel and halves are coarse; and queries that no half holds.
        bank.iter_mut().chain(&mut queries).for_each(|v| *v += 3.0);
        if count > 1 {
            queries[dim..2 * dim].fill(1e6);
        }
    }
    let index = KnnIndex::with_algorithm(device, &bank, dim, algorithm)?;
    let mut neighbors = Neighbors::new(device, count, k, &index)?;
    index.search(device, &device.upload(&queries)?, count, k, &mut neighbors)?;
    let found = neighbors.download(device)?;
    let all = sorted(dim, &queries, &bank);
    let mut worst = 0.0f64;
    for (list, all) in found.chunks_exact(k).zip(&all) {
        for (rank, n) in list.iter().enumerate() {
            worst = worst.max(off(n, rank, all));
            // No row twice.
            if n.distance.is_finite() && list[..rank].iter().any(|m| m.index == n.index) {
                worst = f64::INFINITY;
            }
        }
    }
    // The first query is row 0, which the last row repeats: distance 0, the lower of both.
    let itself = found[0].distance == 0.0 && found[0].index == 0;
    Ok(if itself { worst } else { f64::INFINITY })
}

/// k = 1, all distances.
pub(crate) fn compare_exact(device: &Device, random: &mut Random) -> Result<f64, CudaError> {
    search(device, random, 1, KnnAlgorithm::Exact)
}

/// k = 1, by tensor cores; GPUs without have nothing to compare.
pub(crate) fn compare_tensor_core(device: &Device, random: &mut Random) -> Result<f64, CudaError> {
    if device.tensor_core_kernels.is_none() { Ok(0.0) } else { search(device, random, 1, KnnAlgorithm::TensorCore) }
}

/// k from 2 to 9.
pub(crate) fn compare_k(device: &Device, random: &mut Random) -> Result<f64, CudaError> {
    let k = random.whole(2, 9);
    search(device, random, k, KnnAlgorithm::Exact)
}
