//! What leaves the line: the wire schema and the sinks. Runs on the `pub` thread; a sink can never fail or slow the line.

mod options;
pub mod plant;
#[cfg(feature = "store")]
pub mod store;
pub mod wire;
#[cfg(feature = "zenoh")]
mod zenoh;

pub use options::{TlsOptions, ZenohMode, ZenohOptions};
#[cfg(feature = "zenoh")]
pub use zenoh::{ZenohSink, probe};
