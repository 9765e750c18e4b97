//! Numbers and times as people of a language write them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Language;

/// A whole number in groups of three, with narrow spaces that do not break: 11 802.
pub(super) fn whole(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A number with so many places.
pub(super) fn real(value: f64, places: usize, language: Language) -> String {
    let text = format!("{value:.places$}");
    match language {
        Language::En => text,
        Language::De => text.replace('.', ","),
    }
}

/// A share in percent, `98.4 %`; an empty whole has none.
pub(super) fn share(part: u64, whole: u64, language: Language) -> String {
    match whole {
        0 => "–".to_owned(),
        whole => format!("{}\u{202f}%", real(100.0 * part as f64 / whole as f64, 1, language)),
    }
}

/// Time of day on the box, `14:07:31`.
pub(super) fn clock(ms: u64) -> String {
    strftime(ms, "%H:%M:%S")
}

/// Day and time on the box.
pub(super) fn day(ms: u64, language: Language) -> String {
    match language {
        Language::En => strftime(ms, "%-d %b %Y %H:%M:%S"),
        Language::De => strftime(ms, "%d.%m.%Y %H:%M:%S"),
    }
}

/// Day and time on the box of a time in RFC 3339; the text as it is if it is none.
pub(super) fn day_of(text: &str, language: Language) -> String {
    match text.parse::<Timestamp>() {
        Ok(at) => day(u64::try_from(at.as_millisecond()).unwrap_or(0), language),
        Err(_) => text.to_owned(),
    }
}

/// Now, for the name of a file: `2026-11-30-1407`.
pub(super) fn of_file() -> String {
    let ms = Timestamp::now().as_millisecond();
    strftime(u64::try_from(ms).unwrap_or(0), "%Y-%m-%d-%H%M")
}

fn strftime(ms: u64, format: &str) -> String {
    let at = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    at.map(|at| at.to_zoned_datetime(TimeZone::system()).strftime(format).to_string()).unwrap_or_default()
}
