//! Networks in other precisions, run by ONNX Runtime beside the network that they were made of.

use andon_core::{FrameView, PixelFormat};
use andon_vision::model::Backbone;
use andon_vision::model::engine::{EngineChoice, EngineOptions, FeatureMap, Network, find_ort_library, open};
use andon_vision::model::graph::{
    ActivationRanges, Calibrator, OnnxGraph, Precision, efficientad_s_shape, read_network, resnet18_shape,
};
use andon_vision::preprocess::Preprocessor;

use crate::common;

fn options() -> Option<EngineOptions> {
    let library = find_ort_library(None).ok();
    if library.is_none() {
        assert!(std::env::var_os("ANDON_REQUIRE_PEERS").is_none(), "no ONNX Runtime: run `make setup`");
        eprintln!("skipped: no ONNX Runtime");
    }
    library.as_ref()?;
    Some(EngineOptions { choice: EngineChoice::Ort, threads: 1, ..EngineOptions::default() })
}

fn run(onnx: &[u8], input: &[f32], options: &EngineOptions) -> Vec<FeatureMap> {
    let backbone = Backbone::embedded();
    let network = Network { onnx, input: &backbone.input, outputs: &backbone.outputs };
    let mut maps = Vec::new();
    open(&network, options).unwrap().engine.run(input, &mut maps).unwrap();
    maps
}

/// Root mean square of the difference, relative to that of the reference.
fn off(ours: &FeatureMap, reference: &FeatureMap) -> f64 {
    assert_eq!(ours.data.len(), reference.data.len());
    let square = |v: f32| f64::from(v) * f64::from(v);
    let difference: f64 = ours.data.iter().zip(&reference.data).map(|(a, b)| square(a - b)).sum();
    (difference / reference.data.iter().map(|v| square(*v)).sum::<f64>()).sqrt()
}

#[test]
fn other_precisions_give_nearly_the_same_features() {
    let Some(options) = options() else { return };
    let backbone = Backbone::embedded();
    let belt = andon_sim::Conveyor::new(andon_sim::SimSpec::default());
    let side = belt.spec().side as usize;
    let mut calibrator = Calibrator::open(&backbone, &options).unwrap();
    let mut rgb = Vec::new();
    let mut input = vec![0.0; backbone.input.len()];
    for n in 0..5 {
        belt.paint_good(n, &mut rgb);
        let view = FrameView::new(PixelFormat::Rgb8, side, side, side * 3, &rgb).unwrap();
        // The last is not among those that show the ranges.
        match n {
            0..4 => calibrator.see(&view).unwrap(),
            _ => Preprocessor::new(backbone.input.clone()).prepare_into(&view, &mut input),
        }
    }
    let ranges = calibrator.ranges();
    let mut graph = OnnxGraph::read(&backbone.onnx).unwrap();
    graph.keep_outputs(&backbone.outputs).unwrap();
    let reference = run(&backbone.onnx, &input, &options);
    let worst = |precision: Precision, ranges: &ActivationRanges| {
        let onnx = graph.in_precision(precision, ranges).unwrap().write();
        let maps = run(&onnx, &input, &options);
        (onnx.len(), maps.iter().zip(&reference).map(|(a, b)| off(a, b)).fold(0.0, f64::max))
    };
    let (single, same) = worst(Precision::Fp32, &ranges);
    assert_eq!(same, 0.0);
    // Half precision has 11 bits: a relative step of 5e-4, over some forty layers of sums that cancel. Eight bits have steps of 0.8 % of a range, and 0.13 was
    // measured: this network is known not to like them.
    let (half, rounded) = worst(Precision::Fp16, &ranges);
    assert!(rounded > 1e-5 && rounded < 2e-2, "{rounded}");
    assert!((half as f64) < 0.55 * single as f64, "{half} of {single} bytes");
    let (_, eight) = worst(Precision::Int8, &ranges);
    assert!(eight > rounded && eight < 0.25, "{eight}");
    eprintln!("relative error: half precision {rounded:.1e}, eight bits {eight:.1e}");
}

