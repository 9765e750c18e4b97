//! Writes the columns of rows: one row in `verdict` or `lane_record` for each of `record`, the words that they share, and the counters.
//! The `store` thread owns it; everything happens in the transaction that it is given.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, Transaction, params};

use super::facts::{self, Facts, LaneFacts, LaneRecordKind, VerdictFacts};
use super::shifts::ShiftCalendar;
use super::tally::{Counted, Place, Tally};

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum WordKind {
    Camera = 1,
    Lane = 2,
    Boot = 3,
    Recipe = 4,
    /// `more` is the model's blake3.
    Model = 5,
    Reason = 6,
    /// An ejector or a kind of event.
    What = 7,
    /// A threshold that was active, so that a band of scores is known to be one of ratios.
    Threshold = 8,
}

/// A word's number, and the times that its row is known to span.
#[derive(Clone, Copy, Debug)]
struct Known {
    id: i64,
    first: i64,
    last: i64,
    is_wider: bool,
}

/// The event that counts a part which went past its ejector.
const MISSED: &str = "missed_ejection";
/// Among how many of the newest rows the names of the lanes are looked for.
const ASKED: i64 = 20_000;

/// Writes columns.
pub(crate) struct Columns {
    words: HashMap<(WordKind, String), Known>,
    lanes: Vec<String>,
    /// The lanes are to be looked for in the file.
    asks_lanes: bool,
    tally: Tally,
    /// Rows whose JSON was not understood, since the start.
    not_understood: u64,
}

impl Columns {
    /// `lanes` are the names of the station's lanes; empty, they are taken from the parts that the file holds.
    pub fn new(shifts: ShiftCalendar, lanes: Vec<String>) -> Columns {
        let asks_lanes = lanes.is_empty();
        Columns { words: HashMap::new(), lanes, asks_lanes, tally: Tally::new(shifts), not_understood: 0 }
    }

    /// Begins a transaction's work.
    pub fn begin(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        if std::mem::take(&mut self.asks_lanes) {
            let sql = "SELECT json FROM record WHERE kind = 'part' AND id > (SELECT max(id) FROM record) - ?1";
            let mut statement = transaction.prepare_cached(sql)?;
            let mut rows = statement.query([ASKED])?;
            while let Some(row) = rows.next()? {
                if let Some(Facts::Lane(part)) = facts::of("part", row.get_ref(0)?.as_bytes()?)
                    && !self.lanes.iter().any(|lane| *lane == part.lane)
                {
                    self.lanes.push(part.lane.into_owned());
                }
            }
        }
        self.tally.read_batches(transaction)
    }

    /// Writes the columns of the row `record`.
    pub fn add(&mut self, transaction: &Transaction<'_>, record: i64, kind: &str, json: &[u8]) -> rusqlite::Result<()> {
        match facts::of(kind, json) {
            Some(Facts::Verdict(v)) => self.add_verdict(transaction, record, &v),
            Some(Facts::Lane(l)) => self.add_lane_record(transaction, record, &l),
            None => {
                self.not_understood += 1;
                if self.not_understood == 1 {
                    tracing::warn!(
                        record,
                        kind,
                        "a row of the history is kept without columns: its JSON is not understood"
                    );
                }
                Ok(())
            }
        }
    }

    /// Ends a transaction's work: the rows up to `columns_to`, if given, have their columns.
    pub fn finish(&mut self, transaction: &Transaction<'_>, columns_to: Option<i64>) -> rusqlite::Result<()> {
        self.tally.flush(transaction)?;
        let mut statement =
            transaction.prepare_cached("UPDATE word SET first = min(first, ?2), last = max(last, ?3) WHERE id = ?1")?;
        for known in self.words.values_mut().filter(|k| k.is_wider) {
            statement.execute(params![known.id, known.first, known.last])?;
            known.is_wider = false;
        }
        if let Some(record) = columns_to {
            transaction.prepare_cached("UPDATE columns_to SET record = ?1")?.execute([record])?;
        }
        Ok(())
    }

    /// The transaction failed: nothing of it is in the file.
    pub fn forget(&mut self) {
        self.words.clear();
        self.tally.clear();
    }

    /// Rows whose JSON was not understood, since the start.
    pub fn not_understood(&self) -> u64 {
        self.not_understood
    }

