//! One more user.

use super::{Act, ActError, ActKind, Change, Service};
use andon_core::{Actor, Role};

/// One more user.
#[derive(Clone, PartialEq, Eq)]
pub struct AddUser {
    /// Name, 1 to 40 characters.
    pub name: String,
    /// What the user may do.
    pub role: Role,
    /// PIN of at least 4 digits for an operator, at least 8 characters for the others. Never in the audit.
    pub password: String,
}

impl Act for AddUser {
    const KIND: ActKind = ActKind { name: "add_user", role: Role::Admin, needs_reason: false };

    fn subject(&self, _: &Service) -> String {
        self.name.clone()
    }

    fn perform(&self, service: &Service, _: &Actor) -> Result<Change, ActError> {
        service.accounts.add_user(&self.name, self.role, &self.password)?;
        Ok(Change { before: String::new(), after: self.role.as_str().to_owned() })
    }
}
