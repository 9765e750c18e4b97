//! The program as its users meet it: good runs, and every kind of bad input with its one line and its exit code.

use std::path::{Path, PathBuf};

use andon_sim::{Conveyor, DefectKind, SimSpec};
use andon_vision::model::bundle::Bundle;
use serde_json::Value;

use crate::common::{self, Said, flange_model, said, write_png};

fn json_lines(said: &Said) -> Vec<Value> {
    said.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// One line that names the program, the thing and the remedy, and nothing of a panic.
fn refused(said: &Said, code: i32, words: &[&str]) {
    assert_eq!(said.code, code, "{}", said.err);
    let line =
        said.err.lines().find(|l| l.starts_with("andon: ")).unwrap_or_else(|| panic!("no error line in {}", said.err));
    for word in words {
        assert!(said.err.contains(word), "`{word}` is not in: {line}");
    }
    assert!(!said.err.contains("panicked"), "{}", said.err);
}

fn flanges(dir: &Path) -> Vec<PathBuf> {
    let belt = Conveyor::new(SimSpec::default());
    let side = belt.spec().side;
    let mut rgb = Vec::new();
    let mut files = Vec::new();
    let mut save = |name: &str, rgb: &[u8]| {
        let path = dir.join(name);
        write_png(&path, side, rgb);
        files.push(path);
    };
    belt.paint_good(5000, &mut rgb);
    save("good.png", &rgb);
    belt.paint_with(3, DefectKind::Chip, &mut rgb);
    save("chip.png", &rgb);
    files
}

#[test]
fn a_good_part_passes_a_bad_one_is_rejected_and_heatmaps_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let files = flanges(dir.path());
    let heat = dir.path().join("heat");
    let s = said(&["inspect", text(flange_model()), text(&files[0]), text(&files[1]), "--heatmaps", text(&heat)]);
    assert_eq!(s.code, 0, "{}", s.err);
    let lines = json_lines(&s);
    assert_eq!((lines[0]["result"].as_str(), lines[1]["result"].as_str()), (Some("PASS"), Some("REJECT")));
    assert!(lines[1]["margin"].as_f64().unwrap() > 1.0);
    for line in &lines {
        let picture = image::open(line["heatmap"].as_str().unwrap()).unwrap();
        assert_eq!((picture.width(), picture.height()), (320, 320));
    }
    let s = said(&["inspect", text(flange_model()), text(&files[1]), "--fail-on-reject"]);
    assert_eq!(s.code, 3);
    let s = said(&["inspect", text(flange_model()), text(dir.path())]);
    assert_eq!(json_lines(&s).len(), 2, "a folder stands for its pictures");
    let s = said(&["inspect", text(flange_model()), text(&files[1]), "--threshold", "1000"]);
    assert_eq!(json_lines(&s)[0]["result"], "PASS");
    refused(&said(&["inspect", text(flange_model()), text(&files[1]), "--threshold", "-1"]), 2, &["--threshold"]);
}

#[test]
fn heatmaps_replace_neither_each_other_nor_a_picture() {
    let dir = tempfile::tempdir().unwrap();
    let files = flanges(dir.path());
    for folder in ["x/good", "y/good"] {
        std::fs::create_dir_all(dir.path().join(folder)).unwrap();
        std::fs::copy(&files[0], dir.path().join(folder).join("a.png")).unwrap();
    }
    image::open(&files[0]).unwrap().to_rgb8().save(dir.path().join("x/good/a.bmp")).unwrap();
    let at = |name: &str| dir.path().join(name);
    let run = || {
        let (x, y, heat) = (at("x/good"), at("y/good"), at("heat"));
        said(&["inspect", text(flange_model()), text(&x), text(&y), "--heatmaps", text(&heat)])
    };
    let s = run();
    let mut written: Vec<String> = json_lines(&s).iter().map(|l| l["heatmap"].as_str().unwrap().to_owned()).collect();
    written.sort();
    written.dedup();
    assert_eq!((s.code, written.len(), std::fs::read_dir(at("heat")).unwrap().count()), (0, 3, 3), "{}", s.err);
    assert_eq!(run().code, 0, "its own heatmaps may be replaced");
    // A picture in the folder that it lies in, and a file of somebody else.
    let original = std::fs::read(&files[0]).unwrap();
    let here = common::run(
        common::andon(&["inspect", text(flange_model()), "good.png", "--heatmaps", "."]).current_dir(dir.path()),
    );
    refused(&here, 1, &["good.png", "another folder"]);
    assert!(here.out.is_empty() && std::fs::read(&files[0]).unwrap() == original);
    std::fs::write(&written[0], b"somebody's").unwrap();
    let s = run();
    refused(&s, 1, &[&written[0], "no heatmap"]);
    assert!(s.out.is_empty() && std::fs::read(&written[0]).unwrap() == b"somebody's", "before any work");
}

