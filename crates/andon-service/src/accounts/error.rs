//! Why users, sessions or the audit cannot be read or changed.

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use andon_core::Role;

/// Why users, sessions or the audit cannot be read or changed.
#[derive(Debug, Error)]
pub enum AccountError {
    /// The file cannot be opened.
    #[error("page.database: {path} cannot be opened: {source}; set page.database to a file that andon may write")]
    Open {
        /// File.
        path: PathBuf,
        /// Cause.
        source: rusqlite::Error,
    },
    /// The file is of a later version.
    #[error("page.database: {0} was written by a later version of andon; use that version, or another file")]
    Later(PathBuf),
    /// A statement failed: disk full, file gone.
    #[error("users and audit: {0}")]
    Database(#[from] rusqlite::Error),
    /// A name that is none.
    #[error("the name `{0}` has to be 1 to 40 characters without control characters")]
    Name(String),
    /// A user of this name is there.
    #[error("there is a user `{0}` already; `andon user passwd {0}` changes the password")]
    Exists(String),
    /// No user of this name.
    #[error("there is no user `{0}`; `andon user list` shows those that there are")]
    NoUser(String),
    /// Nobody could make users on the page any more.
    #[error("`{0}` is the last admin; make another one first")]
    LastAdmin(String),
    /// Too short.
    #[error("{}", password_rule(*.0))]
    Password(Role),
    /// The password or name is wrong; which of the two is not said.
    #[error("name or password is wrong")]
    Wrong,
    /// Too many attempts.
    #[error("too many attempts; try again in {} s", .0.as_secs() + 1)]
    Wait(Duration),
    /// The system has no random numbers.
    #[error("no random numbers from the system: {0}")]
    Random(String),
    /// Hashing failed.
    #[error("the password cannot be hashed: {0}")]
    Hash(String),
}

fn password_rule(role: Role) -> String {
    match role {
        Role::Viewer | Role::Operator => "a PIN has to have at least 4 digits".to_owned(),
        role => format!("a password of the role {role} has to have at least 8 characters"),
    }
}
