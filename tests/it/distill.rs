//! `andon distill` as a maker of teachers runs it: to its end, again, and with options that do not fit.

use std::path::Path;

use andon_train::networks::Size;
use andon_train::teacher::Teacher;

use crate::common::{Said, root, said};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn photographs(folder: &Path, count: u64) {
    std::fs::create_dir_all(folder).unwrap();
    for number in 0..count {
        let mut random = andon_core::SplitMix64::new(number);
        let (a, b) = (random.below(9) as u32 + 1, random.below(30) as u32 + 2);
        let picture = image::RgbImage::from_fn(96, 80, |x, y| {
            image::Rgb([(x * a) as u8, (y * b) as u8, (x / b * 40 + y / a * 30) as u8])
        });
        picture.save(folder.join(format!("{number:02}.png"))).unwrap();
    }
}

fn distill(folder: &Path, more: &[&str]) -> Said {
    let trunk = root().join("models/efficientnet_lite0_features.onnx");
    let (pictures, work, output) = (folder.join("pictures"), folder.join("work"), folder.join("teacher.safetensors"));
    let always = ["distill", "--from", text(&trunk), "--normalise", "centred", "--pictures", text(&pictures)];
    let places = ["--work", text(&work), "-o", text(&output), "--batch", "2"];
    said(&[&always[..], &places, more].concat())
}

#[test]
fn a_teacher_is_made_with_its_provenance_and_a_finished_run_is_not_run_again() {
    let dir = tempfile::tempdir().unwrap();
    photographs(&dir.path().join("pictures"), 20);
    let layers = ["--layers", "stride8,stride16"];
    let first = distill(dir.path(), &[&layers[..], &["--steps", "3", "--licence", "CC0-1.0"]].concat());
    assert_eq!(first.code, 0, "{}", first.err);
    assert!(first.out.contains("3 steps on 20 pictures"), "{}", first.out);
    let teacher = Teacher::read(&dir.path().join("teacher.safetensors"), Size::Xs).unwrap();
    for (key, value) in [("licence", "CC0-1.0"), ("layers", "stride8,stride16"), ("steps", "3"), ("pictures", "20")] {
        assert_eq!(teacher.about[key], value);
    }
    let curve = std::fs::read_to_string(dir.path().join("work/curve.csv")).unwrap();
    assert_eq!(curve.lines().count(), 3, "the head, the start and the end: {curve}");
    let again = distill(dir.path(), &[&layers[..], &["--steps", "3"]].concat());
    assert_eq!((again.code, again.out == first.out), (0, true), "{}", again.err);
    assert_eq!(Teacher::read(&dir.path().join("teacher.safetensors"), Size::Xs).unwrap().weights, teacher.weights);
}

#[test]
fn what_does_not_fit_is_refused_by_name_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    photographs(&dir.path().join("pictures"), 20);
    let cases: [(&[&str], &str); 6] = [
        (&["--layers", "stride99"], "no output `stride99`; it has"),
        (&["--layers", "stride4"], "take the layer of stride 8 as its finest"),
        (&["--layers", "stride8"], "40 values for each place, and 96 are to be learned; take more layers"),
        (&["--layers", "stride8,stride16", "--network", "xl"], "xs, s or m"),
        (&["--layers", "stride8,stride16", "--rate", "0"], "a number above 0, at most 1"),
        (&["--layers", "stride8,stride16", "--rate", "1", "--steps", "30"], "a smaller --rate may help"),
    ];
    for (options, words) in cases {
        let said = distill(dir.path(), options);
        assert!(said.code != 0 && said.err.contains(words), "{options:?}: {}", said.err);
    }
    let done = distill(dir.path(), &["--layers", "stride8,stride16", "--steps", "1"]);
    assert_eq!(done.code, 0, "{}", done.err);
    let other = distill(dir.path(), &["--layers", "stride8,stride16", "--steps", "1", "--network", "s"]);
    assert!(other.code != 0 && other.err.contains("name another --work folder"), "{}", other.err);
    photographs(&dir.path().join("pictures"), 21);
    let more = distill(dir.path(), &["--layers", "stride8,stride16", "--steps", "1"]);
    assert!(more.code != 0 && more.err.contains("name another --work folder, or empty it"), "{}", more.err);
}
