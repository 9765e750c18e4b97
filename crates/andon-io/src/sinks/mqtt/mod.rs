//! Records to an MQTT broker.

mod config;
#[cfg(feature = "mqtt")]
pub(super) mod sink;

pub use config::MqttConfig;
#[cfg(feature = "mqtt")]
pub use sink::{MqttError, MqttForwarder, MqttSettings};
