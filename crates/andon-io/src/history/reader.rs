//! The handle by which everybody reads the history: on read-only connections of its own, opened when they are needed, each query with a
//! time limit. Nothing that reads can hold up the thread that writes: the file has a write-ahead log.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};
use thiserror::Error;

use super::StoreError;
use super::filter::ParameterError;
use super::schema;
use super::shifts::ShiftCalendar;
use andon_core::Mono;

/// A query may take so long, unless something else is asked for.
pub const USUAL_TIME_LIMIT: Duration = Duration::from_secs(2);
/// Connections that are kept open between queries.
const KEPT: usize = 4;
/// Steps of SQLite's machine between two looks at the clock: about 0.1 ms.
const STEPS: i32 = 4000;
/// Page cache of a connection, in KiB, as SQLite's pragma has it.
const CACHE: i64 = -16_000;

/// Why a question has no answer.
#[derive(Debug, Error)]
pub enum HistoryError {
    /// There is no file.
    #[error("there is no history at {0}; store.enabled = true keeps one, and store.path says where")]
    Missing(PathBuf),
    /// An earlier version's file that has no columns yet.
    #[error(
        "history file {0} is of an earlier version; `andon run` brings it up to date while the line runs, and so does `andon history migrate`"
    )]
    Earlier(PathBuf),
    /// The file cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A parameter cannot be used.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The time limit was reached.
    #[error("the query took longer than {} ms; narrow it, by `from` and `to` or by `camera`", .0.as_millis())]
    TooSlow(Duration),
    /// SQLite refuses.
    #[error("the history cannot be read: {0}")]
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for HistoryError {
    fn from(error: rusqlite::Error) -> HistoryError {
        HistoryError::Sqlite(error)
    }
}

/// Reads the history. Clones share their connections; any thread may use it, and none may be the line's, for a query may take until its
/// time limit.
#[derive(Clone, Debug)]
pub struct History(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    calendar: ShiftCalendar,
    limit: Duration,
    idle: Mutex<Vec<Reader>>,
}

/// A connection, and when its query has to end: nanoseconds of [`Mono`].
#[derive(Debug)]
struct Reader {
    connection: Connection,
    until: Arc<AtomicU64>,
}

impl History {
    /// The history at this path, with the usual time limit. Nothing is opened yet.
    pub fn new(path: &Path, calendar: ShiftCalendar) -> History {
        History::with_limit(path, calendar, USUAL_TIME_LIMIT)
    }

    /// The same with another time limit of a query.
    pub fn with_limit(path: &Path, calendar: ShiftCalendar, limit: Duration) -> History {
        History(Arc::new(Inner { path: path.to_owned(), calendar, limit, idle: Mutex::default() }))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The calendar of its shifts.
    pub fn calendar(&self) -> &ShiftCalendar {
        &self.0.calendar
    }

    /// Asks on a connection of its own, within the time limit. One state of the file for all of `ask`.
    pub(super) fn read<T>(&self, ask: impl FnOnce(&Connection) -> Result<T, HistoryError>) -> Result<T, HistoryError> {
        let idle = self.idle().pop();
        let reader = match idle {
            Some(reader) => reader,
            None => self.open()?,
        };
        let limit = self.0.limit;
        reader.until.store((Mono::now() + limit).0, Relaxed);
        let answer = self.in_one_state(&reader.connection, ask);
        let mut idle = self.idle();
        if idle.len() < KEPT {
            idle.push(reader);
        }
        answer.map_err(|e| match e {
            HistoryError::Sqlite(e) if e.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
                HistoryError::TooSlow(limit)
            }
            HistoryError::Sqlite(e) => StoreError::new(&self.0.path, e).into(),
            e => e,
        })
    }

    fn in_one_state<T>(
        &self,
        connection: &Connection,
        ask: impl FnOnce(&Connection) -> Result<T, HistoryError>,
    ) -> Result<T, HistoryError> {
        let transaction = connection.unchecked_transaction()?;
        if schema::version(&transaction)? == 0 {
            return Err(HistoryError::Earlier(self.0.path.clone()));
        }
        ask(&transaction)
    }

    fn open(&self) -> Result<Reader, HistoryError> {
        let path = &self.0.path;
        if !path.exists() {
            return Err(HistoryError::Missing(path.clone()));
        }
        let mut connection = schema::open_to_read(path)?;
        let until = Arc::new(AtomicU64::new(u64::MAX));
        let clock = until.clone();
        let over = move || Mono::now().0 > clock.load(Relaxed);
        connection.progress_handler(STEPS, Some(over))?;
        connection.set_prepared_statement_cache_capacity(64);
        connection.pragma_update(None, "cache_size", CACHE)?;
        Ok(Reader { connection, until })
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Reader>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
