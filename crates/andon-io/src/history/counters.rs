//! Reads what was counted: by hour, shift and batch; the distribution of ratios; the trend.

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::facts::OutcomeKind;
use super::filter::{Filter, MAX_LIMIT, ParameterError, ReviewState};
use super::page::Texts;
use super::reader::{History, HistoryError};
use super::select::{self, Conditions, Span, each};
use super::tally::{BINS, NO_SCORE, SLOT_MS};
use andon_core::Interval;

/// What counters are kept by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// Hours of UTC.
    Hour,
    /// Shifts of the calendar that was configured when the parts came.
    Shift,
    /// Batches, from one start to the next.
    Batch,
}

/// How many parts ended how within a period, for one camera or for a lane as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CounterRow {
    /// Its first millisecond, Unix time.
    pub start: i64,
    /// The first millisecond after it; absent for a batch.
    pub end: Option<i64>,
    /// The start, RFC 3339 in the time zone of the shift calendar.
    pub time: String,
    /// Name of the shift or batch; empty for hours.
    pub label: String,
    /// Lane.
    pub lane: String,
    /// Camera; absent for the parts of the lane over all of its cameras.
    pub camera: Option<String>,
    /// Parts: the sum of the four outcomes.
    pub offered: u64,
    /// Ended in PASS.
    pub pass: u64,
    /// Ended in REJECT.
    pub reject: u64,
    /// Ended in UNINSPECTED.
    pub uninspected: u64,
    /// Ended in ERROR.
    pub error: u64,
    /// Ejections; 0 for a camera.
    pub ejected: u64,
    /// Parts that were to be ejected and went past their ejector; 0 for a camera.
    pub missed: u64,
}

/// Parts of one bin, by what people said of them; those that nobody reviewed by their outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BinCounts {
    /// Reviewed as bad.
    pub bad: u64,
    /// Reviewed as good.
    pub good: u64,
    /// Reviewed without a conclusion.
    pub unsure: u64,
    /// Passed, unreviewed.
    pub pass: u64,
    /// Did not pass, unreviewed.
    pub not_passed: u64,
}

impl BinCounts {
    fn place(&mut self, outcome: OutcomeKind, review: ReviewState) -> &mut u64 {
        match (review, outcome) {
            (ReviewState::Bad, _) => &mut self.bad,
            (ReviewState::Good, _) => &mut self.good,
            (ReviewState::Unsure, _) => &mut self.unsure,
            (ReviewState::None, OutcomeKind::Pass) => &mut self.pass,
            (ReviewState::None, OutcomeKind::Reject | OutcomeKind::Uninspected | OutcomeKind::Error) => {
                &mut self.not_passed
            }
        }
    }
}

/// How scores are distributed, as shares of the thresholds that they were judged by.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Histogram {
    /// Width of a bin, as a share of the threshold; the first begins at 0, the last has no end.
    pub width: f64,
    /// The bins.
    pub bins: Vec<BinCounts>,
    /// Parts without a score.
    pub without_score: BinCounts,
    /// Taken from the counts of ten minutes, which outlive the rows: `from` was rounded down and `to` up to ten minutes.
    pub from_counts: bool,
}

/// What happened within one slot of time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TrendPoint {
    /// Its first millisecond, Unix time.
    pub start: i64,
    /// Verdicts.
    pub offered: u64,
    /// Those that did not pass, of all, with a 95 % interval.
    pub not_passed: Interval,
    /// Median of `score / threshold` of parts that passed, to half a hundredth.
    pub ratio_p50: Option<f64>,
    /// 99th percentile of the same.
    pub ratio_p99: Option<f64>,
}

