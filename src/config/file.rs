//! What is wrong with a file by itself: only its own parser knows lines.

use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::keys;
use super::load::ConfigError;
use super::raw::Raw;
use super::secrets::without_secrets;

/// More are not told at once.
const MOST: usize = 50;

/// Refuses a file with wrong syntax, keys that do not exist, or values of the wrong kind; all of one sort are listed at once, unknown keys
/// together with wrong kinds. No line of the file is repeated, because it may hold a password.
pub(super) fn check_file(path: &Path, text: &str, schema: &Value) -> Result<(), ConfigError> {
    let place = |span: Option<Range<usize>>| {
        let before = &text[..span.map_or(0, |s| s.start).min(text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!("line {line}, column {column}")
    };
    let told = |e: &toml::de::Error| format!("{}: {}", place(e.span()), without_secrets(e.message()));
    let (mut table, broken) = DeTable::parse_recoverable(text);
    if !broken.is_empty() {
        let lines = broken.iter().take(MOST).map(told).collect();
        return Err(ConfigError::Parse { path: path.to_owned(), lines });
    }
    let unknown = keys::unknown_in_toml(text, table.get_ref(), schema);
    let mut lines = Vec::new();
    let mut removed = Vec::new();
    while let Err(e) = Raw::deserialize(toml::de::Deserializer::from(table.clone())) {
        let spurious = e.message().starts_with("unknown field")
            || removed.iter().any(|key| e.message() == format!("missing field `{key}`"));
        if !spurious {
            lines.push(told(&e));
        }
        let Some(key) = e.span().and_then(|at| remove(table.get_mut(), &at)).filter(|_| lines.len() < MOST) else {
            break;
        };
        removed.push(key);
    }
    match (unknown.is_empty(), lines.is_empty()) {
        (true, true) => Ok(()),
        (_, true) => Err(ConfigError::Unknown { origin: path.display().to_string(), keys: unknown }),
        (true, _) => Err(ConfigError::Parse { path: path.to_owned(), lines }),
        _ => {
            let unknown = ConfigError::Unknown { origin: path.display().to_string(), keys: unknown };
            let parse = ConfigError::Parse { path: path.to_owned(), lines };
            Err(ConfigError::Value(format!("{unknown}\n{parse}")))
        }
    }
}

/// Takes out the innermost entry that stands at this place, so that what is wrong behind it is found too; its key, if there is one.
fn remove(table: &mut DeTable<'_>, at: &Range<usize>) -> Option<String> {
    let mut found = None;
    for (key, value) in table.iter_mut() {
        if let DeValue::Table(inner) = value.get_mut()
            && let Some(key) = remove(inner, at)
        {
            return Some(key);
        }
        if key.span().contains(&at.start) || value.span().contains(&at.start) {
            found = Some(key.clone());
        }
    }
    let key = found?;
    table.remove(&key);
    Some(key.get_ref().to_string())
}
