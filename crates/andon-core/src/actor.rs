//! Who asks for a change of the line, and by which way: goes with every act, and into the record of it.

use std::fmt;

/// What a person may do. Each role may do what the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Looks; needs no login.
    Viewer,
    /// Acknowledges alarms; logs in with a PIN.
    Operator,
    /// Releases the line after it was asked to stop.
    Leader,
    /// Changes what is rejected.
    Quality,
    /// Adds and removes users.
    Admin,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Role; 5] = [Role::Viewer, Role::Operator, Role::Leader, Role::Quality, Role::Admin];

    /// The word in files and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Leader => "leader",
            Role::Quality => "quality",
            Role::Admin => "admin",
        }
    }

    /// The role of a word; `None` for any other.
    pub fn of(word: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The way by which somebody asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Via {
    /// The operator's page.
    Page,
    /// A query over Zenoh.
    Zenoh,
    /// A register or coil over Modbus.
    Modbus,
    /// A command on the box itself.
    CommandLine,
}

impl Via {
    /// The word in the audit.
    pub fn as_str(self) -> &'static str {
        match self {
            Via::Page => "page",
            Via::Zenoh => "zenoh",
            Via::Modbus => "modbus",
            Via::CommandLine => "command line",
        }
    }
}

/// Who asks for a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Name of the user; for a machine, what it says of itself.
    pub user: String,
    /// What it may do. A machine has the role that the configuration gives to its way in.
    pub role: Role,
    /// The way in.
    pub via: Via,
}

impl Actor {
    /// A machine that the configuration lets set thresholds and release the line over Zenoh.
    pub fn zenoh(who: String) -> Actor {
        Actor { user: who, role: Role::Quality, via: Via::Zenoh }
    }

    /// The PLC, which the configuration lets release the line.
    pub fn modbus() -> Actor {
        Actor { user: "plc".to_owned(), role: Role::Leader, via: Via::Modbus }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_ordered_and_have_words_that_lead_back() {
        assert!(Role::ALL.is_sorted());
        for role in Role::ALL {
            assert_eq!(Role::of(role.as_str()), Some(role));
        }
        assert_eq!(Role::of("root"), None);
    }
}
