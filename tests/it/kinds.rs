//! Only what was learned is judged: sizes, bit depths, ranges, colours, by the whole program.

use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageBuffer, Luma, Rgb};
use serde_json::Value;

use crate::common::{Said, said};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A bright disc on a dark ground with a little texture, different for each `n`; the values go up to `top`.
fn level(n: u32, x: u32, y: u32, w: u32, h: u32, top: u32) -> u32 {
    let (dx, dy) = (x as f32 - w as f32 / 2.0, y as f32 - h as f32 / 2.0);
    let inside = (dx * dx + dy * dy).sqrt() < h as f32 / 3.0;
    let grain = x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503) ^ n.wrapping_mul(97_531);
    (if inside { top * 7 / 10 } else { top * 2 / 10 }) + grain.wrapping_mul(2_246_822_519) % (top / 20 + 1)
}

fn twelve_bits(n: u32, top: u32) -> DynamicImage {
    DynamicImage::ImageLuma16(ImageBuffer::from_fn(64, 48, |x, y| Luma([level(n, x, y, 64, 48, top) as u16])))
}

fn colour(n: u32, w: u32, h: u32) -> DynamicImage {
    DynamicImage::ImageRgb8(ImageBuffer::from_fn(w, h, |x, y| {
        let v = level(n, x, y, w, h, 200) as u8;
        Rgb([v, v / 2 + 20, 255 - v])
    }))
}

fn save(folder: &Path, pictures: impl Iterator<Item = DynamicImage>) {
    std::fs::create_dir_all(folder).unwrap();
    for (i, picture) in pictures.enumerate() {
        picture.save(folder.join(format!("{i:05}.png"))).unwrap();
    }
}

fn fit(good: &Path, model: &Path, more: &[&str]) -> Said {
    said(&[&["fit", text(good), "-o", text(model), "--bank", "200", "--engine", "rten"], more].concat())
}

fn inspect(model: &Path, picture: &Path) -> Value {
    let said = said(&["inspect", text(model), text(picture), "--json", "--engine", "rten"]);
    serde_json::from_str(said.out.lines().next().unwrap_or_else(|| panic!("{}", said.err))).unwrap()
}

#[test]
fn one_odd_size_among_the_training_pictures_does_not_open_the_model_to_every_size() {
    let dir = tempfile::tempdir().unwrap();
    let (good, model) = (dir.path().join("good"), dir.path().join("m.andon"));
    save(&good, (0..6).map(|n| colour(n, 64, 48)));
    colour(9, 48, 64).save(good.join("odd.png")).unwrap();
    let refused = fit(&good, &model, &[]);
    assert_eq!(refused.code, 1, "{}", refused.err);
    for words in ["6 of 64x48", "1 of 48x64", "odd.png", "--take 64x48", "--any-size"] {
        assert!(refused.err.contains(words), "{words}: {}", refused.err);
    }
    assert!(!model.exists());

    let taken = fit(&good, &model, &["--take", "64x48"]);
    assert!(taken.code == 0 && taken.err.contains("left out: odd.png is of 48x64"), "{}", taken.err);
    let line = inspect(&model, &good.join("odd.png"));
    assert_eq!((&line["result"], &line["reason"]), (&"ERROR".into(), &"wrong_size".into()), "{line}");

    assert_eq!(fit(&good, &model, &["--any-size"]).code, 0);
    assert_eq!(inspect(&model, &good.join("odd.png"))["result"], "PASS");
}

