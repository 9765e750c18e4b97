//! History and outbox in one SQLite file.

mod config;
#[cfg(feature = "store")]
pub(super) mod sink;

pub use config::StoreConfig;
#[cfg(feature = "store")]
pub use sink::{Outbox, Outgoing, StoreError, StoreOptions, StoreSink};
