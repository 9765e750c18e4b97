//! What stands in for `driver` in a build without Modbus.

/// No devices.
#[derive(Default)]
pub struct Coils;

impl Coils {
    /// Nothing to wait for.
    pub fn wait(&self) {}
}
