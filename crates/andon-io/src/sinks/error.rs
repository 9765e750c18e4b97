//! Why a sink cannot start.

use std::error::Error as StdError;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::NotBuilt;

/// Why a sink cannot start, by what has to be done about it.
#[derive(Debug, Error)]
pub enum SinkError {
    /// Another build is needed.
    #[error(transparent)]
    NotBuilt(#[from] NotBuilt),
    /// Another address is needed: this one is taken, or not this box's.
    #[error("{key}: cannot {action} on {address}: {source}")]
    Address {
        /// Key in the configuration.
        key: &'static str,
        /// `listen` or `serve`.
        action: &'static str,
        /// The address.
        address: SocketAddr,
        /// The system's or the library's reason.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A file with a password or a token.
    #[error("{key}: {}: {source}", .file.display())]
    Secret {
        /// Key in the configuration.
        key: &'static str,
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: SecretFault,
    },
    /// What the table asks for cannot be done, for another reason.
    #[error("{0}")]
    Refused(#[source] Box<dyn StdError + Send + Sync>),
    /// The system has no room for a thread.
    #[error(transparent)]
    System(#[from] std::io::Error),
}

impl SinkError {
    /// What the table asks for cannot be done.
    pub fn refused(source: impl StdError + Send + Sync + 'static) -> SinkError {
        SinkError::Refused(Box::new(source))
    }

    /// The configuration has to be changed first; everything else may work at the next start.
    pub fn is_refusal(&self) -> bool {
        !matches!(self, SinkError::System(_))
    }
}

/// What is wrong with a file that holds a secret.
#[derive(Debug)]
pub enum SecretFault {
    /// It cannot be read.
    Unreadable(std::io::Error),
    /// Its first line is empty.
    Empty,
}

impl fmt::Display for SecretFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretFault::Unreadable(e) => e.fmt(f),
            SecretFault::Empty => f.write_str("its first line is empty"),
        }
    }
}

impl StdError for SecretFault {}

/// The first line of a file.
#[cfg_attr(not(any(feature = "mqtt", feature = "webhook")), allow(dead_code, reason = "no sink has a secret then"))]
pub(super) fn read_secret(key: &'static str, file: &Path) -> Result<String, SinkError> {
    let refused = |source| SinkError::Secret { key, file: file.to_owned(), source };
    let text = std::fs::read_to_string(file).map_err(|e| refused(SecretFault::Unreadable(e)))?;
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() { Err(refused(SecretFault::Empty)) } else { Ok(line.to_owned()) }
}
