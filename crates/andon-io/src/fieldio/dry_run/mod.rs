//! Outputs that lead nowhere: the schedule runs, and nothing moves.

pub(super) mod driver;

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{DriverAddress, IoTable};
use crate::check::Check;

/// No place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Address {}

impl DriverAddress for Address {
    fn check(_: &IoTable, _: &dyn Fn(&str) -> String, _: &Path, _: &mut Check<'_>) -> Address {
        Address {}
    }

    fn device(&self) -> String {
        "no device (dry-run)".to_owned()
    }

    fn describe(&self) -> String {
        "nowhere (dry-run)".to_owned()
    }
}
