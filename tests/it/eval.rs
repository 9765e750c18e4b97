//! The evaluation against scikit-learn and independent definitions, and the command as its user meets it.

use std::path::Path;

use andon_sim::{Conveyor, SimSpec};
use andon_vision::eval::{Curve, Pixels};
use serde_json::Value;

use crate::{common, npy};

fn noise(n: usize, seed: u64) -> Vec<f32> {
    let mut s = seed;
    (0..n)
        .map(|_| {
            s = s.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (s >> 40) as f32 / (1u64 << 24) as f32
        })
        .collect()
}

/// Maps of which some are coarse, so that scores tie, with defects of many shapes, one of them empty.
#[test]
fn metrics_agree_with_scikit_learn_and_the_published_definitions() {
    const SIDE: usize = 48;
    const N: usize = 14;
    let dir = tempfile::tempdir().unwrap();
    for (case, steps) in [(1u64, 0.0f32), (2, 40.0), (3, 400.0)] {
        let mut maps = noise(N * SIDE * SIDE, case);
        let mut masks = vec![0.0f32; maps.len()];
        let mut bad = vec![0.0f32; N];
        for n in 0..N {
            let defective = n % 2 == 1;
            bad[n] = f32::from(u8::from(defective));
            // Picture 3 is called defective and shows nothing.
            for region in 0..if defective && n != 3 { n % 4 + 1 } else { 0 } {
                let (x0, y0, size) = ((region * 13 + n * 5) % 40, (region * 17 + n * 3) % 40, 2 + region * 2);
                for (y, x) in (y0..(y0 + size).min(SIDE)).flat_map(|y| (x0..(x0 + size).min(SIDE)).map(move |x| (y, x)))
                {
                    let at = n * SIDE * SIDE + y * SIDE + x;
                    masks[at] = 1.0;
                    maps[at] = maps[at] * 0.6 + 0.55;
                }
            }
        }
        if steps > 0.0 {
            maps.iter_mut().for_each(|v| *v = (*v * steps).round() / steps);
        }
        let scores: Vec<f32> = maps.chunks_exact(SIDE * SIDE).map(|m| m.iter().copied().fold(0.0, f32::max)).collect();
        npy::write_f32(&dir.path().join("maps.npy"), &[N, SIDE, SIDE], &maps);
        npy::write_f32(&dir.path().join("masks.npy"), &[N, SIDE, SIDE], &masks);
        npy::write_f32(&dir.path().join("scores.npy"), &[N], &scores);
        npy::write_f32(&dir.path().join("bad.npy"), &[N], &bad);
        let Some(python) = common::peers_python() else { return };
        let script = common::root().join("tests/peers/metrics.py");
        let said = common::run(std::process::Command::new(python).arg(script).arg(dir.path()));
        assert_eq!(said.code, 0, "{}", said.err);
        let text = std::fs::read_to_string(dir.path().join("metrics.json")).unwrap();
        let want: Value = serde_json::from_str(&text).unwrap();

        let curve = Curve::new(scores.iter().zip(&bad).map(|(s, b)| (*s, *b > 0.0)).collect());
        let mut pixels = Pixels::new(bad.iter().filter(|b| **b == 0.0).count());
        for n in 0..N {
            let of = n * SIDE * SIDE..(n + 1) * SIDE * SIDE;
            let truth: Vec<bool> = masks[of.clone()].iter().map(|m| *m > 0.0).collect();
            if bad[n] == 0.0 || truth.contains(&true) {
                pixels.add(&maps[of], &truth, SIDE, bad[n] > 0.0);
            }
        }
        let p = pixels.finish();
        for (name, got, tolerance) in [
            ("auroc", curve.auroc(), 1e-9),
            ("average_precision", curve.average_precision(), 1e-9),
            ("f1_max", curve.f1_max().map(|f| f.0), 1e-9),
            ("pixel_auroc", p.auroc, 1e-9),
            ("pixel_average_precision", p.average_precision, 1e-9),
            ("aupro_30", p.aupro_30, 1e-6),
            ("aupro_5", p.aupro_5, 1e-6),
            ("aupimo", p.aupimo, 1e-6),
        ] {
            let (got, want) = (got.unwrap(), want[name].as_f64().unwrap());
            assert!((got - want).abs() <= tolerance, "case {case}, {name}: {got} instead of {want}");
        }
    }
}

