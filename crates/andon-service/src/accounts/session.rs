//! Sessions: a random token in a cookie, of which only the hash is kept, and which ends 15 minutes after its last use.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::{AccountError, Accounts};
use andon_core::{Actor, Role, Via};

/// A session ends when it was not used for so long.
pub const IDLE: Duration = Duration::from_secs(15 * 60);
/// The last use is written down this often at most, so that a look at a page is seldom a write.
const NOTE: i64 = 30_000;

/// Somebody who is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The user.
    pub user: String,
    /// The role, as it is now.
    pub role: Role,
}

impl Session {
    /// The one who acts on the page.
    pub fn actor(&self) -> Actor {
        Actor { user: self.user.clone(), role: self.role, via: Via::Page }
    }
}

/// 256 random bits in hexadecimal digits.
///
/// # Errors
/// [`AccountError::Random`].
pub fn random_token() -> Result<String, AccountError> {
    let mut bits = [0u8; 32];
    getrandom::fill(&mut bits).map_err(|e| AccountError::Random(e.to_string()))?;
    Ok(bits.iter().map(|b| format!("{b:02x}")).collect())
}

/// Milliseconds since 1970: sessions outlive a restart, so that no monotonic clock will do.
pub(super) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

fn hash(token: &str) -> [u8; 32] {
    *blake3::hash(token.as_bytes()).as_bytes()
}

pub(super) fn fresh_session(db: &Connection, name: &str, now: i64) -> Result<String, AccountError> {
    let token = random_token()?;
    db.execute("DELETE FROM sessions WHERE used < ?1", [now - IDLE.as_millis() as i64])?;
    db.execute(
        "INSERT INTO sessions (token, name, used) VALUES (?1, ?2, ?3)",
        params![hash(&token).as_slice(), name, now],
    )?;
    Ok(token)
}

impl Accounts {
    /// Who has this token. `uses` keeps the session alive; what a page fetches by itself does not.
    ///
    /// # Errors
    /// [`AccountError::Database`].
    pub fn session(&self, token: &str, uses: bool) -> Result<Option<Session>, AccountError> {
        self.session_at(token, uses, now_ms())
    }

    pub(super) fn session_at(&self, token: &str, uses: bool, now: i64) -> Result<Option<Session>, AccountError> {
        let db = self.lock();
        let key = hash(token);
        let found = db
            .prepare_cached("SELECT s.name, u.role, s.used FROM sessions s JOIN users u USING (name) WHERE token = ?1")?
            .query_row([key.as_slice()], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
            })
            .optional()?;
        let Some((user, role, used)) = found else { return Ok(None) };
        // A clock that was set back ends no session, and one that was set forward ends it early: the safe side.
        if now - used > IDLE.as_millis() as i64 {
            db.execute("DELETE FROM sessions WHERE token = ?1", [key.as_slice()])?;
            return Ok(None);
        }
        if uses && now - used > NOTE {
            db.execute("UPDATE sessions SET used = ?2 WHERE token = ?1", params![key.as_slice(), now])?;
        }
        Ok(Some(Session { user, role: Role::of(&role).unwrap_or(Role::Viewer) }))
    }

    /// Ends a session.
    ///
    /// # Errors
    /// [`AccountError::Database`].
    pub fn log_out(&self, token: &str) -> Result<(), AccountError> {
        self.lock().execute("DELETE FROM sessions WHERE token = ?1", [hash(token).as_slice()])?;
        Ok(())
    }
}
