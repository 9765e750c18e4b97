//! TensorRT behind the shim: NVIDIA's own library parses and builds, without a card. Running needs one.

use std::path::PathBuf;
use std::sync::Mutex;

use andon_gpu::tensorrt::{BuildRequest, Generation, LibrarySearch, TensorRt, TensorRtError};
use andon_vision::model::Backbone;
use andon_vision::model::engine::{EngineChoice, EngineOptions};
use andon_vision::model::graph::{Calibrator, OnnxGraph, Precision, efficientad_s_shape, resnet18_shape};

use crate::common;

/// TensorRT-RTX from PyPI.
fn folder() -> Option<PathBuf> {
    let folder = common::root().join("target/tensorrt/rtx");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var_os("ANDON_REQUIRE_PEERS").is_none(), "no TensorRT: run `make test`");
    eprintln!("skipped: no TensorRT in {}", folder.display());
    None
}

fn library() -> Option<std::sync::Arc<TensorRt>> {
    Some(TensorRt::open(&LibrarySearch { folder: Some(folder()?) }).unwrap())
}

fn build<'a>(onnx: &'a [u8], precision: Precision) -> BuildRequest<'a> {
    BuildRequest { onnx, precision, workspace: 256 << 20, batch: None }
}

/// The embedded network with a batch of 1, or of any size.
fn backbone(batch: Option<usize>) -> (OnnxGraph, String) {
    let backbone = Backbone::embedded();
    let mut graph = OnnxGraph::read(&backbone.onnx).unwrap();
    graph.keep_outputs(&backbone.outputs).unwrap();
    let input = graph.set_input(batch, 256, 256).unwrap();
    (graph, input)
}

#[test]
fn what_there_is_of_tensorrt_is_said() {
    let Some(folder) = folder() else { return };
    let found = TensorRt::candidates(&LibrarySearch { folder: Some(folder) });
    assert_eq!(found.len(), Generation::ALL.len());
    let rtx = found.iter().find(|f| f.generation == Generation::Rtx).unwrap();
    assert_eq!((rtx.version.as_deref(), rtx.no_builder.as_deref()), (Ok("1.7.1"), None));
    assert!(rtx.to_string().contains("libtensorrt_rtx.so"), "{rtx}");
    for other in found.iter().filter(|f| f.generation != Generation::Rtx) {
        assert!(other.version.is_err() && other.to_string().contains("libnvinfer.so."), "{other}");
    }
    let empty = tempfile::tempdir().unwrap();
    let none = TensorRt::open(&LibrarySearch { folder: Some(empty.path().to_owned()) }).unwrap_err();
    assert!(none.to_string().contains("libnvinfer.so.10: not in"), "{none}");
    // A library of another kind, and none at all.
    std::fs::write(empty.path().join("libtensorrt_rtx.so.1"), b"not a library").unwrap();
    let none = TensorRt::open(&LibrarySearch { folder: Some(empty.path().to_owned()) }).unwrap_err().to_string();
    assert!(none.contains("invalid ELF header") || none.contains("file too short"), "{none}");
    let zlib =
        ["/lib/x86_64-linux-gnu/libz.so.1", "/usr/lib/libz.so.1"].into_iter().find(|p| PathBuf::from(p).exists());
    if let Some(zlib) = zlib {
        std::fs::copy(zlib, empty.path().join("libtensorrt_rtx.so.1")).unwrap();
        let none = TensorRt::open(&LibrarySearch { folder: Some(empty.path().to_owned()) }).unwrap_err().to_string();
        assert!(none.contains("no TensorRT library"), "{none}");
    }
}

