//! History and outbox in one SQLite file: every record but the statistics is a row; each way out has a cursor behind which
//! everything was taken. A thread of its own writes in batches; readers have connections of their own (write-ahead log).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use rusqlite::{Connection, OptionalExtension, params};
use thiserror::Error;

use super::wire::{self, Kind, Names};
use super::{Offer, Record, Sink};
use crate::types::{Mono, Outcome};

/// Where the file is and how large it may grow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// The file.
    pub path: PathBuf,
    /// Rows that are kept at most; the oldest go first.
    pub max_rows: u64,
    /// Bytes of the file's pages in use at most.
    pub max_bytes: u64,
}

/// The file cannot be used.
#[derive(Debug, Error)]
#[error("history file {path}: {source}; is its folder there and writable?")]
pub struct StoreError {
    path: PathBuf,
    source: rusqlite::Error,
}

/// Rows that wait for the writer: over a minute at 60 parts/s.
const WAITING: usize = 8192;
/// A row is on its way to the disk after this at the latest.
const BATCH: Duration = Duration::from_millis(20);
/// Rows in one transaction at most.
const BATCH_ROWS: usize = 500;
/// How often old rows are looked for.
const SWEEP: Duration = Duration::from_secs(5);

struct Row {
    key: String,
    kind: &'static str,
    pass: bool,
    json: Vec<u8>,
}

/// The sink that writes the history.
pub struct StoreSink {
    names: Names,
    to: Option<Sender<Row>>,
    writer: Option<std::thread::JoinHandle<()>>,
    lost: Arc<AtomicU64>,
}

impl StoreSink {
    /// Opens or makes the file.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn start(options: StoreOptions, names: Names) -> Result<StoreSink, StoreError> {
        let mut connection = open(&options.path)?;
        let (to, rows) = bounded(WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let uncounted = lost.clone();
        let writer = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || write(&mut connection, &options, &rows, &uncounted))
            .inspect_err(|e| tracing::error!("the history's thread cannot start: {e}"))
            .ok();
        Ok(StoreSink { names, to: Some(to), writer, lost })
    }

    /// Records that could not be written since the start: the disk was full, or too slow for too long.
    pub fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }
}

impl Sink for StoreSink {
    fn name(&self) -> &'static str {
        "store"
    }

    fn offer(&mut self, record: &Record) -> Offer {
        let (kind, pass) = match record {
            Record::Verdict(v) => ("verdict", matches!(v.outcome, Outcome::Pass(_))),
            Record::Part(_, end) => ("part", matches!(end.outcome, Outcome::Pass(_))),
            Record::Fired(..) => ("eject", false),
            Record::Notice(..) => ("event", false),
            Record::Stats(_) | Record::Map(_) => return Offer::Ignored,
        };
        let (Some(to), Some((key, json))) = (&self.to, wire::json(&self.names, record)) else {
            return Offer::Ignored;
        };
        let row = Row { key: Kind::key(key, &self.names), kind, pass, json };
        if to.try_send(row).is_ok() {
            return Offer::Taken;
        }
        self.lost.fetch_add(1, Relaxed);
        Offer::Shed
    }

    fn close(&mut self) {
        self.to = None;
        let Some(writer) = self.writer.take() else { return };
        let until = Mono::now() + Duration::from_secs(2);
        while !writer.is_finished() && Mono::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
        if writer.is_finished() && writer.join().is_err() {
            tracing::error!("the history's thread panicked");
        }
    }
}

impl Drop for StoreSink {
    fn drop(&mut self) {
        self.close();
    }
}

fn open(path: &Path) -> Result<Connection, StoreError> {
    let failed = |source| StoreError { path: path.to_owned(), source };
    let connection = Connection::open(path).map_err(failed)?;
    let prepare = || -> rusqlite::Result<()> {
        connection.busy_timeout(Duration::from_secs(2))?;
        // NORMAL: a killed program loses nothing, a power cut at most the last checkpoint's tail; never a broken file.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS record (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, kind TEXT NOT NULL,
                 pass INTEGER NOT NULL, json BLOB NOT NULL);
             CREATE TABLE IF NOT EXISTS cursor (name TEXT PRIMARY KEY, last INTEGER NOT NULL);",
        )
    };
    prepare().map_err(failed)?;
    Ok(connection)
}

