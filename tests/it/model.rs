//! Numbers against references that share no code with us: Pillow, ONNX Runtime's Python binding, numpy and scipy in f64.

use std::path::Path;

use andon_core::Detector;
use andon_core::{AnomalyMap, Detection, Fault, FrameView, PixelFormat};
use andon_sim::{Conveyor, SimSpec};
use andon_vision::fit::{Augment, FitJob, FitOptions, Grouping, Picture, ThresholdRule};
use andon_vision::methods::{self, PatchDetector};
use andon_vision::model::bundle::Bundle;
use andon_vision::model::embedder::PatchEmbedder;
use andon_vision::model::engine::{Engine, EngineChoice, EngineError, EngineOptions, FeatureMap, Network, open};
use andon_vision::model::head::aggregate::{Aggregator, Layer};
use andon_vision::model::head::knn::KnnSearcher;
use andon_vision::model::head::score::{ImageScore, Scorer, Scoring};
use andon_vision::model::{Backbone, Colour, Embed, Learned, Restricted, heatmap};
use andon_vision::preprocess::{InputSpec, Preprocessor};

use crate::{common, npy};

fn python(command: &str, dir: &Path) -> bool {
    let Some(python) = common::peers_python() else { return false };
    let script = common::root().join("tests/peers/reference.py");
    let said = common::run(std::process::Command::new(python).arg(script).arg(command).arg(dir));
    assert_eq!(said.code, 0, "{}", said.err);
    true
}

fn noise(n: usize, seed: u64) -> impl Iterator<Item = u32> {
    let mut s = seed;
    (0..n).map(move |_| {
        s = s.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (s >> 33) as u32
    })
}

fn floats(n: usize, seed: u64) -> Vec<f32> {
    noise(n, seed).map(|v| v as f32 / (1u32 << 30) as f32 - 1.0).collect()
}

fn options(choice: EngineChoice) -> EngineOptions {
    EngineOptions { choice, threads: 2, ort_library: ort_library(), ..EngineOptions::default() }
}

/// The test binary lies one folder deeper than the program.
fn ort_library() -> Option<std::path::PathBuf> {
    let path = common::root().join("target/onnxruntime/libonnxruntime.so");
    path.exists().then_some(path)
}

/// A part of the simulated line, 256x256.
pub fn flange(k: u64) -> Vec<u8> {
    let mut rgb = Vec::new();
    Conveyor::new(SimSpec { side: 256, ..SimSpec::default() }).paint(k, &mut rgb);
    rgb
}

#[test]
fn resizing_is_pillows_bilinear_bit_for_bit() {
    let dir = tempfile::tempdir().unwrap();
    let sizes = [
        (640, 480, 256, 256),
        (100, 37, 256, 256),
        (256, 300, 256, 256),
        (333, 17, 64, 96),
        (31, 500, 40, 40),
        (1, 1, 8, 8),
    ];
    let mut cases = Vec::new();
    for (i, (w, h, out_w, out_h)) in sizes.into_iter().enumerate() {
        for (kind, bytes) in [("rgb", 3), ("grey", 1)] {
            let name = format!("{kind}{i}");
            let data: Vec<u8> = noise(w * h * bytes, i as u64 + 1).map(|v| v as u8).collect();
            let shape = if bytes == 3 { vec![h, w, 3] } else { vec![h, w] };
            npy::write(&dir.path().join(format!("{name}.npy")), "|u1", &shape, &data);
            cases.push((name, data, bytes, (w, h, out_w, out_h)));
        }
    }
    let list: Vec<_> = cases
        .iter()
        .map(|(name, _, _, (_, _, w, h))| serde_json::json!({"name": name, "width": w, "height": h}))
        .collect();
    std::fs::write(dir.path().join("cases.json"), serde_json::to_vec(&list).unwrap()).unwrap();
    if !python("resize", dir.path()) {
        return;
    }
    for (name, data, bytes, (w, h, out_w, out_h)) in &cases {
        let spec =
            InputSpec { width: *out_w as u32, height: *out_h as u32, mean: [0.0; 3], scale: [1.0; 3], range: None };
        let format = if *bytes == 3 { PixelFormat::Rgb8 } else { PixelFormat::Gray8 };
        let mut got = vec![0; spec.len()];
        let view = FrameView::new(format, *w, *h, w * bytes, data).unwrap();
        Preprocessor::new(spec).resize_rgb_into(&view, &mut got);
        let want = npy::read(&dir.path().join(format!("{name}_out.npy")), "|u1");
        assert!(got == want, "{name}: {w}x{h} -> {out_w}x{out_h} differs from Pillow");
    }
}