impl History {
    /// The counters of the periods that overlap the filter's time, newest first, for its cameras and lanes; lanes as a whole too, unless
    /// cameras are named. At most the filter's limit of rows.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn counters(&self, period: Period, filter: &Filter) -> Result<Vec<CounterRow>, HistoryError> {
        filter.check()?;
        self.read(|connection| {
            let mut c = Conditions::default();
            c.term(format!("period = {}", period as i64));
            let span = Span::of(filter);
            c.value("(until IS NULL OR until > ?)", span.first);
            c.value("start <= ?", span.last);
            select::places(connection, filter, &mut c)?;
            let sql = format!(
                "SELECT start, until, label, camera, lane, pass, reject, uninspected, error, ejected, missed FROM counter {}
                 ORDER BY start DESC, label, lane, camera LIMIT {}",
                c.sql(),
                filter.limit()
            );
            let mut found = Vec::new();
            each(connection, &sql, &c, |r| {
                let mut counts = [0u64; 6];
                for (n, count) in counts.iter_mut().enumerate() {
                    *count = u64::try_from(r.get::<_, i64>(n + 5)?).unwrap_or(0);
                }
                found.push((r.get(0)?, r.get(1)?, r.get(2)?, r.get::<_, i64>(3)?, r.get(4)?, counts));
                Ok(())
            })?;
            let mut texts = Texts::new(connection, self.calendar());
            let mut rows = Vec::with_capacity(found.len());
            for (start, end, label, camera, lane, [pass, reject, uninspected, error, ejected, missed]) in found {
                rows.push(CounterRow {
                    start,
                    end,
                    time: self.calendar().local(start),
                    label,
                    lane: texts.text(lane)?,
                    camera: (camera != 0).then(|| texts.text(Some(camera))).transpose()?,
                    offered: pass + reject + uninspected + error,
                    pass,
                    reject,
                    uninspected,
                    error,
                    ejected,
                    missed,
                });
            }
            Ok(rows)
        })
    }

    /// The distribution of ratios over the filter's parts, in bins of so many hundredths of the threshold (1 to 50), up to four times the
    /// threshold. Where the filter has times, cameras, lanes and outcomes alone, or a model that judged everything of that time, it is taken from
    /// the counts of ten minutes.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn histogram(&self, filter: &Filter, hundredths: u32) -> Result<Histogram, HistoryError> {
        filter.check()?;
        if !(1..=50).contains(&hundredths) {
            return Err(ParameterError::new("hundredths", &hundredths.to_string(), "1 to 50").into());
        }
        let width = i64::from(hundredths);
        let Filter { from, to, cameras, lanes, outcomes, order, limit, after, .. } = filter.clone();
        let plain = Filter { from, to, cameras, lanes, outcomes, order, limit, after, ..Filter::default() };
        self.read(|connection| {
            // A model that judged everything of that time chooses nothing, and the counts do for it, too.
            let others = Filter { models: Vec::new(), ..filter.clone() };
            let is_plain = plain == others;
            let from_counts = is_plain
                && (filter.models.is_empty() || select::are_all_models(connection, &whole_slots(filter))?);
            let filter = if from_counts { &plain } else { filter };
            let bins = usize::try_from(BINS / width + 1).unwrap_or(1);
            let mut histogram = Histogram {
                width: f64::from(hundredths) / 100.0,
                bins: vec![BinCounts::default(); bins],
                without_score: BinCounts::default(),
                from_counts,
            };
            let mut add = |bin: i64, outcome: i64, review: i64, parts: i64| {
                let outcome = OutcomeKind::from_code(outcome).unwrap_or(OutcomeKind::Error);
                let review = ReviewState::from_code(review);
                let counts = match usize::try_from(bin.div_euclid(width)) {
                    Ok(n) if bin != NO_SCORE => histogram.bins.get_mut(n.min(bins - 1)),
                    _ => Some(&mut histogram.without_score),
                };
                if let Some(counts) = counts {
                    let place = counts.place(outcome, review);
                    *place = place.saturating_add_signed(parts);
                }
            };
            let ratio = format!("CASE WHEN ratio IS NULL THEN {NO_SCORE} ELSE min(max(CAST(ratio * 100 AS INTEGER), 0), {BINS}) END");
            if from_counts {
                counts_of(connection, filter, |bin, outcome, parts| add(bin, outcome, 0, parts))?;
                // Reviewed parts change their place; they are few, and have an index.
                let slots = whole_slots(filter);
                let mut reviewed = select::verdicts(connection, &slots)?.conditions;
                reviewed.term("review <> 0");
                let sql = format!(
                    "SELECT {ratio}, outcome, review, count(*) FROM verdict INDEXED BY verdict_reviewed {} GROUP BY 1, 2, 3",
                    reviewed.sql()
                );
                each(connection, &sql, &reviewed, |r| {
                    let (bin, outcome, parts) = (r.get(0)?, r.get(1)?, r.get::<_, i64>(3)?);
                    add(bin, outcome, 0, -parts);
                    add(bin, outcome, r.get(2)?, parts);
                    Ok(())
                })?;
            } else {
                let select = select::verdicts(connection, filter)?;
                let sql = format!(
                    "SELECT {ratio}, outcome, review, count(*) FROM verdict INDEXED BY {} {} GROUP BY 1, 2, 3",
                    select.index,
                    select.conditions.sql()
                );
                each(connection, &sql, &select.conditions, |r| {
                    add(r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?);
                    Ok(())
                })?;
            }
            Ok(histogram)
        })
    }

    /// The trend over the filter's time, oldest first, for its cameras and lanes, in slots of so many times ten minutes. At most 1000
    /// slots; slots without parts are left out.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn trend(&self, filter: &Filter, slots: u32) -> Result<Vec<TrendPoint>, HistoryError> {
        filter.check()?;
        if !(1..=1008).contains(&slots) {
            return Err(ParameterError::new("slots", &slots.to_string(), "1 to 1008 times ten minutes").into());
        }
        let width = i64::from(slots);
        self.read(|connection| {
            let mut c = slot_conditions(connection, filter)?;
            c.term(format!("bin >= {NO_SCORE}"));
            let sql = format!(
                "SELECT slot / {width}, outcome, bin, sum(parts) FROM bin {} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
                c.sql()
            );
            let mut points: Vec<Slot> = Vec::new();
            each(connection, &sql, &c, |r| {
                let (slot, outcome, bin): (i64, i64, i64) = (r.get(0)?, r.get(1)?, r.get(2)?);
                let parts = u64::try_from(r.get::<_, i64>(3)?).unwrap_or(0);
                if points.last().is_none_or(|p| p.slot != slot) {
                    points.push(Slot { slot, offered: 0, not_passed: 0, passes: Vec::new() });
                }
                if let Some(point) = points.last_mut() {
                    point.offered += parts;
                    if outcome == OutcomeKind::Pass.code() {
                        point.passes.push((bin, parts));
                    } else {
                        point.not_passed += parts;
                    }
                }
                Ok(())
            })?;
            let newest = points.len().saturating_sub(MAX_LIMIT as usize);
            Ok(points
                .into_iter()
                .skip(newest)
                .map(|Slot { slot, offered, not_passed, passes }| TrendPoint {
                    start: slot * width * SLOT_MS,
                    offered,
                    not_passed: andon_core::wilson(not_passed, offered),
                    ratio_p50: percentile(&passes, 50),
                    ratio_p99: percentile(&passes, 99),
                })
                .collect())
        })
    }
}

