//! `andon import`: networks in the forms that exporters write, made here, become models that judge; what is not certain is asked for by name.

use std::path::Path;

use andon_vision::import::{Asked, Normalise, takes};
use andon_vision::model::engine::{EngineChoice, EngineOptions, session};
use andon_vision::model::graph::{
    Attr, Distance, GraphBuilder, Latent, OnnxGraph, PICTURE, Plane, PlaneOf, Reconstruction, look,
};
use serde_json::Value;

use crate::common::{Said, root, said};

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
    /// Two channels that do not.
    logits: bool,
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
    if form.two || form.logits {
        let ten = graph.constant(&[1], &[10.0]);
        let logit = graph.node("Mul", &[&map, &ten], &[]);
        let zero = graph.node("Sub", &[&logit, &logit], &[]);
        let both = graph.node("Concat", &[&zero, &logit], &[Attr::Int("axis", 1)]);
        map = if form.two { graph.node("Softmax", &[&both], &[Attr::Int("axis", 1)]) } else { both };
    }
    let channels = if form.two || form.logits { 2 } else { 1 };
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

/// Pictures of good and bad plates, and a place for networks and models.
pub struct Bench {
    pub dir: tempfile::TempDir,
}

impl Bench {
    pub fn new() -> Bench {
        let dir = tempfile::tempdir().unwrap();
        plates(&dir.path().join("good"), 0, 20, false);
        plates(&dir.path().join("test/good"), 100, 8, false);
        plates(&dir.path().join("test/spot"), 200, 8, true);
        Bench { dir }
    }

    pub fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn import(&self, form: Form, more: &[&str]) -> Said {
        self.bring(&network(form), more)
    }

    pub fn bring(&self, network: &[u8], more: &[&str]) -> Said {
        let (net, model) = (self.path("net.onnx"), self.path("part.andon"));
        std::fs::write(&net, network).unwrap();
        let good = self.path("good");
        said(&[&["import", &net, "--good", &good, "-o", &model, "--groups", "none"], more].concat())
    }

