//! `andon fit` as its users run it: pictures that belong together, the page, parts that turn, and the search for a way to learn.

use std::path::Path;

use image::{GrayImage, Luma, RgbImage};
use serde_json::Value;

use crate::common::{Said, said};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn fit(good: &Path, model: &Path, more: &[&str]) -> Said {
    let always = ["fit", text(good), "-o", text(model), "--engine", "rten", "--created", "2026-01-01T00:00:00Z"];
    said(&[&always, more].concat())
}

fn info(model: &Path) -> Value {
    let said = said(&["info", text(model), "--json"]);
    serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{}", said.err))
}

/// A part with a nose on one side, turned by some degrees, its ground a little different each time.
fn part(side: u32, degrees: f32, seed: u64) -> RgbImage {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let mut random = andon_core::SplitMix64::new(seed);
    let ground = 60 + random.below(30) as u8;
    RgbImage::from_fn(side, side, |x, y| {
        let (x, y) = (x as f32 / side as f32 * 2.0 - 1.0, y as f32 / side as f32 * 2.0 - 1.0);
        let (u, v) = (cos * x + sin * y, cos * y - sin * x);
        let inside = u.abs() < 0.5 && v.abs() < 0.3;
        let nose = (u + 0.5).hypot(v - 0.1) < 0.2;
        let value = if inside {
            190
        } else if nose {
            140
        } else {
            ground
        };
        image::Rgb([value + random.below(12) as u8, value, value.saturating_sub(20)])
    })
}

fn parts(folder: &Path, count: u64, side: u32, turn: impl Fn(u64) -> f32) {
    std::fs::create_dir_all(folder).unwrap();
    for n in 0..count {
        part(side, turn(n), n).save(folder.join(format!("{n:03}.png"))).unwrap();
    }
}

#[test]
fn pictures_of_one_part_are_held_out_together_and_count_once() {
    let dir = tempfile::tempdir().unwrap();
    let (good, model) = (dir.path().join("good"), dir.path().join("m.andon"));
    std::fs::create_dir(&good).unwrap();
    // Twelve parts, three pictures of each that differ by noise alone.
    for n in 0..36u64 {
        let mut random = andon_core::SplitMix64::new(n);
        let mut spots = andon_core::SplitMix64::new(1000 + n / 3);
        let at: Vec<(u64, u64)> = (0..12).map(|_| (spots.below(56), spots.below(56))).collect();
        GrayImage::from_fn(64, 64, |x, y| {
            let spot =
                at.iter().any(|(a, b)| (*a..*a + 8).contains(&u64::from(x)) && (*b..*b + 8).contains(&u64::from(y)));
            Luma([if spot { 200 } else { 60 } + random.below(6) as u8])
        })
        .save(good.join(format!("part{:02}_{}.png", n / 3, n % 3)))
        .unwrap();
    }
    let small = ["--size", "64", "--bank", "300"];
    let alone = fit(&good, &model, &[&small[..], &["--groups", "none"]].concat());
    assert!(alone.code == 0 && !alone.err.contains("groups"), "{}", alone.err);
    let alone = info(&model)["manifest"].clone();
    assert_eq!(alone["claim"]["images"], 36);
    for how in ["auto", r"part(\d+)_"] {
        let grouped = fit(&good, &model, &[&small[..], &["--groups", how]].concat());
        assert!(grouped.code == 0 && grouped.err.contains("36 pictures in 12 groups"), "{how}: {}", grouped.err);
        assert!(grouped.out.contains("12 groups of 36 pictures"), "{}", grouped.out);
        let grouped = info(&model)["manifest"].clone();
        assert_eq!(grouped["claim"]["images"], 12, "{how}");
        let threshold = |m: &Value| m["threshold"].as_f64().unwrap();
        // With a picture of the same part among those learned from, a held-out score says nothing about a new part's.
        assert!(threshold(&grouped) > 1.05 * threshold(&alone), "{how}: {} {}", threshold(&grouped), threshold(&alone));
    }
    let folders = dir.path().join("folders");
    for n in 0..36 {
        let folder = folders.join(format!("part{:02}", n / 3));
        std::fs::create_dir_all(&folder).unwrap();
        let name = format!("part{:02}_{}.png", n / 3, n % 3);
        std::fs::copy(good.join(&name), folder.join(format!("{}.png", n % 3))).unwrap();
    }
    let grouped = fit(&folders, &model, &[&small[..], &["--groups", "folders"]].concat());
    assert!(grouped.code == 0 && grouped.err.contains("36 pictures in 12 groups"), "{}", grouped.err);
    assert_eq!(info(&model)["manifest"]["training"]["sources"][4], "part01/1.png");
    let wrong = fit(&good, &model, &["--groups", "("]);
    assert!(wrong.code == 1 && wrong.err.contains("regular expression"), "{}", wrong.err);
    let one = fit(&good, &model, &[&small[..], &["--groups", "part"]].concat());
    assert!(one.code == 1 && one.err.contains("one group"), "{}", one.err);
}

