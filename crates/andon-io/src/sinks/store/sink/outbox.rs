//! An outbox: records that a sink has still to send, read from the history behind a cursor. Each sink has its own, on its own
//! connection.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use thiserror::Error;

use crate::history::{StoreError, open};
use crate::sinks::{SinkContext, SinkError};
use andon_core::{Delivery, Mono, SinkCounts, WallClock};

/// Records that are counted at most to say how many wait: counting reads them.
const COUNTED: i64 = 100_000;
/// They are counted this often.
const COUNT_EVERY: Duration = Duration::from_secs(5);
/// Refusals that are kept at most; the oldest go first.
const REFUSALS: i64 = 10_000;

/// A sink that sends from the history, without a history.
#[derive(Debug, Error)]
#[error("there is no history to send from; store.enabled = true keeps one")]
struct NoHistory;

/// A row that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its number; grows.
    pub id: i64,
    /// Key or topic.
    pub key: String,
    /// The JSON as it was written.
    pub json: Vec<u8>,
}

/// What one way out has still to take.
#[derive(Debug)]
pub struct Outbox {
    connection: Connection,
    name: String,
    /// Kinds of records with a comma before and behind each.
    kinds: String,
    rejects_only: bool,
    path: PathBuf,
    counts: Arc<SinkCounts>,
    /// No row that fits lies behind the first and up to the second, so that a way out that takes few records does not read
    /// the many others again and again.
    barren: Cell<(i64, i64)>,
    counted_at: Cell<Option<Mono>>,
}

