use std::time::Duration;

use super::*;
use crate::fit::{Augment, FitOptions, Grouping, ImageError, NamedPicture as Named, Picture, Policy, ThresholdRule};
use crate::methods::fit;
use crate::model::head::aggregate::Layer;
use crate::model::head::score::{ImageScore, Scoring};
use crate::model::{Backbone, Embed};
use crate::model::{Colour, Learned};
use crate::preprocess::InputSpec;
use andon_core::{Fault, FrameView};

/// Features that need no network: the mean of each channel over a 4x4 grid of blocks.
struct Blocks;

impl Embed for Blocks {
    fn grid(&self) -> (usize, usize) {
        (4, 4)
    }

    fn dim(&self) -> usize {
        3
    }

    fn embed(&mut self, frame: &FrameView<'_>, out: &mut Vec<f32>) -> Result<(), Fault> {
        out.clear();
        for cell in 0..16 {
            let (x0, y0) = (cell % 4 * frame.width / 4, cell / 4 * frame.height / 4);
            for c in 0..3 {
                let sum: u32 = (0..4).map(|i| u32::from(frame.row(y0 + i)[(x0 + i) * 3 + c])).sum();
                out.push(sum as f32 / 4.0);
            }
        }
        Ok(())
    }
}

fn backbone() -> Backbone {
    Backbone {
        name: "blocks".into(),
        onnx: vec![1u8].into(),
        input: InputSpec { width: 16, height: 16, mean: [0.0; 3], scale: [1.0; 3], range: None },
        outputs: vec!["a".into()],
        layers: vec![Layer { pool: 1, weight: 1.0 }],
        align: None,
        tiles: [1, 1],
    }
}

fn params() -> Params {
    Params { bank: 40, local_scale: 0.0, ..Params::default() }
}

/// Options with parameters of their own.
fn with(params: Params) -> FitOptions {
    FitOptions { params: params.to_value(), ..options() }
}

fn options() -> FitOptions {
    FitOptions {
        name: "t".into(),
        method: ID.into(),
        params: params().to_value(),
        seed: 1,
        scoring: Scoring { smoothing: 0.0, image: ImageScore::Max, min_area: 0 },
        rule: ThresholdRule::default(),
        mask: None,
        augment: Augment::default(),
        grouping: Grouping::Alone,
        folds: 99,
        threads: 2,
        created: Some("2026-01-01T00:00:00Z".into()),
        engine: "none".into(),
        learned: Learned { any_size: false, colour: Colour::Colour },
    }
}

fn picture(seed: u32) -> Picture {
    let rgb =
        (0..16 * 16 * 3u32).map(|i| (i.wrapping_mul(2_654_435_761) ^ seed.wrapping_mul(40_503)) as u8 >> 2).collect();
    Picture { width: 16, height: 16, rgb }
}

fn learn_with(pictures: Vec<Named>, skip: bool, options: &FitOptions) -> Result<Fitted, FitError> {
    fit(FitJob {
        pictures: &mut pictures.into_iter(),
        skip_bad: skip,
        embedder: &mut Blocks,
        backbone: &backbone(),
        options,
        progress: &mut |_, _, _| {},
    })
}

fn learn(pictures: Vec<Named>, skip: bool) -> Result<(Bundle, Vec<String>), FitError> {
    learn_with(pictures, skip, &options()).map(|f| (f.bundle, f.left_out))
}

fn bank_of(bundle: &Bundle) -> PatchCoreModel {
    PatchCoreModel::of(bundle).unwrap()
}

fn good(n: u32) -> Vec<Named> {
    (0..n).map(|i| Ok((format!("{i}.png"), picture(i)))).collect()
}

/// As many folds as pictures: each score is that of a model which never saw the picture, so it is the score that a model learned
/// from the others gives.
#[test]
fn held_out_scores_are_those_of_models_that_never_saw_the_picture() {
    let (bundle, _) = learn(good(8), false).unwrap();
    let mut features = Vec::new();
    for (i, score) in bundle.train_scores.iter().enumerate() {
        let others: Vec<Named> = good(8).into_iter().enumerate().filter(|(j, _)| *j != i).map(|(_, p)| p).collect();
        let (without, _) = learn(others, false).unwrap();
        Blocks.embed(&picture(i as u32).view().unwrap(), &mut features).unwrap();
        let distance =
            |q: &[f32], b: &[f32]| q.iter().zip(b).map(|(x, y)| f64::from(x - y).powi(2)).sum::<f64>().sqrt();
        let nearest =
            |q: &[f32]| bank_of(&without).bank.chunks_exact(3).map(|b| distance(q, b)).fold(f64::INFINITY, f64::min);
        let want = features.chunks_exact(3).map(nearest).fold(0.0, f64::max);
        assert!((f64::from(*score) - want).abs() < 1e-4 * want.max(1.0), "{i}: {score} {want}");
    }
    let largest = bundle.train_scores.iter().copied().fold(0.0, f32::max);
    assert!(bundle.manifest.threshold >= largest.next_up(), "eight pictures cannot support more than all of them");
    assert_eq!(bundle.manifest.frame_size, Some([16, 16]));
    assert_eq!((bundle.manifest.claim.images, bundle.manifest.claim.above), (8, 0));
}

