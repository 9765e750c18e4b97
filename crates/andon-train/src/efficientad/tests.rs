//! Small whole trainings: they find what was put in, go on after a stop to the same bytes, and say what is wrong. The teacher is a network of random
//! weights, which is enough for pictures that differ as plainly as these.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use andon_core::{Detection, SplitMix64};
use andon_vision::fit::{Augment, FitError, FitOptions, Fitted, Grouping, ImageError, Picture, ThresholdRule};
use andon_vision::methods::{self, efficientad::ID};
use andon_vision::model::bundle::Bundle;
use andon_vision::model::embedder::PatchEmbedder;
use andon_vision::model::engine::EngineOptions;
use andon_vision::model::head::score::{ImageScore, Scoring};
use andon_vision::model::{Colour, Embed, Learned};
use serde_json::json;

use super::*;
use crate::networks::{Autoencoder, Pdn, Size};
use crate::optimiser::Optimiser;
use crate::pictures::planes;
use crate::tape::tests::engines;
use crate::teacher::{PREFIX, Teacher};
use crate::trainer::{Input, Snapshot, Trainer, Weight};

const SIDE: u32 = 128;

/// Weights as He et al. (ICCV 2015) draw them, so that the values of the last layer still depend on the picture.
fn random(pdn: &Pdn, seed: u64) -> Vec<Weight> {
    let mut weights = pdn.start(PREFIX, &mut SplitMix64::new(seed));
    for weight in weights.iter_mut() {
        let factor = if weight.shape.len() == 4 { 6f32.sqrt() } else { 0.0 };
        weight.values.iter_mut().for_each(|v| *v *= factor);
    }
    weights
}

fn teacher() -> Teacher {
    let pdn = Pdn::new(Size::Xs);
    Teacher { weights: random(&pdn, 5), pdn, about: [("licence".to_owned(), "none".to_owned())].into() }
}

/// A brushed plate, each a little different, with a dark spot if it is bad.
fn picture(number: usize, bad: bool) -> Picture {
    let mut random = SplitMix64::new(number as u64 + 1);
    let (phase, bright) = (random.unit() * 6.0, 110.0 + 20.0 * random.unit());
    let rgb = (0..SIDE * SIDE).flat_map(|i| {
        let (x, y) = (f64::from(i % SIDE), f64::from(i / SIDE));
        let spot = bad && (x - 70.0).hypot(y - 50.0) < 9.0;
        let value = bright + 30.0 * (x / 5.0 + phase).sin() + 8.0 * random.unit() - if spot { 90.0 } else { 0.0 };
        [value as u8, (value * 0.9) as u8, (value * 0.8) as u8]
    });
    Picture { width: SIDE, height: SIDE, rgb: rgb.collect() }
}

fn options(params: serde_json::Value) -> FitOptions {
    FitOptions {
        name: "plate".to_owned(),
        method: ID.to_owned(),
        params,
        seed: 3,
        scoring: Scoring { smoothing: 0.0, image: ImageScore::Max, min_area: 0 },
        rule: ThresholdRule::default(),
        mask: None,
        augment: Augment::default(),
        folds: 5,
        grouping: Grouping::Alone,
        threads: 2,
        created: Some("2026-01-01T00:00:00Z".to_owned()),
        engine: String::new(),
        learned: Learned { any_size: false, colour: Colour::Colour },
    }
}

/// What a test changes of a training.
struct Case<'a> {
    count: usize,
    params: serde_json::Value,
    steps: u64,
    size: [u32; 2],
    /// Stops after so many steps of this start.
    until: u64,
    read: &'a dyn Fn(usize) -> Result<(String, Picture), ImageError>,
    engine: EngineOptions,
}

fn good(number: usize) -> Result<(String, Picture), ImageError> {
    Ok((format!("{number:02}.png"), picture(number, false)))
}

fn case(steps: u64) -> Case<'static> {
    let engine = engines().pop().unwrap();
    Case { count: 24, params: json!({}), steps, size: [SIDE; 2], until: u64::MAX, read: &good, engine }
}

fn train(case: &Case<'_>, folder: &Path) -> Result<Fitted, LearnError> {
    let mut begun = None;
    learn(Job {
        count: case.count,
        read: case.read,
        skip_bad: false,
        options: &options(case.params.clone()),
        size: case.size,
        range: None,
        align: None,
        teacher: &teacher(),
        penalty: &Penalty::Made,
        effort: Effort::Steps(case.steps),
        checkpoint: &folder.join("part.training"),
        keep_every: Duration::from_secs(3600),
        engine: &case.engine,
        progress: &mut |at| {
            let first = *begun.get_or_insert(at.done);
            if at.stage != Stage::Training {
                begun = None;
                return true;
            }
            at.done - first + 1 < case.until
        },
    })
}

