//! Why Zenoh cannot be used now.

use std::error::Error as StdError;
use std::path::PathBuf;

use thiserror::Error;

use crate::NotBuilt;

/// Zenoh's own errors.
type Cause = Box<dyn StdError + Send + Sync>;

/// Why Zenoh cannot be used now. The first three stay until something is changed; the network may come back.
#[derive(Debug, Error)]
pub enum ZenohError {
    /// Not compiled in.
    #[error(transparent)]
    NotBuilt(#[from] NotBuilt),
    /// The file `zenoh.config_file`.
    #[error("zenoh.config_file {}: {source}", .path.display())]
    ConfigFile {
        /// The file.
        path: PathBuf,
        /// Zenoh's reason.
        source: Cause,
    },
    /// A setting that Zenoh refuses.
    #[error("zenoh {key}: {source}")]
    Setting {
        /// Zenoh's own key.
        key: &'static str,
        /// Zenoh's reason.
        source: Cause,
    },
    /// Opening, declaring or sending.
    #[error("{0}")]
    Network(#[source] Cause),
}