/// Simulated flanges in MVTec AD's layout: good ones, and defective ones with their masks.
fn flanges(root: &Path) {
    let belt = Conveyor::new(SimSpec { defect_rate: 1.0, ..SimSpec::default() });
    let side = belt.spec().side;
    let mut rgb = Vec::new();
    let save = |path: String, rgb: &[u8]| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        common::write_png(&path, side, rgb);
    };
    for k in 0..17 {
        belt.paint_good(k, &mut rgb);
        save(format!("{}/good/{k:03}.png", if k < 12 { "train" } else { "test" }), &rgb);
    }
    for k in 20..25 {
        let kind = belt.defect(k).unwrap().as_str();
        belt.paint(k, &mut rgb);
        save(format!("test/{kind}/{k:03}.png"), &rgb);
        let mask: Vec<u8> = belt.mask(k).iter().flat_map(|v| [if *v > 0 { 255 } else { 0 }; 3]).collect();
        save(format!("ground_truth/{kind}/{k:03}_mask.png"), &mask);
    }
}

fn json(args: &[&str]) -> Value {
    let said = common::run(&mut common::andon(args));
    assert_eq!(said.code, 0, "{}", said.err);
    serde_json::from_str(said.out.trim()).unwrap()
}

#[test]
fn the_command_measures_compares_and_reports() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("set");
    flanges(&data);
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (train, set, report) = (path("set/train/good"), path("set"), path("report"));
    let (a, b) = (path("a.andon"), path("b.andon"));
    json(&["fit", &train, "-o", &a, "--bank", "600", "--json"]);
    json(&["fit", &train, "-o", &b, "--bank", "20", "--size", "64", "--json"]);
    let told = json(&["eval", &a, &set, "--against", &b, "--report", &report, "--json"]);
    let first = &told["evaluations"][0]["summary"];
    assert_eq!((first["image"]["good"].as_u64(), first["image"]["bad"].as_u64()), (Some(5), Some(5)));
    assert!(first["image"]["auroc"].as_f64().unwrap() > 0.9, "{first}");
    assert!(first["pixel"]["auroc"].as_f64().unwrap() > 0.8 && first["pixel"]["aupimo"].is_number(), "{first}");
    assert_eq!(told["evaluations"][0]["images"].as_array().unwrap().len(), 10);
    let (flipped, c) = (told["comparison"]["flipped"].as_array().unwrap(), &told["comparison"]);
    assert_eq!(flipped.len() as u64, c["better"].as_u64().unwrap() + c["worse"].as_u64().unwrap());
    let page = std::fs::read_to_string(path("report/report.html")).unwrap();
    assert!(
        page.contains("<svg") && !page.contains("http://") && !page.contains("https://"),
        "opens without a network"
    );
    let people = common::run(&mut common::andon(&["eval", &a, &set, "--no-pixels"]));
    assert!(people.out.contains("image AUROC") && people.out.contains("defects that pass"), "{}", people.out);
    assert!(people.out.contains("to set one: andon threshold") && !people.out.contains("AUPIMO"), "{}", people.out);
    let all = common::run(&mut common::andon(&["eval", &a, &set, "--no-pixels", "--metrics"]));
    assert!(all.out.contains("AUPIMO"), "{}", all.out);
    let points = first["operating"].as_array().unwrap();
    assert_eq!(
        (points[0]["aim"].as_str(), points[0]["threshold"].as_f64()),
        (Some("active"), first["rates"]["threshold"].as_f64())
    );
}

