use std::path::{Path, PathBuf};

use serde_json::Value;
use thiserror::Error;

use super::check::Config;
use super::keys::{self, UnknownKey};
use super::raw::Raw;

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
    #[error("{path}: {message}")]
    Parse {
        /// File.
        path: PathBuf,
        /// Line, column and reason.
        message: String,
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
    #[error("configuration refused:\n  {}", .0.join("\n  "))]
    Invalid(Vec<String>),
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
    let schema = schema();
    let defaults = ::config::Config::try_from(&Raw::default()).map_err(|e| ConfigError::Value(e.to_string()))?;
    let mut layers = ::config::Config::builder().add_source(defaults);
    if let Some(path) = file {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        check_file(path, &text, &schema)?;
        layers = layers.add_source(::config::File::from_str(&text, ::config::FileFormat::Toml));
    }
    let environment: Vec<(String, String)> =
        environment.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
    check_environment(&environment, &schema)?;
    let environment = ::config::Environment::with_prefix("ANDON")
        .prefix_separator("__")
        .separator("__")
        .try_parsing(true)
        .list_separator(",")
        .with_list_parse_key("capture.allow_elements")
        .with_list_parse_key("zenoh.listen")
        .with_list_parse_key("zenoh.connect")
        .source(Some(environment.into_iter().collect()));
    layers = layers.add_source(environment);
    for (key, value) in flags {
        layers = layers.set_override(*key, value.as_str()).map_err(|e| ConfigError::Value(e.to_string()))?;
    }
    let raw: Raw =
        layers.build().and_then(::config::Config::try_deserialize).map_err(|e| ConfigError::Value(e.to_string()))?;
    let base = file.and_then(Path::parent).unwrap_or(Path::new(""));
    let config = Config::check(&raw, base).map_err(ConfigError::Invalid)?;
    Ok(Loaded { raw, config })
}

const PREFIX: &str = "ANDON__";

/// Refuses the file alone first, because only its own parser knows lines.
fn check_file(path: &Path, text: &str, schema: &Value) -> Result<(), ConfigError> {
    let parse = |e: toml::de::Error| ConfigError::Parse { path: path.to_owned(), message: e.to_string() };
    let table = toml::de::DeTable::parse(text).map_err(parse)?;
    let keys = keys::unknown_in_toml(text, table.get_ref(), schema);
    if !keys.is_empty() {
        return Err(ConfigError::Unknown { origin: path.display().to_string(), keys });
    }
    toml::from_str::<Raw>(text).map_err(parse)?;
    Ok(())
}

fn check_environment(variables: &[(String, String)], schema: &Value) -> Result<(), ConfigError> {
    let unknown: Vec<UnknownKey> = variables
        .iter()
        .filter_map(|(name, _)| {
            let parts: Vec<String> = name[PREFIX.len()..].split("__").map(str::to_lowercase).collect();
            keys::unknown_path(&parts, schema)
        })
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(ConfigError::Unknown { origin: "environment ANDON__".to_owned(), keys: unknown })
}

#[cfg(test)]
mod tests;