fn scores(bundle: &Bundle, engine: &EngineOptions, bad: bool) -> Vec<f32> {
    let bundle = Arc::new(bundle.clone());
    let method = methods::of(&bundle).unwrap();
    let (mut detector, _) = method.open(&bundle, &bundle.network(), engine).unwrap();
    let mut out = Detection::default();
    (100..108)
        .map(|number| {
            detector.detect(&picture(number, bad).view().unwrap(), &mut out).unwrap();
            out.score
        })
        .collect()
}

#[test]
fn a_short_training_tells_a_spot_from_good_parts_on_every_engine() {
    let folder = tempfile::tempdir().unwrap();
    let fitted = train(&case(150), folder.path()).unwrap();
    let training = &fitted.bundle.manifest.training;
    assert_eq!((training.trained_on.len(), training.sources.len()), (12, 12), "half of 24, to have enough held out");
    assert!(training.trained_on.iter().all(|name| !training.sources.contains(name)));
    assert_eq!(fitted.bundle.manifest.method.params["by_place"], true);
    let mut all = Vec::new();
    for engine in engines() {
        let (good, bad) = (scores(&fitted.bundle, &engine, false), scores(&fitted.bundle, &engine, true));
        let (worst, least) = (good.iter().copied().fold(0.0, f32::max), bad.iter().copied().fold(f32::MAX, f32::min));
        assert!(least > worst && least > fitted.bundle.manifest.threshold, "{good:?} {bad:?}");
        all.push([good, bad].concat());
    }
    // Engines round differently; as large as the score itself a difference would never be.
    for other in &all[1..] {
        assert!(other.iter().zip(&all[0]).all(|(a, b)| (a - b).abs() < 1e-3 * b.abs()), "{all:?}");
    }
}

#[test]
fn a_training_that_was_stopped_twice_ends_in_the_same_file() {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let bytes = |mut fitted: Fitted| fitted.bundle.to_bytes().unwrap();
    let whole = bytes(train(&case(40), folders[0].path()).unwrap());
    for until in [13, 9] {
        let stopped = train(&Case { until, ..case(40) }, folders[1].path());
        assert!(matches!(stopped, Err(LearnError::Stopped)), "{stopped:?}");
    }
    assert!(bytes(train(&case(40), folders[1].path()).unwrap()) == whole, "other bytes");
    // What is left of another training is not gone on with.
    let other = train(&Case { params: json!({"rate": 1e-3}), ..case(40) }, folders[1].path()).unwrap_err();
    assert!(other.to_string().contains("is of a run with other pictures or options"), "{other}");
}

