//! Gradients of every layer, on every engine that is built in, against PyTorch's in float64 (`scripts/gradients.py`).

use std::collections::BTreeMap;

use andon_core::SplitMix64;
use andon_vision::model::engine::session::{self, Value};
use andon_vision::model::engine::{EngineChoice, EngineOptions, find_ort_library};
use serde::Deserialize;

use super::{Tape, Var, hardest};

/// The engines that can be tried here: rten, and ONNX Runtime where its library is.
pub fn engines() -> Vec<EngineOptions> {
    let with = |choice| EngineOptions { choice, threads: 2, ..EngineOptions::default() };
    let mut all = vec![with(EngineChoice::Rten)];
    if find_ort_library(None).is_ok() {
        all.push(with(EngineChoice::Ort));
    }
    all
}

#[derive(Deserialize)]
struct Reference {
    layers: BTreeMap<String, Layer>,
}

#[derive(Deserialize)]
struct Layer {
    loss: f64,
    gradients: Vec<Vec<f64>>,
}

/// Rounding of f32 in sums of a few hundred products; the largest difference found is 1e-6 of the largest entry.
const TOLERANCE: f64 = 1e-5;

fn values(seed: u64, count: usize) -> Vec<f32> {
    let mut random = SplitMix64::new(seed);
    (0..count).map(|_| (random.unit() * 2.0 - 1.0) as f32).collect()
}

type Build = fn(&mut Tape, &[Var]) -> Var;

fn drawn(tape: &mut Tape, seed: u64, shape: &[usize]) -> Var {
    let values = values(seed, shape.iter().product());
    tape.constant(shape, &values)
}

/// As in the script: shapes of the inputs, and the layer.
fn cases() -> Vec<(&'static str, Vec<Vec<usize>>, Build)> {
    let shapes = |all: &[&[usize]]| all.iter().map(|shape| shape.to_vec()).collect::<Vec<_>>();
    vec![
        ("conv_few", shapes(&[&[1, 3, 9, 8], &[5, 3, 4, 4], &[5]]), |t, v| t.conv(v[0], v[1], v[2], 1, 0)),
        ("conv_many", shapes(&[&[1, 33, 7, 6], &[4, 33, 3, 3], &[4]]), |t, v| t.conv(v[0], v[1], v[2], 1, 1)),
        ("conv_stride", shapes(&[&[1, 4, 11, 10], &[6, 4, 4, 4], &[6]]), |t, v| t.conv(v[0], v[1], v[2], 2, 1)),
        ("conv_whole", shapes(&[&[1, 4, 5, 3], &[6, 4, 5, 3], &[6]]), |t, v| t.conv(v[0], v[1], v[2], 1, 0)),
        ("conv_one", shapes(&[&[1, 34, 5, 3], &[6, 34, 1, 1], &[6]]), |t, v| t.conv(v[0], v[1], v[2], 1, 0)),
        ("conv_batch", shapes(&[&[3, 4, 7, 7], &[5, 4, 3, 3], &[5]]), |t, v| t.conv(v[0], v[1], v[2], 2, 0)),
        ("conv_transpose", shapes(&[&[1, 4, 4, 5], &[4, 6, 3, 3], &[6]]), |t, v| {
            t.conv_transpose(v[0], v[1], v[2], 2, 1)
        }),
        ("conv_transpose_batch", shapes(&[&[2, 3, 4, 4], &[3, 2, 4, 4], &[2]]), |t, v| {
            t.conv_transpose(v[0], v[1], v[2], 2, 0)
        }),
        ("average_pool", shapes(&[&[2, 3, 7, 9]]), |t, v| t.average_pool(v[0], 2, 0)),
        ("average_pool_padded", shapes(&[&[1, 3, 7, 8]]), |t, v| t.average_pool(v[0], 2, 1)),
        ("linear", shapes(&[&[5, 7], &[3, 7], &[3]]), |t, v| t.linear(v[0], v[1], v[2])),
        ("relu", shapes(&[&[4, 6]]), |t, v| t.relu(v[0])),
        ("leaky_relu", shapes(&[&[4, 6]]), |t, v| t.leaky_relu(v[0], 0.2)),
        ("gelu", shapes(&[&[4, 6]]), |t, v| t.gelu(v[0])),
        ("sigmoid", shapes(&[&[4, 6]]), |t, v| t.sigmoid(v[0])),
        ("softmax", shapes(&[&[4, 6]]), |t, v| t.softmax(v[0])),
        ("log", shapes(&[&[4, 6]]), |t, v| {
            let x = positive(t, v[0]);
            t.log(x)
        }),
        ("power", shapes(&[&[4, 6]]), |t, v| {
            let x = positive(t, v[0]);
            t.power(x, 1.5)
        }),
        ("resize_up", shapes(&[&[2, 2, 3, 4]]), |t, v| t.resize(v[0], [8, 9])),
        ("resize_down", shapes(&[&[1, 2, 12, 9]]), |t, v| t.resize(v[0], [5, 4])),
        ("channels", shapes(&[&[2, 5, 2, 3]]), |t, v| t.channels(v[0], 1, 4)),
        ("concat", shapes(&[&[2, 2, 3], &[2, 1, 3]]), |t, v| t.concat(&[v[0], v[1]])),
        ("batch_norm", shapes(&[&[2, 3, 4, 5], &[1, 3, 1, 1], &[1, 3, 1, 1]]), |t, v| {
            t.batch_norm(v[0], v[1], v[2], 1e-5).y
        }),
        ("batch_norm_rows", shapes(&[&[8, 3], &[1, 3], &[1, 3]]), |t, v| t.batch_norm(v[0], v[1], v[2], 1e-5).y),
        ("arithmetic", shapes(&[&[3, 4], &[3, 4], &[]]), |t, v| {
            let product = t.mul(v[0], v[1]);
            let half = t.scale(product, 0.5);
            let off = t.sub(v[0], v[2]);
            let off = t.mul(off, v[2]);
            let other = t.sub(v[2], v[1]);
            let sum = t.add(half, off);
            t.add(sum, other)
        }),
        ("mean_square", shapes(&[&[2, 3, 4], &[2, 3, 4]]), |t, v| t.mean_square(v[0], v[1])),
        ("hardest", shapes(&[&[1, 4, 9, 7], &[1, 4, 9, 7]]), |t, v| {
            t.hardest_mean_square(v[0], v[1], hardest(4 * 9 * 7, 0.9))
        }),
        ("cosine", shapes(&[&[2, 5, 3], &[2, 5, 3]]), |t, v| t.cosine_loss(v[0], v[1])),
        ("hinge", shapes(&[&[4, 6]]), |t, v| {
            let (above, below) = (t.hinge_loss(v[0], 1.0, 0.5), t.hinge_loss(v[0], -1.0, 0.5));
            t.weighted_sum(&[(above, 1.0), (below, 1.0)])
        }),
        ("focal", shapes(&[&[4, 6]]), |t, v| {
            let target: Vec<f32> = values(50, 24).iter().map(|x| f32::from(*x > 0.0)).collect();
            let target = t.constant(&[4, 6], &target);
            t.focal_loss(v[0], target, 0.25, 2.0)
        }),
    ]
}

