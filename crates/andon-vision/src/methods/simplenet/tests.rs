use super::*;
use crate::model::head::score::{ImageScore, Scorer, Scoring};

fn model() -> SimpleNetModel {
    let network = Network { weight: vec![1.0, 0.0, 0.5, -1.0], bias: vec![0.25, -0.5], out: vec![2.0, -1.0] };
    SimpleNetModel::new(&Params::default(), 2, network)
}

fn score(features: &[f32]) -> f32 {
    let cells = features.len() / 2;
    let scoring = Scoring { smoothing: 0.0, image: ImageScore::Max, min_area: 0 };
    let mut scorer = Scorer::new(scoring, cells, 1, &vec![true; cells]);
    model().head(1).score_into(features, &mut scorer, &mut Vec::new(), &mut Vec::new())
}

/// By hand: hidden values 1 + 0.25 = 1.25 and 0.5 - 3 - 0.5 = -3, of which leaky makes -0.6; evidence 2 * 1.25 + 0.6 = 3.1.
#[test]
fn the_distance_is_the_softened_lack_of_evidence() {
    let want = (1.0 + (-3.1f64).exp()).ln();
    assert!((f64::from(score(&[1.0, 3.0])) - want).abs() < 1e-7, "{want}");
    // Evidence of minus a thousand is a distance of a thousand, and of plus a thousand still above or at 0.
    assert!((score(&[-2500.0, -1250.0]) - 1000.0).abs() < 2.0 && score(&[500.0, 0.0]) >= 0.0);
}

#[test]
fn what_is_not_finite_has_no_score() {
    for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert!(!score(&[1.0, 3.0, wrong, 0.0]).is_finite());
        assert!(!score(&[1.0, wrong, 0.0, 0.0]).is_finite());
    }
}

#[test]
fn parameters_out_of_range_are_named() {
    let wrong = [
        (Params { steps: 0, ..Params::default() }, "steps"),
        (Params { pictures: 0, ..Params::default() }, "pictures"),
        (Params { noise: f64::NAN, ..Params::default() }, "noise"),
        (Params { hidden: 0, ..Params::default() }, "hidden"),
        (Params { rate: 1.0, ..Params::default() }, "rate"),
        (Params { held_out: 0.0, ..Params::default() }, "held_out"),
    ];
    for (params, word) in wrong {
        assert!(params.check().unwrap_err().contains(word), "{word}");
    }
    assert!(Params::default().check().is_ok());
}
