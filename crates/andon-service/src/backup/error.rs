//! Why there is no backup, or why one cannot be put back.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why there is no backup, or why one cannot be put back.
#[derive(Debug, Error)]
pub enum BackupError {
    /// This line is gone with its program: the demonstration.
    #[error("there is nothing to keep of this line: it has no configuration file")]
    Nothing,
    /// Another one is being made.
    #[error("another backup is being made; try again when it is done")]
    Busy,
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// File or folder.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// A database cannot be copied.
    #[error("{path} cannot be copied: {source}; there has to be as much room as it has")]
    Database {
        /// File.
        path: PathBuf,
        /// Cause.
        source: rusqlite::Error,
    },
    /// The archive cannot be written.
    #[error("the archive cannot be written: {0}")]
    Write(io::Error),
    /// A file became shorter while it was read.
    #[error("{0} was changed while it was read; make the backup again")]
    Changed(PathBuf),
    /// It is no backup.
    #[error("{path} is no backup of andon: {why}")]
    NoBackup {
        /// The archive.
        path: PathBuf,
        /// What is missing or odd.
        why: String,
    },
    /// A file is not as it was.
    #[error("{name} in {path} is not as it was when the backup was made; take another one")]
    Damaged {
        /// The archive.
        path: PathBuf,
        /// The file in it.
        name: String,
    },
    /// Nothing is overwritten.
    #[error("{0} is there already; name a folder that is not")]
    Exists(PathBuf),
}