fn write(connection: &mut Connection, options: &StoreOptions, rows: &Receiver<Row>, lost: &AtomicU64) {
    let mut batch: Vec<Row> = Vec::with_capacity(BATCH_ROWS);
    let (mut sweep_at, mut told) = (Mono::now(), false);
    loop {
        match rows.recv_timeout(Duration::from_millis(200)) {
            Ok(row) => {
                batch.push(row);
                let until = Mono::now() + BATCH;
                while batch.len() < BATCH_ROWS {
                    let Ok(row) = rows.recv_timeout(until.since(Mono::now())) else { break };
                    batch.push(row);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if !batch.is_empty() {
            match insert(connection, &batch) {
                Ok(()) => told = false,
                Err(e) => {
                    lost.fetch_add(batch.len() as u64, Relaxed);
                    if !std::mem::replace(&mut told, true) {
                        tracing::error!("the history cannot be written, records are lost until it can: {e}");
                    }
                }
            }
            batch.clear();
        }
        if Mono::now() >= sweep_at {
            sweep_at = Mono::now() + SWEEP;
            if let Err(e) = sweep(connection, options) {
                tracing::warn!("old history cannot be removed: {e}");
            }
        }
    }
}

fn insert(connection: &mut Connection, batch: &[Row]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    {
        let mut statement =
            transaction.prepare_cached("INSERT INTO record (key, kind, pass, json) VALUES (?1, ?2, ?3, ?4)")?;
        for row in batch {
            statement.execute(params![row.key, row.kind, row.pass, row.json])?;
        }
    }
    transaction.commit()
}

/// Removes the oldest rows over the limits.
fn sweep(connection: &Connection, options: &StoreOptions) -> rusqlite::Result<()> {
    let keep = i64::try_from(options.max_rows).unwrap_or(i64::MAX);
    connection.execute("DELETE FROM record WHERE id <= (SELECT max(id) FROM record) - ?1", [keep])?;
    let page = |name: &str| connection.pragma_query_value(None, name, |r| r.get::<_, i64>(0));
    let used = (page("page_count")? - page("freelist_count")?) * page("page_size")?;
    if used > i64::try_from(options.max_bytes).unwrap_or(i64::MAX) {
        connection
            .execute("DELETE FROM record WHERE id <= (SELECT min(id) + (max(id) - min(id)) / 10 FROM record)", [])?;
    }
    Ok(())
}

/// A row on its way out.
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
    kinds: Vec<String>,
    rejects_only: bool,
    path: PathBuf,
}

impl Outbox {
    /// The outbox of the way `name`, for these kinds of records; of verdicts and parts only those that did not pass, if
    /// asked. A new way begins with what comes from now on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(path: &Path, name: &str, kinds: &[String], rejects_only: bool) -> Result<Outbox, StoreError> {
        let connection = open(path)?;
        let begin = "INSERT OR IGNORE INTO cursor (name, last) SELECT ?1, coalesce(max(id), 0) FROM record";
        let outbox =
            Outbox { connection, name: name.to_owned(), kinds: kinds.to_vec(), rejects_only, path: path.to_owned() };
        outbox.connection.execute(begin, [name]).map_err(|e| outbox.failed(e))?;
        Ok(outbox)
    }

    /// The next rows behind `after` (or behind the cursor), oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn next(&self, after: Option<i64>, limit: usize) -> Result<Vec<Outgoing>, StoreError> {
        let read = || -> rusqlite::Result<Vec<Outgoing>> {
            let last = match after {
                Some(id) => id,
                None => self.last()?,
            };
            let mut statement = self.connection.prepare_cached(
                "SELECT id, key, json FROM record WHERE id > ?1 AND instr(?2, ',' || kind || ',') > 0
                 AND (pass = 0 OR ?3 = 0) ORDER BY id LIMIT ?4",
            )?;
            let kinds = format!(",{},", self.kinds.join(","));
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = statement.query_map(params![last, kinds, self.rejects_only, limit], |r| {
                Ok(Outgoing { id: r.get(0)?, key: r.get(1)?, json: r.get(2)? })
            })?;
            rows.collect()
        };
        read().map_err(|e| self.failed(e))
    }

    /// Everything up to `id` was taken.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn taken(&self, id: i64) -> Result<(), StoreError> {
        let sql = "UPDATE cursor SET last = max(last, ?2) WHERE name = ?1";
        self.connection.execute(sql, params![self.name, id]).map(|_| ()).map_err(|e| self.failed(e))
    }

    fn last(&self) -> rusqlite::Result<i64> {
        let sql = "SELECT last FROM cursor WHERE name = ?1";
        Ok(self.connection.query_row(sql, [&self.name], |r| r.get(0)).optional()?.unwrap_or(0))
    }

    fn failed(&self, source: rusqlite::Error) -> StoreError {
        StoreError { path: self.path.clone(), source }
    }
}

#[cfg(test)]
mod tests;