#[test]
fn twelve_bits_in_sixteen_keep_their_levels_and_other_depths_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let (good, model) = (dir.path().join("good"), dir.path().join("m.andon"));
    save(&good, (0..8).map(|n| twelve_bits(n, 3000)));
    let learned = fit(&good, &model, &[]);
    assert!(learned.code == 0 && learned.err.contains("0 is black and 4095 white"), "{}", learned.err);
    let other = |name: &str, picture: DynamicImage| {
        let path: PathBuf = dir.path().join(name);
        picture.save(&path).unwrap();
        inspect(&model, &path)
    };
    assert_eq!(other("good.png", twelve_bits(99, 3000))["result"], "PASS");
    // A faint smear, one of 16 levels of twelve bits' worth: two of 256 grey levels are all that a plain cut to 8 bits would leave.
    let mut smear = twelve_bits(98, 3000).into_luma16();
    for (x, y) in (20..44).flat_map(|x| (18..30).map(move |y| (x, y))) {
        smear.get_pixel_mut(x, y).0[0] -= 700;
    }
    assert_eq!(other("smear.png", smear.into())["result"], "REJECT");
    for (name, picture, words) in [
        ("eight.png", twelve_bits(97, 3000).to_luma8().into(), "8 bits"),
        ("bright.png", twelve_bits(97, 20_000), "4095"),
        ("colour.png", colour(1, 64, 48), "8 bits"),
    ] {
        let line = other(name, picture);
        assert_eq!((&line["result"], &line["reason"]), (&"ERROR".into(), &"wrong_kind".into()), "{name}: {line}");
        assert!(line["error"].as_str().unwrap().contains(words) && line["score"].is_null(), "{name}: {line}");
    }
    let narrow = fit(&good, &model, &["--range", "10"]);
    assert!(narrow.code == 1 && narrow.err.contains("1023"), "{}", narrow.err);
}

#[test]
fn a_model_of_grey_pictures_does_not_judge_colours() {
    let dir = tempfile::tempdir().unwrap();
    let (good, model) = (dir.path().join("good"), dir.path().join("m.andon"));
    save(&good, (0..6).map(|n| colour(n, 64, 48).to_luma8().into()));
    assert_eq!(fit(&good, &model, &[]).code, 0);
    let red = dir.path().join("red.png");
    colour(3, 64, 48).save(&red).unwrap();
    assert_eq!(inspect(&model, &red)["reason"], "wrong_kind");
    let as_colour = dir.path().join("grey_in_three_channels.png");
    DynamicImage::ImageRgb8(colour(3, 64, 48).to_luma8().convert_to_rgb()).save(&as_colour).unwrap();
    assert_eq!(inspect(&model, &as_colour)["score"], inspect(&model, &good.join("00003.png"))["score"]);
}

trait ToRgb {
    fn convert_to_rgb(self) -> image::RgbImage;
}

impl ToRgb for image::GrayImage {
    fn convert_to_rgb(self) -> image::RgbImage {
        DynamicImage::ImageLuma8(self).to_rgb8()
    }
}

/// The same files through the decoder of GStreamer and through ours: 16-bit grey, 8-bit grey and colour.
#[cfg(feature = "gst")]
#[test]
fn inspect_and_run_give_the_same_picture_the_same_score_to_the_last_bit() {
    for (name, make) in [
        ("sixteen", &(|n| twelve_bits(n, 3000)) as &dyn Fn(u32) -> DynamicImage),
        ("grey", &|n| colour(n, 64, 48).to_luma8().into()),
        ("colour", &|n| colour(n, 64, 48)),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (good, model) = (dir.path().join("good"), dir.path().join("m.andon"));
        save(&good, (0..6).map(make));
        assert_eq!(fit(&good, &model, &[]).code, 0);
        let new = dir.path().join("new");
        save(&new, (50..54).map(make));
        let config = dir.path().join("andon.toml");
        let written = format!(
            "site = \"s\"\nline = \"l\"\nstation = \"t\"\n[engine]\nkind = \"rten\"\n[cameras.top]\npipeline = \"images\"\nmodel = \"m.andon\"\n\
             on_eos = \"end\"\ndeadline_ms = 5000\nvars = {{ pattern = \"{}/%05d.png\", type = \"image/png\", decoder = \"pngdec\", fps = \"5\" }}\n",
            new.display()
        );
        std::fs::write(&config, written).unwrap();
        let run = said(&["run", "-c", text(&config), "--json"]);
        assert_eq!(run.code, 0, "{}", run.err);
        let lines: Vec<Value> = run.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let scores: Vec<&Value> =
            lines.iter().filter(|l| l["schema"] == "andon.verdict.v1").map(|l| &l["score"]).collect();
        assert_eq!(scores.len(), 4, "{name}: {}", run.err);
        for (n, score) in scores.into_iter().enumerate() {
            let want = inspect(&model, &new.join(format!("{n:05}.png")));
            assert!(score.is_f64() && *score == want["score"], "{name} {n}: {score} {want}");
        }
    }
}

