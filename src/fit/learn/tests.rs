use super::*;
use crate::preprocess::InputSpec;
use crate::types::FrameView;

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
        input: InputSpec { width: 16, height: 16, mean: [0.0; 3], scale: [1.0; 3] },
        outputs: vec!["a".into()],
    }
}

fn options() -> FitOptions {
    FitOptions {
        name: "t".into(),
        bank: 40,
        seed: 1,
        margin: 1.0,
        threads: 2,
        created: Some("2026-01-01T00:00:00Z".into()),
        engine: "none".into(),
    }
}

fn picture(seed: u32) -> Picture {
    let rgb =
        (0..16 * 16 * 3u32).map(|i| (i.wrapping_mul(2_654_435_761) ^ seed.wrapping_mul(40_503)) as u8 >> 2).collect();
    Picture { width: 16, height: 16, rgb }
}

fn learn(pictures: Vec<Result<(String, Picture), ImageError>>, skip: bool) -> Result<(Bundle, Vec<String>), FitError> {
    fit(pictures.into_iter(), skip, &mut Blocks, &backbone(), &options(), &mut |_, _, _| {})
}

fn good(n: u32) -> Vec<Result<(String, Picture), ImageError>> {
    (0..n).map(|i| Ok((format!("{i}.png"), picture(i)))).collect()
}

#[test]
fn the_threshold_is_the_largest_leave_one_out_score() {
    let (bundle, _) = learn(good(8), false).unwrap();
    let mut features = Vec::new();
    for (i, score) in bundle.train_scores.iter().enumerate() {
        Blocks.embed(&picture(i as u32).view().unwrap(), &mut features).unwrap();
        let want = features
            .chunks_exact(3)
            .map(|q| {
                let rows = bundle.bank.chunks_exact(3).zip(&bundle.bank_source).filter(|(_, s)| **s as usize != i);
                rows.map(|(b, _)| q.iter().zip(b).map(|(x, y)| f64::from(x - y).powi(2)).sum::<f64>().sqrt())
                    .fold(f64::INFINITY, f64::min)
            })
            .fold(0.0, f64::max);
        assert!((f64::from(*score) - want).abs() < 1e-4 * want.max(1.0), "{i}: {score} {want}");
    }
    assert_eq!(bundle.manifest.threshold, bundle.train_scores.iter().copied().fold(0.0, f32::max));
    assert_eq!(bundle.manifest.frame_size, Some([16, 16]));
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
fn the_claim_is_the_bound_of_the_largest_of_n() {
    let c = claim(59);
    assert!((1.0 - c.max_false_reject).powi(59) - 0.05 < 1e-9);
    assert!(c.max_false_reject < 0.05 && claim(58).max_false_reject > 0.05, "59 images support 5 %");
    assert_eq!(images_for_claim(0.05), 59);
    assert_eq!(images_for_claim(0.01), 299);
}

#[test]
fn different_sizes_leave_the_frame_size_open() {
    let mut all = good(6);
    let rgb = picture(9).rgb.iter().chain(&picture(8).rgb).copied().collect();
    all.push(Ok(("wide.png".into(), Picture { width: 32, height: 16, rgb })));
    assert_eq!(learn(all, false).unwrap().0.manifest.frame_size, None);
}
