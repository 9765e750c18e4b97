use super::*;

#[test]
fn parameters_out_of_range_are_named() {
    assert_eq!(Params::default().check(), Ok(()));
    for (params, word) in [
        (Params { held_out: 0.0, ..Params::default() }, "held_out"),
        (Params { held_out: 0.6, ..Params::default() }, "held_out"),
        (Params { held_out: f64::NAN, ..Params::default() }, "held_out"),
        (Params { rate: Some(0.0), ..Params::default() }, "rate"),
        (Params { rate: Some(f64::INFINITY), ..Params::default() }, "rate"),
    ] {
        assert!(params.check().unwrap_err().contains(word), "{params:?}");
    }
    assert!(serde_json::from_str::<Params>(r#"{"size":"xl"}"#).unwrap_err().to_string().contains("xl"));
}