#[test]
fn networks_for_times_have_the_shapes_of_those_that_they_stand_for() {
    let Some(options) = options() else { return };
    // Parameters of torchvision's resnet18 up to layer3, convolutions and one bias each; of EfficientAD's tables: teacher, student, autoencoder.
    let teacher = 4 * 4 * 3 * 128 + 4 * 4 * 128 * 256 + 3 * 3 * 256 * 256;
    let head = 4 * 4 * 256 * 384;
    let coder = 4 * 4 * (3 * 32 + 32 * 32 + 32 * 64 + 64 * 64 * 2) + 8 * 8 * 64 * 64;
    let decoder = 4 * 4 * 64 * 64 * 6 + 3 * 3 * 64 * 64 + 3 * 3 * 64 * 384;
    for (backbone, maps, weights) in [
        (resnet18_shape(), vec![(128, 32, 32), (256, 16, 16)], 2_778_304),
        (efficientad_s_shape(), vec![(1, 56, 56)], 2 * teacher + 3 * head + coder + decoder),
    ] {
        let network = Network { onnx: &backbone.onnx, input: &backbone.input, outputs: &backbone.outputs };
        let input: Vec<f32> = (0..backbone.input.len()).map(|i| (i * 37 % 255) as f32 / 64.0 - 2.0).collect();
        let mut found = Vec::new();
        open(&network, &options).unwrap().engine.run(&input, &mut found).unwrap();
        let shapes: Vec<_> = found.iter().map(|m| (m.channels, m.height, m.width)).collect();
        assert_eq!(shapes, maps, "{}", backbone.name);
        assert!(found.iter().flat_map(|m| &m.data).all(|v| v.is_finite()));
        // Four bytes a weight; biases, names and nodes are small beside them.
        let bytes = backbone.onnx.len();
        assert!((weights * 4..weights * 4 + 100_000).contains(&bytes), "{}: {bytes} bytes", backbone.name);
        let half = OnnxGraph::read(&backbone.onnx).unwrap().convert_fp16().unwrap().write();
        let network = Network { onnx: &half, ..network };
        let mut rounded = Vec::new();
        open(&network, &options).unwrap().engine.run(&input, &mut rounded).unwrap();
        // A dozen layers, each rounded to 2^-11.
        let worst = rounded.iter().zip(&found).map(|(a, b)| off(a, b)).fold(0.0, f64::max);
        assert!(worst < 0.02, "{}: {worst}", backbone.name);
    }
}

/// Hostile files that others made: every one is refused at once, with words, before any engine sees it. One is a network like any other until it
/// is run.
#[test]
fn hostile_networks_are_refused_before_any_engine_sees_them() {
    let Some(folder) = common::data("../conformance/hostile") else { return };
    let mut refused = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "onnx") {
            continue;
        }
        let begun = std::time::Instant::now();
        let read = read_network(&path);
        assert!(begun.elapsed().as_secs_f64() < 1.0, "{}", path.display());
        match read {
            Ok(_) => assert!(path.ends_with("output_nan.onnx"), "{} was let through", path.display()),
            Err(why) => {
                eprintln!("{}: {why}", path.file_name().unwrap().to_string_lossy());
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 34);
}

/// Exports of other people's methods pass, and stay what they are. `ANDON_CONFORMANCE` names the folder with the filled cases.
#[test]
fn networks_of_the_field_pass_the_check() {
    let Some(folder) = std::env::var_os("ANDON_CONFORMANCE") else {
        eprintln!("skipped: ANDON_CONFORMANCE names no folder with filled networks");
        return;
    };
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path().join("model.onnx");
        if path.is_file()
            && let Err(why) = read_network(&path)
        {
            panic!("{why}");
        }
    }
}