/// The operating point, as a quality engineer moves it: looked at, set, chosen by reviewed pictures, and found again in the model.
#[test]
fn a_threshold_is_chosen_without_learning_and_the_model_remembers_by_whom() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    flanges(&dir.path().join("set"));
    let (train, model) = (path("set/train/good"), path("a.andon"));
    json(&["fit", &train, "-o", &model, "--bank", "600", "--json"]);
    let learned = json(&["info", &model, "--json"]);
    let own = learned["manifest"]["threshold"].as_f64().unwrap();
    assert!(learned["manifest"].get("chosen").is_none() && learned["train_scores"].as_array().unwrap().len() > 3);

    let shown = json(&["threshold", &model, "--json"]);
    let others = shown["others"].as_array().unwrap();
    assert!(others.len() > 1 && others[0]["threshold"].as_f64() > others[1]["threshold"].as_f64(), "{shown}");
    assert_eq!(json(&["info", &model, "--json"]), learned, "a look changes nothing");

    let set = json(&["threshold", &model, "--set", "40.5", "--by", "anna", "--why", "trial", "--json"]);
    assert_eq!((set["threshold"].as_f64(), set["chosen"]["before"].as_f64()), (Some(40.5), Some(own)));
    let m = &json(&["info", &model, "--json"])["manifest"];
    assert_eq!((m["threshold"].as_f64(), m["chosen"]["by"].as_str()), (Some(40.5), Some("anna")));
    assert_eq!((m["chosen"]["why"].as_str(), m["chosen"]["how"].as_str()), (Some("trial"), Some("--set 40.5")));
    let people = common::said(&["info", &model]);
    assert!(people.out.contains("chosen        by anna") && people.out.contains("trial"), "{}", people.out);

    // Reviewed pictures: good ones alone, then with defects; the cost of a miss moves the threshold down.
    let good = json(&["threshold", &model, "--from", &path("set/test/good"), "--dry-run", "--json"]);
    assert_eq!((good["claim"]["images"].as_u64(), good["chosen"]["reviewed"].as_bool()), (Some(5), Some(true)));
    let cost = |cost: &str| {
        let told = json(&["threshold", &model, "--from", &path("set/test"), "--cost", cost, "--dry-run", "--json"]);
        assert_eq!(told["chosen"]["defects"]["defects"].as_u64(), Some(5), "{told}");
        told["threshold"].as_f64().unwrap()
    };
    assert!(cost("miss=1000,reject=1") <= cost("miss=1,reject=1000"));
    assert_eq!(
        json(&["info", &model, "--json"])["manifest"]["threshold"].as_f64(),
        Some(40.5),
        "--dry-run writes nothing"
    );
    let back = json(&["threshold", &model, "--ordinary", "--json"]);
    assert_eq!(back["threshold"].as_f64(), Some(own), "learning's own threshold again");

    // The judge uses it, and a model with a chosen threshold still opens and passes its parity check.
    let low = (learned["manifest"]["baseline"].as_f64().unwrap() + 0.01).to_string();
    json(&["threshold", &model, "--set", &low, "--json"]);
    let judged = common::said(&["inspect", &model, &path("set/test/good")]);
    assert!(judged.out.contains("REJECT"), "{} {}", judged.out, judged.err);

    for (args, words) in [
        (vec!["--set", "-1"], "is no threshold"),
        (vec!["--set", "nan"], "is no threshold"),
        (vec!["--set", "0.001"], "nothing would pass"),
        (vec!["--cost", "miss=1,reject=1"], "pictures of defects"),
        (vec!["--from", "/nonexistent"], "/nonexistent"),
        (vec!["--set", "5", "--ordinary"], "cannot be used with"),
    ] {
        let said = common::said(&[&["threshold", model.as_str()], args.as_slice()].concat());
        assert!(said.code != 0 && said.err.contains(words), "{args:?}: {}", said.err);
    }
}

#[test]
fn a_layer_that_is_not_there_is_answered_with_those_that_are() {
    let dir = tempfile::tempdir().unwrap();
    flanges(&dir.path().join("set"));
    let (train, model) = (dir.path().join("set/train/good"), dir.path().join("x.andon"));
    let network = common::root().join("models/efficientnet_lite0_features.onnx");
    let [train, model, network] = [&train, &model, &network].map(|p| p.to_str().unwrap());
    for engine in ["auto", "rten"] {
        let own = ["--backbone", network, "--layers", "stride8,nope", "--normalise", "centred", "--engine", engine];
        let said = common::said(&[&["fit", train, "-o", model], own.as_slice()].concat());
        assert!(said.code == 1 && said.err.contains("no output `nope`; it has"), "{}", said.err);
        assert!(said.err.contains("`stride8`") && said.err.contains("`stride16`"), "{}", said.err);
    }
}

