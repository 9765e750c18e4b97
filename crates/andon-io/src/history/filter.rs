//! What a query of the history asks for, and the words in which it is asked: the same on the command line, over Zenoh and in a page's
//! address.

use std::fmt;
use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::{Span, Timestamp, ZonedDateTime};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::facts::{LaneRecordKind, OutcomeKind};
use super::shifts::ShiftCalendar;

/// Rows of one page at most.
pub const MAX_LIMIT: u32 = 1000;
/// Rows of one page if nothing else is asked for.
const USUAL_LIMIT: u32 = 100;
/// Values of one list at most.
const MAX_LIST: usize = 100;

/// What people said of a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReviewState {
    /// Nobody has looked, or a review was withdrawn.
    #[default]
    None,
    /// Really bad.
    Bad,
    /// Was good.
    Good,
    /// Somebody looked and is not sure.
    Unsure,
}

impl ReviewState {
    /// Every state, by its number in the file.
    pub const ALL: [ReviewState; 4] = [ReviewState::None, ReviewState::Bad, ReviewState::Good, ReviewState::Unsure];

    /// The word in filters and replies.
    pub fn as_str(self) -> &'static str {
        match self {
            ReviewState::None => "none",
            ReviewState::Bad => "bad",
            ReviewState::Good => "good",
            ReviewState::Unsure => "unsure",
        }
    }

    pub(super) fn code(self) -> i64 {
        self as i64
    }

    pub(super) fn from_code(code: i64) -> ReviewState {
        usize::try_from(code).ok().and_then(|n| ReviewState::ALL.get(n).copied()).unwrap_or_default()
    }
}

/// Which end comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Newest first.
    #[default]
    Newest,
    /// Oldest first.
    Oldest,
}

/// A range of numbers, both ends included; an end that is absent is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Band {
    /// Lowest.
    pub min: Option<f64>,
    /// Highest.
    pub max: Option<f64>,
}

impl Band {
    /// Nothing is asked for.
    pub fn is_open(&self) -> bool {
        self.min.is_none() && self.max.is_none()
    }
}

/// Where a page ended. Its text is for whoever asks for the next page, and means nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(super) t: i64,
    pub(super) record: i64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.t, self.record)
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Cursor, ()> {
        let (t, record) = text.split_once('.').ok_or(())?;
        Ok(Cursor { t: t.parse().map_err(|_| ())?, record: record.parse().map_err(|_| ())? })
    }
}

impl Serialize for Cursor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Cursor, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|()| serde::de::Error::custom("no cursor of an earlier page"))
    }
}

/// Which parts, or which records of lanes, are asked for. A list that is empty and an end that is absent ask for nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// Pictures taken at this moment or later; milliseconds, Unix time.
    pub from: Option<i64>,
    /// Pictures taken before this moment.
    pub to: Option<i64>,
    /// Cameras by name.
    pub cameras: Vec<String>,
    /// Lanes by name.
    pub lanes: Vec<String>,
    /// Lowest part number.
    pub seq_from: Option<u64>,
    /// Highest part number.
    pub seq_to: Option<u64>,
    /// The start of the program that the numbers count from.
    pub boots: Vec<String>,
    /// Recipes by name.
    pub recipes: Vec<String>,
    /// Models by name, or by the first digits of their blake3.
    pub models: Vec<String>,
    /// Outcomes.
    pub outcomes: Vec<OutcomeKind>,
    /// Reasons by their codes.
    pub reasons: Vec<String>,
    /// Scores.
    pub score: Band,
    /// Scores as shares of their thresholds.
    pub ratio: Band,
    /// What people said of the parts.
    pub reviews: Vec<ReviewState>,
    /// Kinds of defect that people gave the parts in the review that counts.
    pub defects: Vec<String>,
    /// Kinds of lane records; empty for verdicts.
    pub kinds: Vec<LaneRecordKind>,
    /// Ejectors and kinds of events, for lane records.
    pub whats: Vec<String>,
    /// Which end comes first.
    pub order: Order,
    /// Rows at most, up to [`MAX_LIMIT`]; 100 without it.
    pub limit: Option<u32>,
    /// Where the page before ended.
    pub after: Option<Cursor>,
}

