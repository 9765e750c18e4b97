//! Another password for oneself.

use super::{Act, ActError, ActKind, Change, Service};
use andon_core::{Actor, Role};

/// Another password for whoever asks, who has to say the present one, and to log in again everywhere.
#[derive(Clone, PartialEq, Eq)]
pub struct ChangeOwnPassword {
    /// The present one. A wrong one counts as an attempt to log in.
    pub current: String,
    /// By the rules of the user's role. Neither is in the audit.
    pub password: String,
    /// Where the attempt comes from: an address.
    pub from: String,
}

impl Act for ChangeOwnPassword {
    const KIND: ActKind = ActKind { name: "change_own_password", role: Role::Operator, needs_reason: false };

    fn subject(&self, _: &Service) -> String {
        self.from.clone()
    }

    fn perform(&self, service: &Service, by: &Actor) -> Result<Change, ActError> {
        service.accounts.check(&service.limit, &by.user, &self.current, &self.from)?;
        service.accounts.change_password(&by.user, &self.password)?;
        Ok(Change::default())
    }
}
