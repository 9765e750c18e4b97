//! Backup: models, configuration, history and users of a box in one tar file with a manifest of BLAKE3 sums, and back. Called by
//! `andon backup` and by the act of that name while the line runs; it reads files and takes copies of databases, and the line waits for none of
//! it.
//!
//! ```text
//! andon.toml, models/…, pipelines/… ┐
//! history.db  ◄─ VACUUM INTO ── history ├─► one tar, manifest.json last ─► restore: a folder that `andon run` takes as it is
//! andon-page.db ◄─ VACUUM INTO ── users ┘
//! ```

mod error;
mod restore;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};

pub use error::BackupError;
pub use restore::restore;

/// What a manifest says first.
pub const SCHEMA: &str = "andon.backup.v1";
/// The configuration's name in an archive.
pub const CONFIGURATION: &str = "andon.toml";
/// The history's name in an archive.
pub const HISTORY: &str = "history.db";
/// The name of users, audit and reference pictures in an archive.
pub const ACCOUNTS: &str = "andon-page.db";
/// The manifest's name in an archive; it is the last entry.
pub const MANIFEST: &str = "manifest.json";

/// What is put into an archive.
#[derive(Clone, Debug)]
pub struct BackupPlan {
    /// Files by their names in the archive, such as `models/top.andon`.
    pub files: Vec<(String, PathBuf)>,
    /// The configuration, with the archive's own names in place of paths, and `***` in place of secrets.
    pub configuration: String,
    /// The history's file, where one is kept.
    pub history: Option<PathBuf>,
    /// The file of users and audit, where there is one.
    pub accounts: Option<PathBuf>,
    /// Keys of the configuration whose secrets are masked.
    pub masked: Vec<String>,
    /// What is not in the archive though the configuration names it, in words.
    pub left_out: Vec<String>,
}

/// A file of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupFile {
    /// Its name in the archive.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
    /// Its BLAKE3 sum, hexadecimal.
    pub blake3: String,
}

/// What an archive holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`SCHEMA`].
    pub schema: String,
    /// The version that made it.
    pub andon: String,
    /// When, RFC 3339 UTC.
    pub at: String,
    /// Every file but the manifest.
    pub files: Vec<BackupFile>,
    /// Keys of the configuration whose secrets have to be written again.
    pub masked: Vec<String>,
    /// What is not in it, in words.
    pub left_out: Vec<String>,
}

/// Counts and hashes what is read.
struct Hashing<R> {
    from: R,
    bytes: u64,
    hasher: blake3::Hasher,
}

impl<R> Hashing<R> {
    fn new(from: R) -> Hashing<R> {
        Hashing { from, bytes: 0, hasher: blake3::Hasher::new() }
    }

    fn told(&self, name: &str) -> BackupFile {
        BackupFile { name: name.to_owned(), bytes: self.bytes, blake3: self.hasher.finalize().to_hex().to_string() }
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.from.read(into)?;
        self.hasher.update(&into[..n]);
        self.bytes += n as u64;
        Ok(n)
    }
}

impl BackupPlan {
    /// Writes the archive; `scratch` is a folder for the copies of the databases, which needs as much room as they have. Takes as long as the
    /// disk does.
    ///
    /// # Errors
    /// [`BackupError`]; what was written until then is no archive.
    pub fn write(&self, to: impl Write, scratch: &Path) -> Result<Manifest, BackupError> {
        let scratch = tempfile::Builder::new().prefix(".andon-backup-").tempdir_in(scratch).map_err(named(scratch))?;
        let mut archive = Archive { tar: tar::Builder::new(to), files: Vec::new() };
        archive.text(CONFIGURATION, &self.configuration)?;
        for (name, path) in &self.files {
            archive.file(name, path)?;
        }
        for (name, path) in [(ACCOUNTS, &self.accounts), (HISTORY, &self.history)] {
            let Some(path) = path.as_ref().filter(|path| path.exists()) else { continue };
            let copy = scratch.path().join(name);
            copy_database(path, &copy).map_err(|source| BackupError::Database { path: path.clone(), source })?;
            archive.file(name, &copy)?;
            std::fs::remove_file(&copy).map_err(named(&copy))?;
        }
        let manifest = Manifest {
            schema: SCHEMA.to_owned(),
            andon: env!("CARGO_PKG_VERSION").to_owned(),
            at: jiff::Timestamp::now().to_string(),
            files: std::mem::take(&mut archive.files),
            masked: self.masked.clone(),
            left_out: self.left_out.clone(),
        };
        let text = serde_json::to_string_pretty(&manifest).map_err(|e| BackupError::Write(e.into()))?;
        archive.text(MANIFEST, &text)?;
        archive.tar.into_inner().and_then(|mut to| to.flush()).map_err(BackupError::Write)?;
        Ok(manifest)
    }
}

fn named(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::File { path, source }
}

/// A tar file that is being written.
struct Archive<W: Write> {
    tar: tar::Builder<W>,
    files: Vec<BackupFile>,
}

impl<W: Write> Archive<W> {
    fn text(&mut self, name: &str, text: &str) -> Result<(), BackupError> {
        let told = self.entry(name, text.len() as u64, text.as_bytes())?;
        self.files.push(told);
        Ok(())
    }

    fn file(&mut self, name: &str, path: &Path) -> Result<(), BackupError> {
        let file = File::open(path).map_err(named(path))?;
        let bytes = file.metadata().map_err(named(path))?.len();
        // Not more than its header says, whatever is written to it meanwhile.
        let told = self.entry(name, bytes, file.take(bytes))?;
        if told.bytes != bytes {
            return Err(BackupError::Changed(path.to_owned()));
        }
        self.files.push(told);
        Ok(())
    }

    fn entry(&mut self, name: &str, bytes: u64, from: impl Read) -> Result<BackupFile, BackupError> {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes);
        // Users and their hashes are in it: for its owner alone.
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0));
        let mut from = Hashing::new(from);
        self.tar.append_data(&mut header, name, &mut from).map_err(BackupError::Write)?;
        Ok(from.told(name))
    }
}

/// A copy of a database as it is at one moment, while others go on writing to it. Without sessions: who has a backup is not logged in.
fn copy_database(from: &Path, to: &Path) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(from, flags)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
    let copy = Connection::open(to)?;
    let has_sessions: bool =
        copy.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'sessions')", [], |row| row.get(0))?;
    if has_sessions {
        copy.execute_batch("PRAGMA secure_delete = ON; DELETE FROM sessions;")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
