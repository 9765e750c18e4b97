//! Why an act was not done.

use thiserror::Error;

use crate::accounts::AccountError;
use crate::live::AlarmError;
use andon_core::{ControlError, Role};

/// Why an act was not done.
#[derive(Debug, Error)]
pub enum ActError {
    /// Whoever asks may not.
    #[error("{user} is {has}; this needs the role {needs}")]
    Role {
        /// The user.
        user: String,
        /// The role that the user has.
        has: Role,
        /// The least one that may.
        needs: Role,
    },
    /// A person has to say why.
    #[error("say why: the reason stands in the audit")]
    Reason,
    /// The command line of the box asks for what only a running line can do.
    #[error("no line runs in this program")]
    NoLine,
    /// The line refuses.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// There is no such alarm.
    #[error(transparent)]
    Alarm(#[from] AlarmError),
    /// Users or audit.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// It was done and is not in the audit.
    #[error("done, but it cannot be written into the audit: {0}")]
    NotAudited(AccountError),
}
