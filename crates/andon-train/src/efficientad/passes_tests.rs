//! Whole training steps against PyTorch's in float64 (`scripts/gradients.py`).

use andon_core::SplitMix64;
use andon_vision::model::engine::EngineOptions;
use serde::Deserialize;

use super::*;
use crate::networks::Size;
use crate::optimiser::Optimiser;
use crate::trainer::{Input, Snapshot, Trainer};

#[derive(Deserialize)]
struct Reference {
    steps: std::collections::BTreeMap<String, Steps>,
}

#[derive(Deserialize)]
struct Steps {
    losses: Vec<[f64; 4]>,
    gradients: Vec<Gradient>,
}

#[derive(Deserialize)]
struct Gradient {
    largest: f64,
    norm: f64,
    at: Vec<usize>,
    values: Vec<f64>,
}

const SIDE: usize = 128;

/// Values of a seed as the script draws them.
fn drawn(seed: u64, count: usize) -> Vec<f32> {
    let mut random = SplitMix64::new(seed);
    (0..count).map(|_| (random.unit() * 2.0 - 1.0) as f32).collect()
}

fn mask(seed: u64, count: usize) -> Vec<f32> {
    let mut random = SplitMix64::new(seed);
    (0..count).map(|_| if random.unit() >= 0.2 { 1.25 } else { 0.0 }).collect()
}

/// Losses of every step, and the gradients of the first.
fn steps(size: Size, form: Form, count: usize, engine: &EngineOptions) -> (Vec<[f32; 4]>, Vec<Vec<f32>>) {
    let pdn = Pdn::new(size);
    let grid = pdn.grid([SIDE; 2], false).unwrap();
    let autoencoder = Autoencoder::new(size, [SIDE; 2], pdn.outputs(), grid);
    let networks = Networks { autoencoder, pdn, picture: [SIDE; 2], penalty: [SIDE; 2] };
    let teacher = networks.pdn.start("teacher", &mut SplitMix64::new(5));
    let weights = networks.start(7);
    let optimiser = Optimiser::Adam { weight_decay: 1e-5 };
    let passes = passes(&networks, &weights, &teacher, form, 0.999);
    let mut trainer = Trainer::open(passes, &Snapshot::start(weights, optimiser), optimiser, engine).unwrap();
    let shapes = networks.autoencoder.masks();
    let (mut losses, mut gradients) = (Vec::new(), Vec::new());
    let pixels = 3 * SIDE * SIDE;
    let shape = [1, 3, SIDE, SIDE];
    for step in 0..count as u64 {
        let pictures = [0, 1, 2].map(|i| drawn(1000 + 10 * step + i, pixels));
        let masks: Vec<Vec<f32>> =
            (0u64..).zip(&shapes).map(|(i, shape)| mask(2000 + 10 * step + i, shape.iter().product())).collect();
        let masks: Vec<Input<'_>> = shapes.iter().zip(&masks).map(|(shape, values)| Input { shape, values }).collect();
        let picture = |i: usize| Input { shape: &shape, values: &pictures[i] };
        let with_masks = |i: usize| [vec![picture(i)], masks.clone()].concat();
        let (hard, penalty, pair) = match form {
            Form::Joined => {
                let first = trainer.pass(0, &with_masks(0)).unwrap();
                let penalty = trainer.pass(1, &[picture(1)]).unwrap();
                (first[0], penalty[0], [first[1], first[2]])
            }
            Form::Published => {
                let hard = trainer.pass(0, &[picture(0)]).unwrap();
                let penalty = trainer.pass(1, &[picture(1)]).unwrap();
                let pair = trainer.pass(2, &with_masks(2)).unwrap();
                (hard[0], penalty[0], [pair[0], pair[1]])
            }
        };
        losses.push([hard, penalty, pair[0], pair[1]]);
        if step == 0 {
            gradients = trainer.gradients().unwrap();
        }
        trainer.step(1e-4, 1).unwrap();
    }
    (losses, gradients)
}

/// All twenty of `xs`, which are quick, and the first two of `s`.
#[test]
fn a_step_and_the_losses_of_the_next_are_those_of_pytorch_in_float64() {
    let reference: Reference = serde_json::from_str(include_str!("../../reference/gradients.json")).unwrap();
    for engine in crate::tape::tests::engines() {
        for (size, form, count) in [(Size::Xs, Form::Joined, 20), (Size::S, Form::Published, 2)] {
            let want = &reference.steps[size.as_str()];
            let (losses, gradients) = steps(size, form, count, &engine);
            for (step, (got, want)) in losses.iter().zip(&want.losses).enumerate() {
                for (got, want) in got.iter().zip(want) {
                    // The issue asks for 1e-3; rounding alone leaves 1e-5.
                    let off = (f64::from(*got) - want).abs() / want.abs();
                    assert!(off < 1e-4, "{size:?} step {step} on {:?}: {got}, not {want}", engine.choice);
                }
            }
            assert_eq!(gradients.len(), want.gradients.len());
            for (number, (got, want)) in gradients.iter().zip(&want.gradients).enumerate() {
                let norm = got.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>().sqrt();
                assert!(
                    (norm - want.norm).abs() <= 1e-4 * want.norm,
                    "{size:?} parameter {number}: {norm}, not {}",
                    want.norm
                );
                for (at, want_value) in want.at.iter().zip(&want.values) {
                    let off = (f64::from(got[*at]) - want_value).abs();
                    assert!(
                        off <= 1e-4 * want.largest,
                        "{size:?} parameter {number} at {at}: {}, not {want_value}",
                        got[*at]
                    );
                }
            }
        }
    }
}
