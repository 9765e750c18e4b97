//! The plant: PLCs, brokers and other people's servers. Each face has its own thread; the sink only leaves a record with it.

pub mod kit;
pub mod map;
#[cfg(feature = "modbus")]
mod modbus;
#[cfg(all(feature = "mqtt", feature = "store"))]
mod mqtt;
#[cfg(feature = "opcua")]
mod opcua;
#[cfg(any(feature = "mqtt", feature = "webhook"))]
mod pause;
#[cfg(all(feature = "webhook", feature = "store"))]
mod webhook;

#[cfg(feature = "modbus")]
pub use modbus::{ModbusServer, ModbusServerOptions};
#[cfg(all(feature = "mqtt", feature = "store"))]
pub use mqtt::{MqttForwarder, MqttSettings};
#[cfg(feature = "opcua")]
pub use opcua::OpcUaServer;
#[cfg(all(feature = "webhook", feature = "store"))]
pub use webhook::{WebhookForwarder, WebhookSettings};