#[test]
fn every_engine_gives_the_features_of_onnx_runtime_in_python() {
    let dir = tempfile::tempdir().unwrap();
    let backbone = Backbone::embedded();
    let rgb = flange(3);
    let mut input = vec![0.0; backbone.input.len()];
    let view = FrameView::new(PixelFormat::Rgb8, 256, 256, 768, &rgb).unwrap();
    Preprocessor::new(backbone.input.clone()).prepare_into(&view, &mut input);
    // The normalisation, by its definition.
    assert!((input[0] - (f32::from(rgb[0]) - 127.0) / 128.0).abs() < 1e-7);
    std::fs::write(dir.path().join("model.onnx"), &backbone.onnx).unwrap();
    npy::write_f32(&dir.path().join("input.npy"), &[1, 3, 256, 256], &input);
    if !python("network", dir.path()) {
        return;
    }
    for choice in [EngineChoice::Rten, EngineChoice::Ort] {
        if choice == EngineChoice::Ort && ort_library().is_none() {
            assert!(std::env::var_os("ANDON_REQUIRE_PEERS").is_none(), "run `make setup`");
            eprintln!("skipped: no ONNX Runtime (run `make setup`)");
            continue;
        }
        let network = Network { onnx: &backbone.onnx, input: &backbone.input, outputs: &backbone.outputs };
        let mut engine = open(&network, &options(choice)).unwrap().engine;
        let mut maps = Vec::new();
        engine.run(&input, &mut maps).unwrap();
        for (name, map) in backbone.outputs.iter().zip(&maps) {
            let want = npy::read_f32(&dir.path().join(format!("{name}.npy")));
            let largest = want.iter().fold(0.0f32, |a, b| a.max(b.abs()));
            let worst = map.data.iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert_eq!(map.data.len(), want.len());
            // f32 sums in another order through 33 layers; measured below 1e-5 of the largest value.
            assert!(worst <= 1e-4 * largest, "{choice:?} {name}: {worst} of {largest}");
        }
    }
}

#[test]
fn patch_features_distances_score_and_heatmap_agree_with_numpy_in_f64() {
    let dir = tempfile::tempdir().unwrap();
    let (fine, coarse) = (floats(40 * 32 * 32, 1), floats(112 * 16 * 16, 2));
    let bank = floats(700 * 152, 3);
    npy::write_f32(&dir.path().join("stride8.npy"), &[1, 40, 32, 32], &fine);
    npy::write_f32(&dir.path().join("stride16.npy"), &[1, 112, 16, 16], &coarse);
    npy::write_f32(&dir.path().join("bank.npy"), &[700, 152], &bank);
    if !python("patchcore", dir.path()) {
        return;
    }
    let maps = [
        FeatureMap { channels: 40, height: 32, width: 32, data: fine },
        FeatureMap { channels: 112, height: 16, width: 16, data: coarse },
    ];
    let mut features = Vec::new();
    let layers = vec![Layer { pool: 3, weight: 1.0 }; 2];
    assert_eq!(Aggregator::new(layers).run(&maps, &mut features), (32, 32, 152));
    let want = npy::read_f32(&dir.path().join("features.npy"));
    let worst = features.iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-6, "features differ by {worst}");
    let mut near = Vec::new();
    KnnSearcher::new(bank.into(), 152, 2).search_into(&features, &mut near);
    let want = npy::read_f64(&dir.path().join("distances.npy"));
    for (got, want) in near.iter().zip(&want) {
        assert!((f64::from(got.distance) - want).abs() <= 1e-4 * want, "{got:?} {want}");
    }
    let scoring = Scoring { smoothing: 1.5, image: ImageScore::Max, min_area: 0 };
    let mut map = AnomalyMap { width: 32, height: 32, data: Vec::new() };
    Scorer::new(scoring, 32, 32, &[true; 1024]).map_into(&near, &[1.0; 700], &mut map.data);
    let mut heat = Vec::new();
    heatmap::render_into(&map, 256, 256, &mut heat);
    for (name, got) in [("map", &map.data), ("heatmap", &heat)] {
        let want = npy::read_f64(&dir.path().join(format!("{name}.npy")));
        assert_eq!(got.len(), want.len());
        for (got, want) in got.iter().zip(&want) {
            assert!((f64::from(*got) - want).abs() <= 1e-4 * want, "{name}: {got} {want}");
        }
    }
}

