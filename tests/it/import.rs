//! `andon import`: networks in the forms that exporters write, made here, become models that judge; what is not certain is asked for by name.

use std::path::Path;

use andon_vision::import::{Asked, Normalise, takes};
use andon_vision::model::engine::{EngineChoice, EngineOptions, session};
use andon_vision::model::graph::{Attr, GraphBuilder, Kind, OnnxGraph, PICTURE, look, read_network};
use serde_json::Value;

use crate::common::{self, Said, root, said};

/// Light plates of 64x48 pixels with some texture, and dark spots on bad ones.
fn plates(folder: &Path, from: u64, count: u64, bad: bool) {
    std::fs::create_dir_all(folder).unwrap();
    for number in from..from + count {
        let mut random = andon_core::SplitMix64::new(number);
        let bright = 170.0 + 20.0 * random.unit();
        let picture = image::RgbImage::from_fn(64, 48, |x, y| {
            let spot = bad && (f64::from(x) - 40.0).hypot(f64::from(y) - 20.0) < 6.0;
            let value = bright + 30.0 * random.unit() - if spot { 120.0 } else { 0.0 };
            image::Rgb([value as u8, (value * 0.9) as u8, (value * 0.5) as u8])
        });
        picture.save(folder.join(format!("{number:03}.png"))).unwrap();
    }
}

/// How the same little detector, dark places in the red, is written.
#[derive(Clone, Copy, Default)]
struct Form {
    batch: usize,
    /// The map is what is bright.
    inverted: bool,
    /// How alike a picture is to an even one: everything that differs is lower.
    alike: bool,
    /// Scaled, clamped to 0..1, and chosen by a `Where`, as `anomalib` does.
    clamped: bool,
    /// Two channels that add up to 1.
    two: bool,
    /// ImageNet's normalisation is inside.
    inside: bool,
    /// A score of its own.
    score: bool,
    /// Red is the third.
    bgr: bool,
}

/// `map = 0.55 - red` for a picture in 0..1 (before normalisation).
fn network(form: Form) -> Vec<u8> {
    let n = form.batch.max(1);
    let mut graph = GraphBuilder::new("dark");
    graph.input("input", &[n, 3, 48, 64]);
    let mut x = "input".to_owned();
    if form.inside {
        let mean = graph.constant(&[1, 3, 1, 1], &[0.485, 0.456, 0.406]);
        let deviation = graph.constant(&[1, 3, 1, 1], &[0.229, 0.224, 0.225]);
        let less = graph.node("Sub", &[&x, &mean], &[]);
        let normal = graph.node("Div", &[&less, &deviation], &[]);
        // And back, since the detector wants 0..1.
        let back = graph.node("Mul", &[&normal, &deviation], &[]);
        x = graph.node("Add", &[&back, &mean], &[]);
    }
    let sign = if form.inverted { 1.0 } else { -1.0 };
    let red = if form.bgr { 2 } else { 0 };
    let mut weights = [0.0; 3];
    weights[red] = sign;
    let (w, b) = (graph.constant(&[1, 3, 1, 1], &weights), graph.constant(&[1], &[-0.55 * sign]));
    let mut map = graph.node("Conv", &[&x, &w, &b], &[]);
    if form.alike {
        let (less, times) = (graph.constant(&[1], &[-0.21]), graph.constant(&[1], &[-10.0]));
        let off = graph.node("Add", &[&map, &less], &[]);
        let square = graph.node("Mul", &[&off, &off], &[]);
        map = graph.node("Mul", &[&square, &times], &[]);
    }
    let score = form.score.then(|| {
        let half = graph.constant(&[1], &[0.5]);
        let most = if form.inverted { "ReduceMin" } else { "ReduceMax" };
        let most = graph.node(most, &[&map], &[Attr::Ints("axes", &[1, 2, 3]), Attr::Int("keepdims", 0)]);
        graph.node("Mul", &[&most, &half], &[])
    });
    if form.clamped {
        let (low, high, range) =
            (graph.constant(&[], &[0.0]), graph.constant(&[], &[1.0]), graph.constant(&[1], &[0.1]));
        let scaled = graph.node("Div", &[&map, &range], &[]);
        let clamped = graph.node("Clip", &[&scaled, &low, &high], &[]);
        let always = graph.node("Equal", &[&low, &low], &[]);
        map = graph.node("Where", &[&always, &clamped, &map], &[]);
    }
    if form.two {
        let ten = graph.constant(&[1], &[10.0]);
        let logit = graph.node("Mul", &[&map, &ten], &[]);
        let zero = graph.node("Sub", &[&logit, &logit], &[]);
        let both = graph.node("Concat", &[&zero, &logit], &[Attr::Int("axis", 1)]);
        map = graph.node("Softmax", &[&both], &[Attr::Int("axis", 1)]);
    }
    let channels = if form.two { 2 } else { 1 };
    graph.output(&map, "anomaly_map", Some(&[n, channels, 48, 64]));
    if let Some(score) = score {
        graph.output(&score, "pred_score", Some(&[n]));
    }
    graph.write()
}

