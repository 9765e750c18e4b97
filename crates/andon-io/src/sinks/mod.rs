//! What leaves the line: the wire schema ([`wire`]) and the sinks, a folder each. Sinks run on the `pub` thread; none can fail or slow
//! the line.
//!
//! A folder has `config.rs`, the table that the user writes with its checks, which is always compiled; `start` in `mod.rs`; and
//! what does the work, behind the sink's feature. The line in [`SINKS`] makes the sink known everywhere else.

mod config;
mod error;
pub mod json_lines;
pub mod log;
pub mod modbus_server;
pub mod mqtt;
pub mod opcua;
mod record_kind;
#[cfg(any(feature = "mqtt", feature = "webhook"))]
mod retry;
pub mod store;
pub mod webhook;
pub mod wire;
pub mod zenoh;

use std::path::Path;
use std::sync::Arc;

use self::wire::StationInfo;
use andon_core::{Control, Render, Sink};

pub use config::{CheckContext, SinkConfig};
pub use error::{SecretFault, SinkError};
pub use record_kind::RecordKind;

/// What a sink is started with besides its own table.
pub struct SinkContext<'a> {
    /// The box and everything that hangs on it, by name.
    pub station: &'a StationInfo,
    /// What may be read and changed from outside.
    pub control: &'a Arc<dyn Control>,
    /// Parts are announced by messages.
    pub takes_triggers: bool,
    /// The history that sinks with an outbox send from, if it is kept.
    pub history: Option<&'a Path>,
    /// Makes what draws anomaly maps.
    pub render: &'a dyn Fn() -> Render,
}

/// One kind of sink.
pub struct SinkKind {
    /// Name of its table in the configuration.
    pub table: &'static str,
    /// The feature of the program that has it.
    pub feature: &'static str,
    /// It was compiled in.
    pub is_built: bool,
    /// Its table among all tables.
    pub config: fn(&SinkTables) -> &dyn SinkConfig,
    start: Start,
}

/// Starts a sink that is enabled.
type Start = fn(&SinkTables, &SinkContext<'_>) -> Result<Box<dyn Sink>, SinkError>;

impl SinkKind {
    /// Starts the sink; `None` if it is not enabled.
    ///
    /// # Errors
    /// [`SinkError`].
    pub fn start(&self, tables: &SinkTables, context: &SinkContext<'_>) -> Result<Option<Box<dyn Sink>>, SinkError> {
        if !(self.config)(tables).is_enabled() {
            return Ok(None);
        }
        (self.start)(tables, context).map(Some)
    }
}

/// One line for each sink, in the order in which they get the records: its folder, which is also its table in the configuration, the type
/// of that table, and the feature. This is the one place where a sink that was not compiled in is refused.
macro_rules! sinks {
    ($($(#[$about:meta])* $table:ident: $config:ty, $feature:literal;)*) => {
        /// The tables of all sinks.
        #[derive(Clone, Debug, Default)]
        pub struct SinkTables {
            $($(#[$about])* pub $table: $config,)*
        }

        impl SinkTables {
            /// The tables with paths taken from the configuration's folder and defaults filled in; everything that is wrong goes to
            /// `wrong`, each line with its key and the remedy.
            pub fn check(&self, context: &CheckContext<'_>, wrong: &mut Vec<String>) -> SinkTables {
                SinkTables { $($table: self.$table.check(context, wrong),)* }
            }
        }

        /// Every kind of sink that the configuration knows.
        pub const SINKS: &[SinkKind] = &[$(SinkKind {
            table: stringify!($table),
            feature: $feature,
            is_built: cfg!(feature = $feature),
            config: |tables| &tables.$table,
            #[cfg(feature = $feature)]
            start: |tables, context| self::$table::sink::start(&tables.$table, context),
            #[cfg(not(feature = $feature))]
            start: |_, _| Err($crate::NotBuilt::new(stringify!($table), $feature).into()),
        },)*];
    };
}

sinks! {
    /// Verdicts, heatmaps and control over Zenoh.
    zenoh: zenoh::ZenohConfig, "zenoh";
    /// The Modbus TCP server for the PLC.
    modbus_server: modbus_server::ModbusServerConfig, "modbus";
    /// The OPC UA server.
    opcua: opcua::OpcUaConfig, "opcua";
    /// History and outbox.
    store: store::StoreConfig, "store";
    /// Records to an MQTT broker.
    mqtt: mqtt::MqttConfig, "mqtt";
    /// Records to a web server.
    webhook: webhook::WebhookConfig, "webhook";
}

#[cfg(test)]
mod tests;
