//! A user less.

use super::{Act, ActError, ActKind, Change, Service};
use andon_core::{Actor, Role};

/// A user less. The last admin stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoveUser {
    /// Name.
    pub name: String,
}

impl Act for RemoveUser {
    const KIND: ActKind = ActKind { name: "remove_user", role: Role::Admin, needs_reason: false };

    fn subject(&self, _: &Service) -> String {
        self.name.clone()
    }

    fn perform(&self, service: &Service, _: &Actor) -> Result<Change, ActError> {
        let role = service.accounts.user(&self.name)?.role;
        service.accounts.remove_user(&self.name)?;
        Ok(Change { before: role.as_str().to_owned(), after: String::new() })
    }
}