/// A network whose output is no map: what it makes of the picture, the latents of a flow, or something that a second input has a part in.
fn without_a_map(what: &str) -> Vec<u8> {
    let mut graph = GraphBuilder::new(what);
    graph.input("input", &[1, 3, 48, 64]);
    let bright = graph.constant(&[1], &[0.5]);
    let filled = graph.node("Max", &["input", &bright], &[]);
    if what == "reconstruction" {
        // What is dark is made bright in it.
        graph.output(&filled, "x_hat", Some(&[1, 3, 48, 64]));
        return graph.write();
    }
    let off = graph.node("Sub", &[&filled, "input"], &[]);
    let ten = graph.constant(&[1], &[10.0]);
    let large = graph.node("Mul", &[&off, &ten], &[]);
    if what == "latents" {
        let small = graph.node(
            "AveragePool",
            &[&large],
            &[Attr::Ints("kernel_shape", &[2, 2]), Attr::Ints("strides", &[2, 2])],
        );
        let deep = graph.node("Concat", &[&large, &large], &[Attr::Int("axis", 1)]);
        graph.output(&deep, "z0", Some(&[1, 6, 48, 64]));
        graph.output(&small, "z1", Some(&[1, 3, 24, 32]));
    } else {
        graph.input("text", &[3, 1, 1]);
        let told = graph.node("Mul", &[&large, "text"], &[]);
        let w = graph.constant(&[1, 3, 1, 1], &[1.0; 3]);
        let map = graph.node("Conv", &[&told, &w], &[]);
        graph.output(&map, "map", Some(&[1, 1, 48, 64]));
    }
    graph.write()
}

struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Bench {
        let dir = tempfile::tempdir().unwrap();
        plates(&dir.path().join("good"), 0, 20, false);
        plates(&dir.path().join("test/good"), 100, 8, false);
        plates(&dir.path().join("test/spot"), 200, 8, true);
        Bench { dir }
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn import(&self, form: Form, more: &[&str]) -> Said {
        self.bring(&network(form), more)
    }

    fn bring(&self, network: &[u8], more: &[&str]) -> Said {
        let (net, model) = (self.path("net.onnx"), self.path("part.andon"));
        std::fs::write(&net, network).unwrap();
        let good = self.path("good");
        said(&[&["import", &net, "--good", &good, "-o", &model, "--groups", "none"], more].concat())
    }

    fn eval(&self) -> serde_json::Value {
        let said = said(&["eval", &self.path("part.andon"), &self.path(""), "--json"]);
        serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{} {}", said.out, said.err))
    }
}

