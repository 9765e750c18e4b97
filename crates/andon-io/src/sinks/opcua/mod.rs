//! An OPC UA server with the names of OPC 40100-1 (Machine Vision).

mod config;
#[cfg(feature = "opcua")]
pub(super) mod sink;

pub use config::OpcUaConfig;
#[cfg(feature = "opcua")]
pub use sink::{OpcUaError, OpcUaServer};