/// A parameter that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{parameter}={value}: {why}")]
pub struct ParameterError {
    /// Its name.
    pub parameter: String,
    /// What was given, cut and with control characters escaped.
    pub value: String,
    /// What is wrong, and what would do.
    pub why: String,
}

impl ParameterError {
    pub(super) fn new(parameter: &str, value: &str, why: impl Into<String>) -> ParameterError {
        let shown: String = value.chars().take(80).flat_map(char::escape_debug).collect();
        let parameter = parameter.chars().take(40).flat_map(char::escape_debug).collect();
        ParameterError { parameter, value: shown, why: why.into() }
    }
}

impl Filter {
    /// The names of the parameters, as [`Filter::set`] takes them.
    pub const PARAMETERS: [&'static str; 19] = [
        "from", "to", "camera", "lane", "seq", "boot", "recipe", "model", "outcome", "reason", "score", "ratio",
        "review", "defect", "kind", "what", "order", "limit", "after",
    ];

    /// The filter of these parameters.
    ///
    /// # Errors
    /// [`ParameterError`] of the first that cannot be used.
    pub fn parse<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
        calendar: &ShiftCalendar,
    ) -> Result<Filter, ParameterError> {
        let mut filter = Filter::default();
        for (name, value) in pairs {
            filter.set(name, value, calendar)?;
        }
        filter.check()?;
        Ok(filter)
    }

    /// Sets one parameter. Lists are separated by commas; ranges are `LOW..HIGH` with either end left out, or one number.
    /// Times are RFC 3339, local dates and times of the calendar's zone (`2026-11-30`, `2026-11-30T06:00`), or how long ago (`8h`, `7d`).
    ///
    /// # Errors
    /// [`ParameterError`].
    pub fn set(&mut self, name: &str, value: &str, calendar: &ShiftCalendar) -> Result<(), ParameterError> {
        let wrong = |why: String| ParameterError::new(name, value, why);
        match name {
            "from" => self.from = Some(moment(value, calendar).map_err(wrong)?),
            "to" => self.to = Some(moment(value, calendar).map_err(wrong)?),
            "camera" => self.cameras = list(value).map_err(wrong)?,
            "lane" => self.lanes = list(value).map_err(wrong)?,
            "seq" => (self.seq_from, self.seq_to) = range(value).map_err(wrong)?,
            "boot" => self.boots = list(value).map_err(wrong)?,
            "recipe" => self.recipes = list(value).map_err(wrong)?,
            "model" => self.models = list(value).map_err(wrong)?,
            "outcome" => {
                self.outcomes =
                    words(value, OutcomeKind::of, &OutcomeKind::ALL.map(OutcomeKind::as_str)).map_err(wrong)?;
            }
            "reason" => self.reasons = list(value).map_err(wrong)?,
            "score" => self.score = band(value).map_err(wrong)?,
            "ratio" => self.ratio = band(value).map_err(wrong)?,
            "review" => {
                let state = |word: &str| ReviewState::ALL.into_iter().find(|s| s.as_str() == word);
                self.reviews = words(value, state, &ReviewState::ALL.map(ReviewState::as_str)).map_err(wrong)?;
            }
            "defect" => self.defects = list(value).map_err(wrong)?,
            "kind" if value == "verdict" => self.kinds.clear(),
            "kind" => {
                self.kinds = words(value, LaneRecordKind::of, &["verdict", "part", "eject", "event"]).map_err(wrong)?
            }
            "what" => self.whats = list(value).map_err(wrong)?,
            "order" => {
                self.order = match value {
                    "newest" => Order::Newest,
                    "oldest" => Order::Oldest,
                    _ => return Err(wrong("newest or oldest".to_owned())),
                };
            }
            "limit" => self.limit = Some(value.parse().map_err(|_| wrong(format!("a number from 1 to {MAX_LIMIT}")))?),
            "after" => {
                let why = || wrong("the `next` of an earlier page".to_owned());
                self.after = Some(value.parse().map_err(|()| why())?);
            }
            _ => return Err(wrong(format!("no such parameter; there are {}", Filter::PARAMETERS.join(", ")))),
        }
        Ok(())
    }

    /// Whether the parameters fit together.
    ///
    /// # Errors
    /// [`ParameterError`].
    pub fn check(&self) -> Result<(), ParameterError> {
        let limit = self.limit();
        if limit == 0 || limit > MAX_LIMIT {
            return Err(ParameterError::new(
                "limit",
                &limit.to_string(),
                format!("1 to {MAX_LIMIT}; go on with `after`"),
            ));
        }
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from >= to
        {
            return Err(ParameterError::new("to", &to.to_string(), "not after `from`"));
        }
        let lists = [
            (&self.cameras, "camera"),
            (&self.lanes, "lane"),
            (&self.boots, "boot"),
            (&self.recipes, "recipe"),
            (&self.models, "model"),
            (&self.reasons, "reason"),
            (&self.defects, "defect"),
            (&self.whats, "what"),
        ];
        for (list, name) in lists {
            if list.len() > MAX_LIST {
                let why = format!("{} given; at most {MAX_LIST}", list.len());
                return Err(ParameterError::new(name, "", why));
            }
        }
        Ok(())
    }

    /// Rows at most.
    pub fn limit(&self) -> u32 {
        self.limit.unwrap_or(USUAL_LIMIT)
    }
}

