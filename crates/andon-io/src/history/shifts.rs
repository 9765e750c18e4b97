//! The shift calendar: the table `[shifts]`, and which shift a moment belongs to. Bounds are reckoned in the calendar's time zone, so that
//! a shift over a change of the clocks is an hour shorter or longer, and no moment belongs to two shifts or to none.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Shifts a day at most.
const MOST: usize = 24;
/// Name of the only shift where none is configured.
const WHOLE_DAY: &str = "day";
/// Name of the time in which no shift runs.
const NONE: &str = "-";

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ShiftDay {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl ShiftDay {
    const ALL: [ShiftDay; 7] =
        [ShiftDay::Mon, ShiftDay::Tue, ShiftDay::Wed, ShiftDay::Thu, ShiftDay::Fri, ShiftDay::Sat, ShiftDay::Sun];

    fn of(day: Weekday) -> ShiftDay {
        match day {
            Weekday::Monday => ShiftDay::Mon,
            Weekday::Tuesday => ShiftDay::Tue,
            Weekday::Wednesday => ShiftDay::Wed,
            Weekday::Thursday => ShiftDay::Thu,
            Weekday::Friday => ShiftDay::Fri,
            Weekday::Saturday => ShiftDay::Sat,
            Weekday::Sunday => ShiftDay::Sun,
        }
    }
}

/// The shift calendar as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "RawShifts")]
pub struct ShiftsConfig {
    /// IANA name of the time zone, such as `Europe/Berlin`; without it, that of this computer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Days on which shifts begin.
    pub days: Vec<ShiftDay>,
    /// When each shift begins, local time `HH:MM`, by its name; it ends when the next begins. Empty: one shift, `day`, from 00:00.
    pub starts: BTreeMap<String, String>,
}

impl Default for ShiftsConfig {
    fn default() -> Self {
        ShiftsConfig { time_zone: None, days: ShiftDay::ALL.to_vec(), starts: BTreeMap::new() }
    }
}

impl ShiftsConfig {
    /// The calendar; what is wrong goes to `wrong`, each line with its key and the remedy.
    pub fn check(&self, wrong: &mut Vec<String>) -> ShiftCalendar {
        let zone = match &self.time_zone {
            None => TimeZone::system(),
            Some(name) => TimeZone::get(name).unwrap_or_else(|_| {
                wrong.push(format!(
                    "shifts.time_zone: `{name}` is not known here; give a name such as Europe/Berlin (`timedatectl list-timezones`), \
                     and install the package tzdata where there are none"
                ));
                TimeZone::UTC
            }),
        };
        if self.days.is_empty() {
            wrong.push("shifts.days: empty; name the days on which shifts begin, or leave the key out".to_owned());
        }
        if self.starts.len() > MOST {
            wrong.push(format!("shifts.starts: {} given; a day has at most {MOST}", self.starts.len()));
        }
        let mut starts: Vec<(Time, Arc<str>)> = Vec::new();
        for (name, text) in &self.starts {
            if name.trim().is_empty() || name == NONE || name.chars().count() > 64 || name.chars().any(char::is_control)
            {
                wrong.push(format!("shifts.starts: `{}` is no name; give 1 to 64 letters", name.escape_debug()));
            }
            match Time::strptime("%H:%M", text) {
                Ok(time) => match starts.iter().find(|(at, _)| *at == time) {
                    Some((_, other)) => {
                        wrong.push(format!("shifts.starts: `{name}` and `{other}` both begin at {text}"))
                    }
                    None => starts.push((time, name.as_str().into())),
                },
                Err(_) => {
                    wrong.push(format!("shifts.starts.{name}: `{text}` is no time of day; write it as \"06:00\""))
                }
            }
        }
        if starts.is_empty() {
            starts.push((Time::midnight(), WHOLE_DAY.into()));
        }
        starts.sort_by_key(|(at, _)| *at);
        ShiftCalendar { zone, days: self.days.clone(), starts: starts.into() }
    }
}

/// A shift at a date: from when until when it lasts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shift {
    /// Its name; `-` for the time in which none runs.
    pub name: Arc<str>,
    /// Its first millisecond, Unix time.
    pub start: i64,
    /// The first millisecond after it, Unix time.
    pub end: i64,
}

/// A shift calendar that was checked. Clones share it.
#[derive(Clone, Debug)]
pub struct ShiftCalendar {
    zone: TimeZone,
    days: Vec<ShiftDay>,
    /// By time of day; never empty.
    starts: Arc<[(Time, Arc<str>)]>,
}

impl Default for ShiftCalendar {
    fn default() -> Self {
        ShiftsConfig::default().check(&mut Vec::new())
    }
}