/// The maps of the pass that looks, put together by hand, are those of the network of the line.
#[test]
fn the_network_of_the_line_agrees_with_the_one_in_training() {
    for (size, engine) in engines().into_iter().flat_map(|e| [(Size::Xs, e.clone()), (Size::S, e)]) {
        let pdn = Pdn::new(size);
        let [rows, columns] = [SIDE as usize, SIDE as usize + 16];
        let grid = pdn.grid([rows, columns], false).unwrap();
        let autoencoder = Autoencoder::new(size, [rows, columns], pdn.outputs(), grid);
        let teacher = random(&pdn, 7);
        let networks = Networks { autoencoder, pdn, picture: [rows, columns], penalty: [rows, columns] };
        let weights = networks.start(9);
        let optimiser = Optimiser::Adam { weight_decay: 0.0 };
        let start = Snapshot::start(weights.clone(), optimiser);
        let pass = maps::probe(&networks, &weights, &teacher);
        let mut trainer = Trainer::open(vec![pass], &start, optimiser, &engine).unwrap();
        let mut noise = SplitMix64::new(1);
        let rgb: Vec<u8> = (0..rows * columns * 3).map(|_| noise.next_u64() as u8).collect();
        let input = Input { shape: &[1, 3, rows, columns], values: &planes(&rgb) };
        let seen = trainer.probe(0, &[input]).unwrap();
        let places = (size == Size::Xs).then(|| {
            let mut random = SplitMix64::new(3);
            [0, 1].map(|_| (0..grid[0] * grid[1]).map(|_| 0.5 + random.unit() as f32).collect::<Vec<f32>>())
        });
        let scale = Scale { student: 2.0, autoencoder: Some(0.5), places: places.clone() };
        let backbone = detector(&networks, &weights, &teacher, &scale, None, None);
        let (mut embedder, _) = PatchEmbedder::open(&backbone, &engine).unwrap();
        let (width, height) = embedder.grid();
        assert_eq!((width, height), map_size(size, [columns as u32, rows as u32]));
        let mut map = Vec::new();
        let picture = Picture { width: columns as u32, height: rows as u32, rgb };
        embedder.embed(&picture.view().unwrap(), &mut map).unwrap();
        let times = |half: usize, i: usize| places.as_ref().map_or(1.0, |p| f64::from(p[half][i]));
        let of = |i: usize, (s, a): (&f32, &f32)| 2.0 * f64::from(*s) * times(0, i) + 0.5 * f64::from(*a) * times(1, i);
        let combined: Vec<f64> = seen[0].iter().zip(&seen[1]).enumerate().map(|(i, both)| of(i, both)).collect();
        // With four places of 0 around; the sizes of the paper then as large as the picture.
        let at = |y: i64, x: i64| {
            let (y, x) = (y - 4, x - 4);
            let inside = (0..grid[0] as i64).contains(&y) && (0..grid[1] as i64).contains(&x);
            if inside { combined[y as usize * grid[1] + x as usize] } else { 0.0 }
        };
        let [down, across] = [(height, grid[0] + 8), (width, grid[1] + 8)].map(|(to, from)| from as f64 / to as f64);
        let largest = combined.iter().copied().fold(0.0, f64::max);
        for (i, got) in map.iter().enumerate() {
            let [y, x] = [((i / width) as f64 + 0.5) * down - 0.5, ((i % width) as f64 + 0.5) * across - 0.5];
            let [y, x] = [y.clamp(0.0, (grid[0] + 7) as f64), x.clamp(0.0, (grid[1] + 7) as f64)];
            let (fy, fx) = (y.fract(), x.fract());
            let (y, x) = (y as i64, x as i64);
            let want = at(y, x) * (1.0 - fy) * (1.0 - fx)
                + at(y, x + 1) * (1.0 - fy) * fx
                + at(y + 1, x) * fy * (1.0 - fx)
                + at(y + 1, x + 1) * fy * fx;
            assert!((f64::from(*got) - want).abs() <= 1e-4 * largest, "{size:?} at {i}: {got}, not {want}");
        }
    }
}

#[test]
fn what_cannot_be_learned_is_refused_with_the_remedy() {
    let refused = |case: Case<'_>| train(&case, tempfile::tempdir().unwrap().path()).unwrap_err().to_string();
    let grey = |number: usize| {
        let rgb = vec![100 + number as u8; 3 * SIDE as usize * SIDE as usize];
        Ok((format!("{number}.png"), Picture { width: SIDE, height: SIDE, rgb }))
    };
    let broken = |number: usize| match number {
        3 => Err(ImageError::Empty { path: "3.png".into() }),
        _ => good(number),
    };
    let sizes = |number: usize| {
        good(number).map(|(name, p)| match number {
            5 => (name, Picture { width: SIDE / 2, height: SIDE * 2, ..p }),
            _ => (name, p),
        })
    };
    for (case, words) in [
        (Case { size: [100, 128], ..case(1) }, "--size 100x128: the networks take sides of 128 to 1024 pixels"),
        (Case { count: 5, ..case(1) }, "5 pictures, in 5 groups; at least 6 groups are needed"),
        (Case { params: json!({"held_out": 0.9}), ..case(1) }, "held_out: a share above 0, at most 0.5"),
        (Case { params: json!({"depth": 3}), ..case(1) }, "unknown field `depth`"),
        (
            Case { params: json!({"size": "s"}), ..case(1) },
            "the teacher is a network of size xs, and s is to be learned",
        ),
        (Case { read: &grey, ..case(1) }, "says the same of all places"),
        (Case { read: &broken, ..case(1) }, "1 of 24 pictures cannot be used"),
        (Case { read: &sizes, ..case(1) }, "05.png has 64x256 pixels, 00.png has 128x128"),
        (Case { params: json!({"rate": 0.1}), ..case(30) }, "a smaller --param rate=…"),
    ] {
        let why = refused(case);
        assert!(why.contains(words), "{why}");
    }
    let method = FitOptions { method: ID.to_owned(), ..options(json!({})) };
    let why = methods::learner(&method.method).err().unwrap();
    assert!(matches!(why, FitError::OwnTraining { .. }) && why.to_string().contains("--method efficientad"), "{why}");
}