    fn add_verdict(
        &mut self,
        transaction: &Transaction<'_>,
        record: i64,
        v: &VerdictFacts<'_>,
    ) -> rusqlite::Result<()> {
        let lane = self.lane_of(&v.camera).to_owned();
        let mut word = |kind, text: &str, more: &str| self.word(transaction, kind, text, more, v.t);
        let place = Place { camera: word(WordKind::Camera, &v.camera, "")?, lane: word(WordKind::Lane, &lane, "")? };
        let boot = word(WordKind::Boot, &v.boot, "")?;
        let recipe = v.recipe.as_deref().map(|r| word(WordKind::Recipe, r, "")).transpose()?;
        let model = word(WordKind::Model, &v.model, &v.blake3)?;
        let reason = word(WordKind::Reason, &v.reason, "")?;
        if let Some(threshold) = v.threshold {
            word(WordKind::Threshold, &threshold.to_string(), "")?;
        }
        let mut statement = transaction.prepare_cached(
            "INSERT OR IGNORE INTO verdict (record, id, t, camera, lane, seq, boot, recipe, model, outcome, reason, score, threshold, ratio)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?;
        let added = statement.execute(params![
            record,
            v.id,
            v.t,
            place.camera,
            place.lane,
            v.seq,
            boot,
            recipe,
            model,
            v.outcome.code(),
            reason,
            v.score,
            v.threshold,
            v.ratio
        ])?;
        // The same verdict twice is one part.
        if added == 1 {
            self.tally.count(v.t, place, Counted::Outcome(v.outcome), 1);
            self.tally.place_in_bin(v.t, place, v.outcome, v.ratio);
        }
        Ok(())
    }

    fn add_lane_record(
        &mut self,
        transaction: &Transaction<'_>,
        record: i64,
        l: &LaneFacts<'_>,
    ) -> rusqlite::Result<()> {
        let lane = self.word(transaction, WordKind::Lane, &l.lane, "", l.t)?;
        let boot = self.word(transaction, WordKind::Boot, &l.boot, "", l.t)?;
        let what = match &l.what {
            Some(what) => Some(self.word(transaction, WordKind::What, what, "", l.t)?),
            None => None,
        };
        let mut statement = transaction.prepare_cached(
            "INSERT OR IGNORE INTO lane_record (record, kind, t, lane, boot, seq, what) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        let added = statement.execute(params![record, l.kind.code(), l.t, lane, boot, l.seq, what])?;
        let place = Place { camera: 0, lane };
        let counted = match (l.kind, l.outcome) {
            (LaneRecordKind::Part, Some(outcome)) => Some(Counted::Outcome(outcome)),
            (LaneRecordKind::Eject, _) => Some(Counted::Ejected),
            (LaneRecordKind::Event, _) if l.what.as_deref() == Some(MISSED) => Some(Counted::Missed),
            (LaneRecordKind::Part | LaneRecordKind::Event, _) => None,
        };
        if let (1, Some(what)) = (added, counted) {
            self.tally.count(l.t, place, what, l.times);
        }
        Ok(())
    }

    /// The lane of a camera: in free run the one of its own name, else the only one.
    fn lane_of<'a>(&'a self, camera: &'a str) -> &'a str {
        match self.lanes.as_slice() {
            lanes if lanes.iter().any(|lane| lane == camera) => camera,
            [only] => only,
            _ => camera,
        }
    }

    fn word(
        &mut self,
        transaction: &Transaction<'_>,
        kind: WordKind,
        text: &str,
        more: &str,
        t: i64,
    ) -> rusqlite::Result<i64> {
        let key = (kind, if more.is_empty() { text.to_owned() } else { format!("{text}\0{more}") });
        if let Some(known) = self.words.get_mut(&key) {
            if t < known.first || t > known.last {
                (known.first, known.last, known.is_wider) = (known.first.min(t), known.last.max(t), true);
            }
            return Ok(known.id);
        }
        let mut statement = transaction
            .prepare_cached("SELECT id, first, last FROM word WHERE kind = ?1 AND text = ?2 AND more = ?3")?;
        let found = statement.query_row(params![kind as i64, text, more], |r| {
            Ok(Known { id: r.get(0)?, first: r.get(1)?, last: r.get(2)?, is_wider: false })
        });
        let mut known = match found.optional()? {
            Some(known) => known,
            None => {
                let sql = "INSERT INTO word (kind, text, more, first, last) VALUES (?1, ?2, ?3, ?4, ?4)";
                transaction.prepare_cached(sql)?.execute(params![kind as i64, text, more, t])?;
                Known { id: transaction.last_insert_rowid(), first: t, last: t, is_wider: false }
            }
        };
        if t < known.first || t > known.last {
            (known.first, known.last, known.is_wider) = (known.first.min(t), known.last.max(t), true);
        }
        self.words.insert(key, known);
        Ok(known.id)
    }
}
