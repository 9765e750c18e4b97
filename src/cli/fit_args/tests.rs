use super::place::points;
use super::*;

#[test]
fn numbers_with_units_are_read_and_wrong_ones_named() {
    assert_eq!(share("0.1%").unwrap(), 0.001);
    assert_eq!(share("0.05").unwrap(), 0.05);
    assert!(["0", "100%", "-1%", "x", "", "nan"].iter().all(|t| share(t).is_err()));
    assert_eq!(duration("8ms").unwrap(), Duration::from_millis(8));
    assert_eq!(duration("500us").unwrap(), Duration::from_micros(500));
    assert!(["8", "ms", "-1ms", "1h", "nanms"].iter().all(|t| duration(t).is_err()));
    assert_eq!(image_score("top:5").unwrap(), ImageScore::Top(5));
    assert!(["top", "top:x", "mean", "max:1"].iter().all(|t| image_score(t).is_err()));
    assert!("0x5".parse::<Size>().is_err() && "5x".parse::<Size>().is_err());
}

#[test]
fn ranges_are_read() {
    assert_eq!(range("12").unwrap(), [0, 4095]);
    assert_eq!(range("16-bit").unwrap(), [0, 65535]);
    assert_eq!(range("200..3000").unwrap(), [200, 3000]);
    assert!(["7", "17", "5..5", "9..1", "..", "x", "0..65536"].iter().all(|t| range(t).is_err()));
}

#[test]
fn corners_are_read() {
    assert_eq!(points("1,2 3.5,4").unwrap(), [(1.0, 2.0), (3.5, 4.0)]);
    assert!(points("1,2 3").unwrap_err().to_string().contains("`3`"));
}
