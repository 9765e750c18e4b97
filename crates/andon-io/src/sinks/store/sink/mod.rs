//! History and outbox in one SQLite file: every record but the statistics is a row; each outbox has a cursor behind which
//! everything was taken or set aside. A thread of its own writes in batches; readers have connections of their own (write-ahead log).
//! Rows get their columns, and the counters their counts, in the transaction that writes them ([`crate::history`]).

mod filling;
mod outbox;
mod sweep;

use std::path::PathBuf;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use self::filling::Filling;
pub use self::outbox::{Outbox, Outgoing};
use self::sweep::{Swept, sweep};
use super::StoreConfig;
use crate::history::{Columns, StoreError, open};
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
/// And how soon again when there were more than are removed at once.
const SWEEP_ON: Duration = Duration::from_millis(200);

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
        let connection = open(&options.path)?;
        let (to, rows) = bounded(WAITING);
        let delivery = names.delivery.clone();
        let columns = Columns::new(names.shifts.clone(), names.lanes.clone());
        let writer = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || write(connection, columns, &options, &rows, &delivery))
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

fn write(
    mut connection: Connection,
    mut columns: Columns,
    options: &StoreOptions,
    rows: &Receiver<Row>,
    delivery: &Delivery,
) {
    let mut batch: Vec<Row> = Vec::with_capacity(BATCH_ROWS);
    let counts = delivery.sink("store");
    let (mut sweep_at, mut lost_since, mut unsent_told) = (Mono::now(), 0, None);
    let mut filling = Filling::new();
    loop {
        match rows.recv_timeout(filling.rest()) {
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
            match insert(&mut connection, &mut columns, &batch) {
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
            match sweep(&connection, options, delivery) {
                Ok(Swept { unsent, is_more }) => {
                    if is_more {
                        sweep_at = now + SWEEP_ON;
                    }
                    if !unsent.is_empty() && unsent_told.is_none_or(|at| now.since(at) >= TELL_UNSENT) {
                        unsent_told = Some(now);
                        tracing::error!(
                            "records are removed from the history before they were sent, because it is full (store.max_rows, \
                             store.max_mb); so far: {}",
                            unsent.join(", ")
                        );
                    }
                }
                Err(e) => tracing::warn!("old history cannot be removed: {e}"),
            }
        }
        filling.slice(&mut connection, &mut columns);
    }
}

fn insert(connection: &mut Connection, columns: &mut Columns, batch: &[Row]) -> rusqlite::Result<()> {
    // Takes the right to write at once: a transaction that reads first would fail when an outbox moves its cursor meanwhile.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let written = insert_in(&transaction, columns, batch).and_then(|()| transaction.commit());
    if written.is_err() {
        columns.forget();
    }
    written
}

fn insert_in(transaction: &Transaction<'_>, columns: &mut Columns, batch: &[Row]) -> rusqlite::Result<()> {
    columns.begin(transaction)?;
    let mut statement =
        transaction.prepare_cached("INSERT INTO record (key, kind, pass, json) VALUES (?1, ?2, ?3, ?4)")?;
    let mut last = None;
    for row in batch {
        statement.execute(params![row.key, row.kind, row.pass, row.json])?;
        let record = transaction.last_insert_rowid();
        columns.add(transaction, record, row.kind, &row.json)?;
        last = Some(record);
    }
    columns.finish(transaction, last)
}

#[cfg(test)]
mod history_tests;
#[cfg(test)]
mod tests;
