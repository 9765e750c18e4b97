//! Pages of parts and of lane records, and everything about one part.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use serde_json::Value;

use super::backfill;
use super::facts::{LaneRecordKind, OutcomeKind};
use super::filter::{Cursor, Filter, Order, ReviewState};
use super::reader::{History, HistoryError};
use super::reviews::{self, Review};
use super::select::{self, each, go_on};
use super::shifts::ShiftCalendar;

/// The columns of `verdict` in the order of [`RawRow`].
const COLUMNS: &str = "record, id, t, camera, lane, seq, boot, recipe, model, outcome, reason, score, threshold, ratio, review, review_id";
/// Parts lie at most so far from the verdicts on them, in milliseconds: a deadline has at most a minute.
const PART_WITHIN_MS: i64 = 120_000;

/// One part's verdict by one camera.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartRow {
    /// ULID of the verdict, by which pictures and reviews know the part.
    pub id: String,
    /// When the picture was taken, milliseconds, Unix time.
    pub t: i64,
    /// The same, RFC 3339 in the time zone of the shift calendar.
    pub time: String,
    /// Camera.
    pub camera: String,
    /// Lane.
    pub lane: String,
    /// Part number within the start of the program.
    pub seq: u64,
    /// ULID of the start of the program.
    pub boot: String,
    /// Recipe, where there was one.
    pub recipe: Option<String>,
    /// Model.
    pub model: String,
    /// First digits of the model's blake3.
    pub blake3: String,
    /// Outcome.
    pub outcome: OutcomeKind,
    /// Why.
    pub reason: String,
    /// Raw score, units of the threshold; absent unless it was finite and came in time.
    pub score: Option<f32>,
    /// The threshold that was active.
    pub threshold: Option<f32>,
    /// `score / threshold`.
    pub ratio: Option<f32>,
    /// What people said of it last.
    pub review: ReviewState,
    /// Number of the review that counts, or of its withdrawal.
    pub review_id: Option<i64>,
}

/// A part, an ejection or an event of a lane.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LaneRow {
    /// Kind of record.
    pub kind: LaneRecordKind,
    /// When, milliseconds, Unix time.
    pub t: i64,
    /// The same, RFC 3339 in the time zone of the shift calendar.
    pub time: String,
    /// Lane.
    pub lane: String,
    /// Part number, where it is about a part.
    pub seq: Option<u64>,
    /// The ejector, or the kind of event.
    pub what: Option<String>,
    /// The record as it went out.
    pub json: Value,
}

/// Rows, and how to go on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Page<T> {
    /// The rows, in the order that was asked for.
    pub rows: Vec<T>,
    /// There are more rows: `after` of the filter for the next page.
    pub next: Option<Cursor>,
    /// Rows of an earlier version's file that have no columns yet and are in no answer, at most; 0 when all have.
    pub without_columns: u64,
}

/// Everything about one part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartDetail {
    /// The verdict's columns.
    pub row: PartRow,
    /// The verdict as it went out; absent when its row was removed because the file was full.
    pub verdict: Option<Value>,
    /// What the other cameras said of the same part.
    pub others: Vec<PartRow>,
    /// The part's outcome over all cameras.
    pub part: Option<Value>,
    /// What ejectors did about it.
    pub ejections: Vec<Value>,
    /// Events about it.
    pub events: Vec<Value>,
    /// Reviews of it, oldest first, withdrawals included.
    pub reviews: Vec<Review>,
}

pub(super) struct RawRow {
    record: i64,
    id: String,
    t: i64,
    words: [Option<i64>; 6],
    seq: i64,
    outcome: i64,
    numbers: [Option<f64>; 3],
    review: i64,
    review_id: Option<i64>,
}

impl RawRow {
    fn read(r: &Row<'_>) -> rusqlite::Result<RawRow> {
        Ok(RawRow {
            record: r.get(0)?,
            id: r.get(1)?,
            t: r.get(2)?,
            words: [r.get(3)?, r.get(4)?, r.get(6)?, r.get(7)?, r.get(8)?, r.get(10)?],
            seq: r.get(5)?,
            outcome: r.get(9)?,
            numbers: [r.get(11)?, r.get(12)?, r.get(13)?],
            review: r.get(14)?,
            review_id: r.get(15)?,
        })
    }
}

/// Texts of words by number, read once for a page.
pub(super) struct Texts<'a> {
    connection: &'a Connection,
    calendar: &'a ShiftCalendar,
    known: HashMap<i64, (String, String)>,
}