#[test]
fn an_inspection_ends_with_its_counts_and_names_the_folders_that_hold_pictures() {
    use std::os::unix::ffi::OsStrExt;
    let dir = tempfile::tempdir().unwrap();
    let files = flanges(dir.path());
    std::fs::write(dir.path().join("notes.webp"), b"x").unwrap();
    let foreign = dir.path().join(std::ffi::OsStr::from_bytes(b"k\xffz.png"));
    std::fs::copy(&files[0], foreign).unwrap();
    let s = said(&["inspect", text(flange_model()), text(dir.path())]);
    assert_eq!((s.code, json_lines(&s).len()), (0, 3), "a line a picture, whatever it is called: {}", s.err);
    assert!(s.err.ends_with("3 pictures: 2 PASS, 1 REJECT, 0 ERROR; 1 left out\n"), "{}", s.err);
    assert!(s.err.contains("notes.webp"), "{}", s.err);
    let above = tempfile::tempdir().unwrap();
    for (folder, file) in [("good", &files[0]), ("hole", &files[1])] {
        std::fs::create_dir(above.path().join(folder)).unwrap();
        std::fs::copy(file, above.path().join(folder).join("1.png")).unwrap();
    }
    refused(&said(&["inspect", text(flange_model()), text(above.path())]), 1, &["good (1), hole (1)", "not searched"]);
}

#[test]
fn bad_pictures_are_errors_with_a_reason_and_the_rest_is_still_judged() {
    let dir = tempfile::tempdir().unwrap();
    let files = flanges(dir.path());
    let png = std::fs::read(&files[0]).unwrap();
    let make = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let jpeg = {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image::open(&files[0]).unwrap().to_rgb8().write_to(&mut bytes, image::ImageFormat::Jpeg).unwrap();
        bytes.into_inner()
    };
    let mut corrupt = png.clone();
    let middle = corrupt.len() / 2;
    corrupt[middle..middle + 40].fill(0x55);
    // A PNG header that promises 30,000 x 30,000 pixels and holds none.
    let mut huge = png[..33].to_vec();
    huge[16..20].copy_from_slice(&30_000u32.to_be_bytes());
    huge[20..24].copy_from_slice(&30_000u32.to_be_bytes());
    let crc = crc32(&huge[12..29]);
    huge[29..33].copy_from_slice(&crc.to_be_bytes());
    huge.extend(&png[33..]);
    let absent = dir.path().join("absent.png");
    let cases: Vec<(PathBuf, &str)> = vec![
        (make("corrupt.png", &corrupt), "damaged"),
        (make("cut.png", &png[..png.len() / 2]), "damaged"),
        (make("cut.jpg", &jpeg[..jpeg.len() * 2 / 3]), "ends before the picture does"),
        (make("zero.png", b""), "0 bytes"),
        (make("text.png", b"this is no picture"), "no picture"),
        (make("huge.png", &huge), "30000x30000"),
        (absent, "cannot read"),
    ];
    let mut args = vec!["inspect", text(flange_model())];
    args.extend(cases.iter().map(|(p, _)| text(p)));
    args.push(text(&files[0]));
    let s = said(&args);
    assert_eq!(s.code, 1, "{}", s.err);
    assert!(!s.err.contains("panicked"), "{}", s.err);
    let lines = json_lines(&s);
    for ((path, word), line) in cases.iter().zip(&lines) {
        let error = line["error"].as_str().unwrap();
        assert!(error.contains(word) && error.contains(text(path)) && !error.contains('\n'), "{error}");
        assert_eq!((line["result"].as_str(), line["score"].is_null()), (Some("ERROR"), true));
    }
    assert_eq!(lines.last().unwrap()["result"], "PASS");
    // A whole JPEG is fine, and so is a picture of another size when it is asked for.
    let whole = make("whole.jpg", &jpeg);
    assert_eq!(said(&["inspect", text(flange_model()), text(&whole)]).code, 0);
    let small = dir.path().join("small.png");
    write_png(&small, 64, &[90; 64 * 64 * 3]);
    let s = said(&["inspect", text(flange_model()), text(&small)]);
    assert_eq!((s.code, json_lines(&s)[0]["reason"].as_str()), (1, Some("wrong_size")));
    assert_eq!(said(&["inspect", text(flange_model()), text(&small), "--any-size"]).code, 0);
}

