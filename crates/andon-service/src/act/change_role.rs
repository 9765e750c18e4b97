//! Another role for a user.

use super::{Act, ActError, ActKind, Change, Service};
use andon_core::{Actor, Role};

/// Another role for a user, from the next request on. One admin always stays.
#[derive(Clone, PartialEq, Eq)]
pub struct ChangeRole {
    /// Name.
    pub name: String,
    /// What the user may do from now on.
    pub role: Role,
    /// A new password with it: who had a PIN, and may more than an operator from now on, needs one. Never in the audit.
    pub password: Option<String>,
}

impl Act for ChangeRole {
    const KIND: ActKind = ActKind { name: "change_role", role: Role::Admin, needs_reason: false };

    fn subject(&self, _: &Service) -> String {
        self.name.clone()
    }

    fn perform(&self, service: &Service, _: &Actor) -> Result<Change, ActError> {
        let before = service.accounts.change_role(&self.name, self.role, self.password.as_deref())?;
        Ok(Change { before: before.as_str().to_owned(), after: self.role.as_str().to_owned() })
    }
}
