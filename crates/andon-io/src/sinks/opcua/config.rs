//! The table `[opcua]`.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sinks::config::{CheckContext, SinkConfig, listen_address};

/// The OPC UA server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "RawOpcUa")]
pub struct OpcUaConfig {
    /// Whether it listens; needs a build with `--features opcua`.
    pub enabled: bool,
    /// Address and port; anonymous, read-only and without encryption: the cell's network card only.
    pub listen: String,
}

impl Default for OpcUaConfig {
    fn default() -> Self {
        OpcUaConfig { enabled: false, listen: "127.0.0.1:4840".into() }
    }
}

impl SinkConfig for OpcUaConfig {
    fn is_enabled(&self) -> bool {
        self.enabled
    }

    fn check(&self, _: &CheckContext<'_>, wrong: &mut Vec<String>) -> OpcUaConfig {
        listen_address("opcua.listen", &self.listen, 4840, wrong);
        self.clone()
    }

    fn listens(&self) -> Vec<(&'static str, SocketAddr)> {
        self.listen.parse().map(|address| ("opcua.listen", address)).into_iter().collect()
    }

    fn describe(&self) -> String {
        format!("OPC UA {}", self.listen)
    }
}