/// CRC-32 of PNG chunks, bit by bit from its definition.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, b| {
        (0..8).fold(crc ^ u32::from(*b), |c, _| if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 })
    })
}

#[test]
fn folders_that_cannot_teach_are_refused_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("part.andon");
    let fit = |folder: &Path, extra: &[&str]| {
        let mut args = vec!["fit", text(folder), "-o", text(&out)];
        args.extend(extra);
        said(&args)
    };
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    refused(&fit(&empty, &[]), 1, &["no pictures", "empty"]);
    refused(&fit(&dir.path().join("nowhere"), &[]), 1, &["cannot read", "nowhere"]);
    let two = dir.path().join("two");
    std::fs::create_dir(&two).unwrap();
    flanges(&two);
    refused(&fit(&two, &[]), 1, &["2 different good pictures", "at least 3"]);
    for k in 0..6 {
        let mut rgb = Vec::new();
        Conveyor::new(SimSpec::default()).paint_good(k, &mut rgb);
        write_png(&two.join(format!("more{k}.png")), 320, &rgb);
    }
    std::fs::write(two.join("bad.png"), b"nonsense").unwrap();
    refused(&fit(&two, &[]), 1, &["1 of 9 pictures", "bad.png", "--skip-bad"]);
    refused(&fit(&two, &["--skip-bad", "--bank", "0"]), 1, &["--bank"]);
    refused(&fit(&two, &["--skip-bad", "--local-scale", "1.5"]), 1, &["local_scale"]);
    for (options, word) in [
        (["--max-false-reject", "0"], "0.1%"),
        (["--time-budget", "8"], "8ms"),
        (["--score", "mean"], "top:N"),
        (["--layers", "a,b,c"], "outputs"),
    ] {
        let said = fit(&two, &options);
        assert!([1, 2].contains(&said.code) && (said.err.contains(word) || said.err.contains("`a`")), "{}", said.err);
    }
    refused(&fit(&two, &["--exclude", "nobody.png"]), 1, &["--exclude", "nobody.png"]);
    refused(&fit(&two, &["--skip-bad", "--pool", "2"]), 1, &["--pool", "odd"]);
    refused(&fit(&two, &["--skip-bad", "--roi", "1,1 5"]), 1, &["--roi", "`5`"]);
    refused(&fit(&two, &["--skip-bad", "--mask", "nowhere.png"]), 1, &["nowhere.png"]);
    let backbone = ["--skip-bad", "--backbone", "nowhere.onnx", "--layers", "a", "--normalise", "unit"];
    refused(&fit(&two, &backbone), 1, &["nowhere.onnx"]);
    assert_eq!(fit(&two, &backbone[..3]).code, 2, "a network of one's own needs its layers named");
    assert!(!out.exists(), "nothing half-written");
    let s = fit(&two, &["--skip-bad", "--bank", "200", "--json"]);
    assert_eq!(s.code, 0, "{}", s.err);
    assert!(s.err.contains("left out") && s.err.contains("bad.png"));
    let told = &json_lines(&s)[0];
    assert_eq!((told["images"].as_u64(), told["bank"].as_u64()), (Some(8), Some(200)));
    let scores: Vec<f64> =
        told["train_scores"].as_array().unwrap().iter().map(|s| s["score"].as_f64().unwrap()).collect();
    assert!(scores.len() == 8 && scores.is_sorted_by(|a, b| a >= b), "the oddest first: {scores:?}");
    assert!(told["train_scores"][0]["image"].as_str().unwrap().ends_with(".png"));
}

