//! What is asked before a line is built: `plan`, `sim`, `plc-check`.

use serde_json::Value;

use crate::common::{self, Said, said};

const LINE: [&str; 9] = ["plan", "--speed", "0.8m/s", "--pitch", "60mm", "--reject-at", "450mm", "--latency", "15ms"];

fn plan(more: &[&str]) -> Said {
    said(&[&LINE[..], more].concat())
}

#[test]
fn a_plan_prints_its_budget_and_what_to_configure() {
    let s = plan(&[]);
    assert_eq!((s.code, s.err.as_str()), (0, ""));
    for word in ["picture to ejector", "562.5 ms", "highest safe speed", "deadline_ms = 537", "distance_mm = 450"] {
        assert!(s.out.contains(word), "`{word}` is not in:\n{}", s.out);
    }
    let s = plan(&["--json"]);
    let told: Value = serde_json::from_str(&s.out).unwrap();
    assert_eq!(told["plan"]["travel_ms"], 562.5);
    assert_eq!(told["source"], "stated by --latency, not measured");
    assert_eq!(told["plan"]["problems"], serde_json::json!([]));
}

#[test]
fn a_plan_without_a_model_says_that_its_time_was_stated() {
    let s = plan(&[]);
    assert!(s.out.contains("stated by --latency, not measured") && !s.out.contains("p99"), "{}", s.out);
    let neither = said(&LINE[..7]);
    assert!(
        neither.code == 2 && neither.err.contains("--model FILE") && neither.err.contains("--latency"),
        "{}",
        neither.err
    );
    // One answer names one speed.
    let late = said(&["plan", "--speed", "0.8m/s", "--pitch", "60mm", "--reject-at", "50mm", "--latency", "150ms"]);
    let named = late.out.lines().find_map(|l| l.strip_prefix("highest safe speed ")?.split(' ').next()).unwrap();
    assert!(late.code == 1 && late.err.contains(&format!("run at {named} m/s or slower")), "{}{}", late.out, late.err);
}

#[test]
fn a_plan_measures_the_model_on_this_machine() {
    let model = common::flange_model().to_str().unwrap();
    let args = ["plan", "--speed", "10mm/s", "--pitch", "60mm", "--reject-at", "450mm", "--seconds", "1", "--json"];
    let s = said(&[&args[..], &["--model", model, "--engine", "rten"]].concat());
    assert_eq!(s.code, 0, "{}", s.err);
    let told: Value = serde_json::from_str(&s.out).unwrap();
    assert!(told["inspection"]["p999_us"].as_u64().unwrap() > 0, "{told}");
    assert!(told["source"].as_str().unwrap().contains("measured"), "{told}");
}

#[test]
fn an_impossible_line_is_refused_with_its_reason() {
    let s = plan(&["--camera-at", "430mm"]);
    assert_eq!(s.code, 1, "{}", s.out);
    assert!(s.err.contains("too late") && s.err.contains("put the ejector at"), "{}", s.err);
    let s = plan(&["--part", "60mm"]);
    assert!(s.code == 1 && s.err.contains("they touch"), "{}", s.err);
    let s = plan(&["--part", "58mm"]);
    assert!(s.code == 1 && s.err.contains("hit its neighbour"), "{}", s.err);

    let usage: [&[&str]; 4] = [
        &["plan", "--speed", "0.8", "--pitch", "60mm", "--reject-at", "450mm", "--latency", "1ms"],
        &["plan", "--speed", "0m/s", "--pitch", "60mm", "--reject-at", "450mm", "--latency", "1ms"],
        &["plan", "--speed", "1m/s", "--pitch", "60mm", "--reject-at", "450mm"],
        &["sim", "--pitch", "30mm", "--part", "40mm"],
    ];
    for args in usage {
        let s = said(args);
        assert!(s.code == 2 && !s.err.is_empty() && s.out.is_empty(), "{args:?}: {}", s.err);
    }
    for wrong in [["--defects", "2"], ["--stops", "-1"], ["--reject-at", "10mm"], ["--counts-per-mm", "5000"]] {
        assert_eq!(said(&["sim", &format!("{}={}", wrong[0], wrong[1])]).code, 2, "{wrong:?}");
    }
}

#[test]
fn the_simulated_line_is_the_same_every_time_and_ejects_the_right_parts() {
    let troubled = [
        "sim",
        "--parts",
        "1500",
        "--json",
        "--stops",
        "4",
        "--reversals",
        "4",
        "--slip",
        "0.01",
        "--lost-frames",
        "0.01",
        "--double-triggers",
        "0.02",
        "--encoder-resets",
        "5",
        "--unsteady",
        "0.1",
    ];
    let first = said(&troubled);
    assert_eq!(first.code, 0, "{}", first.err);
    assert_eq!(first.out, said(&troubled).out, "the same seed, the same run");
    let told: Value = serde_json::from_str(&first.out).unwrap();
    let e = &told["ejections"];
    assert_eq!((&e["wrong"], &e["missed"], &e["late"]), (&0.into(), &0.into(), &0.into()), "{told}");
    assert!(told["counts"]["uninspected"].as_u64().unwrap() > 5, "{told}");
    assert_ne!(first.out, said(&[&troubled[..], &["--seed", "2"]].concat()).out);
    // An inspector far too slow: everything is ejected, nothing passes uninspected, and the code says that parts were lost.
    let slow = said(&["sim", "--parts", "300", "--json", "--latency", "2s", "--latency-p99", "3s"]);
    let told: Value = serde_json::from_str(&slow.out).unwrap();
    assert_eq!((&told["counts"]["pass"], &told["defects_through"]), (&0.into(), &0.into()), "{told}");
}

#[test]
fn plc_check_prints_and_walks_without_touching_when_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("andon.toml");
    let model = common::flange_model().display();
    std::fs::write(
        &file,
        format!(
            "[cameras.top]\npipeline = \"test\"\nmodel = \"{model}\"\n[belt]\nspeed_m_s = 0.8\n[outputs.valve]\n\
             driver = \"dry-run\"\n[ejectors.blow]\noutput = \"valve\"\ndistance_mm = 450\npart_mm = 40\n"
        ),
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let s = said(&["plc-check", "map", "-c", file]);
    assert!(s.code == 0 && s.out.contains("Heartbeat") && s.out.contains("top"), "{}{}", s.out, s.err);
    let csv = said(&["plc-check", "map", "--csv", "-c", file]).out;
    let columns: Vec<usize> = csv.lines().map(|l| l.split(',').count()).collect();
    assert!(columns.len() > 10 && columns.iter().all(|n| *n >= columns[0]), "{csv}");
    assert!(said(&["plc-check", "map", "--structured-text", "-c", file]).out.contains("FUNCTION_BLOCK"));
    let s = said(&["plc-check", "walk", "--dry-run", "-c", file]);
    assert!(s.code == 0 && s.out.contains("ejector blow") && s.out.contains("dry run"), "{}{}", s.out, s.err);
    let s = said(&["plc-check", "walk", "--yes", "--pulse", "20ms", "-c", file]);
    assert!(s.code == 0 && s.out.contains("ok: on for"), "{}{}", s.out, s.err);
    let unasked = common::run(common::andon(&["plc-check", "walk", "-c", file]).stdin(std::process::Stdio::null()));
    assert!(unasked.code == 2 && unasked.err.contains("--dry-run"), "{}", unasked.err);
    assert_eq!(said(&["plc-check", "map", "-c", "/nonexistent.toml"]).code, 78);
}