impl<'a> Texts<'a> {
    pub fn new(connection: &'a Connection, calendar: &'a ShiftCalendar) -> Texts<'a> {
        Texts { connection, calendar, known: HashMap::new() }
    }

    /// A word's text, and what goes with it.
    pub fn both(&mut self, id: Option<i64>) -> rusqlite::Result<(String, String)> {
        let Some(id) = id else { return Ok(Default::default()) };
        if let Some(known) = self.known.get(&id) {
            return Ok(known.clone());
        }
        let mut statement = self.connection.prepare_cached("SELECT text, more FROM word WHERE id = ?1")?;
        let texts: (String, String) =
            statement.query_row([id], |r| Ok((r.get(0)?, r.get(1)?))).optional()?.unwrap_or_default();
        self.known.insert(id, texts.clone());
        Ok(texts)
    }

    pub fn text(&mut self, id: Option<i64>) -> rusqlite::Result<String> {
        Ok(self.both(id)?.0)
    }

    fn row(&mut self, raw: RawRow) -> rusqlite::Result<PartRow> {
        let [camera, lane, boot, recipe, model, reason] = raw.words;
        let [score, threshold, ratio] = raw.numbers.map(|n| n.map(|n| n as f32));
        let (model, blake3) = self.both(model)?;
        Ok(PartRow {
            time: self.calendar.local(raw.t),
            id: raw.id,
            t: raw.t,
            camera: self.text(camera)?,
            lane: self.text(lane)?,
            seq: u64::try_from(raw.seq).unwrap_or(0),
            boot: self.text(boot)?,
            recipe: recipe.map(|r| self.text(Some(r))).transpose()?,
            model,
            blake3,
            // A number that this version does not know is not a pass.
            outcome: OutcomeKind::from_code(raw.outcome).unwrap_or(OutcomeKind::Error),
            reason: self.text(reason)?,
            score,
            threshold,
            ratio,
            review: ReviewState::from_code(raw.review),
            review_id: raw.review_id,
        })
    }
}

/// The rows that a statement over [`COLUMNS`] finds.
pub(super) fn rows(
    connection: &Connection,
    calendar: &ShiftCalendar,
    rest: &str,
    conditions: &select::Conditions,
) -> Result<(Vec<PartRow>, Vec<Cursor>), HistoryError> {
    let mut raw = Vec::new();
    each(connection, &format!("SELECT {COLUMNS} FROM verdict {rest}"), conditions, |r| {
        raw.push(RawRow::read(r)?);
        Ok(())
    })?;
    let cursors = raw.iter().map(|r| Cursor { t: r.t, record: r.record }).collect();
    let mut texts = Texts::new(connection, calendar);
    let rows = raw.into_iter().map(|r| texts.row(r)).collect::<Result<_, _>>()?;
    Ok((rows, cursors))
}

/// Cuts what was read over the limit off, and says where it goes on.
fn cut<T>(
    mut rows: Vec<T>,
    cursors: &[Cursor],
    limit: usize,
    connection: &Connection,
) -> Result<Page<T>, HistoryError> {
    let next = (rows.len() > limit).then(|| cursors.get(limit.saturating_sub(1)).copied()).flatten();
    rows.truncate(limit);
    Ok(Page { rows, next, without_columns: backfill::waiting(connection)? })
}

