//! Upper limits of what a command line may ask for, so that a slip of the finger does not take the machine from a running line. Each
//! is a value parser of clap, so that it is a usage error (exit 2) that names the flag.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::units;
use andon_vision::model::engine::threads_fit;

/// What a day has; nothing that is measured or shown takes longer than a few of them.
const DAY: u64 = 86_400;

/// A number of threads that fits this machine, 0 for "automatic".
pub(super) fn threads(n: usize) -> Result<usize, String> {
    threads_fit(n)
}

/// The same, as a flag's value parser.
pub(super) fn threads_arg(text: &str) -> Result<usize, String> {
    threads(number(text, "a whole number")?)
}

/// Seconds that a command runs: 0 to 31 days.
pub(super) fn seconds(text: &str) -> Result<u64, String> {
    whole(0..=31 * DAY)(text)
}

/// A time with its unit, at most so long.
pub(super) fn time_up_to(most: Duration) -> impl Fn(&str) -> Result<Duration, String> + Clone + Send + Sync + 'static {
    move |text| {
        let time = units::time(text)?;
        if time <= most { Ok(time) } else { Err(format!("{} s is more than {} s", time.as_secs_f64(), most.as_secs())) }
    }
}

/// Whole numbers in a range.
pub(super) fn whole<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: FromStr + PartialOrd + std::fmt::Display + Clone + Send + Sync + 'static,
{
    move |text| {
        let value: T = number(text, "a whole number")?;
        inside(value, &range)
    }
}

/// Finite numbers in a range.
pub(super) fn real(range: RangeInclusive<f64>) -> impl Fn(&str) -> Result<f64, String> + Clone + Send + Sync + 'static {
    move |text| inside(number(text, "a number")?, &range)
}

fn number<T: FromStr>(text: &str, what: &str) -> Result<T, String> {
    text.trim().parse().map_err(|_| format!("`{text}` is not {what}, or too large for one"))
}

fn inside<T: PartialOrd + std::fmt::Display>(value: T, range: &RangeInclusive<T>) -> Result<T, String> {
    if range.contains(&value) {
        return Ok(value);
    }
    Err(format!("{value} is not in {}..={}", range.start(), range.end()))
}

/// Whether work that needs so many bytes at its peak fits into what is free; four fifths of it may be taken, because a line may be
/// running beside. A machine that does not say what is free refuses nothing.
///
/// # Errors
/// What it needs, and what there is.
pub(super) fn memory(needed: u64, what: &str) -> Result<(), String> {
    match free_memory() {
        Some(free) if needed > free / 5 * 4 => {
            Err(format!("{what} needs about {} of memory, and {} are free", size(needed), size(free)))
        }
        _ => Ok(()),
    }
}

/// Bytes that this process may still take: what the kernel calls available, or less where a control group limits it.
pub(super) fn free_memory() -> Option<u64> {
    let free = available(&std::fs::read_to_string("/proc/meminfo").ok()?)?;
    let group = |name: &str| -> Option<u64> {
        std::fs::read_to_string(format!("/sys/fs/cgroup/{name}")).ok()?.trim().parse().ok()
    };
    let limited = group("memory.max").map(|most| most.saturating_sub(group("memory.current").unwrap_or_default()));
    Some(limited.map_or(free, |limited| limited.min(free)))
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// Bytes as people say them.
pub(super) fn size(bytes: u64) -> String {
    match bytes as f64 / 1e6 {
        mb if mb < 1000.0 => format!("{mb:.0} MB"),
        mb if mb < 100_000.0 => format!("{:.1} GB", mb / 1000.0),
        mb => format!("{:.0} GB", mb / 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_outside_of_their_range_are_refused_with_the_range() {
        assert_eq!(whole(1..=5u32)("5"), Ok(5));
        assert_eq!(real(0.1..=1000.0)("0.1"), Ok(0.1));
        assert!(threads_arg("99999").unwrap_err().contains("this machine has"));
        assert!(threads_arg("0").is_ok());
        for (refused, words) in [
            (whole(1..=5u32)("6").unwrap_err(), "6 is not in 1..=5"),
            (whole(1..=5u32)("-1").unwrap_err(), "`-1` is not a whole number"),
            (whole(1..=5u64)("99999999999999999999999").unwrap_err(), "too large"),
            (real(0.1..=1000.0)("inf").unwrap_err(), "inf is not in 0.1..=1000"),
            (real(0.1..=1000.0)("nan").unwrap_err(), "NaN is not in"),
            (seconds("9999999999").unwrap_err(), "0..=2678400"),
            (time_up_to(Duration::from_secs(10))("1000s").unwrap_err(), "1000 s is more than 10 s"),
        ] {
            assert!(refused.contains(words), "{refused}");
        }
    }

    #[test]
    fn work_that_does_not_fit_into_the_memory_is_refused_with_both_figures() {
        assert_eq!(available("MemTotal: 9 kB\nMemFree: 1 kB\nMemAvailable:   2048 kB\n"), Some(2 << 20));
        assert_eq!(available("MemTotal: 9 kB\n"), None);
        assert_eq!(memory(1, "nothing"), Ok(()));
        let why = memory(1 << 60, "--learn 9").unwrap_err();
        assert!(why.contains("--learn 9 needs about 1152921505 GB of memory") && why.contains("are free"), "{why}");
    }
}