impl Outbox {
    /// The outbox of the way `name`, for these kinds of records; of verdicts and parts only those that did not pass, if
    /// asked. A new way begins with what comes from now on. What becomes of the records is counted in `delivery`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(
        path: &Path,
        name: &str,
        kinds: &[String],
        rejects_only: bool,
        delivery: &Delivery,
    ) -> Result<Outbox, StoreError> {
        let connection = open(path)?;
        let begin = "INSERT OR IGNORE INTO cursor (name, last) SELECT ?1, coalesce(max(id), 0) FROM record";
        let outbox = Outbox {
            connection,
            name: name.to_owned(),
            kinds: format!(",{},", kinds.join(",")),
            rejects_only,
            path: path.to_owned(),
            counts: delivery.sink(name),
            barren: Cell::new((i64::MAX, i64::MAX)),
            counted_at: Cell::new(None),
        };
        outbox.connection.execute(begin, [name]).map_err(|e| outbox.failed(e))?;
        let way = "INSERT OR REPLACE INTO way (name, kinds, rejects_only) VALUES (?1, ?2, ?3)";
        let named = outbox.connection.execute(way, params![name, outbox.kinds, rejects_only]);
        named.map_err(|e| outbox.failed(e))?;
        outbox.count().map_err(|e| outbox.failed(e))?;
        Ok(outbox)
    }

    /// The outbox of a sink that is started.
    ///
    /// # Errors
    /// [`SinkError::Refused`]: no history is kept, or its file cannot be used.
    pub fn of_sink(
        context: &SinkContext<'_>,
        table: &str,
        kinds: &[String],
        rejects_only: bool,
    ) -> Result<Outbox, SinkError> {
        let history = context.history.ok_or_else(|| SinkError::refused(NoHistory))?;
        Outbox::open(history, table, kinds, rejects_only, &context.station.delivery).map_err(SinkError::refused)
    }

    /// The counters of this way out.
    pub fn counts(&self) -> &SinkCounts {
        &self.counts
    }

    /// The next rows behind `after` (or behind the cursor), oldest first, at most `limit`. Counts now and then how many wait.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn next(&self, after: Option<i64>, limit: usize) -> Result<Vec<Outgoing>, StoreError> {
        let read = || -> rusqlite::Result<Vec<Outgoing>> {
            let now = Mono::now();
            if self.counted_at.get().is_none_or(|at| now.since(at) >= COUNT_EVERY) {
                self.counted_at.set(Some(now));
                self.count()?;
            }
            let after = match after {
                Some(id) => id,
                None => self.last()?,
            };
            // Asked before the rows are read: what is written between the two is found next time.
            let newest = self.newest()?;
            let mut statement = self.connection.prepare_cached(
                "SELECT id, key, json FROM record WHERE id > ?1 AND instr(?2, ',' || kind || ',') > 0
                 AND (pass = 0 OR ?3 = 0) ORDER BY id LIMIT ?4",
            )?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = statement.query_map(params![self.behind(after), self.kinds, self.rejects_only, limit], |r| {
                Ok(Outgoing { id: r.get(0)?, key: r.get(1)?, json: r.get(2)? })
            })?;
            let rows: Vec<Outgoing> = rows.collect::<Result<_, _>>()?;
            if rows.is_empty() {
                self.barren.set((after, newest.max(after)));
            }
            Ok(rows)
        };
        read().map_err(|e| self.failed(e))
    }

    /// Everything up to `id` was taken, `records` of it since the last time.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn taken(&self, id: i64, records: u64) -> Result<(), StoreError> {
        self.advance(id).map_err(|e| self.failed(e))?;
        self.counts.taken.fetch_add(records, Relaxed);
        Ok(())
    }

    /// The peer will never take this row: it is noted in the table `refused`, with its reason, and what is behind it goes on.
    /// The record itself stays in the history.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_aside(&self, id: i64, bytes: usize, why: &str) -> Result<(), StoreError> {
        let write = || -> rusqlite::Result<()> {
            let transaction = self.connection.unchecked_transaction()?;
            let at = WallClock::read().rfc3339(Mono::now());
            let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
            transaction.execute(
                "INSERT INTO refused (name, record, bytes, why, at) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![self.name, id, bytes, why, at],
            )?;
            transaction.execute("DELETE FROM refused WHERE id <= (SELECT max(id) FROM refused) - ?1", [REFUSALS])?;
            self.advance(id)?;
            transaction.commit()
        };
        write().map_err(|e| self.failed(e))?;
        self.counts.set_aside.fetch_add(1, Relaxed);
        Ok(())
    }

    fn advance(&self, id: i64) -> rusqlite::Result<()> {
        let sql = "UPDATE cursor SET last = max(last, ?2) WHERE name = ?1";
        self.connection.execute(sql, params![self.name, id]).map(|_| ())
    }

    /// Where to read on behind `after`.
    fn behind(&self, after: i64) -> i64 {
        let (from, to) = self.barren.get();
        if after >= from { after.max(to) } else { after }
    }

    /// Where the next read begins.
    #[cfg(test)]
    pub(super) fn reads_from(&self) -> rusqlite::Result<i64> {
        Ok(self.behind(self.last()?))
    }

    fn count(&self) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare_cached(
            "SELECT count(*) FROM (SELECT 1 FROM record WHERE id > ?1 AND instr(?2, ',' || kind || ',') > 0
             AND (pass = 0 OR ?3 = 0) LIMIT ?4)",
        )?;
        let last = self.behind(self.last()?);
        let waiting: i64 = statement.query_row(params![last, self.kinds, self.rejects_only, COUNTED], |r| r.get(0))?;
        self.counts.set_waiting(u64::try_from(waiting).unwrap_or(0));
        Ok(())
    }

    fn newest(&self) -> rusqlite::Result<i64> {
        self.connection.query_row("SELECT coalesce(max(id), 0) FROM record", [], |r| r.get(0))
    }

    fn last(&self) -> rusqlite::Result<i64> {
        let sql = "SELECT last FROM cursor WHERE name = ?1";
        Ok(self.connection.query_row(sql, [&self.name], |r| r.get(0)).optional()?.unwrap_or(0))
    }

    fn failed(&self, source: rusqlite::Error) -> StoreError {
        StoreError::new(&self.path, source)
    }
}
