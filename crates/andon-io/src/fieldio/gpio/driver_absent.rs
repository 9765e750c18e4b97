//! What stands in for `driver` in a build without GPIO.

/// Nothing to say: this build does not look for chips.
pub fn gpio_chips() -> Option<Vec<String>> {
    None
}