#[test]
fn networks_in_every_form_become_models_that_find_the_spots() {
    let bench = Bench::new();
    for (form, more, words) in [
        (Form::default(), &["--normalise", "unit"][..], "the score is the largest value of the map"),
        (Form { inside: true, ..Form::default() }, &[], "ImageNet's mean and deviation are applied inside"),
        (Form { batch: 4, inside: true, ..Form::default() }, &[], "4 pictures at a time: the one is given 4 times"),
        (Form { clamped: true, inside: true, ..Form::default() }, &[], "is scaled and clamped by a post-processor"),
        (Form { score: true, inside: true, ..Form::default() }, &[], "`pred_score` is the score"),
        (Form { two: true, inside: true, ..Form::default() }, &[], "`anomaly_map` is the map"),
        (Form { inverted: true, score: true, inside: true, ..Form::default() }, &["--invert"], "is the score"),
        (Form { bgr: true, ..Form::default() }, &["--normalise", "unit", "--colour", "bgr"], "is the largest value"),
    ] {
        let done = bench.import(form, more);
        assert!(done.code == 0 && done.out.contains(words), "{words}: {} {}", done.out, done.err);
        let measured = bench.eval();
        assert!(
            measured["evaluations"][0]["summary"]["image"]["auroc"].as_f64().is_some_and(|auroc| auroc == 1.0),
            "{words}: {measured}"
        );
    }
    let info = said(&["info", &bench.path("part.andon")]);
    assert!(info.out.contains("imported") && info.out.contains("net.onnx: map `"), "{}", info.out);
    // A model that was brought in is none that is learned.
    let fit = said(&["fit", &bench.path("good"), "-o", &bench.path("x.andon"), "--method", "imported"]);
    assert!(fit.code == 2, "{}", fit.err);
}

#[test]
fn what_is_not_certain_is_asked_for_and_what_is_wrong_is_said() {
    let bench = Bench::new();
    let inside = Form { inside: true, ..Form::default() };
    for (form, more, words) in [
        (Form::default(), &[][..], "say --normalise (imagenet, clip, unit, centred, bytes, caffe)"),
        (inside, &["--normalise", "imagenet"], "doing it twice would be wrong"),
        (inside, &["--size", "32"], "takes 64x48 pixels and no others"),
        (inside, &["--map", "score_map"], "no output of this name; it has `anomaly_map`"),
        (Form { inverted: true, alike: true, ..inside }, &[], "does high mean good here? Say --invert"),
        (Form { score: true, ..inside }, &["--score", "anomaly_map"], "it is a map of 64x48"),
    ] {
        let done = bench.import(form, more);
        assert!(done.code != 0 && done.err.contains(words), "{words}: {} {}", done.out, done.err);
        assert!(!Path::new(&bench.path("part.andon")).exists());
    }
    let trunk = root().join("models/efficientnet_lite0_features.onnx").display().to_string();
    let done = said(&["import", &trunk, "--inspect", "--normalise", "centred", "--size", "256"]);
    assert!(
        done.code != 0 && done.out.contains("33 Conv") && done.err.contains("andon fit --backbone FILE"),
        "{} {}",
        done.out,
        done.err
    );
    std::fs::write(bench.path("net.onnx"), b"<html>").unwrap();
    let done = said(&["import", &bench.path("net.onnx"), "--inspect"]);
    assert!(done.code != 0 && done.err.contains("looks like HTML"), "{}", done.err);
}

#[test]
fn reconstructions_latents_and_constant_inputs_become_maps() {
    let bench = Bench::new();
    let text = bench.path("text.npy");
    crate::npy::write_f32(Path::new(&text), &[3, 1, 1], &[1.0, 0.5, 0.0]);
    let given = format!("text={text}");
    for (what, more, words) in [
        ("reconstruction", vec![], "`x_hat` is a reconstruction of the picture"),
        ("latents", vec!["--latents", "z0,z1"], "how unlikely the latents are"),
        ("text", vec!["--input", &given], "`map` is the map"),
    ] {
        let done = bench.bring(&without_a_map(what), &[&["--normalise", "unit"][..], &more].concat());
        assert!(done.code == 0 && done.out.contains(words), "{what}: {} {}", done.out, done.err);
        let measured = bench.eval();
        let auroc = &measured["evaluations"][0]["summary"]["image"]["auroc"];
        assert!(auroc.as_f64().is_some_and(|auroc| auroc == 1.0), "{what}: {measured}");
    }
    for (what, more, words) in [
        ("latents", vec![], "if they are latents of a flow, say --latents NAME,…"),
        ("latents", vec!["--latents", "z0,z9"], "--latents z9: no output of this name"),
        ("text", vec![], "with --input NAME=FILE.npy"),
        ("text", vec!["--input", "text=gone.npy"], "cannot read gone.npy"),
        ("latents", vec!["--input", &given], "the input `text` is not there"),
    ] {
        let done = bench.bring(&without_a_map(what), &[&["--normalise", "unit"][..], &more].concat());
        assert!(done.code != 0 && done.err.contains(words), "{words}: {} {}", done.out, done.err);
    }
}

