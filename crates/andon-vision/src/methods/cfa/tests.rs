use super::*;
use crate::methods::patches::PatchModel;
use crate::model::head::score::{ImageScore, Scorer, Scoring};

fn score(features: &[f32]) -> f32 {
    let descriptor = Descriptor {
        weight: vec![1.0, 0.0, 0.0, 2.0],
        place: vec![0.5, 0.0, 0.0, 0.0],
        bias: vec![0.0, -1.0],
        centres: vec![0.0, 0.0, 3.0, 0.0, 0.0, 4.0],
    };
    let cells: Vec<u32> = (0..features.len() as u32 / 2).collect();
    let model = CfaModel::new(&Params::default(), descriptor, coordinates(&cells, [cells.len(), 1]));
    let scoring = Scoring { smoothing: 0.0, image: ImageScore::Max, min_area: 0 };
    let mut scorer = Scorer::new(scoring, cells.len(), 1, &vec![true; cells.len()]);
    model.head(1).score_into(features, &mut scorer, &mut Vec::new(), &mut Vec::new())
}

/// By hand: at the last of two columns (coordinate 1), (0.5, 1) becomes (1, 1), sqrt(2), sqrt(5) and sqrt(10) from the centres. The first column adds -0.5: (0.5, 0.5) becomes the centre (0, 0).
#[test]
fn the_distance_is_that_to_the_nearest_centre_less_where_others_are_as_near() {
    let [a, b, c] = [2.0f64, 5.0, 10.0].map(f64::sqrt);
    let want = a * (-a).exp() / ((-a).exp() + (-b).exp() + (-c).exp());
    let got = f64::from(score(&[0.5, 0.5, 0.5, 1.0]));
    assert!((got - want).abs() < 1e-6, "{got} {want}");
    assert_eq!(score(&[0.5, 0.5, -0.5, 0.5]), 0.0);
}

#[test]
fn what_is_not_finite_has_no_score() {
    for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert!(!score(&[0.5, 0.5, wrong, 0.0]).is_finite());
        assert!(!score(&[0.5, wrong, 0.0, 0.0]).is_finite());
    }
}

#[test]
fn parameters_out_of_range_are_named() {
    let wrong = [
        (Params { centres: 5, ..Params::default() }, "centres"),
        (Params { steps: 0, ..Params::default() }, "steps"),
        (Params { pictures: 0, ..Params::default() }, "pictures"),
        (Params { radius: f64::NAN, ..Params::default() }, "radius"),
        (Params { rate: 1.0, ..Params::default() }, "rate"),
        (Params { held_out: 0.0, ..Params::default() }, "held_out"),
    ];
    for (params, word) in wrong {
        assert!(params.check().unwrap_err().contains(word), "{word}");
    }
    assert!(Params::default().check().is_ok());
}
