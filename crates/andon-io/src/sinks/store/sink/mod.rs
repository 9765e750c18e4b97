//! History and outbox in one SQLite file: every record but the statistics is a row; each outbox has a cursor behind which
//! everything was taken or set aside. A thread of its own writes in batches; readers have connections of their own (write-ahead log).

mod outbox;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use rusqlite::{Connection, ErrorCode, params};
use thiserror::Error;

pub use self::outbox::{Outbox, Outgoing};
use super::StoreConfig;
use crate::sinks::wire::{self, StationInfo, Topic};
use crate::sinks::{SinkContext, SinkError};
use andon_core::{Accepted, Record, Sink};
use andon_core::{Delivery, Mono, Outcome};

/// Starts the sink of the table.
pub(in crate::sinks) fn start(config: &StoreConfig, context: &SinkContext<'_>) -> Result<Box<dyn Sink>, SinkError> {
    let options = StoreOptions { path: config.path.clone(), max_rows: config.max_rows, max_bytes: config.max_bytes() };
    Ok(Box::new(StoreSink::start(options, context.station.clone()).map_err(SinkError::refused)?))
}

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
#[error("history file {path}: {source}; {hint}")]
pub struct StoreError {
    path: PathBuf,
    source: rusqlite::Error,
    hint: String,
}

impl StoreError {
    fn new(path: &Path, source: rusqlite::Error) -> StoreError {
        let hint = hint(path, &source);
        StoreError { path: path.to_owned(), source, hint }
    }
}

/// What is most likely wrong, and what to do about it.
fn hint(path: &Path, error: &rusqlite::Error) -> String {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match error.sqlite_error_code() {
        _ if !folder.is_dir() => {
            format!("the folder {} does not exist: make it, or change store.path", folder.display())
        }
        _ if path.is_dir() => "this is a folder; store.path names a file".to_owned(),
        Some(ErrorCode::DiskFull) => "the disk is full: free some space, or lower store.max_mb".to_owned(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program holds it: close it, or give this one a store.path of its own".to_owned()
        }
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            "this is no intact SQLite file: move it away, and a new one is made at the next start".to_owned()
        }
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            format!("may this user write the file and its folder {}?", folder.display())
        }
        Some(ErrorCode::SystemIoFailure) => "the disk cannot be read or written, or is full".to_owned(),
        _ => "is the file writable, and its folder?".to_owned(),
    }
}

/// Rows that wait for the writer: over a minute at 60 parts/s.
const WAITING: usize = 8192;
/// A row is on its way to the disk after this at the latest.
const BATCH: Duration = Duration::from_millis(20);
/// Rows in one transaction at most.
const BATCH_ROWS: usize = 500;
/// How often it is said that records are removed unsent.
const TELL_UNSENT: Duration = Duration::from_secs(60);
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
    names: StationInfo,
    to: Option<Sender<Row>>,
    writer: Option<std::thread::JoinHandle<()>>,
}

impl StoreSink {
    /// Opens or makes the file.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn start(options: StoreOptions, names: StationInfo) -> Result<StoreSink, StoreError> {
        let mut connection = open(&options.path)?;
        let (to, rows) = bounded(WAITING);
        let delivery = names.delivery.clone();
        let writer = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || write(&mut connection, &options, &rows, &delivery))
            .inspect_err(|e| tracing::error!("the history's thread cannot start: {e}"))
            .ok();
        Ok(StoreSink { names, to: Some(to), writer })
    }

    /// Records that could not be written since the start: the disk was full, or too slow for too long.
    pub fn lost(&self) -> u64 {
        self.names.delivery.history_lost()
    }
}

impl Sink for StoreSink {
    fn name(&self) -> &'static str {
        "store"
    }

    fn offer(&mut self, record: &Record) -> Accepted {
        let (kind, pass) = match record {
            Record::Verdict(v) => ("verdict", matches!(v.outcome, Outcome::Pass(_))),
            Record::Part(_, end) => ("part", matches!(end.outcome, Outcome::Pass(_))),
            Record::Ejection(..) => ("eject", false),
            Record::Event(..) => ("event", false),
            Record::Stats(_) | Record::Map(_) => return Accepted::Ignored,
        };
        let (Some(to), Some((key, json))) = (&self.to, wire::json(&self.names, record)) else {
            return Accepted::Ignored;
        };
        let row = Row { key: Topic::key(key, &self.names), kind, pass, json };
        if to.try_send(row).is_ok() {
            return Accepted::Taken;
        }
        self.names.delivery.lose_history(1);
        Accepted::Shed
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
    let failed = |source| StoreError::new(path, source);
    let connection = Connection::open(path).map_err(failed)?;
    let prepare = || -> rusqlite::Result<()> {
        connection.busy_timeout(Duration::from_secs(2))?;
        // NORMAL: a killed program loses nothing, a power cut at most the last checkpoint's tail; never a broken file.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS record (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, kind TEXT NOT NULL,
                 pass INTEGER NOT NULL, json BLOB NOT NULL);
             CREATE TABLE IF NOT EXISTS cursor (name TEXT PRIMARY KEY, last INTEGER NOT NULL);
             CREATE TABLE IF NOT EXISTS way (name TEXT PRIMARY KEY, kinds TEXT NOT NULL, rejects_only INTEGER NOT NULL);
             CREATE TABLE IF NOT EXISTS refused (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL,
                 record INTEGER NOT NULL, bytes INTEGER NOT NULL, why TEXT NOT NULL, at TEXT NOT NULL);",
        )
    };
    prepare().map_err(failed)?;
    Ok(connection)
}