/// The whole way of a model: learned with the library, written, read, its distances set beside numpy's inverses of the same features.
#[test]
fn padim_agrees_with_numpy_in_f64_by_anomalibs_formula() {
    let dir = tempfile::tempdir().unwrap();
    let mut backbone = Backbone::embedded();
    (backbone.input.width, backbone.input.height) = (64, 64);
    let (mut embedder, _) = PatchEmbedder::open(&backbone, &options(EngineChoice::Rten)).unwrap();
    let (cells, dim) = (embedder.grid().0 * embedder.grid().1, embedder.dim());
    let mut features = |k: u64| {
        let mut out = Vec::new();
        embedder.embed(&FrameView::new(PixelFormat::Rgb8, 256, 256, 768, &flange(k)).unwrap(), &mut out).unwrap();
        out
    };
    let (train, test): (Vec<f32>, Vec<f32>) =
        ((0..20).flat_map(&mut features).collect(), (100..103).flat_map(&mut features).collect());
    npy::write_f32(&dir.path().join("train.npy"), &[20, cells, dim], &train);
    npy::write_f32(&dir.path().join("test.npy"), &[3, cells, dim], &test);
    let mut models = Vec::new();
    for (name, params) in [
        ("full", serde_json::json!({"covariance": "full", "channels": 60})),
        ("diagonal", serde_json::json!({"covariance": "diagonal", "channels": dim})),
    ] {
        let fit_options = FitOptions {
            name: "flange".into(),
            method: "padim".into(),
            params,
            seed: 3,
            scoring: Scoring { smoothing: 0.0, image: ImageScore::Max, min_area: 0 },
            rule: ThresholdRule::default(),
            mask: None,
            augment: Augment::default(),
            folds: 5,
            grouping: Grouping::Alone,
            threads: 2,
            created: Some("2026-01-01T00:00:00Z".into()),
            engine: "rten".into(),
            learned: Learned { any_size: false, colour: Colour::Colour },
        };
        let mut pictures =
            (0..20usize).map(|k| Ok((format!("{k}.png"), Picture { width: 256, height: 256, rgb: flange(k as u64) })));
        let mut fitted = methods::fit(FitJob {
            pictures: &mut pictures,
            skip_bad: false,
            embedder: &mut embedder,
            backbone: &backbone,
            options: &fit_options,
            progress: &mut |_, _, _| {},
        })
        .unwrap();
        let bundle = Bundle::from_bytes(&fitted.bundle.to_bytes().unwrap(), "flange.andon").unwrap();
        let channels = bundle.tensors.u32("channels", &[bundle.tensors.rows("channels").unwrap()]).unwrap();
        let bytes: Vec<u8> = channels.iter().flat_map(|c| c.to_le_bytes()).collect();
        npy::write(&dir.path().join(format!("{name}_channels.npy")), "<u4", &[channels.len()], &bytes);
        models.push((name, bundle));
    }
    if !python("padim", dir.path()) {
        return;
    }
    for (name, bundle) in models {
        let want = npy::read_f64(&dir.path().join(format!("{name}_distances.npy")));
        let model = methods::of(&bundle).unwrap().patch_model(&bundle).unwrap().unwrap();
        let (width, height) = bundle.grid();
        let mut scorer = Scorer::new(bundle.manifest.scoring, width, height, &bundle.judged_cells());
        let (mut head, mut map, mut near) = (model.head(1), Vec::new(), Vec::new());
        for (x, want) in test.chunks_exact(cells * dim).zip(want.chunks_exact(cells)) {
            let score = head.score_into(x, &mut scorer, &mut map, &mut near);
            for (got, want) in map.iter().zip(want) {
                // Factors and means are kept in 24 bits; 60 products are summed in them, and the inverse reaches 100.
                assert!((f64::from(*got) - want).abs() <= 1e-4 * want, "{name}: {got} {want}");
            }
            assert!((f64::from(score) - want.iter().copied().fold(0.0, f64::max)).abs() <= 1e-4 * f64::from(score));
        }
    }
}