#[test]
fn a_mask_of_another_shape_is_refused_and_what_is_transparent_is_hidden() {
    let dir = tempfile::tempdir().unwrap();
    let (good, model) = (dir.path().join("good"), dir.path().join("m.andon"));
    save(&good, (0..6).map(|n| colour(n, 64, 48)));
    let mask = |name: &str, picture: DynamicImage| {
        let path = dir.path().join(name);
        picture.save(&path).unwrap();
        path
    };
    let white = |w, h| DynamicImage::ImageLuma8(image::GrayImage::from_pixel(w, h, Luma([255])));
    let refused = fit(&good, &model, &["--mask", text(&mask("turned.png", white(48, 64)))]);
    assert!(refused.code == 1 && refused.err.contains("48x64") && refused.err.contains("64x48"), "{}", refused.err);
    let clear = image::RgbaImage::from_fn(64, 48, |x, _| image::Rgba([255, 255, 255, if x < 32 { 255 } else { 0 }]));
    let half = fit(&good, &model, &["--mask", text(&mask("half.png", clear.into()))]);
    assert!(half.code == 0 && half.err.contains("50 % of the picture is looked at"), "{}", half.err);
    let none = image::RgbaImage::from_pixel(64, 48, image::Rgba([255, 255, 255, 0]));
    let nothing = fit(&good, &model, &["--mask", text(&mask("none.png", none.into()))]);
    assert!(nothing.code == 1 && nothing.err.contains("nothing would be looked at"), "{}", nothing.err);
}

#[test]
fn what_a_folder_leaves_out_is_said_once_and_the_output_is_opened_before_the_work() {
    let dir = tempfile::tempdir().unwrap();
    let (good, model) = (dir.path().join("good"), dir.path().join("m.andon"));
    save(&good, (0..5).map(|n| colour(n, 64, 48)));
    std::fs::write(good.join("photo.webp"), b"RIFF").unwrap();
    std::fs::create_dir(good.join("more.png")).unwrap();
    // A JPEG under one of its rarer endings, with something behind its end, as telephones write it.
    let mut bytes = std::io::Cursor::new(Vec::new());
    colour(7, 64, 48).write_to(&mut bytes, image::ImageFormat::Jpeg).unwrap();
    let mut bytes = bytes.into_inner();
    bytes.extend_from_slice(&[0xff, 0xda, 1, 2, 3]);
    std::fs::write(good.join("seventh.JFIF"), &bytes).unwrap();
    let learned = fit(&good, &model, &[]);
    assert_eq!(learned.code, 0, "{}", learned.err);
    let told: Vec<&str> = learned.err.lines().filter(|l| l.contains("left out of")).collect();
    assert!(told.len() == 1 && told[0].contains("photo.webp") && told[0].contains("more.png"), "{}", learned.err);
    assert!(learned.out.contains("learned from 6 pictures"), "{}", learned.out);

    let nowhere = dir.path().join("not/there.andon");
    let refused = fit(&good, &nowhere, &[]);
    assert!(refused.code == 1 && refused.err.contains("there is no folder"), "{}", refused.err);
    assert!(!refused.err.contains("patches"), "before the work: {}", refused.err);
    let folder = fit(&good, dir.path(), &[]);
    assert!(folder.code == 1 && folder.err.contains("it is a folder"), "{}", folder.err);
}
