//! The methods that score patch features beside numpy, scipy and scikit-learn in double precision, on the same features of a real network.

use std::path::Path;

use serde_json::{Value, json};

use andon_core::{FrameView, PixelFormat};
use andon_vision::fit::{Augment, FitJob, FitOptions, Grouping, Picture, ThresholdRule, greedy_coreset};
use andon_vision::methods;
use andon_vision::model::bundle::Bundle;
use andon_vision::model::embedder::PatchEmbedder;
use andon_vision::model::engine::{EngineChoice, EngineOptions};
use andon_vision::model::head::score::{ImageScore, Scorer, Scoring};
use andon_vision::model::{Backbone, Colour, Embed, Learned};

use crate::model::flange;
use crate::{common, npy};

const PICTURES: usize = 16;

fn options(method: &str, params: Value) -> FitOptions {
    FitOptions {
        name: "flange".into(),
        method: method.into(),
        params,
        seed: 3,
        scoring: Scoring { smoothing: 0.0, image: ImageScore::Max, min_area: 0 },
        rule: ThresholdRule::default(),
        mask: None,
        augment: Augment::default(),
        folds: 2,
        grouping: Grouping::Alone,
        threads: 2,
        created: Some("2026-01-01T00:00:00Z".into()),
        engine: "rten".into(),
        learned: Learned { any_size: false, colour: Colour::Colour },
    }
}

fn save_f32(bundle: &Bundle, name: &str, file: &Path) {
    let rows = bundle.tensors.rows(name).unwrap();
    let (_, columns) = bundle.tensors.matrix(name).unwrap();
    npy::write_f32(file, &[rows, columns], &bundle.tensors.f32(name, &[rows, columns]).unwrap());
}

/// What each method computes is set beside its published formula. Searches measure distances in 24 bits and differ by rounding alone; the matrices of subspace and
/// reconstruction are rounded to 24 bits after they were found in 53, and their distances are differences of larger numbers: 2e-4 of the largest distance.
#[test]
fn every_method_of_patch_features_agrees_with_its_formula_in_f64() {
    let dir = tempfile::tempdir().unwrap();
    let mut backbone = Backbone::embedded();
    (backbone.input.width, backbone.input.height) = (64, 64);
    let engine = EngineOptions { choice: EngineChoice::Rten, threads: 2, ..EngineOptions::default() };
    let (mut embedder, _) = PatchEmbedder::open(&backbone, &engine).unwrap();
    let ((columns, rows), dim) = (embedder.grid(), embedder.dim());
    let cells = columns * rows;
    let mut features = |k: u64| {
        let mut out = Vec::new();
        embedder.embed(&FrameView::new(PixelFormat::Rgb8, 256, 256, 768, &flange(k)).unwrap(), &mut out).unwrap();
        out
    };
    let train: Vec<f32> = (0..PICTURES as u64).flat_map(&mut features).collect();
    let test: Vec<f32> = (100..103).flat_map(&mut features).collect();
    npy::write_f32(&dir.path().join("train.npy"), &[PICTURES, cells, dim], &train);
    npy::write_f32(&dir.path().join("test.npy"), &[3, cells, dim], &test);
    npy::write_f32(&dir.path().join("grid.npy"), &[2], &[columns as f32, rows as f32]);
    let all: Vec<u32> = (0..(PICTURES * cells) as u32).collect();
    let chosen = greedy_coreset(&train, dim, &all, dim / 2, 3, 2, &mut |_| {});
    let remembered: Vec<f32> =
        chosen.iter().flat_map(|i| &train[*i as usize * dim..(*i as usize + 1) * dim]).copied().collect();
    npy::write_f32(&dir.path().join("fastrecon_rows.npy"), &[chosen.len(), dim], &remembered);
    let mut models = Vec::new();
    for (id, params, exact) in [
        ("subspace", json!({}), false),
        ("fastrecon", json!({}), false),
        ("spade", json!({"neighbors": 3, "reach": 1}), true),
        ("fapm", json!({"bank": 100_000, "regions": 2, "reach": 0}), true),
        ("pni", json!({"bank": 200, "reach": 1}), true),
        ("inreach", json!({"bank": 100_000, "depth": 4}), true),
        ("softpatch", json!({"bank": 100_000}), true),
        ("sinbad", json!({"projections": 12}), false),
    ] {
        let mut pictures =
            (0..PICTURES).map(|k| Ok((format!("{k}.png"), Picture { width: 256, height: 256, rgb: flange(k as u64) })));
        let mut fitted = methods::fit(FitJob {
            pictures: &mut pictures,
            skip_bad: false,
            embedder: &mut embedder,
            backbone: &backbone,
            options: &options(id, params),
            progress: &mut |_, _, _| {},
        })
        .unwrap();
        let bundle = Bundle::from_bytes(&fitted.bundle.to_bytes().unwrap(), id).unwrap();
        if id == "sinbad" {
            for name in ["projections", "thresholds"] {
                save_f32(&bundle, name, &dir.path().join(format!("sinbad_{name}.npy")));
            }
        }
        if id == "pni" {
            save_f32(&bundle, "bank", &dir.path().join("pni_bank.npy"));
        }
        models.push((id, bundle, exact));
    }
    let Some(python) = common::peers_python() else { return };
    let script = common::root().join("tests/peers/reference.py");
    let said = common::run(std::process::Command::new(python).arg(script).arg("methods").arg(dir.path()));
    assert_eq!(said.code, 0, "{}", said.err);
    for (id, bundle, exact) in models {
        let want = npy::read_f64(&dir.path().join(format!("{id}_distances.npy")));
        let largest = want.iter().copied().fold(0.0, f64::max);
        let allowed = if exact { 1e-5 } else { 2e-4 } * largest;
        let model = methods::of(&bundle).unwrap().patch_model(&bundle).unwrap().unwrap();
        let (width, height) = bundle.grid();
        let mut scorer = Scorer::new(bundle.manifest.scoring, width, height, &bundle.judged_cells());
        let (mut head, mut map, mut near) = (model.head(1), Vec::new(), Vec::new());
        for (x, want) in test.chunks_exact(cells * dim).zip(want.chunks_exact(cells)) {
            let score = head.score_into(x, &mut scorer, &mut map, &mut near);
            for (cell, (got, want)) in map.iter().zip(want).enumerate() {
                assert!((f64::from(*got) - want).abs() <= allowed, "{id}, cell {cell}: {got} {want}");
            }
            assert_eq!(score, map.iter().copied().fold(0.0, f32::max), "{id}");
        }
        if let "inreach" | "softpatch" = id {
            let kept = npy::read_f64(&dir.path().join(format!("{id}_kept.npy")))[0];
            assert_eq!(model.facts().bank_rows, Some(kept as usize), "{id}");
        }
    }
}
