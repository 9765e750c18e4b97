//! The inputs, outputs and encoders of the machine: outputs that valves and lamps hang on, inputs that sensors hang on, the encoder of the
//! belt. Knows nothing of parts. An output never makes its caller wait; an input waits no longer than it is told to.
//!
//! A driver is a folder: `config.rs` has its address with the checks, and is always compiled; `driver.rs` opens outputs, inputs
//! and encoders behind the driver's feature. The line in [`DRIVERS`] makes it known everywhere else.

mod config;
pub mod dry_run;
pub mod gpio;
pub mod modbus;
mod quadrature;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::check::Check;
use andon_core::{Encoder, FieldError, Input, Output};

pub use config::{Direction, Driver, IoTable, IoTables, Level, Switch};
pub use quadrature::Quadrature;

/// An input or an output of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IoPoint {
    /// Name.
    pub name: String,
    /// On is the low level.
    pub active_low: bool,
    /// State when nobody drives it.
    pub safe: bool,
    /// Which driver it has, and where it is there.
    pub address: IoAddress,
}

impl IoPoint {
    /// An output that leads nowhere.
    pub fn nowhere(name: &str) -> IoPoint {
        let address = IoAddress::DryRun(dry_run::Address {});
        IoPoint { name: name.to_owned(), active_low: false, safe: false, address }
    }

    /// The point is not connected to anything.
    pub fn is_nowhere(&self) -> bool {
        matches!(self.address, IoAddress::DryRun(_))
    }

    fn not_built(&self) -> FieldError {
        FieldError::NotBuilt { name: self.name.clone(), driver: self.address.driver().name }
    }
}

/// The encoder of the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct EncoderPoint {
    /// Channel A, or the register.
    pub point: IoPoint,
    /// GPIO: channel B.
    pub line_b: Option<u32>,
    /// The counter goes from `modulus - 1` to 0.
    pub modulus: u64,
    /// Ticks a second at most.
    pub max_rate: f64,
}

/// Where a driver finds an input or an output.
pub trait DriverAddress {
    /// The address that a table has; `key` makes the whole key of a field, `base` is the folder that paths are taken from.
    fn check(table: &IoTable, key: &dyn Fn(&str) -> String, base: &Path, c: &mut Check<'_>) -> Self
    where
        Self: Sized;

    /// The device in words.
    fn device(&self) -> String;

    /// The place on the device in words.
    fn describe(&self) -> String;

    /// What is missing on this machine, if something is.
    fn check_machine(&self) -> Option<String> {
        None
    }

    /// `HOST:PORT` of the device, if it is one on the network.
    fn host(&self) -> Option<&str> {
        None
    }
}

/// Devices that several outputs share, one connection each.
#[derive(Default)]
pub struct Devices {
    coils: modbus::Coils,
}

impl Devices {
    /// Opens an output at its safe level.
    ///
    /// # Errors
    /// [`FieldError`].
    pub fn output(&mut self, point: &IoPoint) -> Result<Box<dyn Output>, FieldError> {
        (point.address.driver().open_output)(point, self)
    }

    /// Gives the devices a moment to answer, so that the line does not start with an alarm.
    pub fn wait(&self) {
        self.coils.wait();
    }
}

/// Opens an input.
///
/// # Errors
/// [`FieldError`].
pub fn open_input(point: &IoPoint) -> Result<Box<dyn Input>, FieldError> {
    (point.address.driver().open_input)(point)
}

/// Opens an encoder.
///
/// # Errors
/// [`FieldError`].
pub fn open_encoder(encoder: &EncoderPoint) -> Result<Box<dyn Encoder>, FieldError> {
    (encoder.point.address.driver().open_encoder)(encoder)
}

/// Opens an output; devices that are shared are among [`Devices`].
type OpenOutput = fn(&IoPoint, &mut Devices) -> Result<Box<dyn Output>, FieldError>;
/// Opens an input.
type OpenInput = fn(&IoPoint) -> Result<Box<dyn Input>, FieldError>;
/// Opens an encoder.
type OpenEncoder = fn(&EncoderPoint) -> Result<Box<dyn Encoder>, FieldError>;

/// A driver of inputs and outputs.
pub struct DriverKind {
    /// The word in the configuration; a driver that can be left out of a build has a feature of the same name.
    pub name: &'static str,
    /// It was compiled in.
    pub is_built: bool,
    open_output: OpenOutput,
    open_input: OpenInput,
    open_encoder: OpenEncoder,
}

/// One line for each driver: its variant, its folder, its word, and when it is compiled in. This is the one place where a driver that was
/// not compiled in is refused.
macro_rules! drivers {
    ($($(#[$about:meta])* $variant:ident($folder:ident, $name:literal) if [$($built:tt)*];)*) => {
        /// Where an input or an output is, by its driver.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub enum IoAddress {
            $($(#[$about])* $variant($folder::Address),)*
        }

        /// Every driver that the configuration knows.
        pub static DRIVERS: &[DriverKind] = &[$(DriverKind {
            name: $name,
            is_built: cfg!($($built)*),
            #[cfg($($built)*)]
            open_output: |point, devices| match &point.address {
                IoAddress::$variant(address) => $folder::driver::open_output(point, address, devices),
                _ => Err(point.not_built()),
            },
            #[cfg($($built)*)]
            open_input: |point| match &point.address {
                IoAddress::$variant(address) => $folder::driver::open_input(point, address),
                _ => Err(point.not_built()),
            },
            #[cfg($($built)*)]
            open_encoder: |encoder| match &encoder.point.address {
                IoAddress::$variant(address) => $folder::driver::open_encoder(encoder, address),
                _ => Err(encoder.point.not_built()),
            },
            #[cfg(not($($built)*))]
            open_output: |point, _| Err(point.not_built()),
            #[cfg(not($($built)*))]
            open_input: |point| Err(point.not_built()),
            #[cfg(not($($built)*))]
            open_encoder: |encoder| Err(encoder.point.not_built()),
        },)*];

        impl IoAddress {
            /// Its driver.
            pub fn driver(&self) -> &'static DriverKind {
                let name = match self {
                    $(IoAddress::$variant(_) => $name,)*
                };
                let found = DRIVERS.iter().find(|driver| driver.name == name);
                // Each variant has its line in the table.
                found.unwrap_or(&DRIVERS[0])
            }

            /// What every address can say of itself.
            pub fn get(&self) -> &dyn DriverAddress {
                match self {
                    $(IoAddress::$variant(address) => address,)*
                }
            }
        }
    };
}

drivers! {
    /// A line of a GPIO chip.
    Gpio(gpio, "gpio") if [feature = "gpio"];
    /// A point on a Modbus device.
    Modbus(modbus, "modbus") if [feature = "modbus"];
    /// Nowhere.
    DryRun(dry_run, "dry-run") if [all()];
}

#[cfg(test)]
mod tests;
