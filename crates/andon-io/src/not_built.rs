//! What was asked for and was not compiled in.

use thiserror::Error;

/// A part of this program that was asked for and was not compiled in.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what}: not in this build: needs --features {feature}")]
pub struct NotBuilt {
    /// The key, the command or the option that asked for it.
    pub what: String,
    /// The feature of the program that has it.
    pub feature: &'static str,
}

impl NotBuilt {
    /// `what` needs `feature`.
    pub fn new(what: impl Into<String>, feature: &'static str) -> NotBuilt {
        NotBuilt { what: what.into(), feature }
    }
}