fn positive(tape: &mut Tape, x: Var) -> Var {
    let (square, half) = (tape.mul(x, x), tape.constant(&[], &[0.5]));
    tape.add(square, half)
}

#[test]
fn gradients_of_every_layer_are_those_of_pytorch_in_float64() {
    let reference: Reference = serde_json::from_str(include_str!("../../reference/gradients.json")).unwrap();
    let cases = cases();
    assert_eq!(reference.layers.len(), cases.len(), "every layer of the script is tried");
    for engine in engines() {
        for (name, shapes, build) in &cases {
            let want = &reference.layers[*name];
            let (loss, gradients) = run(&engine, shapes, *build);
            assert!(
                (loss - want.loss).abs() <= TOLERANCE * want.loss.abs().max(1e-3),
                "{name}: {loss}, not {}",
                want.loss
            );
            for (got, want) in gradients.iter().zip(&want.gradients) {
                let largest = want.iter().fold(0.0f64, |most, v| most.max(v.abs()));
                assert_eq!(got.len(), want.len(), "{name}");
                for (got, want) in got.iter().zip(want) {
                    let off = (f64::from(*got) - want).abs();
                    assert!(off <= TOLERANCE * largest, "{name} on {:?}: {got}, not {want} ({largest})", engine.choice);
                }
            }
        }
    }
}

fn run(engine: &EngineOptions, shapes: &[Vec<usize>], build: Build) -> (f64, Vec<Vec<f32>>) {
    let mut tape = Tape::new("layer");
    let names: Vec<String> = (0..shapes.len()).map(|i| format!("x{i}")).collect();
    let inputs: Vec<Var> = names.iter().zip(shapes).map(|(name, shape)| tape.parameter(name, shape)).collect();
    let mut loss = build(&mut tape, &inputs);
    if !tape.shape(loss).is_empty() {
        let shape = tape.shape(loss).to_vec();
        let weights = drawn(&mut tape, 99, &shape);
        let weighted = tape.mul(loss, weights);
        loss = tape.mean(weighted);
    }
    let gradients = tape.gradients(loss, &inputs);
    tape.output(loss, "loss");
    let outputs: Vec<String> = (0..shapes.len()).map(|i| format!("dx{i}")).collect();
    gradients.iter().zip(&outputs).for_each(|(gradient, name)| tape.output(*gradient, name));
    let mut session = session::open(&tape.finish(), engine).unwrap();
    let given: Vec<Value> = shapes
        .iter()
        .enumerate()
        .map(|(i, shape)| session.value(shape, &values(i as u64 + 1, shape.iter().product())).unwrap())
        .collect();
    let given: Vec<(&str, &Value)> = names.iter().map(String::as_str).zip(&given).collect();
    let wanted: Vec<&str> = std::iter::once("loss").chain(outputs.iter().map(String::as_str)).collect();
    let made = session.run(&given, &wanted).unwrap();
    let read: Vec<Vec<f32>> = made.iter().map(|value| session.read(value).unwrap().1).collect();
    (f64::from(read[0][0]), read[1..].to_vec())
}

#[test]
fn hardest_counts_the_values_at_or_above_the_interpolated_quantile() {
    assert_eq!(hardest(1_204_224, 0.999), 1205, "EfficientAD-S at 256x256");
    assert_eq!((hardest(1001, 0.999), hardest(11, 0.9), hardest(1, 0.999)), (2, 2, 1));
}

#[test]
fn what_nothing_depends_on_has_a_gradient_of_zero_and_nothing_flows_through_what_is_detached() {
    let engine = EngineOptions { choice: EngineChoice::Rten, threads: 1, ..EngineOptions::default() };
    let build: Build = |tape, v| {
        let fixed = tape.detach(v[0]);
        let product = tape.mul(fixed, v[1]);
        tape.mean(product)
    };
    let (_, gradients) = run(&engine, &[vec![2], vec![2], vec![3]], build);
    assert_eq!((gradients[0].clone(), gradients[2].clone()), (vec![0.0; 2], vec![0.0; 3]));
    assert_eq!(gradients[1], values(1, 2).iter().map(|v| v / 2.0).collect::<Vec<_>>());
}