#[test]
fn both_engines_give_the_same_scores() {
    if ort_library().is_none() {
        assert!(std::env::var_os("ANDON_REQUIRE_PEERS").is_none(), "run `make setup`");
        eprintln!("skipped: no ONNX Runtime (run `make setup`)");
        return;
    }
    let backbone = Backbone::embedded();
    let score = |choice| {
        let (mut embedder, _) = PatchEmbedder::open(&backbone, &options(choice)).unwrap();
        let mut bank = Vec::new();
        let rgb = flange(1_000_000);
        embedder.embed(&FrameView::new(PixelFormat::Rgb8, 256, 256, 768, &rgb).unwrap(), &mut bank).unwrap();
        let bundle = andon_testkit::bank_only(&backbone, embedder.grid(), embedder.dim(), bank);
        let mut detector = PatchDetector::new(embedder, bundle, 2).unwrap();
        let mut out = Detection::default();
        (0..6)
            .map(|k| {
                let rgb = flange(k);
                detector.detect(&FrameView::new(PixelFormat::Rgb8, 256, 256, 768, &rgb).unwrap(), &mut out).unwrap();
                out.score
            })
            .collect::<Vec<f32>>()
    };
    for (ort, rten) in score(EngineChoice::Ort).into_iter().zip(score(EngineChoice::Rten)) {
        assert!((ort - rten).abs() <= 1e-3 * ort, "{ort} {rten}");
    }
}

#[test]
fn an_absent_or_wrong_library_is_an_error_that_names_it() {
    let backbone = Backbone::embedded();
    let network = Network { onnx: &backbone.onnx, input: &backbone.input, outputs: &backbone.outputs };
    let with = |choice, path: &Path| {
        open(
            &network,
            &EngineOptions { choice, threads: 1, ort_library: Some(path.to_owned()), ..EngineOptions::default() },
        )
    };
    let absent = Path::new("/nonexistent/libonnxruntime.so");
    let message = with(EngineChoice::Ort, absent).err().unwrap().to_string();
    assert!(message.contains("/nonexistent/libonnxruntime.so") && message.contains("make setup"), "{message}");
    let text = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(text.path(), "not a library").unwrap();
    let message = with(EngineChoice::Ort, text.path()).err().unwrap().to_string();
    assert!(message.contains(text.path().to_str().unwrap()), "{message}");
    let fallback = with(EngineChoice::Auto, absent).unwrap();
    assert_eq!(fallback.engine.name(), "rten");
    assert!(fallback.degraded.unwrap().contains("/nonexistent"));
}

#[test]
fn a_network_that_is_none_is_refused() {
    let backbone = Backbone::embedded();
    for onnx in [&b"nonsense"[..], &backbone.onnx[..1000]] {
        let network = Network { onnx, input: &backbone.input, outputs: &backbone.outputs };
        assert!(matches!(open(&network, &options(EngineChoice::Rten)), Err(EngineError::Load { .. })));
    }
    let outputs = ["stride99".to_owned()];
    let network = Network { onnx: &backbone.onnx, input: &backbone.input, outputs: &outputs };
    assert!(open(&network, &options(EngineChoice::Rten)).err().unwrap().to_string().contains("stride99"));
}

