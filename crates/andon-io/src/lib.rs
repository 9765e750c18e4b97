//! What andon reads and drives: cameras ([`capture`]), inputs, outputs and encoders of the machine ([`fieldio`]), the history of the
//! box's parts ([`history`]), the sinks that records go out by ([`sinks`]), and the pictures that are kept or shown ([`pictures`]). Each implements a
//! contract of `andon_core`; none knows the line.
//!
//! A sink, a driver and a source are a folder each, with what the user may write about it (`config.rs`), its check and its start; one
//! line in `sinks::SINKS` or `fieldio::DRIVERS` makes it known to the configuration, to `config check`, `doctor` and `run`. What a build
//! lacks is refused there too, with the feature that it needs.

pub mod endpoint;
pub mod check;
mod not_built;

pub mod capture;
pub mod fieldio;
pub mod history;
pub mod sinks;
pub mod pictures;

mod thermal;

pub use not_built::NotBuilt;
pub use thermal::ThermalMonitor;
