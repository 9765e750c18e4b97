//! A Modbus TCP server for the PLC: its registers, what a PLC programmer gets of them, and the server itself.

mod config;
pub mod plc_export;
pub mod registers;
#[cfg(feature = "modbus")]
pub(super) mod sink;

pub use config::ModbusServerConfig;
#[cfg(feature = "modbus")]
pub use sink::{ModbusServer, ModbusServerOptions};