fn write(connection: &mut Connection, options: &StoreOptions, rows: &Receiver<Row>, delivery: &Delivery) {
    let mut batch: Vec<Row> = Vec::with_capacity(BATCH_ROWS);
    let counts = delivery.sink("store");
    let (mut sweep_at, mut lost_since, mut unsent_told) = (Mono::now(), 0, None);
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
                Ok(()) => {
                    if lost_since > 0 {
                        tracing::info!("the history is written again; {lost_since} records were lost meanwhile");
                        counts.set_fault(None);
                    }
                    lost_since = 0;
                }
                Err(e) => {
                    let lost = batch.len() as u64;
                    delivery.lose_history(lost);
                    if lost_since == 0 {
                        let error = StoreError::new(&options.path, e);
                        tracing::error!("{error}; records are lost until it can be written");
                        counts.set_fault(Some(error.to_string()));
                    }
                    lost_since += lost;
                }
            }
            batch.clear();
        }
        let now = Mono::now();
        if now >= sweep_at {
            sweep_at = now + SWEEP;
            match sweep(connection, options, delivery) {
                Ok(unsent) if !unsent.is_empty() && unsent_told.is_none_or(|at| now.since(at) >= TELL_UNSENT) => {
                    unsent_told = Some(now);
                    tracing::error!(
                        "records are removed from the history before they were sent, because it is full (store.max_rows, \
                         store.max_mb); so far: {}",
                        unsent.join(", ")
                    );
                }
                Ok(_) => {}
                Err(e) => tracing::warn!("old history cannot be removed: {e}"),
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

/// Removes the oldest rows over the limits. Names the ways out that had not sent them, each with the number of its records lost so.
fn sweep(connection: &Connection, options: &StoreOptions, delivery: &Delivery) -> rusqlite::Result<Vec<String>> {
    let id = |sql: &str| connection.query_row(sql, [], |r| r.get::<_, Option<i64>>(0)).map(Option::unwrap_or_default);
    let keep = i64::try_from(options.max_rows).unwrap_or(i64::MAX);
    let mut unsent = remove(connection, id("SELECT max(id) FROM record")?.saturating_sub(keep), delivery)?;
    let page = |name: &str| connection.pragma_query_value(None, name, |r| r.get::<_, i64>(0));
    let used = (page("page_count")? - page("freelist_count")?) * page("page_size")?;
    if used > i64::try_from(options.max_bytes).unwrap_or(i64::MAX) {
        let tenth = id("SELECT min(id) + (max(id) - min(id)) / 10 FROM record")?;
        unsent.extend(remove(connection, tenth, delivery)?);
    }
    Ok(unsent)
}

/// Removes the rows up to this one. Those that an outbox has still to send are lost to its peer, and counted as shed there.
fn remove(connection: &Connection, up_to: i64, delivery: &Delivery) -> rusqlite::Result<Vec<String>> {
    let mut lost = Vec::new();
    for way in delivery.sinks().into_iter().filter(|s| s.waiting.is_some()) {
        let unsent = "SELECT count(*) FROM cursor c JOIN way w ON w.name = c.name JOIN record r ON r.id > c.last
             WHERE c.name = ?1 AND r.id <= ?2 AND instr(w.kinds, ',' || r.kind || ',') > 0 AND (r.pass = 0 OR w.rejects_only = 0)";
        let unsent: i64 = connection.query_row(unsent, params![way.sink, up_to], |r| r.get(0))?;
        if let Ok(unsent @ 1..) = u64::try_from(unsent) {
            let before = delivery.sink(&way.sink).shed.fetch_add(unsent, Relaxed);
            lost.push(format!("{} {}", way.sink, before + unsent));
        }
    }
    connection.execute("DELETE FROM record WHERE id <= ?1", [up_to])?;
    Ok(lost)
}

#[cfg(test)]
mod tests;
