//! What stands in for `sink` in a build without Zenoh.

use super::{ZenohConfig, ZenohError};
use crate::NotBuilt;

/// Nothing to open.
///
/// # Errors
/// Always [`ZenohError::NotBuilt`].
pub fn probe(_: &ZenohConfig) -> Result<(), ZenohError> {
    Err(NotBuilt::new("zenoh", "zenoh").into())
}
