use super::*;
use crate::fit::{Augment, FeatureSet, Grouping, ThresholdRule};
use crate::model::head::score::{Scorer, Scoring};
use crate::model::{Colour, Learned};

/// Random features, some channels of which depend on others, as a network's do.
fn features(blocks: usize, cells: usize, dim: usize, seed: u64) -> FeatureSet {
    let mut random = SplitMix64::new(seed);
    let mut value = || (random.next_u64() >> 40) as f32 / (1u64 << 24) as f32;
    let mut values = Vec::new();
    for _ in 0..blocks * cells {
        let base = value();
        values.extend((0..dim).map(|d| base * (d % 3) as f32 + value()));
    }
    FeatureSet {
        names: (0..blocks).map(|b| format!("{b}.png")).collect(),
        values,
        cells: (0..cells as u32).collect(),
        grid: [cells, 1],
        dim,
        blocks: (0..blocks as u32).map(|b| (b, true)).collect(),
        size: None,
        thumbnails: Vec::new(),
        parity: Vec::new(),
    }
}

/// The distance by the formula: Gaussian elimination on the covariance in double precision, with nothing of the code above.
fn by_formula(set: &FeatureSet, keep: &[usize], cell: usize, x: &[f32], params: &Params, channels: &[u32]) -> f64 {
    let k = channels.len();
    let sample =
        |b: usize, d: usize| f64::from(set.values[(b * set.cells.len() + cell) * set.dim + channels[d] as usize]);
    let n = keep.len() as f64;
    let mean: Vec<f64> = (0..k).map(|d| keep.iter().map(|b| sample(*b, d)).sum::<f64>() / n).collect();
    let mut system = vec![vec![0.0; k + 1]; k];
    for row in 0..k {
        for column in 0..k {
            let sum: f64 =
                keep.iter().map(|b| (sample(*b, row) - mean[row]) * (sample(*b, column) - mean[column])).sum();
            let full = params.covariance == Covariance::Full || row == column;
            system[row][column] = if full { sum / (n - 1.0) } else { 0.0 };
        }
        system[row][row] += params.regularization + 1e-5;
        system[row][k] = f64::from(x[channels[row] as usize]) - mean[row];
    }
    let difference: Vec<f64> = system.iter().map(|row| row[k]).collect();
    for pivot in 0..k {
        for row in pivot + 1..k {
            let factor = system[row][pivot] / system[pivot][pivot];
            for column in pivot..=k {
                system[row][column] -= factor * system[pivot][column];
            }
        }
    }
    let mut solved = vec![0.0; k];
    for row in (0..k).rev() {
        let known: f64 = (row + 1..k).map(|c| system[row][c] * solved[c]).sum();
        solved[row] = (system[row][k] - known) / system[row][row];
    }
    difference.iter().zip(&solved).map(|(d, s)| d * s).sum::<f64>().sqrt()
}

/// Within 1e-4 of the distance: the features and the factors are rounded to 24 bits, and a hundred products are summed in them.
#[test]
fn distances_are_those_of_the_formula() {
    for (covariance, channels, blocks) in [
        (Covariance::Full, 9, 30),
        (Covariance::Full, 6, 4),
        (Covariance::Diagonal, 9, 30),
        (Covariance::Diagonal, 5, 2),
    ] {
        let set = features(blocks, 4, 9, 11);
        let params = Params { covariance, channels, regularization: 0.01 };
        let chosen = choose(set.dim, channels, 3);
        let trainer = Trainer { set: &set, params: params.clone(), channels: chosen.clone(), threads: 2 };
        // A held-out block, and only those that may be learned from.
        let model = trainer.learn(&|image| image != 1 || blocks == 2, &mut |_, _, _| {}).unwrap();
        let keep: Vec<usize> = (0..blocks).filter(|b| *b != 1 || blocks == 2).collect();
        let mut scorer = Scorer::new(Scoring { smoothing: 0.0, image: ImageScore::Max, min_area: 0 }, 2, 2, &[true; 4]);
        let (mut map, mut near) = (Vec::new(), Vec::new());
        let x = &set.values[4 * 9..2 * 4 * 9];
        let score = model.head(1).score_into(x, &mut scorer, &mut map, &mut near);
        for cell in 0..4 {
            let want = by_formula(&set, &keep, cell, &x[cell * 9..cell * 9 + 9], &params, &chosen);
            assert!(
                (f64::from(map[cell]) - want).abs() <= 1e-4 * want.max(1e-3),
                "{covariance:?} {}: {want}",
                map[cell]
            );
        }
        assert_eq!(score, map.iter().copied().fold(0.0, f32::max));
        assert!(near.is_empty());
    }
}

#[test]
fn threads_change_no_bit_and_a_nan_is_a_nan() {
    let set = features(12, 6, 8, 5);
    let learn = |threads| {
        let trainer = Trainer { set: &set, params: Params::default(), channels: choose(8, 100, 0), threads };
        trainer.learn(&|_| true, &mut |_, _, _| {}).unwrap()
    };
    let (one, many) = (learn(1), learn(5));
    assert_eq!(one.part(), many.part());
    let mut scorer = Scorer::new(Scoring { smoothing: 1.0, image: ImageScore::Max, min_area: 0 }, 3, 2, &[true; 6]);
    let (mut map, mut near) = (Vec::new(), Vec::new());
    let mut x = set.values[..6 * 8].to_vec();
    x[17] = f32::NAN;
    assert!(one.head(1).score_into(&x, &mut scorer, &mut map, &mut near).is_nan());
}

#[test]
fn the_choice_of_channels_is_even_and_repeatable() {
    assert_eq!(choose(5, 9, 1), [0, 1, 2, 3, 4]);
    let chosen = choose(100, 10, 7);
    assert_eq!(chosen, choose(100, 10, 7));
    assert!(chosen.is_sorted_by(|a, b| a < b) && chosen.len() == 10 && chosen.iter().all(|c| *c < 100));
    assert_ne!(chosen, choose(100, 10, 8));
}

#[test]
fn parameters_out_of_range_are_named() {
    let options = |params: serde_json::Value, image| FitOptions {
        name: "t".into(),
        method: ID.into(),
        params,
        seed: 0,
        scoring: Scoring { smoothing: 0.0, image, min_area: 0 },
        rule: ThresholdRule::default(),
        mask: None,
        augment: Augment::default(),
        folds: 5,
        grouping: Grouping::Alone,
        threads: 1,
        created: None,
        engine: "none".into(),
        learned: Learned { any_size: false, colour: Colour::Colour },
    };
    for (params, image, word) in [
        (serde_json::json!({"channels": 0}), ImageScore::Max, "channels"),
        (serde_json::json!({"channels": 2000}), ImageScore::Max, "1024"),
        (serde_json::json!({"regularization": 0.0}), ImageScore::Max, "regularization"),
        (serde_json::json!({"covariance": "diagonal"}), ImageScore::Reweighted(3), "memory bank"),
        (serde_json::json!({"covariance": "round"}), ImageScore::Max, "round"),
        (serde_json::json!({"bank": 4}), ImageScore::Max, "`bank`"),
    ] {
        let options = options(params, image);
        let why = options.params::<Params>().and_then(|p| p.check(&options)).unwrap_err().to_string();
        assert!(why.contains(word), "{word}: {why}");
    }
}