#[test]
fn the_page_shows_the_oddest_pictures_and_what_the_threshold_would_be_without_each() {
    let dir = tempfile::tempdir().unwrap();
    let (good, model, report) = (dir.path().join("good"), dir.path().join("m.andon"), dir.path().join("page"));
    parts(&good, 24, 96, |_| 0.0);
    let mut odd = part(96, 0.0, 99);
    (30..50).for_each(|x| (40..60).for_each(|y| odd.put_pixel(x, y, image::Rgb([0, 0, 0]))));
    odd.save(good.join("odd.png")).unwrap();
    let made = fit(&good, &model, &["--size", "64", "--bank", "400", "--groups", "none", "--report", text(&report)]);
    assert_eq!(made.code, 0, "{}", made.err);
    assert!(made.out.contains("report.html"), "{}", made.out);
    let page = std::fs::read_to_string(report.join("report.html")).unwrap();
    assert_eq!(page.matches("<figcaption>").count(), 25 + 1, "every picture, and the histogram");
    let first = page.find("odd.png").unwrap();
    assert!(
        (0..24).all(|n| page.find(&format!("{n:03}.png: ")).is_some_and(|at| at > first)),
        "the oddest comes first"
    );
    assert!(page.contains("stands out") || page.contains("sets this threshold"), "the sentence that matters");
    assert!(page.contains("threshold without it") || page.contains("the same without it"));
    assert!(page.contains("data:image/png;base64,"));
}

#[test]
fn parts_that_lie_any_way_round_are_brought_into_one_pose_and_what_is_no_such_part_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let (good, model) = (dir.path().join("good"), dir.path().join("m.andon"));
    parts(&good, 24, 224, |n| n as f32 * 67.0);
    let made = fit(&good, &model, &["--size", "224", "--bank", "1000", "--groups", "none", "--align"]);
    assert!(made.code == 0 && made.err.contains("brought into one pose"), "{}", made.err);
    let judge = |picture: &RgbImage| -> Value {
        let file = dir.path().join("x.png");
        picture.save(&file).unwrap();
        let said = said(&["inspect", text(&model), text(&file), "--json", "--engine", "rten"]);
        serde_json::from_str(said.out.lines().next().unwrap_or_else(|| panic!("{}", said.err))).unwrap()
    };
    for degrees in [10.0, 200.0, 305.0] {
        let seen = judge(&part(224, degrees, 500));
        assert_eq!(seen["result"], "PASS", "turned by {degrees}: {seen}");
    }
    // A hole in the part, to the right of its middle: where the frame has it, not where the pose has it.
    let mut bad = part(224, 90.0, 501);
    (106..118).for_each(|x| (140..152).for_each(|y| bad.put_pixel(x, y, image::Rgb([0, 0, 0]))));
    let seen = judge(&bad);
    assert_eq!(seen["result"], "REJECT", "{seen}");
    let region = &seen["regions"][0];
    let place = |key: &str| region[key].as_f64().unwrap_or_else(|| panic!("{region}"));
    let (x, y) = (place("x") + place("width") / 2.0, place("y") + place("height") / 2.0);
    assert!((x - 112.0).abs() < 24.0 && (y - 146.0).abs() < 24.0, "{region}");
    let stripes =
        RgbImage::from_fn(224, 224, |_, y| image::Rgb([if (y / 11).is_multiple_of(2) { 20 } else { 230 }; 3]));
    let seen = judge(&stripes);
    assert_eq!((&seen["result"], &seen["reason"]), (&"ERROR".into(), &"not_aligned".into()), "{seen}");
}