#[test]
fn every_precision_of_the_embedded_network_is_built() {
    let Some(library) = library() else { return };
    let (graph, _) = backbone(Some(1));
    let phases = Mutex::new(Vec::new());
    let steps = |phase: &str, step: u32, of: u32| {
        phases.lock().unwrap().push((phase.to_owned(), step, of));
        true
    };
    let single = library.build(&build(&graph.write(), Precision::Fp32), &mut Vec::new(), &steps).unwrap();
    assert!(single.len() > 1_000_000);
    let phases = phases.into_inner().unwrap();
    assert!(!phases.is_empty() && phases.iter().all(|(name, step, of)| !name.is_empty() && step <= of), "{phases:?}");

    let half = graph.convert_fp16().unwrap().write();
    let half = library.build(&build(&half, Precision::Fp16), &mut Vec::new(), &|_, _, _| true).unwrap();
    assert!(half.len() < single.len(), "{} {}", half.len(), single.len());

    let mut calibrator = Calibrator::open(
        &Backbone::embedded(),
        &EngineOptions { choice: EngineChoice::Rten, threads: 1, ..EngineOptions::default() },
    )
    .unwrap();
    let belt = andon_sim::Conveyor::new(andon_sim::SimSpec::default());
    let mut rgb = Vec::new();
    belt.paint_good(1, &mut rgb);
    let side = belt.spec().side as usize;
    let view = andon_core::FrameView::new(andon_core::PixelFormat::Rgb8, side, side, side * 3, &rgb).unwrap();
    calibrator.see(&view).unwrap();
    let eight = graph.quantize_int8(&calibrator.ranges()).unwrap().write();
    assert!(library.build(&build(&eight, Precision::Int8), &mut Vec::new(), &|_, _, _| true).is_ok());
}

#[test]
fn a_batch_of_any_size_is_built() {
    let Some(library) = library() else { return };
    let (graph, input) = backbone(None);
    let onnx = graph.convert_fp16().unwrap().write();
    let shape = |n: i64| [n, 3, 256, 256];
    let (least, usual, most) = (shape(1), shape(4), shape(8));
    let batch = Some((input.as_str(), [&least[..], &usual[..], &most[..]]));
    assert!(
        library
            .build(&BuildRequest { batch, ..build(&onnx, Precision::Fp16) }, &mut Vec::new(), &|_, _, _| true)
            .is_ok()
    );
    let batch = Some((input.as_str(), [&most[..], &usual[..], &least[..]]));
    let told = library
        .build(&BuildRequest { batch, ..build(&onnx, Precision::Fp16) }, &mut Vec::new(), &|_, _, _| true)
        .unwrap_err();
    assert!(matches!(told, TensorRtError::Build { .. }), "{told}");
}

#[test]
fn other_networks_are_built() {
    let (Some(library), Some(data)) = (library(), common::data("../weights")) else { return };
    let mut built = 0;
    for entry in std::fs::read_dir(data).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "onnx") {
            continue;
        }
        let mut graph = OnnxGraph::read(&std::fs::read(&path).unwrap()).unwrap();
        graph.set_input(Some(1), 256, 256).unwrap();
        for onnx in [graph.write(), graph.convert_fp16().unwrap().write()] {
            let said = library.build(&build(&onnx, Precision::Fp32), &mut Vec::new(), &|_, _, _| true);
            assert!(said.is_ok(), "{}: {}", path.display(), said.unwrap_err());
        }
        built += 1;
    }
    assert!(built >= 4, "{built} networks");
    // Those that `doctor --gpu` takes times of.
    for backbone in [resnet18_shape(), efficientad_s_shape()] {
        let half = OnnxGraph::read(&backbone.onnx).unwrap().convert_fp16().unwrap();
        // As for a card: inputs in half precision.
        let mut batch = half.half_input();
        let input = batch.set_input(None, 256, 256).unwrap();
        let [one, eight] = [1, 8].map(|n| [n, 3, 256, 256]);
        let batched = Some((input.as_str(), [&one[..], &eight[..], &eight[..]]));
        let onnx = batch.write();
        let wanted = BuildRequest { batch: batched, ..build(&onnx, Precision::Fp16) };
        let said = library.build(&wanted, &mut Vec::new(), &|_, _, _| true);
        assert!(said.is_ok(), "{}: {}", backbone.name, said.unwrap_err());
    }
}