/// What the engines below want.
fn small() -> Backbone {
    Backbone {
        name: "small".into(),
        onnx: vec![0u8].into(),
        input: InputSpec { width: 8, height: 8, mean: [0.0; 3], scale: [1.0; 3], range: None },
        outputs: vec!["a".into()],
        layers: vec![Layer { pool: 1, weight: 1.0 }],
        tiles: [1, 1],
        align: None,
    }
}

/// An engine whose features are the picture's own red values in quarters.
struct Mirror;

impl Engine for Mirror {
    fn name(&self) -> &'static str {
        "mirror"
    }

    fn run(&mut self, input: &[f32], outputs: &mut Vec<FeatureMap>) -> Result<(), EngineError> {
        let mean = |x: usize, y: usize| {
            (0..4).flat_map(|i| (0..4).map(move |j| input[(y * 4 + i) * 8 + x * 4 + j])).sum::<f32>() / 16.0
        };
        let data = vec![mean(0, 0), mean(1, 0), mean(0, 1), mean(1, 1)];
        *outputs = vec![FeatureMap { channels: 1, height: 2, width: 2, data }];
        Ok(())
    }
}

#[test]
fn tiles_stand_in_the_grid_as_they_do_in_the_picture() {
    let mut backbone = small();
    backbone.tiles = [2, 3];
    let mut embedder = PatchEmbedder::new(&backbone, Box::new(Mirror)).unwrap();
    assert_eq!(embedder.grid(), (4, 6));
    // Each cell of 4x4 pixels has its own grey value.
    let grey: Vec<u8> = (0..24 * 16).map(|i| (i / 16 / 4 * 4 + i % 16 / 4) as u8).collect();
    let mut features = Vec::new();
    embedder.embed(&FrameView::new(PixelFormat::Gray8, 16, 24, 16, &grey).unwrap(), &mut features).unwrap();
    assert_eq!(features, (0..24).map(|v| v as f32).collect::<Vec<_>>());
    let tiny = embedder.embed(&FrameView::new(PixelFormat::Gray8, 1, 1, 1, &grey).unwrap(), &mut features);
    assert_eq!(tiny, Err(Fault::BadFrame), "a picture of fewer pixels than tiles");
}

/// An engine whose output is broken.
struct Broken;

impl Engine for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn run(&mut self, input: &[f32], outputs: &mut Vec<FeatureMap>) -> Result<(), EngineError> {
        let mut data = vec![0.5; 4 * 16];
        // Bright pictures break it.
        if input[0] > 0.5 {
            data[37] = f32::NAN;
        }
        *outputs = vec![FeatureMap { channels: 4, height: 4, width: 4, data }];
        Ok(())
    }
}

#[test]
fn a_nan_from_the_network_makes_the_score_nan_and_a_wrong_size_is_a_fault() {
    let backbone = small();
    let embedder = PatchEmbedder::new(&backbone, Box::new(Broken)).unwrap();
    let mut detector =
        PatchDetector::new(embedder, andon_testkit::bank_only(&backbone, (4, 4), 4, vec![0.5; 4]), 1).unwrap();
    let mut out = Detection::default();
    let (dark, bright) = ([0u8; 64], [200u8; 64]);
    detector.detect(&FrameView::new(PixelFormat::Gray8, 8, 8, 8, &dark).unwrap(), &mut out).unwrap();
    assert!(out.score.is_finite());
    detector.detect(&FrameView::new(PixelFormat::Gray8, 8, 8, 8, &bright).unwrap(), &mut out).unwrap();
    assert!(out.score.is_nan());
    let mut detector = Restricted::new(Box::new(detector), Some([8, 4]));
    let fault = detector.detect(&FrameView::new(PixelFormat::Gray8, 8, 8, 8, &dark).unwrap(), &mut out);
    assert_eq!(fault, Err(Fault::WrongSize { got_w: 8, got_h: 8, want_w: 8, want_h: 4 }));
}

