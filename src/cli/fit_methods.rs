//! `andon fit --method` and `--param`, and what its help says of the methods.

use clap::builder::{PossibleValue, PossibleValuesParser};
use serde_json::Value;

use andon_vision::methods::{self, Param};

/// The values of `--method`.
pub(super) fn method() -> PossibleValuesParser {
    PossibleValuesParser::new(methods::learned().map(|method| PossibleValue::new(method.id()).help(method.about())))
}

/// `KEY=VALUE`; the value is a number, `true`, `false` or a word.
pub(super) fn param(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| "write it as KEY=VALUE".to_owned())?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    Ok((key.trim().to_owned(), value))
}

/// What each method does, and its parameters.
pub(super) fn help() -> String {
    let mut text = "Methods:\n".to_owned();
    for method in methods::learned() {
        text += &format!("  {}: {}\n", method.id(), method.about());
        for Param { name, default, about } in method.params() {
            text += &format!("    --param {name}=… {about}; without it {default}\n");
        }
    }
    text
}