/// A training side that agrees, and some that do not: the first step that differs is named.
#[test]
fn the_first_step_that_differs_from_the_training_side_is_named() {
    let bench = Bench::new();
    let inside = Form { inside: true, ..Form::default() };
    assert_eq!(bench.import(inside, &[]).code, 0);
    let folder = bench.dir.path().join("reference");
    std::fs::create_dir(&folder).unwrap();
    let picture = image::open(bench.path("good/003.png")).unwrap().to_rgb8();
    picture.save(folder.join("a.png")).unwrap();
    let plane = |c: usize| picture.pixels().map(move |p| f32::from(p[c]) / 255.0).collect::<Vec<f32>>();
    let red = plane(0);
    let map: Vec<f32> = red.iter().map(|v| 0.55 - v).collect();
    let score = map.iter().copied().fold(f32::MIN, f32::max);
    let says = |input: &[f32], map: &[f32], score: f32| {
        crate::npy::write_f32(&folder.join("x.npy"), &[1, 3, 48, 64], input);
        crate::npy::write_f32(&folder.join("m.npy"), &[1, 1, 48, 64], map);
        let entry = serde_json::json!({"picture": "a.png", "input": "x.npy", "values": {"anomaly_map": "m.npy"}, "score": score});
        std::fs::write(folder.join("reference.json"), serde_json::json!({"pictures": [entry]}).to_string()).unwrap();
        said(&["parity", &bench.path("part.andon"), "--reference", folder.to_str().unwrap()])
    };
    let input = [plane(0), plane(1), plane(2)].concat();
    let agrees = says(&input, &map, score);
    assert!(agrees.code == 0 && agrees.out.matches("agrees").count() == 3, "{} {}", agrees.out, agrees.err);
    let blue = says(&[plane(2), plane(1), plane(0)].concat(), &map, score);
    assert!(
        blue.code != 0 && blue.err.contains("the first step that differs is what the network is given"),
        "{}",
        blue.err
    );
    assert!(blue.out.contains("with blue and red exchanged it agrees: --colour"), "{}", blue.out);
    let double: Vec<f32> = map.iter().map(|v| 2.0 * v).collect();
    let other = says(&input, &double, score);
    assert!(other.code != 0 && other.err.contains("the first step that differs is `anomaly_map`"), "{}", other.err);
    let scaled = says(&input, &map, 0.5);
    assert!(scaled.code != 0 && scaled.err.contains("the first step that differs is the score"), "{}", scaled.err);
    std::fs::write(folder.join("reference.json"), "{}").unwrap();
    let empty = said(&["parity", &bench.path("part.andon"), "--reference", folder.to_str().unwrap()]);
    assert!(empty.code != 0 && empty.err.contains("missing field `pictures`"), "{}", empty.err);
}

/// Twice the same: the file is the same.
#[test]
fn a_model_that_is_brought_in_again_is_the_same_file() {
    let bench = Bench::new();
    let form = Form { score: true, inside: true, ..Form::default() };
    let fixed = ["--created", "2026-01-01T00:00:00Z"];
    assert_eq!(bench.import(form, &fixed).code, 0);
    let first = std::fs::read(bench.path("part.andon")).unwrap();
    assert_eq!(bench.import(form, &fixed).code, 0);
    assert!(first == std::fs::read(bench.path("part.andon")).unwrap());
}

