//! The gradients of a whole step beside differences of its loss, and the folded network beside the one in training.

use andon_vision::model::engine::EngineChoice;

use super::*;

const DIM: usize = 6;
const CELLS: usize = 5;

fn set() -> FeatureSet {
    let mut random = SplitMix64::new(3);
    let values = (0..8 * CELLS * DIM).map(|i| (i % DIM) as f32 + random.unit() as f32).collect();
    FeatureSet {
        names: (0..8).map(|b| format!("{b}.png")).collect(),
        values,
        cells: (0..CELLS as u32).collect(),
        grid: [CELLS, 1],
        dim: DIM,
        blocks: (0..8).map(|b| (b, true)).collect(),
        size: None,
        thumbnails: Vec::new(),
        parity: Vec::new(),
    }
}

fn few() -> Params {
    Params { steps: 60, pictures: 2, hidden: 4, rate: 0.02, ..Params::default() }
}

fn engines() -> Vec<EngineOptions> {
    crate::tape::tests::engines()
}

/// The loss of one batch and its gradients, with these parameters.
fn pass_of(weights: &[Weight], batches: &Batches<'_>, engine: &EngineOptions) -> (f32, Vec<Vec<f32>>) {
    let optimiser = Optimiser::AdamW { weight_decay: WEIGHT_DECAY };
    let start = Snapshot::start(weights.to_vec(), optimiser);
    let mut trainer = Trainer::open(passes(weights, batches.rows(), DIM), &start, optimiser, engine).unwrap();
    let (mut features, mut noise) = (Vec::new(), Vec::new());
    batches.fill(0, &mut features, &mut noise);
    let shape = [batches.rows(), DIM];
    let inputs = [Input { shape: &shape, values: &features }, Input { shape: &shape, values: &noise }];
    let loss: f32 = trainer.pass(0, &inputs).unwrap().iter().sum();
    (loss, trainer.gradients().unwrap())
}

/// Evidence by the definition, in double precision and with nothing of the code above: batch normalisation over good and noised rows together.
fn loss_by_definition(weights: &[Weight], batches: &Batches<'_>) -> f64 {
    let (mut features, mut noise) = (Vec::new(), Vec::new());
    batches.fill(0, &mut features, &mut noise);
    let value = |w: usize, i: usize| f64::from(weights[w].values[i]);
    let product = |w: usize, rows: usize, x: &[f64]| -> Vec<f64> {
        (0..rows).map(|r| x.iter().enumerate().map(|(c, v)| v * value(w, r * x.len() + c)).sum()).collect()
    };
    let mut rows: Vec<Vec<f64>> = Vec::new();
    for noised in [false, true] {
        for (x, n) in features.chunks(DIM).zip(noise.chunks(DIM)) {
            let x: Vec<f64> = x.iter().map(|v| f64::from(*v)).collect();
            let mut adapted = product(0, DIM, &x);
            if noised {
                adapted.iter_mut().zip(n).for_each(|(a, n)| *a += f64::from(*n));
            }
            rows.push(product(1, 4, &adapted));
        }
    }
    let count = rows.len() as f64;
    for h in 0..4 {
        let mean = rows.iter().map(|r| r[h]).sum::<f64>() / count;
        let variance = rows.iter().map(|r| (r[h] - mean).powi(2)).sum::<f64>() / count;
        for row in &mut rows {
            let y = (row[h] - mean) / (variance + 1e-5).sqrt() * value(2, h) + value(3, h);
            row[h] = if y < 0.0 { 0.2 * y } else { y };
        }
    }
    let evidence: Vec<f64> = rows.iter().map(|row| product(4, 1, row)[0]).collect();
    let half = evidence.len() / 2;
    let mean = |part: &[f64], sign: f64| part.iter().map(|d| (0.5 - sign * d).max(0.0)).sum::<f64>() / half as f64;
    mean(&evidence[..half], 1.0) + mean(&evidence[half..], -1.0)
}