#[test]
fn the_same_pictures_give_the_same_model_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    let good = dir.path().join("good");
    std::fs::create_dir(&good).unwrap();
    let mut rgb = Vec::new();
    for k in 0..6 {
        Conveyor::new(SimSpec::default()).paint_good(k, &mut rgb);
        write_png(&good.join(format!("{k}.png")), 320, &rgb);
    }
    let fit = |name: &str, threads: &str| {
        let out = dir.path().join(name);
        let args = [
            "fit",
            text(&good),
            "-o",
            text(&out),
            "--bank",
            "300",
            "--name",
            "x",
            "--created",
            "2026-01-01T00:00:00Z",
            "--engine",
            "rten",
            "--threads",
            threads,
        ];
        assert_eq!(said(&args).code, 0);
        std::fs::read(out).unwrap()
    };
    assert!(fit("a.andon", "1") == fit("b.andon", "1"));
}

#[test]
fn damaged_models_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let files = flanges(dir.path());
    let model = std::fs::read(flange_model()).unwrap();
    let inspect = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        said(&["inspect", text(&path), text(&files[0])])
    };
    for cut in [0, 7, 8, 100, model.len() / 2, model.len() - 1] {
        refused(&inspect("cut.andon", &model[..cut]), 1, &["cut.andon"]);
    }
    for at in [3, 40, 2000, model.len() / 3, model.len() - 5] {
        let mut flipped = model.clone();
        flipped[at] ^= 4;
        refused(&inspect("flip.andon", &flipped), 1, &["flip.andon"]);
    }
    refused(&inspect("picture.andon", &std::fs::read(&files[0]).unwrap()), 1, &["not an andon model", "andon fit"]);
    refused(&said(&["inspect", "/nonexistent/m.andon", text(&files[0])]), 1, &["/nonexistent/m.andon"]);
}

#[test]
fn a_full_disk_leaves_the_old_model_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let small = dir.path().join("small");
    std::fs::create_dir(&small).unwrap();
    let mount =
        |args: &[&str]| std::process::Command::new("mount").args(args).output().is_ok_and(|o| o.status.success());
    if !mount(&["-t", "tmpfs", "-o", "size=64k", "tmpfs", text(&small)]) {
        eprintln!("skipped: may not mount a small file system here");
        return;
    }
    let good = dir.path().join("good");
    std::fs::create_dir(&good).unwrap();
    let mut rgb = Vec::new();
    for k in 0..6 {
        Conveyor::new(SimSpec::default()).paint_good(k, &mut rgb);
        write_png(&good.join(format!("{k}.png")), 320, &rgb);
    }
    let out = small.join("part.andon");
    std::fs::write(&out, "the old one").unwrap();
    let s = said(&["fit", text(&good), "-o", text(&out), "--bank", "100"]);
    let left = std::fs::read(&out).unwrap();
    let others = std::fs::read_dir(&small).unwrap().count();
    std::process::Command::new("umount").arg(&small).status().unwrap();
    refused(&s, 1, &["part.andon", "nothing was changed"]);
    assert_eq!((left.as_slice(), others), (&b"the old one"[..], 1));
}

