//! The table `[modbus_server]`.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sinks::config::{CheckContext, SinkConfig, listen_address};

/// The Modbus TCP server for the PLC.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "RawModbusServer")]
pub struct ModbusServerConfig {
    /// Whether it listens.
    pub enabled: bool,
    /// Address and port; there is no password: the cell's network card only.
    pub listen: String,
    /// Whether the PLC may write: fetch results one by one, trigger, release the line.
    pub allow_write: bool,
    /// A connection without a request for so many seconds is closed.
    pub idle_s: u64,
}

impl Default for ModbusServerConfig {
    fn default() -> Self {
        ModbusServerConfig { enabled: false, listen: "127.0.0.1:1502".into(), allow_write: false, idle_s: 60 }
    }
}

impl ModbusServerConfig {
    /// What the PLC may do, in words.
    pub fn access(&self) -> &'static str {
        if self.allow_write { "may be written" } else { "read-only" }
    }
}

impl SinkConfig for ModbusServerConfig {
    fn is_enabled(&self) -> bool {
        self.enabled
    }

    fn check(&self, _: &CheckContext<'_>, wrong: &mut Vec<String>) -> ModbusServerConfig {
        if !(1..=86_400).contains(&self.idle_s) {
            wrong.push("modbus_server.idle_s: 1 to 86400 seconds".to_owned());
        }
        listen_address("modbus_server.listen", &self.listen, 502, wrong);
        self.clone()
    }

    fn listens(&self) -> Vec<(&'static str, SocketAddr)> {
        self.listen.parse().map(|address| ("modbus_server.listen", address)).into_iter().collect()
    }

    fn describe(&self) -> String {
        format!("Modbus server {}, {}", self.listen, self.access())
    }
}
