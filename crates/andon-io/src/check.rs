//! Checks of single values that every table of the configuration needs.

use std::time::Duration;

use crate::endpoint::host_and_port_fault;

/// Collects what is wrong with the values of a table, each line with its key.
pub struct Check<'a> {
    /// Everything that is wrong so far, a line each.
    pub wrong: &'a mut Vec<String>,
}

impl Check<'_> {
    /// The value, which has to lie in `low..=high`.
    pub fn range(&mut self, key: &str, value: f64, low: f64, high: f64) -> f64 {
        if !(low..=high).contains(&value) {
            self.wrong.push(format!("{key}: {value} is not in {low}..={high}"));
        }
        value
    }

    /// Milliseconds, up to a minute.
    pub fn ms(&mut self, key: &str, value: f64) -> Duration {
        Duration::from_secs_f64(self.range(key, value, 0.0, 60_000.0).clamp(0.0, 60_000.0) / 1000.0)
    }

    /// The value, which has to be given; `why` says what it is.
    pub fn need<T: Default>(&mut self, key: &str, value: Option<T>, why: &str) -> T {
        if value.is_none() {
            self.wrong.push(format!("{key}: missing; {why}"));
        }
        value.unwrap_or_default()
    }

    /// `HOST:PORT` of a device, which has to be given.
    pub fn address(&mut self, key: &str, value: Option<String>) -> String {
        let address = self.need(key, value, "HOST:PORT of the device");
        if let Some(why) = host_and_port_fault(&address).filter(|_| !address.is_empty()) {
            self.wrong.push(format!("{key}: `{address}`: {why}"));
        }
        address
    }
}
