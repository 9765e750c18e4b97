//! Users: add, list, remove, change the password, log in.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::session::{fresh_session, now_ms};
use super::{AccountError, Accounts, LoginLimit, password};
use andon_core::Role;

/// A user, without the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Name, as it is typed at login.
    pub name: String,
    /// What the user may do.
    pub role: Role,
    /// When the user was added, RFC 3339 UTC.
    pub created: String,
}

impl Accounts {
    /// All users by name.
    ///
    /// # Errors
    /// [`AccountError::Database`].
    pub fn users(&self) -> Result<Vec<User>, AccountError> {
        let db = self.lock();
        let mut rows = db.prepare_cached("SELECT name, role, created FROM users ORDER BY name")?;
        let users = rows.query_map([], |row| {
            let role: String = row.get(1)?;
            Ok(User { name: row.get(0)?, role: Role::of(&role).unwrap_or(Role::Viewer), created: row.get(2)? })
        })?;
        Ok(users.collect::<Result<_, _>>()?)
    }

    /// The user of a name.
    ///
    /// # Errors
    /// [`AccountError::NoUser`], [`AccountError::Database`].
    pub fn user(&self, name: &str) -> Result<User, AccountError> {
        let user = self.users()?.into_iter().find(|u| u.name == name);
        user.ok_or_else(|| AccountError::NoUser(name.to_owned()))
    }

    /// Adds a user.
    ///
    /// # Errors
    /// [`AccountError::Name`], [`AccountError::Password`], [`AccountError::Exists`], [`AccountError::Database`].
    pub fn add_user(&self, name: &str, role: Role, password: &str) -> Result<(), AccountError> {
        let trimmed = name.trim() == name && !name.is_empty() && name.chars().count() <= 40;
        if !trimmed || name.chars().any(char::is_control) {
            return Err(AccountError::Name(name.to_owned()));
        }
        password::check_password(role, password)?;
        let hash = password::hash(password)?;
        let created = jiff::Timestamp::now().to_string();
        let added = self.lock().execute(
            "INSERT INTO users (name, role, hash, created) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
            params![name, role.as_str(), hash, created],
        )?;
        if added == 1 { Ok(()) } else { Err(AccountError::Exists(name.to_owned())) }
    }

    /// Removes a user and the user's sessions; what the user did stays in the audit.
    ///
    /// # Errors
    /// [`AccountError::NoUser`], [`AccountError::LastAdmin`], [`AccountError::Database`].
    pub fn remove_user(&self, name: &str) -> Result<(), AccountError> {
        let mut db = self.lock();
        // Immediate: `andon user` and the page may do it at the same time, and the last admin stays all the same.
        let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        not_the_last_admin(&change, name)?;
        change.execute("DELETE FROM users WHERE name = ?1", [name])?;
        change.execute("DELETE FROM sessions WHERE name = ?1", [name])?;
        Ok(change.commit()?)
    }

    /// Another role, from the next request on; returns the one before. Who had a role with a PIN and gets one with a password needs one of that
    /// role's rules with it, and has to log in again everywhere.
    ///
    /// # Errors
    /// [`AccountError::NoUser`], [`AccountError::LastAdmin`], [`AccountError::Password`] where a password is missing or too short,
    /// [`AccountError::Database`].
    pub fn change_role(&self, name: &str, role: Role, password: Option<&str>) -> Result<Role, AccountError> {
        let before = self.user(name)?.role;
        if before <= Role::Operator && role > Role::Operator && password.is_none() {
            return Err(AccountError::Password(role));
        }
        let hash = match password {
            Some(password) => {
                password::check_password(role, password)?;
                Some(password::hash(password)?)
            }
            None => None,
        };
        let mut db = self.lock();
        let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if role != Role::Admin {
            not_the_last_admin(&change, name)?;
        }
        change.execute("UPDATE users SET role = ?2 WHERE name = ?1", params![name, role.as_str()])?;
        if let Some(hash) = hash {
            change.execute("UPDATE users SET hash = ?2 WHERE name = ?1", params![name, hash])?;
            change.execute("DELETE FROM sessions WHERE name = ?1", [name])?;
        }
        change.commit()?;
        Ok(before)
    }

    /// Another password; the user has to log in again everywhere.
    ///
    /// # Errors
    /// [`AccountError::NoUser`], [`AccountError::Password`], [`AccountError::Database`].
    pub fn change_password(&self, name: &str, password: &str) -> Result<(), AccountError> {
        let user = self.user(name)?;
        password::check_password(user.role, password)?;
        let hash = password::hash(password)?;
        let mut db = self.lock();
        let change = db.transaction()?;
        change.execute("UPDATE users SET hash = ?2 WHERE name = ?1", params![name, hash])?;
        change.execute("DELETE FROM sessions WHERE name = ?1", [name])?;
        Ok(change.commit()?)
    }

    /// Checks name and password, and begins a session; returns its token, which is kept nowhere but at who logs in. `from` is where the
    /// attempt comes from.
    ///
    /// # Errors
    /// [`AccountError::Wait`] while too many attempts failed, [`AccountError::Wrong`], [`AccountError::Database`].
    pub fn log_in(&self, limit: &LoginLimit, name: &str, password: &str, from: &str) -> Result<String, AccountError> {
        self.check(limit, name, password, from)?;
        fresh_session(&self.lock(), name, now_ms())
    }

    /// Whether name and password belong together, as one attempt to log in.
    ///
    /// # Errors
    /// [`AccountError::Wait`] while too many attempts failed, [`AccountError::Wrong`], [`AccountError::Database`].
    pub fn check(&self, limit: &LoginLimit, name: &str, password: &str, from: &str) -> Result<(), AccountError> {
        let now = andon_core::Mono::now();
        if let Some(wait) = limit.wait(name, from, now) {
            return Err(AccountError::Wait(wait));
        }
        // Counted before the answer is known, so that many attempts at once do not slip through.
        limit.attempt(name, from, now);
        let kept: Option<String> =
            self.lock().query_row("SELECT hash FROM users WHERE name = ?1", [name], |row| row.get(0)).optional()?;
        if !limit.one_at_a_time(|| password::is_right(password, kept.as_deref())) {
            return Err(AccountError::Wrong);
        }
        limit.succeeded(name, from);
        Ok(())
    }
}

/// Refuses to take a role from a user who is the last to have it: nobody could make users on the page any more.
fn not_the_last_admin(db: &Connection, name: &str) -> Result<(), AccountError> {
    let role: Option<String> =
        db.query_row("SELECT role FROM users WHERE name = ?1", [name], |row| row.get(0)).optional()?;
    let Some(role) = role else { return Err(AccountError::NoUser(name.to_owned())) };
    let admins: i64 =
        db.query_row("SELECT count(*) FROM users WHERE role = ?1", [Role::Admin.as_str()], |row| row.get(0))?;
    if Role::of(&role) == Some(Role::Admin) && admins == 1 {
        return Err(AccountError::LastAdmin(name.to_owned()));
    }
    Ok(())
}
