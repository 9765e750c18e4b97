//! The audit: who did what, when, by which way, from what to what and why. Entries are added and read, never changed.

use rusqlite::{Row, params};
use serde::Serialize;

use super::{AccountError, Accounts};
use andon_core::Actor;

/// One entry of the audit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AuditEntry {
    /// Number, growing.
    pub id: i64,
    /// When, RFC 3339 UTC.
    pub at: String,
    /// Who.
    pub user: String,
    /// With which role.
    pub role: String,
    /// By which way: page, zenoh, modbus, command line.
    pub via: String,
    /// What, such as `set_threshold`.
    pub act: String,
    /// On what, such as the camera's name.
    pub subject: String,
    /// As it was before; empty where there is nothing to say.
    pub before: String,
    /// As it is since.
    pub after: String,
    /// Why, in the words of who did it; for an act that was refused, why it was.
    pub reason: String,
    /// Whether it was done; false for what was refused.
    pub done: bool,
}

impl AuditEntry {
    /// The entry of an act that somebody asks for.
    pub fn of(by: &Actor, act: &str, subject: &str) -> AuditEntry {
        AuditEntry {
            user: by.user.clone(),
            role: by.role.as_str().to_owned(),
            via: by.via.as_str().to_owned(),
            act: act.to_owned(),
            subject: subject.to_owned(),
            ..AuditEntry::default()
        }
    }

    /// The columns, as they stand in a CSV file.
    pub const COLUMNS: [&str; 11] =
        ["id", "at", "user", "role", "via", "act", "subject", "before", "after", "reason", "done"];

    /// A line of CSV (RFC 4180). What a spreadsheet would take for a formula gets an apostrophe in front.
    pub fn csv(&self) -> String {
        let id = self.id.to_string();
        let done = if self.done { "yes" } else { "no" };
        let cells = [
            id.as_str(),
            &self.at,
            &self.user,
            &self.role,
            &self.via,
            &self.act,
            &self.subject,
            &self.before,
            &self.after,
            &self.reason,
            done,
        ];
        csv_line(cells)
    }
}

/// A line of CSV (RFC 4180). What a spreadsheet would take for a formula gets an apostrophe in front.
pub(crate) fn csv_line<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let quoted = cells.into_iter().map(|cell| {
        let guard = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
        format!("\"{guard}{}\"", cell.replace('"', "\"\""))
    });
    quoted.collect::<Vec<_>>().join(",")
}

impl Accounts {
    /// Adds an entry, with the time of now; returns when it is on the disk.
    ///
    /// # Errors
    /// [`AccountError::Database`].
    pub fn note(&self, entry: &AuditEntry) -> Result<(), AccountError> {
        let at = jiff::Timestamp::now().to_string();
        let e = entry;
        self.lock().execute(
            "INSERT INTO audit (at, name, role, via, act, subject, before, after, reason, done)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![at, e.user, e.role, e.via, e.act, e.subject, e.before, e.after, e.reason, e.done],
        )?;
        Ok(())
    }

    /// The newest entries first, at most `most` of those older than the entry `before`.
    ///
    /// # Errors
    /// [`AccountError::Database`].
    pub fn audit(&self, before: Option<i64>, most: u32) -> Result<Vec<AuditEntry>, AccountError> {
        let db = self.lock();
        let mut rows = db.prepare_cached(
            "SELECT id, at, name, role, via, act, subject, before, after, reason, done FROM audit
             WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
        )?;
        let entries = rows.query_map(params![before.unwrap_or(i64::MAX), most], entry)?;
        Ok(entries.collect::<Result<_, _>>()?)
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    Ok(AuditEntry {
        id: row.get(0)?,
        at: row.get(1)?,
        user: row.get(2)?,
        role: row.get(3)?,
        via: row.get(4)?,
        act: row.get(5)?,
        subject: row.get(6)?,
        before: row.get(7)?,
        after: row.get(8)?,
        reason: row.get(9)?,
        done: row.get(10)?,
    })
}
