//! The file's tables and its version (`PRAGMA user_version`), and how a file of an earlier version gets there.
//!
//! Version 0 is the table `record` with its outboxes. Version 1 adds columns: one row in `verdict` or `lane_record` for every row of
//! `record`, by the same number. The step from 0 to 1 makes empty tables and notes in `backfill` which rows have no columns yet, in one
//! short transaction; [`super::backfill`] fills them in while the line runs.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::StoreError;

/// The newest version that this program knows.
pub(crate) const VERSION: i64 = 1;
/// A pass from this share of its threshold on is a near miss.
pub const NEAR_MISS: f64 = 0.85;
/// Passes are drawn for review by their number; what is asked for has to be a multiple of this.
pub const SAMPLE_STEP: u64 = 10;

/// Page cache of a writing connection, in KiB, as SQLite's pragma has it: the ends of all indexes.
const CACHE: i64 = -32_000;

const VERSION_0: &str = "
    CREATE TABLE IF NOT EXISTS record (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, kind TEXT NOT NULL,
        pass INTEGER NOT NULL, json BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS cursor (name TEXT PRIMARY KEY, last INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS way (name TEXT PRIMARY KEY, kinds TEXT NOT NULL, rejects_only INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS refused (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL,
        record INTEGER NOT NULL, bytes INTEGER NOT NULL, why TEXT NOT NULL, at TEXT NOT NULL);";

/// `word` holds every text that many rows share, with the first and last time of the verdicts that have it. Times are Unix milliseconds.
/// Outcomes: 0 PASS, 1 REJECT, 2 UNINSPECTED, 3 ERROR. Review: 0 none, 1 bad, 2 good, 3 unsure. Kinds of `lane_record`: 1 part, 2 eject, 3 event.
/// Periods of `counter`: 0 hour, 1 shift, 2 batch; camera 0 is the lane as a whole. `bin` counts verdicts by ten minutes and hundredths of
/// the threshold; bin -1 has no score. There is no index over all ratios or scores: their order is that of no page of the file, and with
/// two of them each row wrote 14 kB.
const VERSION_1: &str = "
    CREATE TABLE word (id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, text TEXT NOT NULL, more TEXT NOT NULL,
        first INTEGER NOT NULL, last INTEGER NOT NULL, UNIQUE (kind, text, more));
    CREATE TABLE verdict (record INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, t INTEGER NOT NULL, camera INTEGER NOT NULL,
        lane INTEGER NOT NULL, seq INTEGER NOT NULL, boot INTEGER NOT NULL, recipe INTEGER, model INTEGER NOT NULL,
        outcome INTEGER NOT NULL, reason INTEGER NOT NULL, score REAL, threshold REAL, ratio REAL,
        review INTEGER NOT NULL DEFAULT 0, review_id INTEGER);
    CREATE INDEX verdict_time ON verdict (t);
    CREATE INDEX verdict_camera ON verdict (camera, t);
    CREATE INDEX verdict_seq ON verdict (seq);
    CREATE INDEX verdict_ratio ON verdict (ratio) WHERE ratio >= 0.85;
    CREATE INDEX verdict_not_passed ON verdict (t, camera, outcome, reason, review) WHERE outcome <> 0;
    CREATE INDEX verdict_near ON verdict (t, review) WHERE outcome = 0 AND ratio >= 0.85;
    CREATE INDEX verdict_sample ON verdict (t, seq, review) WHERE outcome = 0 AND ratio < 0.85 AND seq % 10 = 0;
    CREATE INDEX verdict_reviewed ON verdict (t, review, outcome) WHERE review <> 0;
    CREATE TABLE lane_record (record INTEGER PRIMARY KEY, kind INTEGER NOT NULL, t INTEGER NOT NULL, lane INTEGER NOT NULL,
        boot INTEGER NOT NULL, seq INTEGER, what INTEGER);
    CREATE INDEX lane_record_time ON lane_record (kind, t);
    CREATE INDEX lane_record_seq ON lane_record (seq) WHERE kind >= 2 AND seq IS NOT NULL;
    CREATE TABLE counter (period INTEGER NOT NULL, start INTEGER NOT NULL, label TEXT NOT NULL, until INTEGER, camera INTEGER NOT NULL,
        lane INTEGER NOT NULL, pass INTEGER NOT NULL, reject INTEGER NOT NULL, uninspected INTEGER NOT NULL, error INTEGER NOT NULL,
        ejected INTEGER NOT NULL, missed INTEGER NOT NULL, PRIMARY KEY (period, start, label, camera, lane)) WITHOUT ROWID;
    CREATE TABLE bin (slot INTEGER NOT NULL, camera INTEGER NOT NULL, lane INTEGER NOT NULL, outcome INTEGER NOT NULL,
        bin INTEGER NOT NULL, parts INTEGER NOT NULL, PRIMARY KEY (slot, camera, lane, outcome, bin)) WITHOUT ROWID;
    CREATE TABLE batch (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, actor TEXT NOT NULL, at INTEGER NOT NULL);
    CREATE TABLE review (id INTEGER PRIMARY KEY AUTOINCREMENT, part TEXT NOT NULL, verdict INTEGER NOT NULL, defect TEXT, comment TEXT,
        user TEXT NOT NULL, at INTEGER NOT NULL, previous INTEGER);
    CREATE INDEX review_part ON review (part);
    CREATE TRIGGER review_unchanged BEFORE UPDATE ON review BEGIN SELECT RAISE(ABORT, 'reviews are only added'); END;
    CREATE TRIGGER review_kept BEFORE DELETE ON review BEGIN SELECT RAISE(ABORT, 'reviews are only added'); END;
    CREATE TABLE backfill (low INTEGER NOT NULL, high INTEGER NOT NULL);
    CREATE TABLE columns_to (record INTEGER NOT NULL);
    INSERT INTO columns_to SELECT coalesce(max(id), 0) FROM record;
    INSERT INTO backfill SELECT (SELECT min(id) FROM record), (SELECT max(id) FROM record) WHERE EXISTS (SELECT 1 FROM record);
    PRAGMA user_version = 1;";

/// Opens or makes the file for writing, and brings its tables to this program's version.
///
/// # Errors
/// [`StoreError`].
pub(crate) fn open(path: &Path) -> Result<Connection, StoreError> {
    let failed = |source| StoreError::new(path, source);
    let mut connection = Connection::open(path).map_err(failed)?;
    connection.busy_timeout(Duration::from_secs(2)).map_err(failed)?;
    known(&connection, path)?;
    let mut prepare = || -> rusqlite::Result<()> {
        // NORMAL: a killed program loses nothing, a power cut at most the last checkpoint's tail; never a broken file.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "cache_size", CACHE)?;
        connection.set_prepared_statement_cache_capacity(64);
        if is_ready(&connection)? {
            return Ok(());
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(VERSION_0)?;
        if version(&transaction)? == 0 {
            transaction.execute_batch(VERSION_1)?;
        }
        note_rows_without_columns(&transaction)?;
        transaction.commit()
    };
    prepare().map_err(failed)?;
    Ok(connection)
}

/// Opens a file for reading only; it has to be there. Its version may be any that this program knows.
///
/// # Errors
/// [`StoreError`].
pub(crate) fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    let failed = |source| StoreError::new(path, source);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(Duration::from_secs(2)).map_err(failed)?;
    known(&connection, path)?;
    Ok(connection)
}

/// The version of the file.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |r| r.get(0))
}

fn known(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    match version(connection).map_err(|e| StoreError::new(path, e))? {
        found if found > VERSION => Err(StoreError::Newer { path: path.to_owned(), found, known: VERSION }),
        _ => Ok(()),
    }
}

fn is_ready(connection: &Connection) -> rusqlite::Result<bool> {
    if version(connection)? != VERSION {
        return Ok(false);
    }
    connection.query_row(
        "SELECT (SELECT coalesce(max(id), 0) FROM record) <= (SELECT record FROM columns_to)",
        [],
        |r| r.get(0),
    )
}

/// An earlier program that knows nothing of the columns may have written since: its rows are to be filled in too.
fn note_rows_without_columns(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(
        "INSERT INTO backfill SELECT c.record + 1, m.last FROM columns_to c, (SELECT max(id) AS last FROM record) m WHERE m.last > c.record;
         UPDATE columns_to SET record = max(record, (SELECT coalesce(max(id), 0) FROM record));",
    )
}
