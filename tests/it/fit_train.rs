//! `andon fit --method efficientad` as its user runs it: to its end, killed and gone on with, on a full disk, and with flags that do not fit.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use andon_core::SplitMix64;

use crate::common::{andon, run, said};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Brushed plates of 128x128 pixels, each a little different; some with a dark spot.
fn plates(folder: &Path, from: u64, count: u64, bad: bool) {
    std::fs::create_dir_all(folder).unwrap();
    for number in from..from + count {
        let mut random = SplitMix64::new(number);
        let (phase, bright) = (random.unit() * 6.0, 110.0 + 20.0 * random.unit());
        let picture = image::RgbImage::from_fn(128, 128, |x, y| {
            let spot = bad && (f64::from(x) - 70.0).hypot(f64::from(y) - 50.0) < 9.0;
            let value = bright + 30.0 * (f64::from(x) / 5.0 + phase).sin() + 8.0 * random.unit();
            let value = value - if spot { 90.0 } else { 0.0 };
            image::Rgb([value as u8, (value * 0.9) as u8, (value * 0.8) as u8])
        });
        picture.save(folder.join(format!("{number:03}.png"))).unwrap();
    }
}

fn fit(good: &Path, output: &Path, more: &[&str]) -> Command {
    let always =
        ["fit", text(good), "-o", text(output), "--method", "efficientad", "--size", "128", "--groups", "none"];
    let fixed = ["--created", "2026-01-01T00:00:00Z", "--engine", "rten", "--threads", "2"];
    andon(&[&always[..], &fixed, more].concat())
}

#[test]
fn a_model_is_trained_judged_and_says_what_it_rests_on() {
    let dir = tempfile::tempdir().unwrap();
    let [good, test, model] = ["good", "test", "part.andon"].map(|name| dir.path().join(name));
    plates(&good, 0, 30, false);
    plates(&test.join("good"), 100, 10, false);
    plates(&test.join("spot"), 200, 10, true);
    let done = fit(&good, &model, &["--steps", "120", "--json"]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let told: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&told["images"], &told["groups"]), (&30.into(), &10.into()), "{told}");
    assert!(!dir.path().join("part.andon.training").exists(), "what is done is not gone on with");
    let info = said(&["info", text(&model)]);
    for words in ["efficientad", "xs (student", "120 steps on 20 pictures", "10 held out", "30 good ones"] {
        assert!(info.out.contains(words), "{words}: {}", info.out);
    }
    let eval = said(&["eval", text(&model), text(dir.path()), "--json", "--engine", "rten"]);
    let measured: serde_json::Value = serde_json::from_str(&eval.out).unwrap_or_default();
    assert!(
        measured["evaluations"][0]["summary"]["image"]["auroc"].as_f64().is_some_and(|auroc| auroc > 0.99),
        "{} {}",
        eval.out,
        eval.err
    );
}

/// A signal lets it keep where it is; `kill -9` and a full disk leave the last checkpoint. The file is in the end what it would have been.
#[test]
fn a_training_that_was_killed_goes_on_to_the_same_file() {
    let dir = tempfile::tempdir().unwrap();
    let good = dir.path().join("good");
    plates(&good, 0, 24, false);
    let [whole, killed] = ["whole.andon", "killed.andon"].map(|name| dir.path().join(name));
    let options = ["--steps", "200", "--name", "plate", "--keep-every", "1s"];
    assert!(fit(&good, &whole, &options).stderr(Stdio::null()).status().unwrap().success());
    let checkpoint = dir.path().join("killed.andon.training");
    // Sends the signal as soon as there is a checkpoint that was not there before.
    let killed_by = |signal: &str| {
        let before = std::fs::read(&checkpoint).ok();
        let mut child = fit(&good, &killed, &options).stderr(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        while std::fs::read(&checkpoint).ok() == before {
            assert!(begun.elapsed() < Duration::from_secs(60), "no checkpoint");
            std::thread::sleep(Duration::from_millis(20));
        }
        Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(!child.wait().unwrap().success());
    };
    killed_by("-TERM");
    killed_by("-KILL");
    // A file may not grow beyond 100 blocks: what a full disk looks like to the program.
    let kept = std::fs::read(&checkpoint).unwrap();
    let full = fit(&good, &killed, &options);
    let mut limited = Command::new("bash");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$0\" \"$@\""])
        .arg(full.get_program())
        .args(full.get_args());
    let said = run(limited.env("ANDON__ZENOH__ENABLED", "false"));
    assert!(said.code != 0 && said.err.contains("killed.andon.training: File too large"), "{}", said.err);
    assert!(std::fs::read(&checkpoint).unwrap() == kept && !killed.exists(), "the last checkpoint stays");
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "nothing half-written is left behind: {left:?}");
    let rest = run(&mut fit(&good, &killed, &options));
    assert!(rest.code == 0 && rest.err.contains("goes on from"), "{}", rest.err);
    assert!(std::fs::read(&whole).unwrap() == std::fs::read(&killed).unwrap(), "other bytes");
}

#[test]
fn flags_that_do_not_fit_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let good = dir.path().join("good");
    plates(&good, 0, 8, false);
    let model = dir.path().join("part.andon");
    let none = dir.path().join("none.pth");
    std::fs::write(&none, b"no weights").unwrap();
    for (flags, words) in [
        (&["--tiles", "2x2"][..], "--tiles is about features of a fixed network"),
        (&["--augment", "rotate"], "--augment is about features of a fixed network"),
        (&["--auto"], "leave --auto out"),
        (&["--bank", "100", "--time-budget", "8ms"], "--bank"),
        (&["--param", "size=s"], "no teacher of this size is built in; give one with --teacher"),
        (&["--param", "size=huge"], "huge"),
        (
            &["--teacher", text(&none)],
            "is no teacher that can be used: it is none of ONNX, safetensors and PyTorch's files",
        ),
        (&["--natural", text(&none)], "none.pth"),
        (&["--time", "soon"], "a time such as 90s, 15m or 2h"),
        (&["--time", "5m", "--steps", "5"], "cannot be used with"),
        (&["--score", "reweighted:3", "--steps", "1"], "memory bank"),
    ] {
        let done = fit(&good, &model, flags).output().unwrap();
        let err = String::from_utf8_lossy(&done.stderr);
        assert!(!done.status.success() && err.contains(words), "{flags:?}: {err}");
        assert!(!model.exists());
    }
    let other = said(&["fit", text(&good), "-o", text(&model), "--steps", "5"]);
    assert!(other.code != 0 && other.err.contains("are about a training, and patchcore has none"), "{}", other.err);
}