#[test]
fn what_cannot_be_built_says_why() {
    let Some(library) = library() else { return };
    let told = |onnx: &[u8]| {
        library.build(&build(onnx, Precision::Fp32), &mut Vec::new(), &|_, _, _| true).unwrap_err().to_string()
    };
    let why = told(b"not a network");
    assert!(why.contains("TensorRT-RTX 1.7.1 cannot build an engine") && why.len() > 60, "{why}");
    let (mut graph, _) = backbone(Some(1));
    let whole = graph.write();
    let why = told(&whole[..whole.len() / 2]);
    assert!(why.contains("cannot build"), "{why}");
    // The convolutions want three channels; the network says so itself.
    graph.set_input(None, 256, 256).unwrap();
    let why = told(&graph.write());
    assert!(why.contains("profile") || why.contains("shape"), "{why}");
    // And a build can be stopped.
    let (graph, _) = backbone(Some(1));
    let stopped = library.build(&build(&graph.write(), Precision::Fp32), &mut Vec::new(), &|_, _, _| false);
    assert!(stopped.is_err(), "a build that was told to stop went on");
}

/// The program with the emulated card and NVIDIA's library, which finds no card of its own.
fn with_card(command: &mut std::process::Command, cache: &std::path::Path) -> Option<()> {
    crate::cuda::device()?;
    command.env("ANDON__ENGINE__TENSORRT", folder()?).env("ANDON__ENGINE__CACHE", cache);
    Some(())
}

#[test]
fn an_engine_that_was_not_compared_is_not_kept() {
    let cache = tempfile::tempdir().unwrap();
    let model = common::flange_model().to_str().unwrap();
    let said = |args: &[&str]| {
        let mut command = common::andon(args);
        with_card(&mut command, cache.path()).map(|()| common::run(&mut command))
    };
    let Some(s) = said(&["engine", "build", model]) else { return };
    // It is built, and cannot be run: there is no such card.
    assert!(s.code == 1 && s.err.contains("TensorRT-RTX 1.7.1 cannot use the engine"), "{} {}", s.out, s.err);
    let s = said(&["engine", "list"]).unwrap();
    assert!(s.code == 0 && s.err.contains("no engines in"), "{} {}", s.out, s.err);
    let s = said(&["engine", "build", model, "--precision", "int8"]).unwrap();
    assert!(s.code == 2 && s.err.contains("--calibrate DIR"), "{} {}", s.out, s.err);
    let s = said(&["inspect", model, "nothing.png", "--engine", "tensorrt"]).unwrap();
    assert!(s.code == 1 && s.err.contains("no fp16 engine was built for this card"), "{} {}", s.out, s.err);
    // What is kept and damaged is said.
    std::fs::write(cache.path().join("0123.engine"), b"no engine").unwrap();
    let s = said(&["engine", "list"]).unwrap();
    assert!(s.code == 1 && s.err.contains("0123.engine is damaged"), "{} {}", s.out, s.err);
}

#[cfg(all(feature = "gst", feature = "modbus", feature = "mqtt", feature = "webhook"))]
#[test]
fn a_line_inspects_on_the_cpu_while_the_card_has_no_engine() {
    let cache = tempfile::tempdir().unwrap();
    let plant = crate::plant::Plant::new("", "");
    let mut command = plant.command();
    if with_card(&mut command, cache.path()).is_none() {
        return;
    }
    let log = cache.path().join("log");
    let mut run = common::Peer::spawn(command.stderr(std::fs::File::create(&log).unwrap()));
    assert!(run.wait(|v| v["seq"].as_u64() > Some(20)));
    common::signal(run.id(), "TERM");
    assert_eq!(run.finish(std::time::Duration::from_secs(10)), Some(0));
    let verdicts: Vec<_> = run.seen.iter().filter(|v| v["schema"] == "andon.verdict.v1").collect();
    assert!(verdicts.iter().all(|v| v["degraded"] == true && v["model"]["engine"] != "tensorrt"), "{:?}", verdicts[0]);
    assert!(verdicts.iter().any(|v| v["result"] == "PASS"), "{:?}", verdicts[0]);
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("degraded: the CPU instead of the card: no fp16 engine was built"), "{log}");
    assert!(log.contains("building an engine for the card") && log.contains("still on the CPU"), "{log}");
    // What holds the card back is told beside the time that parts have left.
    assert!(log.contains("held back") && log.contains("margin_p1_ms"), "{log}");
}
