//! The gradients of a step beside differences of its loss by the definition, and the folded layer beside the one in training.

use andon_vision::model::engine::EngineChoice;

use super::*;

const DIM: usize = 5;
const CELLS: usize = 6;

fn set() -> FeatureSet {
    let mut random = SplitMix64::new(3);
    let values = (0..8 * CELLS * DIM).map(|i| (i % DIM) as f32 + random.unit() as f32).collect();
    FeatureSet {
        names: (0..8).map(|b| format!("{b}.png")).collect(),
        values,
        cells: (0..CELLS as u32).collect(),
        grid: [CELLS / 2, 2],
        dim: DIM,
        blocks: (0..8).map(|b| (b, true)).collect(),
        size: None,
        thumbnails: Vec::new(),
        parity: Vec::new(),
    }
}

fn few() -> Params {
    Params { centres: 8, steps: 40, pictures: 1, radius: 0.3, rate: 0.01, ..Params::default() }
}

/// Attraction and repulsion by the definition, in double precision, with the centres given.
fn loss_by_definition(
    weights: &[Weight],
    features: &[f32],
    near: &[f32],
    far: &[f32],
    limits: [f64; 2],
    usual: f64,
) -> f64 {
    let rows = features.len() / (DIM + 2);
    let described: Vec<Vec<f64>> = features
        .chunks(DIM + 2)
        .map(|x| {
            let row = |r: usize| -> f64 {
                let layer = &weights[0].values[r * (DIM + 2)..][..DIM + 2];
                let sum: f64 = layer.iter().zip(x).map(|(w, v)| f64::from(*w) * f64::from(*v)).sum();
                sum + f64::from(weights[1].values[r])
            };
            (0..DIM).map(row).collect()
        })
        .collect();
    let squared = |n: usize, c: &[f32]| -> f64 {
        described[n % rows].iter().zip(c).map(|(y, c)| (y - f64::from(*c)).powi(2)).sum()
    };
    let mean = |all: &[f32], of: &dyn Fn(f64) -> f64| {
        let count = all.len() / DIM;
        all.chunks(DIM).enumerate().map(|(n, c)| of(squared(n, c))).sum::<f64>() / count as f64
    };
    (mean(near, &|d| (d - limits[0]).max(0.0)) + mean(far, &|d| (limits[1] - d).max(0.0))) / usual
}

/// Loss within 1e-5 of the definition; gradients within 1e-3 of the largest of the differences of the definition's loss, in which a kink may lie.
#[test]
fn a_steps_loss_and_gradients_are_those_of_the_definition() {
    let set = set();
    let good = Good::new(&set, &(0..8).collect::<Vec<_>>(), 5);
    let mut features = Vec::new();
    good.fill(0, 1, &mut features);
    let mut random = SplitMix64::new(9);
    let mut some =
        |count: usize| -> Vec<f32> { (0..count * CELLS * DIM).map(|_| 2.0 * random.unit() as f32 - 1.0).collect() };
    let (near, far) = (some(NEAR), some(FAR));
    let mut weights = start(DIM);
    weights[0].values.iter_mut().chain(&mut []).enumerate().for_each(|(i, w)| *w += 0.05 * ((i * 7 % 11) as f32 - 5.0));
    let (radius, usual) = (1.3f32, 2.0f32);
    let limit = f64::from(radius * radius * usual);
    let limits = [limit, limit - f64::from(MARGIN * usual)];
    let definition = |weights: &[Weight]| loss_by_definition(weights, &features, &near, &far, limits, f64::from(usual));
    for engine in crate::tape::tests::engines() {
        let optimiser = Optimiser::AdamW { weight_decay: WEIGHT_DECAY };
        let snapshot = Snapshot::start(weights.clone(), optimiser);
        let passes = passes(&weights, CELLS, DIM, radius, usual);
        let mut trainer = Trainer::open(passes, &snapshot, optimiser, &engine).unwrap();
        let inputs = [
            Input { shape: &[CELLS, DIM + 2], values: &features },
            Input { shape: &[NEAR * CELLS, DIM], values: &near },
            Input { shape: &[FAR * CELLS, DIM], values: &far },
        ];
        let losses = trainer.pass(0, &inputs).unwrap();
        assert!(losses.iter().all(|loss| *loss > 0.0), "both have a part: {losses:?}");
        let (got, want) = (f64::from(losses.iter().sum::<f32>()), definition(&weights));
        assert!((got - want).abs() < 1e-5 * want, "{got} {want}");
        let gradients = trainer.gradients().unwrap();
        let largest = gradients.iter().flatten().fold(0.0f32, |a, g| a.max(g.abs()));
        for (number, gradient) in gradients.iter().enumerate() {
            for (at, got) in gradient.iter().enumerate() {
                let shifted = |by: f32| {
                    let mut other = weights.clone();
                    other[number].values[at] += by;
                    definition(&other)
                };
                let step = 1e-4f32;
                let want = (shifted(step) - shifted(-step)) / (2.0 * f64::from(step));
                assert!((f64::from(*got) - want).abs() <= 1e-3 * f64::from(largest), "{number} {at}: {got} {want}");
            }
        }
    }
}

