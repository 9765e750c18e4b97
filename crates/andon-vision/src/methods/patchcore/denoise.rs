//! Patches of good pictures that look like nothing at the same place of the other pictures: defects that slipped into the training
//! set. Source: SoftPatch (Jiang et al., NeurIPS 2022): local outlier factor (Breunig et al. 2000) per position; the
//! patches of the highest factor are kept out of the memory bank, and distances to the rest are weighted by theirs.

use crate::model::head::knn::{KnnSearcher, Nearest};

/// Neighbours of the local outlier factor, as in SoftPatch's code.
const K: usize = 6;

/// The local outlier factor of each patch among those at the same position: `images * cells` values. `values` holds
/// `images * cells * dim`. All 1 when there are too few pictures.
pub(super) fn outlier_factors(
    values: &[f32],
    (images, cells, dim): (usize, usize, usize),
    threads: usize,
    progress: &mut dyn FnMut(usize),
) -> Vec<f32> {
    let mut factors = vec![1.0; images * cells];
    if images <= K + 1 {
        return factors;
    }
    let (mut column, mut near) = (Vec::new(), Vec::new());
    for cell in 0..cells {
        progress(cell);
        column.clear();
        for image in 0..images {
            let at = (image * cells + cell) * dim;
            column.extend_from_slice(&values[at..at + dim]);
        }
        let mut searcher = KnnSearcher::new(column.as_slice().into(), dim, threads);
        searcher.search_k_into(&column, K + 1, &mut near);
        for (image, factor) in factors_of(&near).into_iter().enumerate() {
            factors[image * cells + cell] = factor;
        }
    }
    factors
}

/// Breunig's definition over `K` neighbours each; the first of `K + 1` is the patch itself.
fn factors_of(near: &[Nearest]) -> Vec<f32> {
    let all: Vec<&[Nearest]> = near.chunks_exact(K + 1).collect();
    let reach = |i: usize| all[i][K].distance;
    // A patch and its copies may come in any order, so the patch itself is left out by name.
    let others = |i: usize| {
        let own = all[i].iter().position(|n| n.index as usize == i).unwrap_or(K);
        all[i].iter().enumerate().filter(move |(j, _)| *j != own).map(|(_, n)| n)
    };
    let density: Vec<f64> = (0..all.len())
        .map(|i| {
            let sum: f64 = others(i).map(|n| f64::from(n.distance.max(reach(n.index as usize)))).sum();
            K as f64 / sum.max(1e-12)
        })
        .collect();
    (0..all.len())
        .map(|i| (others(i).map(|n| density[n.index as usize]).sum::<f64>() / (K as f64 * density[i])) as f32)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against scikit-learn's LocalOutlierFactor(n_neighbors=6) on the same ten numbers.
    #[test]
    fn factors_are_those_of_scikit_learn() {
        let values: Vec<f32> = vec![0.0, 1.0, 2.1, 3.3, 4.6, 6.0, 7.5, 9.1, 10.8, 40.0];
        let got = outlier_factors(&values, (10, 1, 1), 1, &mut |_| {});
        let want = [1.010456, 0.972595, 0.965712, 1.007014, 0.970513, 1.006305, 0.986311, 1.039628, 1.152926, 5.614706];
        for (g, w) in got.iter().zip(want) {
            assert!((f64::from(*g) - w).abs() < 1e-4, "{got:?}");
        }
    }
}