#[test]
fn known_defects_choose_the_threshold_and_are_not_learned() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    flanges(&dir.path().join("set"));
    let bad = dir.path().join("bad");
    std::fs::create_dir(&bad).unwrap();
    for kind in std::fs::read_dir(dir.path().join("set/test")).unwrap().map(|e| e.unwrap().path()) {
        if kind.file_name().unwrap() != "good" {
            for file in std::fs::read_dir(kind).unwrap().map(|e| e.unwrap().path()) {
                std::fs::copy(&file, bad.join(file.file_name().unwrap())).unwrap();
            }
        }
    }
    let fit = |model: &str, args: &[&str]| {
        let mut all = vec![
            "fit",
            "set/train/good",
            "-o",
            model,
            "--bank",
            "600",
            "--name",
            "x",
            "--created",
            "2026-01-01T00:00:00Z",
        ];
        all.extend(args);
        let said = common::run(common::andon(&all).current_dir(dir.path()));
        assert_eq!(said.code, 0, "{}", said.err);
        said
    };
    fit("plain.andon", &[]);
    let said = fit("bad.andon", &["--bad", "bad"]);
    assert!(said.out.contains("of 5 known ones are found"), "{}", said.out);
    let of = |model: &str| json(&["info", &path(model), "--json"]);
    let (plain, weighed) = (of("plain.andon"), of("bad.andon"));
    assert_eq!(plain["train_scores"], weighed["train_scores"], "nothing is learned from defects");
    assert_eq!(weighed["manifest"]["chosen"]["how"].as_str(), Some("--bad bad"));
    assert_eq!(weighed["manifest"]["chosen"]["reviewed"].as_bool(), Some(false), "good ones are those learned from");
}

#[test]
fn part_of_a_defect_is_enough_where_the_set_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    flanges(&dir.path().join("set"));
    let (model, set) = (path("a.andon"), path("set"));
    json(&["fit", &path("set/train/good"), "-o", &model, "--bank", "100", "--json"]);
    let config = |value: u8, share: f64| {
        let defect = serde_json::json!([{"defect_name": "any", "pixel_value": value, "saturation_threshold": share, "relative_saturation": true}]);
        std::fs::write(path("set/defects_config.json"), defect.to_string()).unwrap();
    };
    let plain = json(&["eval", &model, &set, "--json"])["evaluations"][0]["summary"].clone();
    assert!(plain.get("saturated").is_none(), "only where the set says how much is enough");
    let mut figures = Vec::new();
    for share in [1.0, 0.5, 0.1] {
        config(255, share);
        let summary = json(&["eval", &model, &set, "--json"])["evaluations"][0]["summary"].clone();
        assert_eq!(summary["pixel"], plain["pixel"], "the other figures stay");
        assert_eq!(summary["saturated"]["defects"], 5);
        figures.push(summary["saturated"]["auspro_30"].as_f64().unwrap());
    }
    assert!(figures.is_sorted() && figures[0] < figures[2] && figures[2] <= 1.0, "{figures:?}");
    let people = common::run(&mut common::andon(&["eval", &model, &set, "--metrics"]));
    assert!(people.out.contains("AU-sPRO to 0.05"), "{}", people.out);
    config(7, 0.5);
    let said = common::run(&mut common::andon(&["eval", &model, &set]));
    assert!(said.code == 1 && said.err.contains("pixel_value 255"), "{}", said.err);
    std::fs::write(path("set/defects_config.json"), "[{}]").unwrap();
    let said = common::run(&mut common::andon(&["eval", &model, &set]));
    assert!(
        said.code == 1 && said.err.contains("defects_config.json") && said.err.contains("defect_name"),
        "{}",
        said.err
    );
}

#[test]
fn what_cannot_be_evaluated_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    flanges(&dir.path().join("set"));
    json(&["fit", &path("set/train/good"), "-o", &path("a.andon"), "--bank", "50", "--json"]);
    let refused = |args: &[&str], words: &[&str]| {
        let said = common::run(&mut common::andon(args));
        assert_eq!(said.code, 1, "{}", said.err);
        assert!(words.iter().all(|w| said.err.contains(w)), "{}", said.err);
    };
    refused(&["eval", &path("a.andon"), &path("nowhere")], &["nowhere", "no test set"]);
    refused(&["eval", &path("a.andon"), &path("set/train")], &["1", "good", "defective"]);
    refused(&["eval", &path("none.andon"), &path("set")], &["none.andon"]);
    // A broken picture is named, counted, and the rest is measured.
    std::fs::write(dir.path().join("set/test/good/broken.png"), b"nonsense").unwrap();
    refused(&["eval", &path("a.andon"), &path("set")], &["broken.png"]);
}
