//! Where a point on a Modbus device is.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::fieldio::{DriverAddress, IoTable};

/// A point on a Modbus device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModbusAddress {
    /// Host and port.
    pub address: String,
    /// Unit.
    pub unit: u8,
    /// Coil, input or register, from 0.
    pub point: u16,
    /// Between two readings.
    pub poll: Duration,
    /// No answer for so long is a fault.
    pub timeout: Duration,
}

impl DriverAddress for ModbusAddress {
    fn check(table: &IoTable, key: &dyn Fn(&str) -> String, _: &Path, c: &mut Check<'_>) -> ModbusAddress {
        let ms = |c: &mut Check<'_>, field: &str, value: u64, low: f64, high: f64| {
            Duration::from_millis(c.range(&key(field), value as f64, low, high) as u64)
        };
        ModbusAddress {
            address: c.address(&key("address"), table.address.clone()),
            unit: table.unit,
            point: c.need(&key("point"), table.point, "the coil or input, from 0"),
            poll: ms(c, "poll_ms", table.poll_ms, 1.0, 1000.0),
            timeout: ms(c, "timeout_ms", table.timeout_ms, 5.0, 10_000.0),
        }
    }

    fn device(&self) -> String {
        format!("Modbus device {}", self.address)
    }

    fn describe(&self) -> String {
        format!("Modbus {} unit {} point {}", self.address, self.unit, self.point)
    }

    fn host(&self) -> Option<&str> {
        Some(&self.address)
    }
}
