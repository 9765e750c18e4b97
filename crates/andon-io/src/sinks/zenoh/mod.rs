//! Verdicts, heatmaps, statistics and control over Zenoh.

mod config;
mod error;
#[cfg_attr(not(feature = "zenoh"), path = "sink_absent.rs")]
pub(super) mod sink;

pub use config::{TlsOptions, ZenohConfig, ZenohMode};
pub use error::ZenohError;
#[cfg(feature = "zenoh")]
pub use sink::ZenohSink;
pub use sink::probe;
