//! Another password for a user.

use super::{Act, ActError, ActKind, Change, Service};
use andon_core::{Actor, Role};

/// Another password for a user, who has to log in again everywhere.
#[derive(Clone, PartialEq, Eq)]
pub struct ChangePassword {
    /// Name.
    pub name: String,
    /// By the rules of the user's role. Never in the audit.
    pub password: String,
}

impl Act for ChangePassword {
    const KIND: ActKind = ActKind { name: "change_password", role: Role::Admin, needs_reason: false };

    fn subject(&self, _: &Service) -> String {
        self.name.clone()
    }

    fn perform(&self, service: &Service, _: &Actor) -> Result<Change, ActError> {
        service.accounts.change_password(&self.name, &self.password)?;
        Ok(Change::default())
    }
}