/// Loss within 1e-5 of the definition; gradients within 1e-3 of the largest of the differences of the definition's loss, in which a kink of the
/// hinge or of the slope may lie.
#[test]
fn a_steps_loss_and_gradients_are_those_of_the_definition() {
    let (set, params) = (set(), few());
    let blocks: Vec<usize> = (0..8).collect();
    let batches = Batches::new(&set, &blocks, &params, 5);
    let weights = start(DIM, params.hidden, 5);
    for engine in engines() {
        let (loss, gradients) = pass_of(&weights, &batches, &engine);
        let want = loss_by_definition(&weights, &batches);
        assert!((f64::from(loss) - want).abs() < 1e-5, "{loss} {want}");
        let largest = gradients.iter().flatten().fold(0.0f32, |a, g| a.max(g.abs()));
        for (number, gradient) in gradients.iter().enumerate() {
            for (at, got) in gradient.iter().enumerate() {
                let shifted = |by: f32| {
                    let mut other = weights.clone();
                    other[number].values[at] += by;
                    loss_by_definition(&other, &batches)
                };
                let step = 1e-4f32;
                let want = (shifted(step) - shifted(-step)) / (2.0 * f64::from(step));
                let name = &weights[number].name;
                assert!((f64::from(*got) - want).abs() <= 1e-3 * f64::from(largest), "{name} {at}: {got} {want}");
            }
        }
    }
}

#[test]
fn it_learns_to_tell_good_patches_from_noise_and_the_same_seed_gives_the_same_network() {
    let (set, params) = (set(), few());
    let blocks: Vec<usize> = (0..7).collect();
    let batches = Batches::new(&set, &blocks, &params, 5);
    let engine = EngineOptions { choice: EngineChoice::Rten, threads: 1, ..EngineOptions::default() };
    let network = train(&batches, &params, &engine, &mut |_| {}).unwrap();
    assert_eq!(network, train(&batches, &params, &engine, &mut |_| {}).unwrap());
    let evidence = |x: &[f32]| -> f32 {
        let hidden = network.weight.chunks(DIM).zip(&network.bias);
        let y = hidden.map(|(w, b)| w.iter().zip(x).map(|(w, x)| w * x).sum::<f32>() + b);
        y.zip(&network.out).map(|(y, o)| o * if y < 0.0 { 0.2 * y } else { y }).sum()
    };
    // The block that was not learned from, and the same far off.
    let unseen = &set.values[7 * CELLS * DIM..];
    let good: f32 = unseen.chunks(DIM).map(evidence).sum::<f32>() / CELLS as f32;
    let off: f32 = unseen.chunks(DIM).map(|x| evidence(&[x[0] + 3.0, x[1] - 3.0, x[2], x[3], x[4], x[5]])).sum::<f32>();
    assert!(good > off / CELLS as f32 + 0.2, "{good} {off}");
}

/// With statistics that are those of one batch, the folded network gives the evidence that training saw in it.
#[test]
fn what_is_folded_in_changes_nothing() {
    let (set, params) = (set(), few());
    let blocks: Vec<usize> = (0..8).collect();
    let batches = Batches::new(&set, &blocks, &params, 5);
    let weights = start(DIM, params.hidden, 5);
    let (mean, variance) = ([0.3, -0.1, 0.0, 0.2], [0.5, 1.5, 0.01, 2.0]);
    let network = fold(&weights, &batches, &mean, &variance);
    let x = &set.values[..DIM];
    let value = |w: usize, i: usize| f64::from(weights[w].values[i]);
    let brought: Vec<f64> = (0..DIM)
        .map(|d| (f64::from(x[d]) - f64::from(batches.standard.mean[d])) * f64::from(batches.standard.scale[d]))
        .collect();
    let adapted: Vec<f64> = (0..DIM).map(|r| (0..DIM).map(|c| value(0, r * DIM + c) * brought[c]).sum()).collect();
    for h in 0..4 {
        let y: f64 = (0..DIM).map(|c| value(1, h * DIM + c) * adapted[c]).sum();
        let want = (y - mean[h]) / (variance[h] + 1e-5f64).sqrt() * value(2, h) + value(3, h);
        let got: f32 = (0..DIM).map(|c| network.weight[h * DIM + c] * x[c]).sum::<f32>() + network.bias[h];
        assert!((f64::from(got) - want).abs() < 1e-4 * want.abs().max(1.0), "{h}: {got} {want}");
    }
}