#[test]
fn configurations_are_checked_shown_and_described() {
    let manual = common::root().join("config/andon.toml");
    let s = said(&["config", "check", "--elsewhere", "-c", text(&manual)]);
    let fine = cfg!(feature = "gst");
    assert_eq!((s.code == 0, s.out.contains("fine, 1 camera")), (fine, fine), "{}", s.err);
    let s = said(&["config", "show", "-c", text(&manual)]);
    assert!(
        s.out.contains("[cameras.top]") && s.out.contains("enabled = false"),
        "the environment is in it: {}",
        s.out
    );
    let schema: Value = serde_json::from_str(&said(&["config", "schema"]).out).unwrap();
    assert!(schema["properties"]["cameras"].is_object());
    let dir = tempfile::tempdir().unwrap();
    let bad = dir.path().join("bad.toml");
    std::fs::write(&bad, "sitee = \"x\"\n").unwrap();
    refused(&said(&["config", "check", "-c", text(&bad)]), 78, &["bad.toml:1", "`sitee`", "`site`"]);
    refused(&said(&["run", "-c", text(&bad)]), 78, &["`sitee`"]);
    std::fs::write(&bad, "site = \"x\"\n").unwrap();
    refused(&said(&["run", "-c", text(&bad)]), 78, &["cameras: none"]);
    refused(&said(&["run", "-c", "/nonexistent.toml"]), 78, &["/nonexistent.toml"]);
    refused(&said(&["run", "-c", text(&bad), "--set", "nonsense"]), 2, &["KEY=VALUE"]);
    assert_eq!(said(&["run", "-c", text(&bad), "--log", "a=b=c"]).code, 2);
}

#[cfg(feature = "gst")]
#[test]
fn pipelines_that_are_refused_stop_the_start_with_their_reason() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("andon.toml");
    let pipeline = dir.path().join("own.gst");
    let with = |camera: &str, gst: &str| {
        std::fs::write(&pipeline, gst).unwrap();
        let model = flange_model().display();
        std::fs::write(&config, format!("[cameras.cam]\nmodel = \"{model}\"\n{camera}")).unwrap();
        said(&["run", "-c", text(&config)])
    };
    let own = "pipeline = \"./own.gst\"\n";
    let s = with(own, "videotestsrc ! tee name=t ! appsink name=sink t. ! filesink location=/tmp/andon-must-not-be");
    refused(&s, 78, &["camera `cam`", "own.gst", "`filesink` is not allowed", "capture.allow_elements"]);
    assert!(!Path::new("/tmp/andon-must-not-be").exists());
    refused(&with(own, "nosuchsrc ! appsink name=sink"), 78, &["no element `nosuchsrc`"]);
    refused(&with(own, "videotestsrc ! fakesink"), 78, &["appsink name=sink"]);
    refused(&with("pipeline = \"webcam\"\n", ""), 78, &["webcam", "v4l2"]);
    let s = with("pipeline = \"file\"\nvars = { file = \"a ! filesink location=/etc/x\" }\n", "");
    refused(&s, 78, &["FILE", "are allowed"]);
    refused(&with("pipeline = \"file\"\n", ""), 78, &["no value for `FILE`"]);
}

#[test]
fn usage_errors_say_how_and_help_is_no_error() {
    assert_eq!(said(&["--help"]).code, 0);
    assert_eq!(said(&["--version"]).code, 0);
    for wrong in
        [&["frobnicate"][..], &["fit"], &["inspect", "x"], &["demo", "--rate", "0"], &["demo", "--defects", "2"]]
    {
        let s = said(wrong);
        assert_eq!(s.code, 2, "{wrong:?}: {}", s.err);
        assert!(!s.err.is_empty());
    }
    for command in
        ["demo", "fit", "inspect", "run", "bench", "config", "doctor", "eval", "adapt", "plan", "sim", "plc-check"]
    {
        let s = said(&[command, "--help"]);
        assert!(s.code == 0 && s.out.len() > 200, "{command}: {}", s.out);
    }
}

