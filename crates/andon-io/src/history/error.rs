//! Why the history's file cannot be used.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use thiserror::Error;

/// The file cannot be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// SQLite refuses, or the disk does.
    #[error("history file {path}: {source}; {hint}")]
    Sqlite {
        /// File.
        path: PathBuf,
        /// Cause.
        source: rusqlite::Error,
        /// What is most likely wrong, and what to do about it.
        hint: String,
    },
    /// A later version of this program wrote it.
    #[error(
        "history file {path}: it has version {found}, and this program knows versions up to {known}; use the andon that wrote it, \
         or give this one a store.path of its own"
    )]
    Newer {
        /// File.
        path: PathBuf,
        /// Version of the file.
        found: i64,
        /// Newest version that this program knows.
        known: i64,
    },
}

impl StoreError {
    pub(crate) fn new(path: &Path, source: rusqlite::Error) -> StoreError {
        let hint = hint(path, &source);
        StoreError::Sqlite { path: path.to_owned(), source, hint }
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
