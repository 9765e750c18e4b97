//! Counters by hour, shift and batch, and counts of ratios by ten minutes: gathered while rows are written, and added to their tables in
//! the same transaction, so that they are right however the rows end.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Transaction, params};

use super::facts::OutcomeKind;
use super::shifts::{Shift, ShiftCalendar};

/// Milliseconds of a slot of the trend: ten minutes.
pub(super) const SLOT_MS: i64 = 600_000;
/// Bins of a hundredth of the threshold; the last holds all that is over.
pub(super) const BINS: i64 = 400;
/// The bin of parts without a score.
pub(super) const NO_SCORE: i64 = -1;
const HOUR_MS: i64 = 3_600_000;

/// What a counter counts: places in its row.
#[derive(Clone, Copy, Debug)]
pub(super) enum Counted {
    Outcome(OutcomeKind),
    Ejected,
    Missed,
}

impl Counted {
    fn place(self) -> usize {
        match self {
            Counted::Outcome(outcome) => outcome as usize,
            Counted::Ejected => 4,
            Counted::Missed => 5,
        }
    }
}

/// Whom a counter is about: numbers of words; camera 0 is the lane as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub camera: i64,
    pub lane: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    period: i64,
    start: i64,
    until: Option<i64>,
    label: Arc<str>,
    place: Place,
}

/// A batch of parts: from its time on until the next.
#[derive(Clone, Debug)]
struct KnownBatch {
    at: i64,
    name: Arc<str>,
}

/// Counts that are not in the file yet.
pub(super) struct Tally {
    shifts: ShiftCalendar,
    shift: Option<Shift>,
    /// Newest first.
    batches: Vec<KnownBatch>,
    counters: HashMap<Key, [i64; 6]>,
    bins: HashMap<(i64, Place, i64, i64), i64>,
    no_label: Arc<str>,
}

impl Tally {
    pub fn new(shifts: ShiftCalendar) -> Tally {
        let (counters, bins) = (HashMap::new(), HashMap::new());
        Tally { shifts, shift: None, batches: Vec::new(), counters, bins, no_label: "".into() }
    }

    /// Reads which batches there are. Called in the transaction that writes, so that a part is never counted for a batch that was over.
    pub fn read_batches(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut statement =
            transaction.prepare_cached("SELECT at, name FROM batch ORDER BY at DESC, id DESC LIMIT 1000")?;
        let rows =
            statement.query_map([], |r| Ok(KnownBatch { at: r.get(0)?, name: r.get::<_, String>(1)?.into() }))?;
        self.batches = rows.collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Adds `times` of something at a moment (milliseconds, Unix time).
    pub fn count(&mut self, t: i64, place: Place, what: Counted, times: i64) {
        if self.shift.as_ref().is_none_or(|s| t < s.start || t >= s.end) {
            self.shift = Some(self.shifts.at(t));
        }
        let hour = t.div_euclid(HOUR_MS) * HOUR_MS;
        let label = self.no_label.clone();
        self.add(Key { period: 0, start: hour, until: Some(hour + HOUR_MS), label, place }, what, times);
        if let Some(Shift { name, start, end }) = self.shift.clone() {
            self.add(Key { period: 1, start, until: Some(end), label: name, place }, what, times);
        }
        if let Some(batch) = self.batches.iter().find(|b| b.at <= t).cloned() {
            self.add(Key { period: 2, start: batch.at, until: None, label: batch.name, place }, what, times);
        }
    }

    fn add(&mut self, key: Key, what: Counted, times: i64) {
        self.counters.entry(key).or_default()[what.place()] += times;
    }

    /// Adds a verdict to the counts of ratios.
    pub fn place_in_bin(&mut self, t: i64, place: Place, outcome: OutcomeKind, ratio: Option<f32>) {
        let bin = ratio.map_or(NO_SCORE, bin_of);
        *self.bins.entry((t.div_euclid(SLOT_MS), place, outcome.code(), bin)).or_default() += 1;
    }

    /// Adds everything to the tables.
    pub fn flush(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut statement = transaction.prepare_cached(
            "INSERT INTO counter (period, start, label, until, camera, lane, pass, reject, uninspected, error, ejected, missed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT DO UPDATE SET
             pass = pass + excluded.pass, reject = reject + excluded.reject, uninspected = uninspected + excluded.uninspected,
             error = error + excluded.error, ejected = ejected + excluded.ejected, missed = missed + excluded.missed",
        )?;
        for (key, n) in self.counters.drain() {
            let Key { period, start, until, label, place } = key;
            statement.execute(params![
                period,
                start,
                &*label,
                until,
                place.camera,
                place.lane,
                n[0],
                n[1],
                n[2],
                n[3],
                n[4],
                n[5]
            ])?;
        }
        let mut statement = transaction.prepare_cached(
            "INSERT INTO bin (slot, camera, lane, outcome, bin, parts) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO UPDATE SET parts = parts + excluded.parts",
        )?;
        for ((slot, place, outcome, bin), parts) in self.bins.drain() {
            statement.execute(params![slot, place.camera, place.lane, outcome, bin, parts])?;
        }
        Ok(())
    }

    /// Drops what was not flushed: its transaction failed.
    pub fn clear(&mut self) {
        self.counters.clear();
        self.bins.clear();
    }
}

/// The bin of a ratio.
pub(super) fn bin_of(ratio: f32) -> i64 {
    ((f64::from(ratio) * 100.0).floor() as i64).clamp(0, BINS)
}
