//! Why an act was not done.

use thiserror::Error;

use crate::accounts::AccountError;
use crate::backup::BackupError;
use crate::live::{AlarmError, ChallengeError, ThresholdTrialError};
use crate::models::ModelError;
use andon_core::{ControlError, Role};
use andon_io::history::{HistoryError, ReviewError};

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
    /// No history is kept.
    #[error("no history is kept; [store] with enabled = true in the configuration keeps one")]
    NoHistory,
    /// The history cannot be asked.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The review or the batch is not written.
    #[error(transparent)]
    Review(#[from] ReviewError),
    /// The line refuses.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// There is no such alarm.
    #[error(transparent)]
    Alarm(#[from] AlarmError),
    /// The models stay as they are.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// There is no backup.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// A challenge does not start or end.
    #[error(transparent)]
    Challenge(#[from] ChallengeError),
    /// A threshold's trial does not start or end.
    #[error(transparent)]
    Trial(#[from] ThresholdTrialError),
    /// Users or audit.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// It was done and is not in the audit.
    #[error("done, but it cannot be written into the audit: {0}")]
    NotAudited(AccountError),
}