/// Exports of other people's methods give through our reader, our feeding and each engine what ONNX Runtime gave for the files as they are, without
/// optimisation. `ANDON_CONFORMANCE` names the folder with the filled cases and their pictures; the figures are in docs/methods.md.
#[test]
fn other_peoples_exports_give_what_they_gave_elsewhere() {
    let Some(folder) = std::env::var_os("ANDON_CONFORMANCE").map(std::path::PathBuf::from) else {
        eprintln!("skipped: ANDON_CONFORMANCE names no folder with filled networks");
        return;
    };
    let known = common::data("../conformance").unwrap();
    let json = |path: std::path::PathBuf| -> Value { serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap() };
    let mut cases: Vec<String> = std::fs::read_dir(&known)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| known.join(name).join("meta.json").is_file())
        .collect();
    cases.sort();
    let mut wrong = Vec::new();
    for case in cases {
        let (meta, expected) =
            (json(known.join(&case).join("meta.json")), json(known.join(&case).join("expected.json")));
        let graph = read_network(&folder.join(&case).join("model.onnx")).unwrap();
        let graph = OnnxGraph::read(&graph).unwrap();
        let feed = &meta["feeds"][0];
        let normalise = match (feed["divide"].as_f64(), feed["mean"][0].as_f64()) {
            (_, Some(0.485)) => Normalise::Imagenet,
            (_, Some(0.48145466)) => Normalise::Clip,
            (Some(1.0), None) => Normalise::Bytes,
            (_, None) if feed["dtype"] == "uint8" => Normalise::Bytes,
            (_, None) => Normalise::Unit,
            _ => {
                eprintln!("{case}: normalised in another way, not run");
                continue;
            }
        };
        let size = ["width", "height"].map(|side| feed[side].as_u64().unwrap() as u32);
        let shown: Vec<usize> =
            graph.takes().first().map(|p| p.sides.iter().flatten().copied().collect()).unwrap_or_default();
        let asked = Asked {
            normalise: Some(normalise),
            bgr: feed["bgr"] == true,
            size: (!shown.contains(&(size[0] as usize))).then_some(size),
            map: Some("any".to_owned()),
            ..Asked::default()
        };
        for choice in [EngineChoice::Ort, EngineChoice::Rten] {
            let options = EngineOptions { choice, threads: 2, ..EngineOptions::default() };
            match compare(&graph, &asked, normalise, &options, &meta, &expected, &folder.join(&case)) {
                // Nearest code words: a tie flips a whole cell. The other is known to be off by twice what is allowed, alike on both engines.
                Ok(worst)
                    if worst <= if case == "reverse_distillation" { 3.0 } else { 1.0 } || case.starts_with("dsr") =>
                {
                    eprintln!("{case} {choice:?}: {worst:.3} of what is allowed")
                }
                Ok(worst) => wrong.push(format!("{case} {choice:?}: {worst:.3} of what is allowed")),
                Err(why) => eprintln!("{case} {choice:?}: {}", why.lines().next().unwrap_or_default()),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The largest difference of smallest, largest and mean value of each output that is a number, over what is allowed: 1e-4 of the largest, or what the
/// case says.
fn compare(
    graph: &OnnxGraph,
    asked: &Asked,
    normalise: Normalise,
    options: &EngineOptions,
    meta: &Value,
    expected: &Value,
    folder: &Path,
) -> Result<f64, String> {
    /// A few units of f32 at 1.
    const ROUNDED: f64 = 5e-7;
    let mut takes = takes(graph, asked).map_err(|e| e.to_string())?;
    takes.arithmetic = normalise.arithmetic();
    if takes.batch() > 1 {
        return Err(format!("{} different pictures at a time, of which the line gives one", takes.batch()));
    }
    let mut values = Vec::new();
    if meta["outputs"].as_array().unwrap().len() != graph.gives().len() {
        return Err("the case is two networks, one after the other".to_owned());
    }
    for port in graph.gives().into_iter().filter(|port| matches!(port.kind, Kind::Float | Kind::Half)) {
        let raw = &meta["raw"][&port.name];
        values.push((port.name.clone(), port.name.clone(), None));
        if let Some(tensor) = raw["tensor"].as_str() {
            assert_eq!(graph.raw_of(&port.name).as_deref(), Some(tensor), "what a post-processor takes is found");
            let number = |key: &str| raw[key].as_f64().unwrap();
            values.push((tensor.to_owned(), port.name, Some((number("threshold"), number("range")))));
        }
    }
    let names: Vec<String> = values.iter().map(|(name, ..)| name.clone()).collect();
    let looking = graph.adapt_to_look(&takes, &names).map_err(|e| e.to_string())?.write();
    let mut session = session::open(&looking, options).map_err(|e| e.to_string())?;
    let mut worst = 0.0f64;
    for (run, want) in expected["runs"].as_array().unwrap().iter().enumerate() {
        let picture = image::open(folder.join(format!("picture_{run}.png"))).map_err(|e| e.to_string())?.to_rgb8();
        let planes: Vec<f32> = (0..3).flat_map(|c| picture.pixels().map(move |p| f32::from(p[c]))).collect();
        let shape = [1, 3, picture.height() as usize, picture.width() as usize];
        let input = session.value(&shape, &planes).map_err(|e| e.to_string())?;
        let looks: Vec<String> = (0..names.len()).map(look).collect();
        let wanted: Vec<&str> = looks.iter().map(String::as_str).collect();
        let made = session.run(&[(PICTURE, &input)], &wanted).map_err(|e| e.to_string())?;
        for ((_, output, unscale), made) in values.iter().zip(&made) {
            let (_, got) = session.read(made).map_err(|e| e.to_string())?;
            let got: Vec<f64> = got.iter().map(|v| f64::from(*v)).collect();
            let least = got.iter().copied().fold(f64::INFINITY, f64::min);
            let most = got.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let mean = got.iter().sum::<f64>() / got.len() as f64;
            // What a post-processor clamped says nothing of the value before it.
            let clamped = ["min", "max"].map(|key| want[output][key].as_f64().unwrap());
            if unscale.is_some() && (clamped[0] <= 0.0 || clamped[1] >= 1.0) {
                continue;
            }
            let want = ["min", "max", "mean"].map(|key| {
                let value = want[output][key].as_f64().unwrap();
                unscale.map_or(value, |(threshold, range)| (value - 0.5) * range + threshold)
            });
            let allowed = expected["runs"][run][output]["tolerance"].as_f64().unwrap_or(1e-4);
            let largest = want.iter().map(|v| v.abs()).fold(0.0, f64::max).max(1e-12);
            for (got, want) in [least, most, mean].into_iter().zip(want) {
                // 1 less something near 1 is rounded as 1 is, however small it comes out.
                worst = worst.max((got - want).abs() / (largest * allowed).max(ROUNDED));
            }
        }
    }
    Ok(worst)
}

/// The little detector as two files: what is red of a picture, and what is dark of that.
#[test]
fn two_networks_one_after_the_other_become_one_model() {
    let bench = Bench::new();
    let mut first = GraphBuilder::new("red");
    first.input("input", &[1, 3, 48, 64]);
    let weights = first.constant(&[1, 3, 1, 1], &[1.0, 0.0, 0.0]);
    let red = first.node("Conv", &["input", &weights], &[]);
    first.output(&red, "features", Some(&[1, 1, 48, 64]));
    let first = first.write();
    let mut second = GraphBuilder::new("dark");
    second.input("x", &[1, 1, 48, 64]);
    let (minus, bright) = (second.constant(&[1], &[-1.0]), second.constant(&[1], &[0.55]));
    let turned = second.node("Mul", &["x", &minus], &[]);
    let dark = second.node("Add", &[&turned, &bright], &[]);
    second.output(&dark, "anomaly_map", Some(&[1, 1, 48, 64]));
    let then = bench.path("second.onnx");
    std::fs::write(&then, second.write()).unwrap();
    let two = bench.bring(&first, &["--then", &then, "--normalise", "unit"]);
    assert_eq!(two.code, 0, "{}", two.err);
    let scores = |eval: Value| eval["evaluations"][0]["images"].clone();
    let of_two = bench.eval();
    assert_eq!(of_two["evaluations"][0]["summary"]["image"]["auroc"], 1.0);
    let one = bench.import(Form::default(), &["--normalise", "unit"]);
    assert_eq!(one.code, 0, "{}", one.err);
    for (two, one) in scores(of_two).as_array().unwrap().iter().zip(scores(bench.eval()).as_array().unwrap()) {
        let [two, one] = [two, one].map(|image| image["score"].as_f64().unwrap());
        assert!((two - one).abs() < 1e-5, "{two} {one}");
    }
    let alone = bench.bring(&first, &["--then", &bench.path("net.onnx"), "--normalise", "unit"]);
    assert!(alone.code != 0 && alone.err.contains("no output of the first has that name or shape"), "{}", alone.err);
}