impl History {
    /// The parts of a filter, a page of them. Rows that are written meanwhile do not come twice: a page goes on behind the last row of the
    /// one before, by time and number.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn query(&self, filter: &Filter) -> Result<Page<PartRow>, HistoryError> {
        filter.check()?;
        self.read(|connection| {
            let mut select = select::verdicts(connection, filter)?;
            let order = go_on(&mut select.conditions, filter);
            let limit = filter.limit() as usize;
            let rest = format!("INDEXED BY {} {} {order} LIMIT {}", select.index, select.conditions.sql(), limit + 1);
            let (rows, cursors) = rows(connection, self.calendar(), &rest, &select.conditions)?;
            cut(rows, &cursors, limit, connection)
        })
    }

    /// Parts, ejections and events of lanes, a page of them: those of the filter's kinds, all three if it names none. Of the filter, its
    /// times, lanes, starts, numbers and `whats` count.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn events(&self, filter: &Filter) -> Result<Page<LaneRow>, HistoryError> {
        filter.check()?;
        self.read(|connection| {
            let limit = filter.limit() as usize;
            let kinds = if filter.kinds.is_empty() { LaneRecordKind::ALL.to_vec() } else { filter.kinds.clone() };
            let mut found = Vec::new();
            // One index has each kind by time; several kinds are merged here.
            for kind in kinds {
                let mut conditions = select::lane_records(connection, &Filter { kinds: vec![kind], ..filter.clone() })?;
                let order = go_on(&mut conditions, filter);
                let sql = format!(
                    "SELECT record, t, lane, seq, what FROM lane_record INDEXED BY lane_record_time {} {order} LIMIT {}",
                    conditions.sql(),
                    limit + 1
                );
                each(connection, &sql, &conditions, |r| {
                    let cursor = Cursor { record: r.get(0)?, t: r.get(1)? };
                    found.push((cursor, kind, r.get(2)?, r.get::<_, Option<i64>>(3)?, r.get::<_, Option<i64>>(4)?));
                    Ok(())
                })?;
            }
            found.sort_by_key(|(cursor, ..)| (cursor.t, cursor.record));
            if filter.order == Order::Newest {
                found.reverse();
            }
            found.truncate(limit + 1);
            let cursors: Vec<Cursor> = found.iter().map(|(cursor, ..)| *cursor).collect();
            let mut texts = Texts::new(connection, self.calendar());
            let mut rows = Vec::with_capacity(found.len());
            for (Cursor { t, record }, kind, lane, seq, what) in found {
                rows.push(LaneRow {
                    kind,
                    t,
                    time: self.calendar().local(t),
                    lane: texts.text(lane)?,
                    seq: seq.and_then(|n| u64::try_from(n).ok()),
                    what: what.map(|w| texts.text(Some(w))).transpose()?,
                    json: json(connection, record)?.unwrap_or_default(),
                });
            }
            cut(rows, &cursors, limit, connection)
        })
    }

    /// Everything about the part of this id; `None` if the history does not have it.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn part(&self, id: &str) -> Result<Option<PartDetail>, HistoryError> {
        self.read(|connection| {
            let keys = "SELECT record, t, lane, seq, boot FROM verdict WHERE id = ?1";
            let keys = connection
                .prepare_cached(keys)?
                .query_row([id], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?)))
                .optional()?;
            let Some((record, t, lane, seq, boot)): Option<(i64, i64, i64, i64, i64)> = keys else { return Ok(None) };
            let mut same = select::Conditions::default();
            for (column, value) in [("seq = ?", seq), ("boot = ?", boot), ("lane = ?", lane)] {
                same.value(column, value);
            }
            let rest = format!("INDEXED BY verdict_seq {} ORDER BY camera", same.sql());
            let (rows, _) = rows(connection, self.calendar(), &rest, &same)?;
            let (mut own, others): (Vec<PartRow>, Vec<PartRow>) = rows.into_iter().partition(|r| r.id == id);
            let Some(row) = own.pop() else { return Ok(None) };
            let within = (t - PART_WITHIN_MS, t + PART_WITHIN_MS);
            let part = "SELECT record FROM lane_record INDEXED BY lane_record_time
                 WHERE kind = 1 AND t BETWEEN ?1 AND ?2 AND seq = ?3 AND boot = ?4 AND lane = ?5";
            let part: Option<i64> = connection
                .prepare_cached(part)?
                .query_row(params![within.0, within.1, seq, boot, lane], |r| r.get(0))
                .optional()?;
            let of_lane = |kind: LaneRecordKind| -> Result<Vec<Value>, HistoryError> {
                let sql = "SELECT record FROM lane_record INDEXED BY lane_record_seq
                     WHERE kind >= 2 AND seq = ?1 AND boot = ?2 AND lane = ?3 AND kind = ?4 ORDER BY t LIMIT 100";
                let mut statement = connection.prepare_cached(sql)?;
                let found = statement.query_map(params![seq, boot, lane, kind.code()], |r| r.get(0))?;
                let found: Vec<i64> = found.collect::<Result<_, _>>()?;
                let mut all = Vec::new();
                for record in found {
                    all.extend(json(connection, record)?);
                }
                Ok(all)
            };
            Ok(Some(PartDetail {
                verdict: json(connection, record)?,
                others,
                part: part.map(|p| json(connection, p)).transpose()?.flatten(),
                ejections: of_lane(LaneRecordKind::Eject)?,
                events: of_lane(LaneRecordKind::Event)?,
                reviews: reviews::of_part(connection, id)?,
                row,
            }))
        })
    }
}

/// The JSON of a row.
fn json(connection: &Connection, record: i64) -> Result<Option<Value>, HistoryError> {
    let mut statement = connection.prepare_cached("SELECT json FROM record WHERE id = ?1")?;
    let bytes: Option<Vec<u8>> = statement.query_row([record], |r| r.get(0)).optional()?;
    Ok(bytes.and_then(|b| serde_json::from_slice(&b).ok()))
}