impl ShiftCalendar {
    /// The calendar's time zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The shift that a moment (milliseconds, Unix time) belongs to.
    pub fn at(&self, t: i64) -> Shift {
        let moment = Timestamp::from_millisecond(t).unwrap_or_default();
        let today = self.zone.to_datetime(moment).date();
        let days = [-1, 0, 1].map(|offset| today.saturating_add(offset.days()));
        // The last beginning at or before the moment, and the first after it.
        let (mut start, mut end, mut name): (i64, i64, Option<&Arc<str>>) = (i64::MIN, i64::MAX, None);
        for day in days {
            for (time, of_shift) in self.starts.iter() {
                let Ok(begins) = self.zone.to_timestamp(day.to_datetime(*time)) else { continue };
                let begins = begins.as_millisecond();
                if begins > t {
                    end = end.min(begins);
                } else if begins >= start {
                    (start, name) = (begins, self.days.contains(&ShiftDay::of(day.weekday())).then_some(of_shift));
                }
            }
        }
        Shift { name: name.cloned().unwrap_or_else(|| NONE.into()), start, end }
    }

    /// RFC 3339 of a moment (milliseconds, Unix time) with the zone's offset.
    pub fn local(&self, t: i64) -> String {
        let moment = Timestamp::from_millisecond(t).unwrap_or_default();
        let offset = self.zone.to_offset(moment);
        format!("{:.3}", moment.display_with_offset(offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three(zone: &str) -> ShiftCalendar {
        let starts = [("early", "06:00"), ("late", "14:00"), ("night", "22:00")];
        let starts = starts.map(|(n, t)| (n.to_owned(), t.to_owned())).into();
        let mut wrong = Vec::new();
        let calendar =
            ShiftsConfig { time_zone: Some(zone.into()), starts, ..ShiftsConfig::default() }.check(&mut wrong);
        assert_eq!(wrong, Vec::<String>::new());
        calendar
    }

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn a_night_over_a_change_of_the_clocks_is_an_hour_shorter_or_longer() {
        let calendar = three("Europe/Berlin");
        // On 29 March 2026 the clocks go from 02:00 to 03:00, on 25 October from 03:00 back to 02:00.
        let spring = calendar.at(ms("2026-03-29T00:30:00Z"));
        assert_eq!(
            (spring.name.as_ref(), spring.start, spring.end),
            ("night", ms("2026-03-28T21:00:00Z"), ms("2026-03-29T04:00:00Z"))
        );
        let autumn = calendar.at(ms("2026-10-25T01:30:00Z"));
        assert_eq!(
            (autumn.name.as_ref(), autumn.start, autumn.end),
            ("night", ms("2026-10-24T20:00:00Z"), ms("2026-10-25T05:00:00Z"))
        );
        assert_eq!([spring.end - spring.start, autumn.end - autumn.start], [7 * 3_600_000, 9 * 3_600_000]);
        assert_eq!(calendar.local(ms("2026-10-25T01:30:00Z")), "2026-10-25T02:30:00.000+01:00");
    }

    #[test]
    fn every_moment_of_a_year_is_in_exactly_one_shift() {
        for zone in ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "UTC"] {
            let calendar = three(zone);
            let (mut t, until) = (ms("2026-01-01T00:00:00Z"), ms("2027-01-01T00:00:00Z"));
            while t < until {
                let shift = calendar.at(t);
                assert!(
                    shift.start <= t && t < shift.end && shift.end - shift.start <= 9 * 3_600_000,
                    "{zone} {t} {shift:?}"
                );
                assert_eq!(calendar.at(shift.start), shift, "{zone}");
                assert_eq!(calendar.at(shift.end - 1), shift, "{zone}");
                t = shift.end;
            }
        }
    }

    #[test]
    fn no_shift_begins_on_a_day_that_is_not_named() {
        let days = vec![ShiftDay::Mon, ShiftDay::Fri];
        let config = ShiftsConfig { time_zone: Some("UTC".into()), days, ..ShiftsConfig::default() };
        let calendar = config.check(&mut Vec::new());
        assert_eq!(&*calendar.at(ms("2026-11-30T12:00:00Z")).name, "day", "a Monday");
        let off = calendar.at(ms("2026-12-01T12:00:00Z"));
        assert_eq!((&*off.name, off.end - off.start), ("-", 86_400_000));
    }

    #[test]
    fn what_is_wrong_with_a_calendar_is_said_with_its_key() {
        let starts = [("a", "6 o'clock"), ("b", "06:00"), ("c", "06:00"), ("-", "07:00")];
        let starts = starts.map(|(n, t)| (n.to_owned(), t.to_owned())).into();
        let mut wrong = Vec::new();
        ShiftsConfig { time_zone: Some("Berlin".into()), days: Vec::new(), starts }.check(&mut wrong);
        let all = wrong.join("\n");
        for part in [
            "shifts.time_zone: `Berlin`",
            "shifts.days: empty",
            "shifts.starts.a:",
            "`c` and `b` both",
            "`-` is no name",
        ] {
            assert!(all.contains(part), "{part} in {all}");
        }
    }
}