fn list(value: &str) -> Result<Vec<String>, String> {
    let values: Vec<String> = value.split(',').map(str::trim).filter(|v| !v.is_empty()).map(str::to_owned).collect();
    if values.is_empty() {
        Err("empty; leave it out, or name some, separated by commas".to_owned())
    } else {
        Ok(values)
    }
}

fn words<T>(value: &str, of: impl Fn(&str) -> Option<T>, known: &[&str]) -> Result<Vec<T>, String> {
    let all: Option<Vec<T>> = list(value)?.iter().map(|word| of(word)).collect();
    all.ok_or_else(|| format!("{}, separated by commas", known.join(", ")))
}

fn range<T: FromStr + Copy>(value: &str) -> Result<(Option<T>, Option<T>), String> {
    let wrong = || "a number, or LOW..HIGH, LOW.. or ..HIGH".to_owned();
    let end = |text: &str| match text.trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| wrong()),
    };
    match value.split_once("..") {
        Some((low, high)) => match (end(low)?, end(high)?) {
            (None, None) => Err(wrong()),
            ends => Ok(ends),
        },
        None => end(value)?.map(|n| (Some(n), Some(n))).ok_or_else(wrong),
    }
}

fn band(value: &str) -> Result<Band, String> {
    let (min, max) = range::<f64>(value)?;
    if min.into_iter().chain(max).any(|n| !n.is_finite()) {
        return Err("finite numbers only".to_owned());
    }
    Ok(Band { min, max })
}

/// Milliseconds, Unix time.
fn moment(text: &str, calendar: &ShiftCalendar) -> Result<i64, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at.as_millisecond());
    }
    if let Ok(local) = text.parse::<DateTime>() {
        let at = calendar.zone().to_timestamp(local).map_err(|e| e.to_string())?;
        return Ok(at.as_millisecond());
    }
    let ago = text.parse::<Span>().ok().filter(|s| !s.is_negative());
    let then = ago.and_then(|s| ZonedDateTime::now().with_time_zone(calendar.zone().clone()).checked_sub(s).ok());
    then.map(|z| z.timestamp().as_millisecond()).ok_or_else(|| {
        "a moment such as 2026-11-30T06:00:00Z, a local date or time such as 2026-11-30 or 2026-11-30T06:00, or how long ago, such as 8h"
            .to_owned()
    })
}