#[test]
fn the_doctor_says_what_is_here_and_what_is_missing() {
    let s = said(&["doctor", "--json"]);
    let findings: Value = serde_json::from_str(&s.out).unwrap();
    let about = |what: &str| findings.as_array().unwrap().iter().find(|f| f["what"] == what).cloned().unwrap();
    assert_eq!(about("gstreamer")["state"], "ok");
    assert!(about("engine")["state"] == "ok" || about("engine")["state"] == "missing");
    let s = common::run(common::andon(&["doctor"]).env("ANDON__ENGINE__ORT_LIBRARY", "/nonexistent.so"));
    assert!(s.out.contains("/nonexistent.so") && s.out.contains("rten"), "{}", s.out);
    assert_eq!(s.code, 0, "less is not broken: {}", s.out);
    let s = common::run(
        common::andon(&["doctor"])
            .env("ANDON__ENGINE__ORT_LIBRARY", "/nonexistent.so")
            .env("ANDON__ENGINE__KIND", "ort"),
    );
    assert_eq!(s.code, 1, "{}", s.out);
}

#[test]
fn the_bench_prints_every_stage() {
    let s = said(&["bench", text(flange_model()), "--seconds", "1", "--json", "--engine", "rten"]);
    assert_eq!(s.code, 0, "{}", s.err);
    let report = &json_lines(&s)[0];
    assert!(report["frames_per_second"].as_f64().unwrap() > 0.0);
    assert_eq!(report["engine"], "rten");
    let stages: Vec<&str> = report["stages"].as_array().unwrap().iter().map(|s| s["stage"].as_str().unwrap()).collect();
    assert_eq!(stages, ["preprocess", "infer", "aggregate", "score", "total"]);
}

#[test]
fn the_bench_of_a_tiled_model_measures_its_whole_pictures() {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("tiled.andon");
    let good = flange_model().parent().unwrap().join("good");
    let s = said(&["fit", text(&good), "-o", text(&model), "--bank", "300", "--tiles", "2x1", "--engine", "rten"]);
    assert_eq!(s.code, 0, "{}", s.err);
    let bundle = Bundle::open(&model).unwrap();
    let s = said(&["bench", text(&model), "--seconds", "1", "--json", "--engine", "rten"]);
    assert_eq!(s.code, 0, "{}", s.err);
    let report = &json_lines(&s)[0];
    let [w, h] = bundle.network().picture_size();
    assert_eq!(report["picture"], serde_json::json!([w, h]));
    // Half a picture, or one whose rows are those of two, has another score.
    let scores: Vec<f32> = report["scores"].as_array().unwrap().iter().map(|s| s.as_f64().unwrap() as f32).collect();
    assert_eq!(scores.len(), bundle.parity_score.len());
    for (got, want) in scores.iter().zip(&bundle.parity_score) {
        let off = (got - want).abs() / want.max(bundle.manifest.threshold);
        assert!(off <= bundle.manifest.parity_tolerance, "{got} instead of {want}");
    }
    let s = said(&["bench", text(&model), "--seconds", "1", "--engine", "rten"]);
    assert!(s.out.contains("2x1 tiles") && s.out.contains("the scores") && !s.out.contains("e0"), "{}", s.out);
}

#[cfg(feature = "gst")]
#[test]
fn the_demo_learns_runs_and_accounts_for_every_part() {
    let s = said(&["demo", "--seconds", "3", "--learn", "20", "--rate", "10", "--json"]);
    assert_eq!(s.code, 0, "{}", s.err);
    let report = &json_lines(&s)[0];
    assert_eq!((report["counts"]["offered"].as_u64(), report["adds_up"].as_bool()), (Some(30), Some(true)));
    assert_eq!(report["counts"]["error"], 0);
    assert!(report["good_parts"].as_u64().unwrap() > 10);
    let s = said(&["demo", "--seconds", "2", "--learn", "20", "--seed", "5"]);
    for word in
        ["parts offered", "adds up             yes", "false rejects", "missed", "capture to verdict", "first verdict"]
    {
        assert!(s.out.contains(word), "`{word}` is not in {}", s.out);
    }
}

