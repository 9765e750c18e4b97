//! Where a GPIO line is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::fieldio::{DriverAddress, IoTable};

/// A line of a GPIO chip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GpioAddress {
    /// Device file.
    pub chip: PathBuf,
    /// Offset.
    pub line: u32,
    /// Edges so soon after the last are bounces.
    pub debounce: Duration,
}

impl DriverAddress for GpioAddress {
    fn check(table: &IoTable, key: &dyn Fn(&str) -> String, base: &Path, c: &mut Check<'_>) -> GpioAddress {
        GpioAddress {
            chip: base.join(c.need(&key("chip"), table.chip.clone(), "such as /dev/gpiochip0")),
            line: c.need(&key("line"), table.line, "the line on the chip"),
            debounce: c.ms(&key("debounce_ms"), table.debounce_ms),
        }
    }

    fn device(&self) -> String {
        format!("GPIO chip {}", self.chip.display())
    }

    fn describe(&self) -> String {
        format!("GPIO {} line {}", self.chip.display(), self.line)
    }

    fn check_machine(&self) -> Option<String> {
        let chip = self.chip.display();
        (!self.chip.exists())
            .then(|| format!("there is no GPIO chip {chip}; `andon doctor` lists those that there are"))
    }
}
