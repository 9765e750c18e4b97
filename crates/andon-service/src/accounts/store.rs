//! The file: its tables, and who may touch it.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::OpenFlags;

use super::AccountError;

/// Another process (`andon user`) writes for milliseconds; a disk may take longer.
const BUSY: Duration = Duration::from_secs(2);

/// The version of the tables, in SQLite's `user_version`.
const VERSION: i64 = 3;

// The audit refuses changes in the file itself, so that no bug and no second program takes an entry back.
const TABLES: &str = "
CREATE TABLE users (name TEXT PRIMARY KEY, role TEXT NOT NULL, hash TEXT NOT NULL, created TEXT NOT NULL) STRICT;
CREATE TABLE sessions (token BLOB PRIMARY KEY, name TEXT NOT NULL, used INTEGER NOT NULL) STRICT;
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, name TEXT NOT NULL, role TEXT NOT NULL, via TEXT NOT NULL,
    act TEXT NOT NULL, subject TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL, reason TEXT NOT NULL,
    done INTEGER NOT NULL
) STRICT;
CREATE TRIGGER audit_keeps BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
PRAGMA user_version = 1;
";

/// Version 2: what each camera is to see, by its name.
const REFERENCES: &str = "
CREATE TABLE reference (camera TEXT PRIMARY KEY, at TEXT NOT NULL, name TEXT NOT NULL, part TEXT NOT NULL, jpeg BLOB NOT NULL) STRICT;
PRAGMA user_version = 2;
";

/// Version 3: what is to be found again after a restart, by its name.
const KEPT: &str = "
CREATE TABLE kept (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
PRAGMA user_version = 3;
";

/// Users, sessions and audit in one SQLite file. Shared by all who need them; calls wait for each other and for the disk.
pub struct Accounts {
    connection: Mutex<Connection>,
}

impl Accounts {
    /// Opens the file, or makes it; only its owner may read it.
    ///
    /// # Errors
    /// [`AccountError::Open`], [`AccountError::Later`].
    pub fn open(path: &Path) -> Result<Accounts, AccountError> {
        let opened = |source| AccountError::Open { path: path.to_owned(), source };
        let connection = Connection::open_with_flags(path, OpenFlags::default()).map_err(opened)?;
        owner_only(path);
        Accounts::prepare(connection).map_err(|e| match e {
            AccountError::Database(source) => opened(source),
            AccountError::Later(_) => AccountError::Later(path.to_owned()),
            other => other,
        })
    }

    /// In memory, for a line that is gone when its program ends: the demonstration.
    ///
    /// # Errors
    /// [`AccountError::Database`].
    pub fn in_memory() -> Result<Accounts, AccountError> {
        Accounts::prepare(Connection::open_in_memory()?)
    }

    fn prepare(connection: Connection) -> Result<Accounts, AccountError> {
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // An act is acknowledged when its entry is on the disk.
        connection.pragma_update(None, "synchronous", "FULL")?;
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        match version {
            0 => connection.execute_batch(&format!("BEGIN IMMEDIATE; {TABLES} {REFERENCES} {KEPT} COMMIT;"))?,
            1 => connection.execute_batch(&format!("BEGIN IMMEDIATE; {REFERENCES} {KEPT} COMMIT;"))?,
            2 => connection.execute_batch(&format!("BEGIN IMMEDIATE; {KEPT} COMMIT;"))?,
            VERSION => {}
            _ => return Err(AccountError::Later(std::path::PathBuf::new())),
        }
        Ok(Accounts { connection: Mutex::new(connection) })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn owner_only(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    if let Err(e) = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)) {
        tracing::warn!("{} may be read by others: {e}", path.display());
    }
}

/// Why no file with users can be kept at this path; `None` if it can.
pub fn not_writable(path: &Path) -> Option<String> {
    if path.is_dir() {
        return Some(format!("{} is a folder; name a file in it", path.display()));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Some(format!("there is no folder {}", folder.display()));
    }
    // A journal is written beside the file, so that the folder has to be writable even if the file is there.
    let probe = folder.join(format!(".andon-page-{}", std::process::id()));
    match std::fs::File::create(&probe) {
        Ok(_) => std::fs::remove_file(&probe).err().map(|e| format!("{}: {e}", probe.display())),
        Err(e) => Some(format!("{} cannot be written: {e}", folder.display())),
    }
}