#[cfg(feature = "rten")]
#[test]
fn a_program_that_uses_the_library_judges_as_inspect_does() {
    use andon::{assemble, config::FrameSize};
    use andon_vision::fit::read_raw;
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let belt = Conveyor::new(SimSpec::default());
    let (mut rgb, good) = (Vec::new(), path("good"));
    std::fs::create_dir(&good).unwrap();
    for k in 0..10 {
        belt.paint_good(k, &mut rgb);
        common::write_png(&good.join(format!("{k}.png")), belt.spec().side, &rgb);
    }
    belt.paint_with(3, andon_sim::DefectKind::ALL[0], &mut rgb);
    common::write_png(&path("bad.png"), belt.spec().side, &rgb);
    let (model, bad) = (path("a.andon"), path("bad.png"));
    let fitted = common::said(&["fit", good.to_str().unwrap(), "-o", model.to_str().unwrap(), "--bank", "100"]);
    assert_eq!(fitted.code, 0, "{}", fitted.err);
    let told = common::said(&["inspect", model.to_str().unwrap(), bad.to_str().unwrap(), "--engine", "rten"]);
    let told: serde_json::Value = serde_json::from_str(told.out.trim()).unwrap();

    let bundle = std::sync::Arc::new(Bundle::open(&model).unwrap());
    let mut opened = assemble::open(&bundle, &options(EngineChoice::Rten), FrameSize::AsTrained).unwrap();
    assert!(opened.degraded.is_none() && opened.parity < 1e-3, "compared with the reference: {}", opened.parity);
    let (picture, mut out) = (read_raw(&bad).unwrap(), Detection::default());
    opened.detector.detect(&picture.view().unwrap(), &mut out).unwrap();
    assert_eq!(told["score"].as_f64().unwrap() as f32, out.score);
    assert_eq!(told["result"], if out.score < bundle.manifest.threshold { "PASS" } else { "REJECT" });
    let wrong = assemble::open(&bundle, &options(EngineChoice::TensorRt), FrameSize::AsTrained);
    assert!(wrong.is_err() || cfg!(feature = "tensorrt"), "what is not in this build is an error of its own");
}

#[test]
fn a_threshold_that_was_chosen_is_taken_back_to_the_same_bytes_and_what_learning_chose_is_never_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("part.andon");
    std::fs::copy(common::flange_model(), &model).unwrap();
    let before = std::fs::read(&model).unwrap();
    let own = Bundle::open(&model).unwrap().manifest.threshold;
    let file = model.to_str().unwrap();
    let set = |factor: f32| {
        let said = common::said(&["threshold", file, "--set", &(own * factor).to_string(), "--why", "tried"]);
        assert_eq!(said.code, 0, "{}", said.err);
    };
    set(1.1);
    let once = std::fs::read(&model).unwrap();
    for n in 0..40 {
        set(1.1 + n as f32 * 0.01);
    }
    let many = Bundle::open(&model).unwrap();
    assert_eq!((many.manifest.earlier.len(), many.learned_threshold()), (32, own));
    assert_eq!(many.scored_alike().count(), 32);
    assert_ne!(once, std::fs::read(&model).unwrap());
    std::fs::write(&model, once).unwrap();
    let said = common::said(&["threshold", file, "--undo"]);
    assert!(said.code == 0 && said.out.contains("before"), "{} {}", said.out, said.err);
    assert_eq!(std::fs::read(&model).unwrap(), before);
    let said = common::said(&["threshold", file, "--undo"]);
    assert!(said.code == 1 && said.err.contains("nothing to take back"), "{} {}", said.code, said.err);
    let said = common::said(&["threshold", file, "--undo", "--set", "3"]);
    assert_eq!(said.code, 2, "{}", said.err);
}