#[test]
fn the_search_says_what_it_compared_and_its_flags_make_the_same_file_again() {
    let dir = tempfile::tempdir().unwrap();
    let (good, model, again) = (dir.path().join("good"), dir.path().join("m.andon"), dir.path().join("again.andon"));
    let bad = dir.path().join("bad");
    parts(&good, 12, 96, |_| 0.0);
    std::fs::create_dir(&bad).unwrap();
    for n in 0..12u32 {
        let mut picture = part(96, 0.0, 700 + u64::from(n));
        (30 + n..36 + n).for_each(|x| (40..46).for_each(|y| picture.put_pixel(x, y, image::Rgb([20, 20, 20]))));
        picture.save(bad.join(format!("{n}.png"))).unwrap();
    }
    let by_hand = [
        "--layers",
        "stride8,stride16",
        "--pool",
        "3",
        "--smoothing",
        "1",
        "--method",
        "patchcore",
        "--name",
        "x",
        "--bank",
        "300",
    ];
    let auto = ["--auto", "--time-budget", "10s", "--bad", text(&bad)];
    let found = fit(&good, &model, &[&by_hand[..], &auto, &["--json"]].concat());
    assert_eq!(found.code, 0, "{}", found.err);
    let found: Value = serde_json::from_str(&found.out).unwrap();
    let search = &found["search"];
    assert_eq!(
        (&search["compared"]["good"], &search["compared"]["known"]),
        (&12.into(), &6.into()),
        "half of the known ones"
    );
    let candidates = search["candidates"].as_array().unwrap();
    assert!(candidates.len() >= 3, "{}", candidates.len());
    for c in candidates {
        let merit = c["merit"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&merit) && c["affordable"] == true && c["ms"].as_f64().unwrap() > 0.0, "{c}");
    }
    let flags = candidates[search["chosen"].as_u64().unwrap() as usize]["flags"].as_str().unwrap();
    let flags: Vec<&str> = flags.split_whitespace().collect();
    let same = fit(&good, &again, &[&by_hand[..], &flags].concat());
    assert_eq!(same.code, 0, "{}", same.err);
    let scores = |model: &Path| info(model)["train_scores"].clone();
    assert_eq!(scores(&model), scores(&again), "{flags:?}");
    let told = fit(&good, &model, &[&by_hand[..], &["--auto", "--size", "64"]].concat());
    assert!(told.err.contains("taken: ") && told.err.contains("no promise about real ones"), "{}", told.err);
    let slow = fit(&good, &model, &[&by_hand[..], &["--auto", "--size", "64", "--time-budget", "1us"]].concat());
    assert!(slow.code == 1 && slow.err.contains("raise --time-budget"), "{}", slow.err);
}

#[test]
fn quarter_turns_are_tried_only_where_parts_lie_any_way_round() {
    let dir = tempfile::tempdir().unwrap();
    let by_hand = ["--layers", "stride16", "--pool", "3", "--smoothing", "1", "--method", "patchcore", "--bank", "300"];
    let auto = ["--size", "64", "--groups", "none", "--auto", "--time-budget", "10s", "--json"];
    let searched = |turn: f32| -> (bool, Option<f64>) {
        let (good, model) = (dir.path().join(format!("{turn}")), dir.path().join("m.andon"));
        parts(&good, 24, 96, |n| n as f32 * turn);
        let found = fit(&good, &model, &[&by_hand[..], &auto].concat());
        assert_eq!(found.code, 0, "{}", found.err);
        let found: Value = serde_json::from_str(&found.out).unwrap();
        let candidates = found["search"]["candidates"].as_array().unwrap();
        let turns = candidates.iter().any(|c| c["flags"].as_str().unwrap().contains("--augment rotate"));
        (turns, found["search"]["lies_one_way"].as_f64())
    };
    let (turns, lies_one_way) = searched(0.0);
    assert!(!turns && lies_one_way.is_some_and(|apart| apart >= 0.75), "{lies_one_way:?}");
    assert_eq!(searched(137.5), (true, None), "these lie any way round");
}

