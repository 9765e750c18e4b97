//! EfficientAD's training step on every engine that is here, against PyTorch on as many threads, in one run:
//!
//! ```sh
//! ANDON_TORCH=PYTHON cargo bench --bench train_step [-- SIZE …]
//! ```
//!
//! PYTHON has `torch` and `numpy`. Prints medians of a step in milliseconds, the largest resident memory, and PyTorch's time over ours. Each case runs in
//! a process of its own, so that memory is its own.
#![allow(clippy::print_stdout, reason = "a bench prints")]

use std::process::Command;
use std::time::Instant;

use andon_core::SplitMix64;
use andon_train::efficientad::{Form, Networks, passes};
use andon_train::networks::{Autoencoder, Pdn, Size};
use andon_train::optimiser::Optimiser;
use andon_train::trainer::{Input, Snapshot, Trainer};
use andon_vision::model::engine::{EngineChoice, EngineOptions};

const SIDE: usize = 256;
const THREADS: usize = 2;
const STEPS: usize = 8;
const CASES: [(&str, Size, Form); 2] = [("published", Size::S, Form::Published), ("joined", Size::Xs, Form::Joined)];

fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<f64>().ok()).unwrap_or_default() / 1024.0
}

fn random(shape: &[usize]) -> Vec<f32> {
    let mut random = SplitMix64::new(3);
    (0..shape.iter().product()).map(|_| (random.unit() * 2.0 - 1.0) as f32).collect()
}

/// Median milliseconds of a step.
fn measure(size: Size, form: Form, choice: EngineChoice) -> f64 {
    let pdn = Pdn::new(size);
    let grid = pdn.grid([SIDE; 2], false).unwrap_or([1; 2]);
    let autoencoder = Autoencoder::new(size, [SIDE; 2], pdn.outputs(), grid);
    let penalty = if form == Form::Joined { SIDE / 2 } else { SIDE };
    let networks = Networks { autoencoder, pdn, picture: [SIDE; 2], penalty: [penalty; 2] };
    let teacher = networks.pdn.start("teacher", &mut SplitMix64::new(5));
    let weights = networks.start(7);
    let optimiser = Optimiser::Adam { weight_decay: 1e-5 };
    let engine = EngineOptions { choice, threads: THREADS, ..EngineOptions::default() };
    let made = passes(&networks, &weights, &teacher, form, 0.999);
    let Ok(mut trainer) = Trainer::open(made, &Snapshot::start(weights, optimiser), optimiser, &engine) else {
        return f64::NAN;
    };
    let shapes = [[1, 3, SIDE, SIDE], [1, 3, penalty, penalty]];
    let pictures = shapes.map(|shape| random(&shape));
    let masks: Vec<([usize; 4], Vec<f32>)> =
        networks.autoencoder.masks().into_iter().map(|shape| (shape, vec![1.0; shape.iter().product()])).collect();
    let with_masks: Vec<Input<'_>> = std::iter::once(Input { shape: &shapes[0], values: &pictures[0] })
        .chain(masks.iter().map(|(shape, values)| Input { shape, values }))
        .collect();
    let natural = [Input { shape: &shapes[1], values: &pictures[1] }];
    let mut taken = Vec::new();
    for _ in 0..STEPS {
        let start = Instant::now();
        let done = match form {
            Form::Joined => trainer.pass(0, &with_masks).and_then(|_| trainer.pass(1, &natural)),
            Form::Published => trainer
                .pass(0, &with_masks[..1])
                .and_then(|_| trainer.pass(1, &natural))
                .and_then(|_| trainer.pass(2, &with_masks)),
        };
        if done.and_then(|_| trainer.step(1e-4, 1)).is_err() {
            return f64::NAN;
        }
        taken.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let mut steady = taken.split_off(1);
    steady.sort_by(f64::total_cmp);
    steady[steady.len() / 2]
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if let [flag, case, engine] = arguments.as_slice()
        && flag == "--one"
    {
        let Some((_, size, form)) = CASES.into_iter().find(|(_, size, _)| size.as_str() == case) else { return };
        let choice = if engine == "ort" { EngineChoice::Ort } else { EngineChoice::Rten };
        println!("{:.1} {:.0}", measure(size, form, choice), resident_mb());
        return;
    }
    let words = |command: &mut Command| -> Option<Vec<f64>> {
        let said = command.output().ok().filter(|o| o.status.success())?;
        String::from_utf8_lossy(&said.stdout).split_whitespace().map(|w| w.parse().ok()).collect()
    };
    println!(
        "{:>5} {:>10} {:>7} | {:>9} {:>7} | {:>11} | ratio",
        "size", "form", "engine", "ms a step", "MB", "PyTorch, ms"
    );
    for (name, size, form) in CASES {
        if !(arguments.is_empty() || arguments.iter().any(|a| a == size.as_str())) {
            continue;
        }
        let form_word = if form == Form::Joined { "joined" } else { "published" };
        let torch = std::env::var("ANDON_TORCH").ok().and_then(|python| {
            let numbers = [SIDE, STEPS, THREADS].map(|n| n.to_string());
            words(Command::new(python).args(["tests/peers/train_step.py", size.as_str(), form_word]).args(numbers))
        });
        for engine in ["ort", "rten"] {
            let Ok(own) = std::env::current_exe() else { return };
            let Some(made) = words(Command::new(own).args(["--one", size.as_str(), engine])) else { continue };
            let [ms, mb] = made[..] else { continue };
            match torch.as_ref().and_then(|t| t.first()) {
                Some(theirs) => {
                    println!(
                        "{:>5} {name:>10} {engine:>7} | {ms:>9.0} {mb:>7.0} | {theirs:>11.0} | {:.2}",
                        size.as_str(),
                        theirs / ms
                    );
                }
                None => println!("{:>5} {name:>10} {engine:>7} | {ms:>9.0} {mb:>7.0} | {:>11} |", size.as_str(), "-"),
            }
        }
    }
}