#[test]
fn a_looser_policy_lowers_the_threshold_to_the_score_that_it_allows() {
    let policy = Policy { max_false_reject: 0.5, confidence: 0.9 };
    let fitted =
        learn_with(good(20), false, &FitOptions { rule: ThresholdRule::FalseReject(policy), ..options() }).unwrap();
    let m = &fitted.bundle.manifest;
    let above = fitted.bundle.train_scores.iter().filter(|s| **s >= m.threshold).count();
    // Equal scores go together.
    assert!(above > 0 && above <= m.claim.above as usize && m.claim.max_false_reject == 0.5, "{above}, {:?}", m.claim);
}

#[test]
fn options_out_of_range_are_named() {
    let scoring = |smoothing, image| Scoring { smoothing, image, min_area: 0 };
    for (change, word) in [
        (with(Params { bank: 0, ..params() }), "--bank"),
        (
            FitOptions {
                rule: ThresholdRule::FalseReject(Policy { max_false_reject: 0.0, confidence: 0.9 }),
                ..options()
            },
            "--max-false-reject",
        ),
        (
            FitOptions {
                rule: ThresholdRule::FalseReject(Policy { max_false_reject: 0.1, confidence: 1.0 }),
                ..options()
            },
            "--confidence",
        ),
        (with(Params { denoise: Some(0.9), ..params() }), "--denoise"),
        (with(Params { local_scale: 1.5, ..params() }), "local_scale"),
        (FitOptions { params: serde_json::json!({"banc": 9}), ..options() }, "`banc`"),
        (FitOptions { method: "patchcor".into(), ..options() }, "`patchcor`"),
        (FitOptions { scoring: scoring(f32::NAN, ImageScore::Max), ..options() }, "smoothing"),
        (FitOptions { scoring: scoring(0.0, ImageScore::Reweighted(99)), ..options() }, "reweighted"),
        (FitOptions { mask: Some(vec![false; 16]), ..options() }, "mask"),
    ] {
        let said = learn_with(good(5), false, &change).unwrap_err().to_string();
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[test]
fn what_is_masked_is_neither_learned_nor_scored() {
    let mask: Vec<bool> = (0..16).map(|i| i >= 4).collect();
    let fitted = learn_with(good(6), false, &FitOptions { mask: Some(mask), ..options() }).unwrap();
    assert!(bank_of(&fitted.bundle).cell.iter().all(|c| *c >= 4));
    // Pictures that differ only where nobody looks have the same score.
    let mut changed = good(6);
    for picture in changed.iter_mut().flatten() {
        picture.1.rgb[..16 * 4 * 3].fill(picture.0.as_bytes()[0]);
    }
    let mask: Vec<bool> = (0..16).map(|i| i >= 4).collect();
    let again = learn_with(changed, false, &FitOptions { mask: Some(mask), ..options() }).unwrap();
    assert_eq!(fitted.bundle.train_scores, again.bundle.train_scores);
}

#[test]
fn changed_copies_fill_the_bank_and_are_no_evidence() {
    let augment = Augment { rotate: true, brightness: true };
    let whole = Params { bank: 10_000, ..params() };
    let fitted = learn_with(good(5), false, &FitOptions { augment, ..with(whole) }).unwrap();
    let bank = bank_of(&fitted.bundle);
    assert_eq!((fitted.bundle.train_scores.len(), fitted.bundle.manifest.claim.images), (5, 5));
    assert_eq!(bank.about.patches, 5 * 12 * 16);
    assert!(bank.rows() > 5 * 16 && bank.source.iter().all(|s| *s < 5));
}

/// One picture of twelve has a foreign patch. It stands out, and with `denoise` it is not in the bank.
#[test]
fn a_defect_among_the_good_is_listed_and_can_be_kept_out() {
    let pictures = || -> Vec<Named> {
        (0..12u32)
            .map(|n| {
                let rgb = (0..16 * 16 * 3u32)
                    .map(|i| (i / 48 * 8) as u8 ^ ((i.wrapping_mul(97) ^ (n * 13)) as u8 & 7))
                    .collect();
                let mut picture = Picture { width: 16, height: 16, rgb };
                if n == 7 {
                    picture.rgb[..4 * 48].fill(250);
                }
                Ok((format!("{n}.png"), picture))
            })
            .collect()
    };
    let whole = Params { bank: 10_000, ..params() };
    let plain = learn_with(pictures(), false, &with(whole.clone())).unwrap();
    assert_eq!(plain.suspects.first().map(|s| s.0.as_str()), Some("7.png"));
    let rows = |f: &Fitted| bank_of(&f.bundle).bank.chunks_exact(3).filter(|r| r[0] > 200.0).count();
    assert!(rows(&plain) > 0);
    let denoised = learn_with(pictures(), false, &with(Params { denoise: Some(0.05), ..whole })).unwrap();
    assert_eq!(rows(&denoised), 0);
}

#[test]
fn a_time_budget_takes_the_largest_bank_that_keeps_it() {
    let within = |budget: Duration| with(Params { time_budget_ms: Some(budget.as_secs_f64() * 1e3), ..params() });
    let all = learn_with(good(6), false, &within(Duration::from_secs(1))).unwrap();
    let whole = learn_with(good(6), false, &with(Params { bank: 10_000, ..params() })).unwrap();
    assert_eq!(bank_of(&all.bundle).rows(), bank_of(&whole.bundle).rows());
    let none = learn_with(good(12), false, &within(Duration::from_nanos(1))).unwrap_err();
    assert!(matches!(none, FitError::TooSlow { cells: 16, .. }), "{none}");
}

#[test]
fn equal_inputs_give_equal_bytes() {
    let bytes = |bundle: Bundle| bundle.clone().to_bytes().unwrap();
    assert_eq!(bytes(learn(good(6), false).unwrap().0), bytes(learn(good(6), false).unwrap().0));
}

#[test]
fn two_pictures_are_too_few_and_say_how_many_are_needed() {
    let message = learn(good(2), false).unwrap_err().to_string();
    assert!(message.starts_with("2 different good pictures") && message.contains("at least 3"), "{message}");
}

#[test]
fn bad_pictures_are_all_listed_or_left_out_on_demand() {
    let with_bad = || {
        let mut all = good(6);
        all.insert(2, Err(ImageError::Empty { path: "x.png".into() }));
        all.push(Err(ImageError::WrongKind { path: "y.png".into() }));
        all
    };
    let message = learn(with_bad(), false).unwrap_err().to_string();
    assert!(message.contains("2 of 8") && message.contains("x.png") && message.contains("y.png"), "{message}");
    let (bundle, bad) = learn(with_bad(), true).unwrap();
    assert_eq!((bundle.manifest.training.sources.len(), bad.len()), (6, 2));
}

#[test]
fn copies_are_left_out_and_are_no_evidence() {
    let same = (0..6).map(|i| Ok((format!("{i}.png"), picture(0)))).collect();
    assert!(matches!(learn(same, false), Err(FitError::TooFew { got: 1 })));
    let mut all = good(6);
    all.push(Ok(("again.png".into(), picture(3))));
    let (bundle, left_out) = learn(all, false).unwrap();
    assert_eq!(left_out, ["again.png is a copy of 3.png"]);
    assert_eq!(bundle.manifest.claim.images, 6);
}

#[test]
fn different_sizes_are_refused_by_name_and_leave_the_frame_size_open_only_on_purpose() {
    let all = || {
        let mut all = good(6);
        let rgb = picture(9).rgb.iter().chain(&picture(8).rgb).copied().collect();
        all.push(Ok(("wide.png".into(), Picture { width: 32, height: 16, rgb })));
        all
    };
    let refused = learn(all(), false).unwrap_err().to_string();
    assert!(refused.contains("wide.png has 32x16") && refused.contains("0.png has 16x16"), "{refused}");
    let learned = Learned { any_size: true, colour: Colour::Colour };
    let manifest = learn_with(all(), false, &FitOptions { learned, ..options() }).unwrap().bundle.manifest;
    assert_eq!((manifest.frame_size, manifest.learned), (None, Some(learned)));
    let one_size = learn_with(good(6), false, &FitOptions { learned, ..options() }).unwrap().bundle.manifest;
    assert_eq!(one_size.frame_size, None, "any size was asked for");
}

/// Re-weighting searches one row after every picture's patches.
#[test]
fn every_image_score_can_be_learned_with() {
    let scores = |image| {
        let scoring = Scoring { smoothing: 1.0, image, min_area: 0 };
        learn_with(good(8), false, &FitOptions { scoring, ..with(Params { local_scale: 0.5, ..params() }) })
            .unwrap()
            .bundle
            .train_scores
    };
    let (max, top, reweighted) =
        (scores(ImageScore::Max), scores(ImageScore::Top(3)), scores(ImageScore::Reweighted(3)));
    for i in 0..8 {
        assert!(
            top[i] <= max[i] * 1.000_001 && reweighted[i] <= max[i] && reweighted[i] >= 0.5 * max[i],
            "{i}: {} {} {}",
            max[i],
            top[i],
            reweighted[i]
        );
    }
}
