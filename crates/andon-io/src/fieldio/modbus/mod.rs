//! I/O modules on Modbus TCP.

mod config;
#[cfg_attr(not(feature = "modbus"), path = "driver_absent.rs")]
pub(super) mod driver;

pub(super) use config::ModbusAddress as Address;
pub use config::ModbusAddress;
pub(super) use driver::Coils;
#[cfg(feature = "modbus")]
pub use driver::{CoilDevice, ModbusEncoder, ModbusInput, ModbusPoint};