/// What is counted of a slot of the trend.
struct Slot {
    slot: i64,
    offered: u64,
    not_passed: u64,
    /// Bins of parts that passed, and how many are in each.
    passes: Vec<(i64, u64)>,
}

/// The middle of the bin that the percentile lies in; bins ascend.
fn percentile(bins: &[(i64, u64)], percent: u64) -> Option<f64> {
    let total: u64 = bins.iter().map(|(_, parts)| parts).sum();
    let rank = (total * percent).div_ceil(100).max(1);
    let mut seen = 0;
    for (bin, parts) in bins {
        seen += parts;
        if seen >= rank {
            return Some((*bin as f64 + 0.5) / 100.0);
        }
    }
    None
}

/// The filter with its times rounded outwards to whole slots.
fn whole_slots(filter: &Filter) -> Filter {
    let from = filter.from.map(|t| t.div_euclid(SLOT_MS) * SLOT_MS);
    let to = filter.to.map(|t| (t - 1).div_euclid(SLOT_MS).saturating_add(1) * SLOT_MS);
    Filter { from, to, ..filter.clone() }
}

fn slot_conditions(connection: &Connection, filter: &Filter) -> Result<Conditions, HistoryError> {
    let mut c = Conditions::default();
    if let Some(from) = filter.from {
        c.value("slot >= ?", from.div_euclid(SLOT_MS));
    }
    if let Some(to) = filter.to {
        c.value("slot <= ?", (to - 1).div_euclid(SLOT_MS));
    }
    select::places(connection, filter, &mut c)?;
    Ok(c)
}

fn counts_of(connection: &Connection, filter: &Filter, mut add: impl FnMut(i64, i64, i64)) -> Result<(), HistoryError> {
    let mut c = slot_conditions(connection, filter)?;
    if !filter.outcomes.is_empty() {
        let codes: Vec<String> = filter.outcomes.iter().map(|o| o.code().to_string()).collect();
        c.term(format!("outcome IN ({})", codes.join(", ")));
    }
    let sql = format!("SELECT bin, outcome, sum(parts) FROM bin {} GROUP BY 1, 2", c.sql());
    each(connection, &sql, &c, |r| {
        add(r.get(0)?, r.get(1)?, r.get(2)?);
        Ok(())
    })?;
    Ok(())
}