#[test]
fn a_picture_that_is_added_passes_and_taken_away_again_leaves_the_same_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    std::fs::copy(common::flange_model(), path("m.andon")).unwrap();
    let original = std::fs::read(path("m.andon")).unwrap();
    let belt = Conveyor::new(SimSpec::default());
    let mut rgb = Vec::new();
    belt.paint_with(5, DefectKind::Stain, &mut rgb);
    write_png(Path::new(&path("stained.png")), 320, &rgb);
    let one = |args: &[&str]| -> Value {
        let s = said(args);
        assert_eq!(s.code, 0, "{}", s.err);
        json_lines(&s).remove(0)
    };
    let dry = one(&["adapt", &path("m.andon"), "--add", &path("stained.png"), "--dry-run", "--json"]);
    assert!(std::fs::read(path("m.andon")).unwrap() == original, "--dry-run writes nothing");
    let told = one(&["adapt", &path("m.andon"), "--add", &path("stained.png"), "--json"]);
    assert_eq!(dry["added"], told["added"]);
    let (before, after) = (told["added"][0]["before"].as_f64().unwrap(), told["added"][0]["after"].as_f64().unwrap());
    let threshold = told["threshold"]["after"].as_f64().unwrap();
    assert!(before >= threshold && after < 0.8 * before, "{told}");
    assert_eq!(told["threshold"]["before"], told["threshold"]["after"]);
    let inspected = one(&["inspect", &path("m.andon"), &path("stained.png"), "--json"]);
    assert_eq!(inspected["score"].as_f64().unwrap() as f32, after as f32);
    refused(&said(&["adapt", &path("m.andon"), "--add", &path("stained.png")]), 1, &["stained.png", "already"]);
    assert_eq!(told["added"][0]["passed_before"], false);
    belt.paint_good(5000, &mut rgb);
    write_png(Path::new(&path("fine.png")), 320, &rgb);
    let s = said(&["adapt", &path("m.andon"), "--add", &path("fine.png"), "--dry-run"]);
    assert!(s.code == 0 && s.err.contains("fine.png already passed"), "{}", s.err);
    refused(&said(&["adapt", &path("m.andon"), "--remove", "nobody.png"]), 1, &["nobody.png"]);
    one(&["adapt", &path("m.andon"), "--remove", "stained.png", "--json"]);
    assert!(std::fs::read(path("m.andon")).unwrap() == original, "as if nothing had been");
    assert_eq!(said(&["adapt", &path("m.andon")]).code, 2);
}

#[test]
fn what_a_chosen_threshold_promises_rests_on_the_pictures_that_are_left() {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("m.andon");
    std::fs::copy(common::flange_model(), &model).unwrap();
    let done = |args: &[&str]| {
        let s = said(args);
        assert_eq!(s.code, 0, "{}", s.err);
    };
    let learned = Bundle::open(&model).unwrap().manifest;
    let set = (learned.threshold * 1.2).to_string();
    done(&["threshold", text(&model), "--set", &set]);
    let before = Bundle::open(&model).unwrap().manifest;
    done(&["adapt", text(&model), "--remove", &learned.training.sources[0]]);
    let after = Bundle::open(&model).unwrap().manifest;
    assert_eq!(after.threshold, before.threshold, "it stays");
    assert_eq!(after.claim.images, before.claim.images - 1);
    assert!(after.claim.max_false_reject > before.claim.max_false_reject, "{:?}, {:?}", before.claim, after.claim);
}