#[test]
fn good_patches_are_drawn_to_their_centres_and_the_same_seed_gives_the_same_layer() {
    let (set, params) = (set(), few());
    let good = Good::new(&set, &(0..7).collect::<Vec<_>>(), 5);
    let centres: Vec<f32> = good.values.chunks(DIM).step_by(6).take(8).flatten().copied().collect();
    let engine = EngineOptions { choice: EngineChoice::Rten, threads: 1, ..EngineOptions::default() };
    let learn = |steps| {
        let params = Params { steps, ..params.clone() };
        train(&good, centres.clone(), &params, &engine, 1, &mut |_| {}).unwrap()
    };
    let (before, after) = (learn(1), learn(40));
    assert_eq!(after, learn(40));
    let mean = |descriptor: &Descriptor| {
        let model = CfaModel::new(&params, descriptor.clone(), coordinates(&set.cells, set.grid));
        let scoring = andon_vision::model::head::score::Scoring {
            smoothing: 0.0,
            image: andon_vision::model::head::score::ImageScore::Top(CELLS as u32),
            min_area: 0,
        };
        let mut scorer =
            andon_vision::model::head::score::Scorer::new(scoring, set.grid[0], set.grid[1], &[true; CELLS]);
        let mut head = model.head(1);
        // The block that was not learned from.
        head.score_into(&set.values[7 * CELLS * DIM..], &mut scorer, &mut Vec::new(), &mut Vec::new())
    };
    assert!(mean(&after) < 0.95 * mean(&before), "{} {}", mean(&after), mean(&before));
}

#[test]
fn what_is_folded_in_changes_nothing() {
    let set = set();
    let good = Good::new(&set, &(0..8).collect::<Vec<_>>(), 5);
    let mut weights = start(DIM);
    weights[0].values.iter_mut().enumerate().for_each(|(i, w)| *w += 0.1 * ((i * 5 % 7) as f32 - 3.0));
    weights[1].values[2] = 0.4;
    let descriptor = fold(&weights, &good, vec![0.0; DIM]);
    let (x, brought) = (&set.values[..DIM], good.patch(0));
    for r in 0..DIM {
        let layer = &weights[0].values[r * (DIM + 2)..][..DIM + 2];
        let want: f32 = layer.iter().zip(brought.iter().chain(&[-1.0, 1.0])).map(|(w, v)| w * v).sum();
        let got: f32 = descriptor.weight[r * DIM..][..DIM].iter().zip(x).map(|(w, v)| w * v).sum();
        let place = descriptor.place[2 * r + 1] - descriptor.place[2 * r];
        let got = got + place + descriptor.bias[r];
        assert!((got - want - weights[1].values[r]).abs() < 1e-4, "{r}: {got} {want}");
    }
}
