//! History and outbox in one SQLite file.

mod config;
#[cfg(feature = "store")]
pub(super) mod sink;

#[cfg(feature = "store")]
pub use self::sink::{Outbox, Outgoing, StoreOptions, StoreSink};
#[cfg(feature = "store")]
pub use crate::history::StoreError;
pub use config::StoreConfig;
