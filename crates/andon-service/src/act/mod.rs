//! Every change that somebody may ask of a line or of its users, as one use case each: with who asks, the role that it needs, what was before
//! and after, why, and an entry in the audit whether it was done or refused. The page, Zenoh control, Modbus control and the command line are
//! adapters of these; none of them changes anything by another way. One more act is a file here and a line in [`acts!`].

mod audited;
mod challenge;
mod error;
mod history_access;
mod service;

use andon_core::{Actor, Role};

pub use audited::AuditedControl;
pub use challenge::CHALLENGE_DEFECT;
pub use error::ActError;
pub use history_access::HistoryAccess;
pub use service::{LineAccess, Service};

/// What an act is, whoever asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActKind {
    /// Its word in the audit.
    pub name: &'static str,
    /// The least role that may do it.
    pub role: Role,
    /// A person has to say why.
    pub needs_reason: bool,
}

/// What an act changed, in words for the audit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// As it was.
    pub before: String,
    /// As it is.
    pub after: String,
}

/// A change that somebody asks for.
pub trait Act {
    /// What it is.
    const KIND: ActKind;

    /// What it is about, for the audit: a camera's name, an alarm, a user.
    fn subject(&self, service: &Service) -> String;

    /// Does it. Called only when `by` has the role and gave a reason where one is needed; may take as long as the disk does.
    ///
    /// # Errors
    /// [`ActError`]; nothing is changed then.
    fn perform(&self, service: &Service, by: &Actor) -> Result<Change, ActError>;
}

/// Declares the acts: the file, and the name of the act in it.
macro_rules! acts {
    ($($file:ident: $act:ident,)*) => {
        $(mod $file; pub use $file::$act;)*

        /// Every act there is.
        pub const ALL: &[ActKind] = &[$(<$act as Act>::KIND),*];
    };
}

acts! {
    set_threshold: SetThreshold,
    keep_threshold: KeepThreshold,
    undo_threshold: UndoThreshold,
    try_threshold: TryThreshold,
    end_trial: EndTrial,
    release_line: ReleaseLine,
    acknowledge_alarm: AcknowledgeAlarm,
    add_user: AddUser,
    remove_user: RemoveUser,
    change_password: ChangePassword,
    change_role: ChangeRole,
    change_own_password: ChangeOwnPassword,
    keep_reference: KeepReference,
    review_part: ReviewPart,
    start_batch: StartBatch,
    learn_good: LearnGood,
    forget_good: ForgetGood,
    change_recipe: ChangeRecipe,
    collect_pictures: CollectPictures,
    strike_pictures: StrikePictures,
    learn_part: LearnPart,
    start_challenge: StartChallenge,
    abort_challenge: AbortChallenge,
    back_up: BackUp,
}

#[cfg(test)]
mod tests;
