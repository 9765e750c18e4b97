//! Who may act, and what was done: users, their sessions and the audit, in an SQLite file of its own. It is not the history, because the
//! history is a ring that may be moved away, and users and audit must not vanish with it. Called by the acts, the page and `andon user`,
//! never by the line: a call takes as long as the disk does, and checking a password takes some ten milliseconds of a processor on purpose.
//!
//! ```text
//! login: LoginLimit ── too soon ─► refused, counted, audited
//!            │ ok
//!        argon2id ── wrong ─► delay grows
//!            │ right
//!        session (token's hash, 15 min idle) ─► Actor
//! ```

mod audit;
mod error;
mod limit;
mod password;
mod recipe;
mod reference;
mod session;
mod store;
mod users;

pub use audit::AuditEntry;
pub(crate) use audit::csv_line;
pub use error::AccountError;
pub use limit::LoginLimit;
pub use password::check_password;
pub use reference::Reference;
pub use session::{IDLE, Session, random_token};
pub use store::{Accounts, not_writable};
pub use users::User;

#[cfg(test)]
mod tests;
