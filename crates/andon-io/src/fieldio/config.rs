//! The tables `[inputs.NAME]` and `[outputs.NAME]`. One type has the keys of all drivers, so that a wrong key is found whatever the
//! driver is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{DriverAddress, IoAddress, IoPoint, gpio, modbus};
use crate::check::Check;

/// Inputs or outputs by name.
pub type IoTables = BTreeMap<String, IoTable>;

/// A wire: an input or an output.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RawWire")]
pub struct IoTable {
    /// What drives it.
    pub driver: Driver,
    /// Which level is on.
    #[serde(default)]
    pub active: Level,
    /// Outputs: the state when nobody drives it any more.
    #[serde(default)]
    pub safe: Switch,
    /// GPIO: device file of the chip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chip: Option<PathBuf>,
    /// GPIO: line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// GPIO inputs: edges so soon after the last are bounces, in milliseconds.
    #[serde(default = "default_debounce_ms")]
    pub debounce_ms: f64,
    /// Modbus: host and port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Modbus: unit identifier.
    #[serde(default = "default_unit")]
    pub unit: u8,
    /// Modbus: number of the coil (outputs) or discrete input, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<u16>,
    /// Modbus inputs: milliseconds between two readings.
    #[serde(default = "default_poll_ms")]
    pub poll_ms: u64,
    /// Modbus: no answer for so many milliseconds is a fault.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
}

fn default_debounce_ms() -> f64 {
    2.0
}

fn default_unit() -> u8 {
    1
}

fn default_poll_ms() -> u64 {
    5
}

fn default_timeout_ms() -> u64 {
    100
}

/// What drives a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Driver {
    /// A line of the kernel's GPIO chips.
    Gpio,
    /// A point of an I/O module on Modbus TCP.
    Modbus,
    /// Nothing: the schedule runs, and no wire moves (outputs only).
    DryRun,
}

/// Which level is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// The high one.
    #[default]
    High,
    /// The low one.
    Low,
}

/// On or off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Switch {
    /// Off.
    #[default]
    Off,
    /// On.
    On,
}

/// Whether a point is read or switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// A sensor.
    Input,
    /// A valve, a lamp, a relay.
    Output,
}

impl Direction {
    /// The table that such points stand in.
    pub fn table(self) -> &'static str {
        match self {
            Direction::Input => "inputs",
            Direction::Output => "outputs",
        }
    }
}

impl IoTable {
    /// The point that the table is about; `base` is the folder that paths are taken from.
    pub fn check(&self, name: &str, direction: Direction, base: &Path, c: &mut Check<'_>) -> IoPoint {
        let key = |field: &str| format!("{}.{name}.{field}", direction.table());
        let address = match self.driver {
            Driver::Gpio => IoAddress::Gpio(gpio::GpioAddress::check(self, &key, base, c)),
            Driver::Modbus => IoAddress::Modbus(modbus::ModbusAddress::check(self, &key, base, c)),
            Driver::DryRun => {
                if direction == Direction::Input {
                    c.wrong.push(format!("{}: an input needs a wire: gpio or modbus", key("driver")));
                }
                IoPoint::nowhere(name).address
            }
        };
        let active_low = self.active == Level::Low;
        IoPoint { name: name.to_owned(), active_low, safe: self.safe == Switch::On, address }
    }
}
