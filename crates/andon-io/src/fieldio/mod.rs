//! The wires to the machine: outputs that valves and lamps hang on, inputs that sensors hang on, the encoder of the belt.
//! Knows nothing of parts. An output never makes its caller wait; an input waits no longer than it is told to.

#[cfg(feature = "gpio")]
mod gpio;
#[cfg(feature = "modbus")]
mod modbus;
mod quadrature;

#[cfg(feature = "gpio")]
pub use gpio::{GpioEncoder, GpioInput, GpioLine, GpioOutput, gpio_chips};
#[cfg(feature = "modbus")]
pub use modbus::{CoilDevice, ModbusEncoder, ModbusInput, ModbusPoint};
pub use quadrature::Quadrature;
