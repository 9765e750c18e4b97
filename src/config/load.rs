//! Layers defaults, file, environment and flags, and checks the whole.

use std::path::{Path, PathBuf};

use serde_json::Value;
use thiserror::Error;

use super::check::Config;
use super::file::check_file;
use super::keys::{self, UnknownKey};
use super::raw::Raw;
use super::secrets::without_secrets;

/// Why a configuration is refused. Every message names the key and the remedy.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}: {source}")]
    Read {
        /// File.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// Not TOML, or a value of the wrong kind.
    #[error("{}", .lines.iter().map(|l| format!("{}: {l}", .path.display())).collect::<Vec<_>>().join("\n"))]
    Parse {
        /// File.
        path: PathBuf,
        /// Line, column and reason of each.
        lines: Vec<String>,
    },
    /// Keys that do not exist.
    #[error("{}", unknown_text(.origin, .keys))]
    Unknown {
        /// File or environment.
        origin: String,
        /// The keys.
        keys: Vec<UnknownKey>,
    },
    /// A value from the environment or a flag of the wrong kind.
    #[error("configuration: {0}")]
    Value(String),
    /// Values that are out of range or contradict each other.
    #[error("configuration refused:{}", listed(.0))]
    Invalid(Vec<String>),
}

/// One in the same line, several below each other.
fn listed(lines: &[String]) -> String {
    match lines {
        [one] => format!(" {one}"),
        several => several.iter().map(|line| format!("\n  {line}")).collect(),
    }
}

fn unknown_text(origin: &str, keys: &[UnknownKey]) -> String {
    let lines = keys.iter().map(|k| {
        let at = k.line.map_or(String::new(), |n| format!(":{n}"));
        let hint = match &k.nearest {
            Some(near) => format!("did you mean `{near}`?"),
            None => "see `andon config schema` for the keys that exist".to_owned(),
        };
        format!("{origin}{at}: unknown key `{}`; {hint}", k.path)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A configuration in its two forms.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// As written, all layers merged.
    pub raw: Raw,
    /// As checked.
    pub config: Config,
}

/// The JSON Schema of the file.
pub fn schema() -> Value {
    schemars::schema_for!(Raw).to_value()
}

/// Layers the defaults, the file, the environment and the flags (`key.path`, value), then checks the whole. Relative
/// paths in the file are taken from the file's folder.
///
/// # Errors
/// See [`ConfigError`]; all unknown keys and all invalid values are listed at once.
pub fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: &[(&str, String)],
) -> Result<Loaded, ConfigError> {
    load_and(file, environment, flags, |_| Vec::new())
}

/// Like [`load`]; `further` looks at the checked values and names what else is wrong, so that all is listed at once. It also sees
/// configurations that are refused anyway.
///
/// # Errors
/// See [`ConfigError`].
pub fn load_and(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: &[(&str, String)],
    further: impl FnOnce(&Config) -> Vec<String>,
) -> Result<Loaded, ConfigError> {
    let schema = schema();
    let defaults = ::config::Config::try_from(&Raw::default()).map_err(|e| ConfigError::Value(e.to_string()))?;
    let mut layers = ::config::Config::builder().add_source(defaults);
    if let Some(path) = file {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        check_file(path, &text, &schema)?;
        layers = layers.add_source(::config::File::from_str(&text, ::config::FileFormat::Toml));
    }
    let environment = environment.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).map(|(name, text)| {
        let parts = name[PREFIX.len()..].split("__").map(str::to_lowercase).collect();
        (name, parts, text)
    });
    let flags = flags.iter().map(|(key, text)| {
        let parts = key.split('.').map(str::to_owned).collect();
        (format!("--set {key}"), parts, text.clone())
    });
    let environment: Vec<Given> = environment.collect();
    let flags: Vec<Given> = flags.collect();
    refuse_unknown("environment ANDON__", &environment, &schema)?;
    refuse_unknown("--set", &flags, &schema)?;
    let refused = |e: ::config::ConfigError| ConfigError::Value(without_secrets(&e.to_string()));
    for (origin, parts, text) in environment.into_iter().chain(flags) {
        let value = ::config::Value::new(Some(&origin), as_written(&parts, text, &schema));
        layers = layers.set_override(parts.join("."), value).map_err(refused)?;
    }
    let raw: Raw = layers.build().and_then(::config::Config::try_deserialize).map_err(refused)?;
    let base = file.and_then(Path::parent).unwrap_or(Path::new(""));
    let (config, mut wrong) = Config::check(&raw, base);
    wrong.extend(further(&config));
    if wrong.is_empty() {
        return Ok(Loaded { raw, config });
    }
    wrong.iter_mut().for_each(|line| *line = without_secrets(line));
    Err(ConfigError::Invalid(wrong))
}

/// The environment as far as it is text; names and values that are not UTF-8 are shown with what can be read of them.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    let text = |t: std::ffi::OsString| t.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(name, value)| (text(name), text(value)))
}

const PREFIX: &str = "ANDON__";

/// A value from outside the file: where it comes from, the parts of its key, its text.
type Given = (String, Vec<String>, String);

/// The text stays as it is written (`007` and `1.10` are no numbers here); what reads it knows what it wants. Only lists are taken apart
/// at their commas, where the schema has a list.
fn as_written(parts: &[String], text: String, schema: &Value) -> ::config::ValueKind {
    if !keys::at_path(parts, schema).is_some_and(keys::is_list) {
        return ::config::ValueKind::String(text);
    }
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    ::config::ValueKind::from(items.map(str::to_owned).collect::<Vec<_>>())
}

fn refuse_unknown(origin: &str, given: &[Given], schema: &Value) -> Result<(), ConfigError> {
    let keys: Vec<UnknownKey> = given.iter().filter_map(|(_, parts, _)| keys::unknown_path(parts, schema)).collect();
    if keys.is_empty() {
        return Ok(());
    }
    Err(ConfigError::Unknown { origin: origin.to_owned(), keys })
}

#[cfg(test)]
mod tests;