    pub fn eval(&self) -> serde_json::Value {
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
        (
            Form { logits: true, inside: true, ..Form::default() },
            &["--map", "anomaly_map"],
            "taken for logits of good and bad",
        ),
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
fn a_mask_hides_places_of_an_imported_map_and_not_from_a_score_of_all() {
    let bench = Bench::new();
    let inside = Form { inside: true, ..Form::default() };
    let auroc = || bench.eval()["evaluations"][0]["summary"]["image"]["auroc"].as_f64().unwrap();
    let [beside, around] = [["--roi", "0,0 6,0 6,48 0,48"], ["--roi", "30,10 50,10 50,30 30,30"]];
    let done = bench.import(inside, &beside);
    assert!(done.code == 0, "{} {}", done.out, done.err);
    assert!(said(&["info", &bench.path("part.andon")]).out.contains("patches masked"));
    assert!(auroc() < 0.9, "the spots are hidden: {}", auroc());
    assert!(bench.import(inside, &around).code == 0 && auroc() == 1.0, "they are not hidden");
    let other = bench.path("mask.png");
    image::GrayImage::from_pixel(20, 20, image::Luma([255])).save(&other).unwrap();
    let done = bench.import(inside, &["--mask", &other]);
    assert!(done.code != 0 && done.err.contains("it has 20x20 pixels, the pictures have 64x48"), "{}", done.err);
    let own = Form { score: true, ..inside };
    let done = bench.import(own, &around);
    assert!(done.code != 0 && done.err.contains("--score max takes the largest value of the map"), "{}", done.err);
    let done = bench.import(own, &[&around[..], &["--score", "max"]].concat());
    assert!(done.code == 0 && auroc() == 1.0, "{} {}", done.out, done.err);
}

#[test]
fn what_is_not_certain_is_asked_for_and_what_is_wrong_is_said() {
    let bench = Bench::new();
    let inside = Form { inside: true, ..Form::default() };
    for (form, more, words) in [
        (Form::default(), &[][..], "say --normalise (imagenet, clip, unit, centred, bytes, caffe or MEAN/DEVIATION)"),
        (inside, &["--normalise", "imagenet"], "doing it twice would be wrong"),
        (inside, &["--size", "32"], "takes 64x48 pixels and no others"),
        (inside, &["--map", "score_map"], "no output of this name; it has `anomaly_map`"),
        (Form { inverted: true, alike: true, ..inside }, &[], "does high mean good here? Say --invert"),
        (Form { score: true, ..inside }, &["--score", "anomaly_map"], "it is a map of 64x48"),
        (Form { logits: true, ..inside }, &[], "if these are logits of good and bad, say --map NAME"),
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

/// A reconstruction (what is given, blurred) and latents with log-determinants, of one place and of the picture.
fn blurring() -> OnnxGraph {
    let mut graph = GraphBuilder::new("blurring");
    graph.input("input", &[1, 3, 44, 60]);
    let blur = [Attr::Ints("kernel_shape", &[5, 5]), Attr::Ints("strides", &[1, 1]), Attr::Ints("pads", &[2, 2, 2, 2])];
    let made = graph.node("AveragePool", &["input"], &blur);
    graph.output(&made, "x_hat", Some(&[1, 3, 44, 60]));
    let off = graph.node("Sub", &["input", &made], &[]);
    graph.output(&off, "z0", Some(&[1, 3, 44, 60]));
    let halved = [Attr::Ints("kernel_shape", &[2, 2]), Attr::Ints("strides", &[2, 2])];
    let small = graph.node("AveragePool", &[&made], &halved);
    let deep = graph.node("Concat", &[&small, &small], &[Attr::Int("axis", 1)]);
    graph.output(&deep, "z1", Some(&[1, 6, 22, 30]));
    let weights = graph.constant(&[1, 3, 1, 1], &[0.3, -0.2, 0.1]);
    let places = graph.node("Conv", &["input", &weights], &[]);
    graph.output(&places, "det0", Some(&[1, 1, 44, 60]));
    let one = graph.node("ReduceMax", &[&places], &[Attr::Ints("axes", &[1, 2, 3]), Attr::Int("keepdims", 0)]);
    graph.output(&one, "det1", Some(&[1]));
    OnnxGraph::read(&graph.write()).unwrap()
}

/// Measures of a reconstruction and likelihoods of a flow, as the line computes them in the graph, beside numpy and scipy in double precision. Structural similarity is a
/// difference of moments over a small constant: 1e-4 of the largest value; the others 1e-5.
#[test]
fn differences_of_reconstructions_and_likelihoods_agree_with_scipy() {
    let Some(python) = crate::common::peers_python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(format!("{name}.npy"));
    let mut random = andon_core::SplitMix64::new(5);
    let (columns, rows) = (60, 44);
    let planes: Vec<f32> = (0..3 * rows * columns)
        .map(|i| ((i % columns) as f64 * 2.5 + 60.0 * random.unit() + 20.0 * ((i / columns) % 5) as f64) as f32)
        .map(|v| v.round().min(255.0))
        .collect();
    crate::npy::write_f32(&file("picture"), &[3, rows, columns], &planes);
    let graph = blurring();
    let mut takes = takes(&graph, &Asked::default()).unwrap();
    let own = Normalise::Own { mean: [0.4, 0.5, 0.6], deviation: [0.2, 0.25, 0.3] };
    takes.arithmetic = own.arithmetic();
    let latent = |value: &str, channels, log_det: &str, of_places| Latent {
        value: value.to_owned(),
        channels,
        log_det: Some((log_det.to_owned(), of_places)),
    };
    let mut wanted: Vec<(&str, PlaneOf, f32)> = Distance::ALL
        .iter()
        .map(|distance| {
            let made =
                Reconstruction { value: "x_hat".to_owned(), distance: *distance, colours_last: false, range: None };
            (distance.as_str(), PlaneOf::Reconstruction(made), 1.0)
        })
        .collect();
    let latents = vec![latent("z0", 3, "det0", true), latent("z1", 6, "det1", false)];
    wanted.push(("latents", PlaneOf::Latents(latents), 0.5));
    let names = ["x_hat", "z0", "z1", "det0", "det1"].map(str::to_owned);
    for (number, choice) in [EngineChoice::Ort, EngineChoice::Rten].into_iter().enumerate() {
        let engine = EngineOptions { choice, threads: 1, ..EngineOptions::default() };
        let run = |onnx: &[u8], outputs: &[&str]| {
            let mut session = session::open(onnx, &engine).unwrap();
            let input = session.value(&[1, 3, rows, columns], &planes).unwrap();
            let made = session.run(&[(PICTURE, &input)], outputs).unwrap();
            made.iter().map(|value| session.read(value).unwrap()).collect::<Vec<_>>()
        };
        if number == 0 {
            let looks: Vec<String> = (0..names.len()).map(look).collect();
            let looks: Vec<&str> = looks.iter().map(String::as_str).collect();
            let values = run(&graph.adapt_to_look(&takes, &names).unwrap().write(), &looks);
            for (name, (shape, values)) in names.iter().zip(values) {
                crate::npy::write_f32(&file(name), &shape, &values);
            }
            let script = crate::common::root().join("tests/peers/reference.py");
            let mut command = std::process::Command::new(&python);
            let said = crate::common::run(command.arg(script).arg("differences").arg(dir.path()));
            assert_eq!(said.code, 0, "{}", said.err);
        }
        for (name, made, factor) in &wanted {
            let plane = Plane {
                made: made.clone(),
                size: [rows, columns],
                channel: None,
                factor: *factor,
                shift: 0.0,
                name: "map".to_owned(),
            };
            let (shape, got) = run(&graph.adapt(&takes, &[plane]).unwrap().write(), &["map"]).remove(0);
            assert_eq!(shape, [1, 1, rows, columns]);
            let want = crate::npy::read_f64(&file(name));
            let largest = want.iter().map(|v| v.abs()).fold(0.0, f64::max);
            let allowed = if *name == "ssim" { 1e-4 } else { 1e-5 } * largest;
            for (place, (got, want)) in got.iter().zip(&want).enumerate() {
                assert!((f64::from(*got) - want).abs() <= allowed, "{name} {choice:?} at {place}: {got} {want}");
            }
        }
    }
}

/// The little detector for grey pictures, with as many axes as it takes, and for pictures whose colours come last: what is dark.
fn other_layout(shape: &[usize], output: &str) -> Vec<u8> {
    let mut graph = GraphBuilder::new("dark");
    graph.input("input", shape);
    let (minus, bright) = (graph.constant(&[1], &[-1.0]), graph.constant(&[1], &[0.55]));
    let turned = graph.node("Mul", &["input", &minus], &[]);
    let dark = graph.node("Add", &[&turned, &bright], &[]);
    let coloured = shape.contains(&3);
    let map = match coloured {
        true => graph.node(
            "ReduceMax",
            &[&dark],
            &[Attr::Ints("axes", &[shape.len() as i64 - 1]), Attr::Int("keepdims", 1)],
        ),
        false => dark,
    };
    let sides: Vec<usize> = shape.iter().map(|side| if *side == 3 { 1 } else { *side }).collect();
    graph.output(&map, output, Some(&sides));
    graph.write()
}

#[test]
fn grey_pictures_other_axes_and_other_normalisations_are_taken() {
    let bench = Bench::new();
    for (shape, normalise, words) in [
        (&[1, 1, 48, 64][..], "unit", "takes brightness, rows, columns as f32: grey pictures"),
        (&[1, 48, 64, 1], "unit", "takes rows, columns, brightness as f32: grey pictures"),
        (&[2, 1, 48, 64], "unit", "2 pictures at a time"),
        (&[1, 48, 64], "unit", "grey pictures"),
        (&[48, 64], "0/1", "takes rows, columns as f32: grey pictures"),
        (&[1, 48, 64, 3], "unit", "takes rows, columns, colours"),
        (&[48, 64, 3], "0,0,0/1,1,1", "takes rows, columns, colours"),
    ] {
        let done = bench.bring(&other_layout(shape, "map"), &["--normalise", normalise]);
        assert!(done.code == 0 && done.out.contains(words), "{shape:?}: {} {}", done.out, done.err);
        let measured = bench.eval();
        let auroc = &measured["evaluations"][0]["summary"]["image"]["auroc"];
        assert!(auroc.as_f64().is_some_and(|auroc| auroc == 1.0), "{shape:?}: {measured}");
    }
    let grey = [1, 1, 48, 64];
    for (output, more, words) in [
        ("y", &["unit"][..], "is it the anomaly map (--map y) or a reconstruction (--reconstruction y)?"),
        ("map", &["unit", "--colour", "bgr"], "takes grey pictures"),
        ("map", &["0.5/0"], "or MEAN/DEVIATION"),
        ("map", &["unit", "--distance", "ssim"], "say which outputs with --reconstruction or --pair"),
        (
            "map",
            &["unit", "--reconstruction", "x"],
            "--reconstruction x: no output of this name as large as the picture",
        ),
    ] {
        let done = bench.bring(&other_layout(&grey, output), &[&["--normalise"][..], more].concat());
        assert!(done.code != 0 && done.err.contains(words), "{words}: {} {}", done.out, done.err);
    }
    let named = bench.bring(&other_layout(&grey, "y"), &["--normalise", "unit", "--map", "y"]);
    assert_eq!(named.code, 0, "{}", named.err);
}

/// A network of features becomes a model of the methods that `andon fit` has, however it takes pictures.
#[test]
fn networks_of_features_are_learned_from() {
    let bench = Bench::new();
    for shape in [&[1, 3, 48, 64][..], &[1, 48, 64, 3], &[2, 3, 48, 64]] {
        let last = shape[3] == 3;
        let mut graph = GraphBuilder::new("features");
        graph.input("input", shape);
        let x = match last {
            true => graph.node("Transpose", &["input"], &[Attr::Ints("perm", &[0, 3, 1, 2])]),
            false => "input".to_owned(),
        };
        let pool = [Attr::Ints("kernel_shape", &[4, 4]), Attr::Ints("strides", &[4, 4])];
        let mean = graph.node("AveragePool", &[&x], &pool);
        let most = graph.node("MaxPool", &[&x], &pool);
        let both = graph.node("Concat", &[&mean, &most], &[Attr::Int("axis", 1)]);
        let both = if last { graph.node("Transpose", &[&both], &[Attr::Ints("perm", &[0, 2, 3, 1])]) } else { both };
        graph.output(&both, "fine", None);
        let net = graph.write();
        for method in ["patchcore", "padim", "subspace"] {
            let done = bench.bring(&net, &["--normalise", "unit", "--method", method]);
            assert_eq!(done.code, 0, "{shape:?} {method}: {} {}", done.out, done.err);
            assert!(done.err.contains("features are fine, the finest first"), "{}", done.err);
            let auroc = bench.eval()["evaluations"][0]["summary"]["image"]["auroc"].as_f64();
            assert!(auroc.is_some_and(|auroc| auroc > 0.9), "{shape:?} {method}: {auroc:?}");
        }
    }
    let none = bench.import(Form::default(), &["--normalise", "unit", "--method", "patchcore"]);
    assert!(none.code != 0 && none.err.contains("it gives no features"), "{}", none.err);
}
