//! Lines of the kernel's GPIO chips.

mod config;
#[cfg_attr(not(feature = "gpio"), path = "driver_absent.rs")]
pub(super) mod driver;

pub(super) use config::GpioAddress as Address;
pub use config::GpioAddress;
pub use driver::gpio_chips;
#[cfg(feature = "gpio")]
pub use driver::{GpioEncoder, GpioInput, GpioLine, GpioOutput};