/// Plates with a grid of dots; a bad one lacks some of them.
fn plates(folder: &Path, numbers: std::ops::Range<u64>, bad: bool) {
    std::fs::create_dir_all(folder).unwrap();
    for n in numbers {
        let mut random = andon_core::SplitMix64::new(n);
        let ground = 60 + random.below(8) as u8;
        RgbImage::from_fn(128, 128, |x, y| {
            let dot = (x % 16).abs_diff(8).pow(2) + (y % 16).abs_diff(8).pow(2) < 20;
            let missing = bad && (40..90).contains(&x) && (50..80).contains(&y);
            let value = if dot && !missing { 200 } else { ground } + random.below(8) as u8;
            image::Rgb([value, value, value.saturating_sub(10)])
        })
        .save(folder.join(format!("{n:03}.png")))
        .unwrap();
    }
}

#[test]
fn every_method_that_fit_learns_tells_a_defect_from_good_parts_and_says_what_it_holds() {
    let dir = tempfile::tempdir().unwrap();
    let [good, test_good, bad] = ["good", "test/good", "test/holes"].map(|name| dir.path().join(name));
    plates(&good, 0..14, false);
    plates(&test_good, 100..104, false);
    plates(&bad, 200..204, true);
    for (method, more) in [
        ("padim", vec![]),
        ("softpatch", vec!["--bank", "300"]),
        ("subspace", vec!["--param", "variance=0.95"]),
        ("fastrecon", vec![]),
        ("spade", vec![]),
        ("fapm", vec!["--bank", "600"]),
        ("pni", vec!["--bank", "300"]),
        ("inreach", vec!["--bank", "300"]),
        ("simplenet", vec!["--param", "steps=60"]),
    ] {
        let model = dir.path().join(format!("{method}.andon"));
        let learned = fit(&good, &model, &[&["--method", method, "--size", "128"][..], &more].concat());
        assert_eq!(learned.code, 0, "{method}: {}", learned.err);
        let again = dir.path().join("again.andon");
        fit(&good, &again, &[&["--method", method, "--size", "128", "--name", method][..], &more].concat());
        assert_eq!(std::fs::read(&model).unwrap(), std::fs::read(&again).unwrap(), "{method}: the same twice");
        let facts = info(&model);
        assert_eq!(facts["manifest"]["method"]["id"], method);
        let eval = said(&["eval", text(&model), text(dir.path()), "--json", "--engine", "rten"]);
        let eval: Value = serde_json::from_str(&eval.out).unwrap_or_else(|_| panic!("{method}: {}", eval.err));
        let auroc = eval["evaluations"][0]["summary"]["image"]["auroc"].as_f64().unwrap();
        assert_eq!(auroc, 1.0, "{method}");
    }
    for (flags, word) in [
        (vec!["--method", "padim", "--bank", "30"], "--bank is about a memory bank"),
        (vec!["--method", "spade", "--denoise", "5%"], "the memory bank of patchcore"),
        (vec!["--method", "pni", "--param", "bank=0"], "bank"),
        (vec!["--method", "subspace", "--score", "reweighted:3"], "memory bank"),
        (vec!["--method", "simplenet", "--param", "noise=-1"], "noise"),
        (vec!["--method", "spade", "--steps", "5"], "spade has none"),
    ] {
        let refused = fit(&good, &dir.path().join("no.andon"), &flags);
        assert!(refused.code != 0 && refused.err.contains(word), "{flags:?}: {}", refused.err);
        assert!(!dir.path().join("no.andon").exists());
    }
}
