//! How hot the hardware is and whether it is throttled. `andon_io::thermal` writes it once a second, monitoring reads it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use schemars::JsonSchema;
use serde::Serialize;

/// How hot a part of the machine is and how fast it runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "ClockState")]
pub struct ThermalReading {
    /// `processor`, or the card's name.
    pub what: String,
    /// The hottest sensor, degrees Celsius.
    pub celsius: Option<f64>,
    /// Its clock now.
    pub mhz: Option<u32>,
    /// The clock that it could have.
    pub full_mhz: Option<u32>,
    /// Why it is held back; null while it is not.
    pub slowed: Option<String>,
}

impl fmt::Display for ThermalReading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        if let Some(celsius) = self.celsius {
            write!(f, " {celsius:.0} °C")?;
        }
        match (self.mhz, self.full_mhz) {
            (Some(mhz), Some(full)) => write!(f, " {mhz} of {full} MHz")?,
            (Some(mhz), None) => write!(f, " {mhz} MHz")?,
            (None, _) => {}
        }
        match &self.slowed {
            Some(why) => write!(f, ", held back: {why}"),
            None => Ok(()),
        }
    }
}

/// The last states, for whoever shows them. The line itself never looks.
#[derive(Clone, Debug, Default)]
pub struct HardwareHealth(Arc<Mutex<Vec<ThermalReading>>>);

impl HardwareHealth {
    /// The last states; empty until somebody reads them.
    pub fn states(&self) -> Vec<ThermalReading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the states of now.
    pub fn set(&self, states: Vec<ThermalReading>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = states;
    }
}
