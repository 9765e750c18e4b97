//! The kinds of records that a sink with an outbox can be asked for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A kind of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RecordKind {
    /// A camera's verdict.
    Verdict,
    /// A part's outcome over all cameras.
    Part,
    /// What an ejector did.
    Eject,
    /// An event of the line.
    Event,
}

impl RecordKind {
    /// The word in the configuration and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            RecordKind::Verdict => "verdict",
            RecordKind::Part => "part",
            RecordKind::Eject => "eject",
            RecordKind::Event => "event",
        }
    }

    /// The words of several.
    pub fn words(kinds: &[RecordKind]) -> Vec<String> {
        kinds.iter().map(|kind| kind.as_str().to_owned()).collect()
    }
}