#[cfg(feature = "store")]
#[test]
fn the_history_is_asked_by_flags_and_says_what_it_left_out() {
    use andon_core::{Detail, EventKind, LineEvent, Mono, Record, Seq, Sink};
    use andon_io::sinks::store::{StoreOptions, StoreSink};
    use andon_io::sinks::wire::StationInfo;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("h.db");
    let file = text(&path);
    refused(&said(&["history", "--file", file]), 1, &["there is no history at", "store.enabled = true"]);
    let lanes = vec!["be\u{1b}[31mlt".to_owned()];
    let names =
        StationInfo { lanes, ejectors: vec![Vec::new()], boot: ulid::Ulid::generate(), ..StationInfo::default() };
    let options = StoreOptions { path: path.clone(), max_rows: 1000, max_bytes: 1 << 30 };
    let mut store = StoreSink::start(options, names).unwrap();
    for n in 0..5 {
        store.offer(&Record::Event(
            0,
            LineEvent::new(EventKind::MissedEjection, Mono::now()).with(Detail::Part(Seq(n))),
        ));
    }
    store.close();
    let events = said(&["history", "--file", file, "--kind", "event", "--limit", "3"]);
    assert_eq!((events.code, events.out.lines().count()), (0, 4), "{}", events.err);
    assert!(
        events.out.contains("missed_ejection") && events.out.contains("\\u{1b}[31m") && !events.out.contains('\u{1b}'),
        "{}",
        events.out
    );
    assert!(events.err.contains("3 rows, the limit; there are more: --after "), "{}", events.err);
    let after = events.err.split("--after ").nth(1).unwrap().split(',').next().unwrap();
    let rest = json_lines(&said(&["history", "--file", file, "--kind", "event", "--after", after, "--json"]));
    assert_eq!(rest.iter().map(|r| r["seq"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 0]);
    let counters = json_lines(&said(&["history", "counters", "--by", "hour", "--file", file, "--json"]));
    assert_eq!(counters.iter().map(|c| c["missed"].as_u64().unwrap()).sum::<u64>(), 5);
    let csv = said(&["history", "counters", "--file", file, "--csv"]);
    assert!(csv.out.starts_with("time,label,lane,camera,offered,") && csv.out.contains(",day,"), "{}", csv.out);
    refused(&said(&["history", "--file", file, "--limit", "5000"]), 2, &["limit=5000", "1 to 1000"]);
    refused(&said(&["history", "--file", file, "--camera", "top"]), 2, &["camera=top", "has none yet"]);
    refused(&said(&["history", "part", "01KAR\u{1b}", "--file", file]), 1, &["no part with the id 01KAR\\u{1b}"]);
    assert_eq!(said(&["history", "migrate", "--file", file]).code, 0);
}

#[cfg(feature = "page")]
#[test]
fn users_are_made_on_the_box_and_stand_in_the_audit() {
    use std::io::Write;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("andon.toml");
    std::fs::write(&file, "").unwrap();
    let user = |args: &[&str], typed: &str| {
        let mut command = common::andon(&["user"]);
        command.args(args).arg("-c").arg(&file).env("USER", "smith").env_remove("SUDO_USER");
        command
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    };
    assert!(user(&["list"], "").2.contains("--role admin"), "says how the first one is made");
    let (code, _, err) = user(&["add", "anna", "--role", "admin"], "short\n");
    assert!(code == 2 && err.contains("at least 8 characters"), "{err}");
    assert_eq!(user(&["add", "anna", "--role", "admin"], "long enough\n").0, 0);
    assert_eq!(user(&["add", "otto", "--role", "operator"], "4711\n").0, 0);
    assert!(user(&["remove", "anna"], "").2.contains("last admin"));
    assert_eq!(user(&["passwd", "otto"], "0815\n").0, 0);
    assert_eq!(user(&["remove", "otto"], "").0, 0);
    assert!(user(&["passwd", "otto"], "0815\n").2.contains("no user `otto`"));
    let list: serde_json::Value = serde_json::from_str(&user(&["list", "--json"], "").1).unwrap();
    assert_eq!(
        (list[0]["name"].as_str(), list[0]["role"].as_str(), list.as_array().unwrap().len()),
        (Some("anna"), Some("admin"), 1)
    );
    let audit: serde_json::Value = serde_json::from_str(&user(&["audit", "--json"], "").1).unwrap();
    let acts: Vec<_> =
        audit.as_array().unwrap().iter().map(|e| (e["act"].as_str().unwrap(), e["done"] == true)).collect();
    assert_eq!(
        acts,
        [
            ("add_user", true),
            ("add_user", true),
            ("remove_user", false),
            ("change_password", true),
            ("remove_user", true)
        ]
    );
    assert!(audit[0]["user"] == "smith" && audit[0]["via"] == "command line", "{audit}");
    assert!(user(&["audit"], "").1.starts_with("id,at,user,role,via,act"));
}
