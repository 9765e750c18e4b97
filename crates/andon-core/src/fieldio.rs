//! The contracts of the machine's inputs, outputs and encoders.

use thiserror::Error;

use crate::{Belt, EncoderFault, Mono, SharedEncoder};

/// One wire that is on or off. `on` is the logical level: which voltage that is, the driver's configuration says.
pub trait Output: Send {
    /// Name in the configuration.
    fn name(&self) -> &str;

    /// Switches; returns at once, whatever the wire does.
    fn set(&mut self, on: bool);

    /// The output's fault; `None` while it works.
    fn fault(&self) -> Option<String>;

    /// Switches to the level that is safe when nobody drives it any more. Also done when it is dropped.
    fn make_safe(&mut self);
}

/// A rising edge of a sensor, or a message in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// When; as near to the wire as the driver can tell.
    pub at: Mono,
    /// The number that came with it, if one did.
    pub id: Option<u64>,
}

/// A sensor.
pub trait Input: Send {
    /// Name in the configuration.
    fn name(&self) -> &str;

    /// The next rising edge, waiting until `until` at most.
    ///
    /// # Errors
    /// The sensor cannot be read now; the next call tries again.
    fn next(&mut self, until: Mono) -> Result<Option<Edge>, FieldError>;
}

/// Reads an encoder into a [`SharedEncoder`].
pub trait Encoder: Send {
    /// Reads until `until`.
    ///
    /// # Errors
    /// The encoder cannot be read now; the next call tries again.
    fn read(&mut self, track: &SharedEncoder, until: Mono) -> Result<(), FieldError>;
}

/// Where the belt is.
pub trait BeltSource: Send + Sync {
    /// Position and speed at a time: of now, of a moment ago, or a little ahead.
    fn at(&self, t: Mono) -> Belt;

    /// What went wrong since this was asked last.
    fn trouble(&self) -> Option<EncoderFault> {
        None
    }
}

/// Why a wire cannot be used. Every message names the thing and the remedy.
#[derive(Debug, Error)]
pub enum FieldError {
    /// A GPIO line.
    #[error("GPIO line {line} of {chip} ({name}): {why}")]
    Gpio {
        /// Name in the configuration.
        name: String,
        /// Device file.
        chip: String,
        /// Offset.
        line: u32,
        /// Cause and remedy.
        why: String,
    },
    /// A Modbus device.
    #[error("Modbus device {address} ({name}): {why}")]
    Modbus {
        /// Name in the configuration.
        name: String,
        /// Host and port.
        address: String,
        /// Cause.
        why: String,
    },
    /// Not compiled in.
    #[error("{name}: the driver `{driver}` is not in this build: needs --features {driver}")]
    NotBuilt {
        /// Name in the configuration.
        name: String,
        /// Driver.
        driver: &'static str,
    },
}
