//! Lengths, speeds, times and shares as people write them.

use std::time::Duration;

/// Millimetres, from `60mm`, `45cm` or `1.2m`.
pub(super) fn length(text: &str) -> Result<f64, String> {
    number(text, &[("mm", 1.0), ("cm", 10.0), ("m", 1000.0)], "a length such as 60mm, 45cm or 1.2m")
}

/// Millimetres a second, from `0.8m/s`, `48m/min` or `800mm/s`.
pub(super) fn speed(text: &str) -> Result<f64, String> {
    let units = [("mm/s", 1.0), ("m/min", 1000.0 / 60.0), ("m/s", 1000.0)];
    number(text, &units, "a speed such as 0.8m/s, 48m/min or 800mm/s")
}

/// A time, from `8ms`, `0.5s` or `250us`.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let ms = number(text, &[("us", 0.001), ("ms", 1.0), ("s", 1000.0)], "a time such as 8ms, 0.5s or 250us")?;
    Ok(Duration::from_secs_f64(ms.min(1e9) / 1000.0))
}

/// A longer time, from `90s`, `15m` or `2h`.
pub(super) fn long_time(text: &str) -> Result<Duration, String> {
    let seconds =
        number(text, &[("s", 1.0), ("min", 60.0), ("m", 60.0), ("h", 3600.0)], "a time such as 90s, 15m or 2h")?;
    match (1.0..=31.0 * 86_400.0).contains(&seconds) {
        true => Ok(Duration::from_secs_f64(seconds)),
        false => Err(format!("`{text}` is not from one second to 31 days")),
    }
}

/// A share from 0 to 1, from `15%` or `0.15`.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let (value, unit) = match text.trim().strip_suffix('%') {
        Some(percent) => (percent.trim(), 100.0),
        None => (text.trim(), 1.0),
    };
    let value = value.parse::<f64>().ok().map(|v| v / unit).filter(|v| (0.0..=1.0).contains(v));
    value.ok_or_else(|| format!("`{text}` is not a share from 0 to 100 %, such as 15% or 0.15"))
}

fn number(text: &str, units: &[(&str, f64)], what: &str) -> Result<f64, String> {
    let refused = || format!("`{text}` is not {what}");
    let (value, factor) =
        units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?.trim(), *factor))).ok_or_else(refused)?;
    let value: f64 = value.parse().map_err(|_| refused())?;
    if !value.is_finite() || value < 0.0 {
        return Err(refused());
    }
    Ok(value * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_and_nonsense_is_refused() {
        assert_eq!((length("60mm"), length("4.5cm"), length("1.2 m")), (Ok(60.0), Ok(45.0), Ok(1200.0)));
        assert_eq!((speed("0.8m/s"), speed("48m/min"), speed("800mm/s")), (Ok(800.0), Ok(800.0), Ok(800.0)));
        assert_eq!((time("8ms"), time("0.5s")), (Ok(Duration::from_millis(8)), Ok(Duration::from_millis(500))));
        assert_eq!((share("15%"), share("0.15"), share("0"), share("100 %")), (Ok(0.15), Ok(0.15), Ok(0.0), Ok(1.0)));
        for text in ["15", "101%", "-1%", "nan", "%", ""] {
            assert!(share(text).unwrap_err().contains("15% or 0.15"), "{text}");
        }
        for text in ["", "60", "mm", "-3mm", "infmm", "3 miles", "nanm"] {
            assert!(length(text).unwrap_err().contains("60mm, 45cm"), "{text}");
        }
    }
}
