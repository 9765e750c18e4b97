//! `andon import`: what a file shows is found out and what it does not show is asked for, never guessed; networks that would take all of a machine are ended.

use andon_vision::model::graph::{Attr, GraphBuilder};

use crate::common::said;
use crate::import::Bench;

const SHAPE: [usize; 4] = [1, 3, 48, 64];
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];

/// A network of f32 that begins with the picture `x` and ends in what `build` makes of it, by the names that it is given.
fn network(build: impl FnOnce(&mut GraphBuilder) -> Vec<(String, &'static str)>) -> Vec<u8> {
    let mut graph = GraphBuilder::new("odd");
    graph.input("x", &SHAPE);
    for (value, name) in build(&mut graph) {
        graph.output(&value, name, None);
    }
    graph.write()
}

/// What is dark in the picture, whatever its numbers are: `bright - mean over the colours`.
fn dark(graph: &mut GraphBuilder, x: &str, bright: f32) -> String {
    let weights = graph.constant(&[1, 3, 1, 1], &[-1.0 / 3.0; 3]);
    let bias = graph.constant(&[1], &[bright]);
    graph.node("Conv", &[x, &weights, &bias], &[])
}

fn normalised(graph: &mut GraphBuilder, x: &str, backwards: bool) -> String {
    let (mut mean, mut deviation) = (MEAN, DEVIATION);
    if backwards {
        mean.reverse();
        deviation.reverse();
    }
    let (mean, deviation) = (graph.constant(&[1, 3, 1, 1], &mean), graph.constant(&[1, 3, 1, 1], &deviation));
    let less = graph.node("Sub", &[x, &mean], &[]);
    graph.node("Div", &[&less, &deviation], &[])
}

fn map(mut graph: impl FnMut(&mut GraphBuilder) -> String) -> Vec<u8> {
    network(|g| vec![(graph(g), "map")])
}

#[test]
fn the_numbers_that_a_network_wants_follow_from_its_own_normalisation() {
    let bench = Bench::new();
    for (net, words) in [
        (
            map(|g| {
                let x = normalised(g, "x", false);
                dark(g, &x, 1.0)
            }),
            "pictures are given as `unit`: ImageNet's",
        ),
        (
            map(|g| {
                let by = g.constant(&[], &[255.0]);
                let small = g.node("Div", &["x", &by], &[]);
                let x = normalised(g, &small, false);
                dark(g, &x, 1.0)
            }),
            "pictures are given as `bytes`: ImageNet's mean and deviation are applied inside the network, of values of 0 to 255",
        ),
        (
            map(|g| {
                let x = normalised(g, "x", true);
                dark(g, &x, 1.0)
            }),
            "blue comes first",
        ),
    ] {
        let done = bench.bring(&net, &[]);
        assert!(done.code == 0 && done.out.contains(words), "{words}: {} {}", done.out, done.err);
        assert_eq!(bench.eval()["evaluations"][0]["summary"]["image"]["auroc"], 1.0, "{words}");
    }
    let of_bytes = map(|g| {
        let by = g.constant(&[], &[255.0]);
        let small = g.node("Div", &["x", &by], &[]);
        let x = normalised(g, &small, false);
        dark(g, &x, 1.0)
    });
    let twice = bench.bring(&of_bytes, &["--normalise", "imagenet"]);
    assert!(twice.code != 0 && twice.err.contains("doing it twice would be wrong: --normalise bytes"), "{}", twice.err);
}

#[test]
fn what_two_things_could_be_is_asked_for() {
    let bench = Bench::new();
    let constant = |g: &mut GraphBuilder| {
        let third = g.constant(&[1], &[0.3]);
        vec![(dark(g, "x", 0.55), "map"), (g.node("Identity", &[&third], &[]), "threshold")]
    };
    let names_of_a_library = |g: &mut GraphBuilder| {
        let map = dark(g, "x", 0.55);
        let score = g.node("ReduceMax", &[&map], &[Attr::Ints("axes", &[1, 2, 3]), Attr::Int("keepdims", 0)]);
        vec![(map, "anomaly_map"), (score.clone(), "pred_score"), (score, "pred_label")]
    };
    let whole = |g: &mut GraphBuilder| {
        let (map, much) = (dark(g, "x", 0.55), g.constant(&[1], &[100.0]));
        let large = g.node("Mul", &[&map, &much], &[]);
        vec![(g.node("Relu", &[&large], &[]), "map")]
    };
    let rebuilt = |g: &mut GraphBuilder| vec![(g.node("Sigmoid", &["x"], &[]), "x_hat")];
    let residual = |g: &mut GraphBuilder| vec![(g.node("Abs", &["x"], &[]), "residual")];
    let two =
        |g: &mut GraphBuilder| vec![(g.node("Abs", &["x"], &[]), "coarse"), (g.node("Relu", &["x"], &[]), "fine")];
    let random = |g: &mut GraphBuilder| {
        let map = dark(g, "x", 0.55);
        let chance = g.node("RandomNormalLike", &[&map], &[]);
        vec![(g.node("Add", &[&map, &chance], &[]), "map")]
    };
    for (net, more, words) in [
        (network(constant), &["unit"][..], "is it the score all the same (--score threshold)"),
        (network(names_of_a_library), &[], "how pictures are normalised is not to be seen"),
        (network(rebuilt), &["imagenet"], "say in which numbers the reconstruction is, --reconstructs unit"),
        (network(residual), &["unit"], "or already the difference, by its name"),
        (network(two), &["unit"], "say which is the reconstruction: --reconstruction NAME"),
        (network(random), &["unit"], "gives other values each time"),
        (network(whole), &["unit", "--reconstructs", "unit"], "--reconstructs is about a reconstruction"),
    ] {
        let normalise: &[&str] = if more.is_empty() { &[] } else { &["--normalise"] };
        let done = bench.bring(&net, &[normalise, more].concat());
        assert!(done.code != 0 && done.err.contains(words), "{words}: {} {}", done.out, done.err);
    }
    for (net, more) in [
        (network(constant), &["unit", "--score", "max"][..]),
        (network(rebuilt), &["imagenet", "--reconstructs", "unit"]),
        (network(two), &["unit", "--reconstruction", "fine", "--distance", "squared"]),
    ] {
        let done = bench.bring(&net, &[&["--normalise"], more].concat());
        assert_eq!(done.code, 0, "{more:?}: {} {}", done.out, done.err);
    }
}

/// A choice that hangs on the picture is a mask and no post-processor: what it chooses is the map.
#[test]
fn a_mask_that_is_computed_is_part_of_the_map() {
    let bench = Bench::new();
    let masked = map(|g| {
        let map = dark(g, "x", 0.55);
        let (low, none) = (g.constant(&[1], &[0.1]), g.constant(&[1], &[0.0]));
        let background = g.node("Less", &[&map, &none], &[]);
        let less = g.node("Mul", &[&map, &low], &[]);
        g.node("Where", &[&background, &less, &map], &[])
    });
    let done = bench.bring(&masked, &["--normalise", "unit"]);
    assert!(done.code == 0 && !done.out.contains("post-processor"), "{} {}", done.out, done.err);
    assert!(said(&["info", &bench.path("part.andon")]).out.contains("map `map`"));
}

/// Colours before and behind: features of either order are learned from as what they are.
#[test]
fn features_of_another_order_than_the_picture_are_told_by_their_sides() {
    let bench = Bench::new();
    let features = |last: bool| {
        let mut g = GraphBuilder::new("features");
        g.input("x", &SHAPE);
        {
            let weights: Vec<f32> = (0..24).map(|i| ((i * 7) % 11) as f32 / 11.0 - 0.4).collect();
            let weights = g.constant(&[8, 3, 1, 1], &weights);
            let mut at = g.node("Conv", &["x", &weights], &[]);
            at = g.node("AveragePool", &[&at], &[Attr::Ints("kernel_shape", &[4, 4]), Attr::Ints("strides", &[4, 4])]);
            if last {
                at = g.node("Transpose", &[&at], &[Attr::Ints("perm", &[0, 2, 3, 1])]);
            }
            g.output(&at, "features", Some(if last { &[1, 12, 16, 8] } else { &[1, 8, 12, 16] }));
        }
        g.write()
    };
    let scores: Vec<_> = [false, true]
        .into_iter()
        .map(|last| {
            let done = bench.bring(&features(last), &["--normalise", "unit", "--method", "padim"]);
            assert_eq!(done.code, 0, "{} {}", done.out, done.err);
            let images = bench.eval()["evaluations"][0]["images"].clone();
            images.as_array().unwrap().iter().map(|image| image["score"].as_f64().unwrap()).collect::<Vec<_>>()
        })
        .collect();
    for (first, last) in scores[0].iter().zip(&scores[1]) {
        assert!((first - last).abs() < 1e-4 * first.abs(), "{first} {last}");
    }
}

/// More than any machine has: a process of its own is refused the memory, and this one goes on.
#[test]
fn a_network_that_takes_all_memory_is_refused() {
    let bench = Bench::new();
    let greedy = map(|g| {
        let (much, one) = (g.whole_numbers(&[20_000]), g.whole_numbers(&[1]));
        let map = dark(g, "x", 0.55);
        let flat = g.whole_numbers(&[1, -1]);
        let row = g.node("Reshape", &[&map, &flat], &[]);
        // As many rows as the picture says: what follows from no constant.
        let most = g.node("ReduceMax", &["x"], &[Attr::Int("keepdims", 0)]);
        let rows = g.node("Ceil", &[&most], &[]);
        let rows = g.node("Cast", &[&rows], &[Attr::Int("to", 7)]);
        let rows = g.node("Mul", &[&rows, &much], &[]);
        let sides = g.node("Concat", &[&rows, &rows, &one], &[Attr::Int("axis", 0)]);
        let large = g.node("Expand", &[&row, &sides], &[]);
        let most = g.node("ReduceMax", &[&large], &[Attr::Int("keepdims", 0)]);
        g.node("Add", &[&map, &most], &[])
    });
    let start = std::time::Instant::now();
    let done = bench.bring(&greedy, &["--normalise", "unit"]);
    assert!(done.code == 1 && (done.err.contains("bad_alloc") || done.err.contains("GiB of memory")), "{}", done.err);
    assert!(start.elapsed().as_secs() < 30);
    let told = said(&["import", &bench.path("net.onnx"), "--normalise", "unit", "--inspect"]);
    assert!(told.code == 1 && told.out.contains("operators") && !told.err.contains("[E:onnxruntime"), "{}", told.err);
    let (good, net, model) = (bench.path("good"), bench.path("net.onnx"), bench.path("fitted.andon"));
    let features = ["--backbone", &net, "--layers", "map", "--normalise", "unit"];
    let fitted = said(&[&["fit", &good, "-o", &model][..], &features].concat());
    assert!(fitted.code == 1 && fitted.err.contains("net.onnx"), "{}", fitted.err);
    assert!(fitted.err.contains("bad_alloc") || fitted.err.contains("GiB of memory"), "{}", fitted.err);
}

#[test]
fn features_of_a_network_that_takes_one_size_are_learned_at_that_size() {
    let bench = Bench::new();
    let net = map(|g| dark(g, "x", 0.55));
    std::fs::write(bench.path("net.onnx"), net).unwrap();
    let (good, net, model) = (bench.path("good"), bench.path("net.onnx"), bench.path("fitted.andon"));
    let how = ["--backbone", &net, "--layers", "map", "--normalise", "unit", "--pool", "1"];
    let fit = |more: &[&str]| said(&[&["fit", &good, "-o", &model][..], &how, more].concat());
    let done = fit(&[]);
    assert!(done.code == 0, "{}", done.err);
    let refused = fit(&["--size", "96"]);
    assert!(refused.code == 1 && refused.err.contains("alone, not of 96x96: --size "), "{}", refused.err);
}
