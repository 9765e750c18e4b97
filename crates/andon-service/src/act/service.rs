//! Does acts: role, reason, the act itself, the audit.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Act, ActError, Change, HistoryAccess};
use crate::accounts::{Accounts, AuditEntry, LoginLimit};
use crate::backup::{BackupError, BackupPlan, Manifest};
use crate::live::Board;
use crate::models::{Lessons, LineModels, ModelError};
use andon_core::{Actor, CameraId, Control, Via};

/// A running line, as far as acts reach it.
pub struct LineAccess {
    /// What may be read and changed of it.
    pub control: Arc<dyn Control>,
    /// Alarms.
    pub board: Arc<Board>,
}

/// Everything that acts are done on.
pub struct Service {
    /// Users, sessions and audit.
    pub accounts: Arc<Accounts>,
    /// Attempts to log in, and to say one's own password again.
    pub limit: LoginLimit,
    /// The line; none on the command line.
    line: Option<LineAccess>,
    /// The history; none where none is kept, and on the command line.
    history: Option<HistoryAccess>,
    /// The models; none where nobody changes them.
    models: Option<Arc<dyn LineModels>>,
    /// New parts that are taught; none where that cannot be done.
    lessons: Option<Arc<dyn Lessons>>,
    /// What a backup holds, and the folder for copies meanwhile; none for a line without a configuration file.
    backup: Option<(BackupPlan, PathBuf)>,
    /// Held while one is made: it takes a disk's time and room.
    backing_up: Mutex<()>,
    /// Held while a threshold is compared and set.
    setting: Mutex<()>,
}

impl Service {
    /// The service of a running line.
    pub fn of_line(accounts: Arc<Accounts>, line: LineAccess) -> Service {
        Service {
            accounts,
            limit: LoginLimit::default(),
            line: Some(line),
            history: None,
            models: None,
            lessons: None,
            backup: None,
            backing_up: Mutex::default(),
            setting: Mutex::default(),
        }
    }

    /// The service of the command line: users and audit alone.
    pub fn of_accounts(accounts: Arc<Accounts>) -> Service {
        Service {
            accounts,
            limit: LoginLimit::default(),
            line: None,
            history: None,
            models: None,
            lessons: None,
            backup: None,
            backing_up: Mutex::default(),
            setting: Mutex::default(),
        }
    }

    /// The same with a history.
    pub fn with_history(self, history: Option<HistoryAccess>) -> Service {
        Service { history, ..self }
    }

    /// The same with models that may be changed.
    pub fn with_models(self, models: Option<Arc<dyn LineModels>>) -> Service {
        Service { models, ..self }
    }

    /// The same with new parts that may be taught.
    pub fn with_lessons(self, lessons: Option<Arc<dyn Lessons>>) -> Service {
        Service { lessons, ..self }
    }

    /// New parts that are taught.
    ///
    /// # Errors
    /// [`ModelError::NoFiles`].
    pub fn lessons(&self) -> Result<&Arc<dyn Lessons>, ActError> {
        self.lessons.as_ref().ok_or(ActError::Model(ModelError::NoFiles))
    }

    /// The models.
    ///
    /// # Errors
    /// [`ModelError::NoFiles`].
    pub fn models(&self) -> Result<&Arc<dyn LineModels>, ActError> {
        self.models.as_ref().ok_or(ActError::Model(ModelError::NoFiles))
    }

    /// The same with a plan of backups; `scratch` is a folder for copies of databases.
    pub fn with_backup(self, plan: BackupPlan, scratch: PathBuf) -> Service {
        Service { backup: Some((plan, scratch)), ..self }
    }

    /// The folder for what is made meanwhile.
    ///
    /// # Errors
    /// [`BackupError::Nothing`].
    pub fn scratch(&self) -> Result<&Path, BackupError> {
        self.backup.as_ref().map(|(_, scratch)| scratch.as_path()).ok_or(BackupError::Nothing)
    }

    /// Writes a backup; takes as long as the disk does.
    ///
    /// # Errors
    /// [`BackupError`].
    pub(super) fn back_up(&self, to: impl Write) -> Result<Manifest, BackupError> {
        let (plan, scratch) = self.backup.as_ref().ok_or(BackupError::Nothing)?;
        let _turn = self.backing_up.try_lock().map_err(|_| BackupError::Busy)?;
        plan.write(to, scratch)
    }

    /// The history.
    ///
    /// # Errors
    /// [`ActError::NoHistory`].
    pub fn history(&self) -> Result<&HistoryAccess, ActError> {
        self.history.as_ref().ok_or(ActError::NoHistory)
    }

    /// The running line.
    ///
    /// # Errors
    /// [`ActError::NoLine`].
    pub fn line(&self) -> Result<&LineAccess, ActError> {
        self.line.as_ref().ok_or(ActError::NoLine)
    }

    /// The turn of who compares a threshold and sets another one, so that nobody sets one in between.
    pub(super) fn setting(&self) -> MutexGuard<'_, ()> {
        self.setting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A camera's name; empty without a line.
    pub(super) fn camera_name(&self, camera: CameraId) -> String {
        self.line.as_ref().map(|line| line.board.station.camera(camera).to_owned()).unwrap_or_default()
    }

    /// Does an act for `by`, who says why in `reason` (empty if not), and writes it into the audit; what is refused is written there too.
    ///
    /// # Errors
    /// [`ActError`]; with all but [`ActError::NotAudited`] nothing was changed.
    pub fn perform<A: Act>(&self, by: &Actor, act: &A, reason: &str) -> Result<Change, ActError> {
        let reason = reason.trim();
        let entry = AuditEntry::of(by, A::KIND.name, &act.subject(self));
        let done = self.allowed::<A>(by, reason).and_then(|()| act.perform(self, by));
        match done {
            Ok(change) => {
                tracing::info!(
                    user = by.user,
                    via = by.via.as_str(),
                    subject = entry.subject,
                    before = change.before,
                    after = change.after,
                    reason,
                    "{}",
                    A::KIND.name
                );
                let entry = AuditEntry {
                    before: change.before.clone(),
                    after: change.after.clone(),
                    reason: reason.to_owned(),
                    done: true,
                    ..entry
                };
                self.accounts.note(&entry).map_err(|e| {
                    tracing::error!("{} was done and is not in the audit: {e}", A::KIND.name);
                    ActError::NotAudited(e)
                })?;
                Ok(change)
            }
            Err(why) => {
                let refused = AuditEntry { reason: why.to_string(), ..entry };
                if let Err(e) = self.accounts.note(&refused) {
                    tracing::error!("{} was refused ({why}) and is not in the audit: {e}", A::KIND.name);
                }
                Err(why)
            }
        }
    }

    fn allowed<A: Act>(&self, by: &Actor, reason: &str) -> Result<(), ActError> {
        if by.role < A::KIND.role {
            return Err(ActError::Role { user: by.user.clone(), has: by.role, needs: A::KIND.role });
        }
        // A machine has no words of its own: its reason is its configuration.
        if A::KIND.needs_reason && by.via == Via::Page && reason.is_empty() {
            return Err(ActError::Reason);
        }
        Ok(())
    }
}
