//! The table `[store]`.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sinks::config::{CheckContext, SinkConfig};

/// History and outbox.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "RawStore")]
pub struct StoreConfig {
    /// Whether records are kept at all; needed for MQTT and webhooks.
    pub enabled: bool,
    /// The SQLite file; its folder has to exist.
    pub path: PathBuf,
    /// Records that are kept at most; the oldest go first.
    pub max_rows: u64,
    /// Megabytes at most.
    pub max_mb: u64,
}

impl Default for StoreConfig {
    fn default() -> Self {
        StoreConfig { enabled: false, path: "andon.db".into(), max_rows: 5_000_000, max_mb: 2000 }
    }
}

impl StoreConfig {
    /// Bytes of the file at most.
    pub fn max_bytes(&self) -> u64 {
        self.max_mb.saturating_mul(1 << 20)
    }
}

impl SinkConfig for StoreConfig {
    fn is_enabled(&self) -> bool {
        self.enabled
    }

    fn check(&self, context: &CheckContext<'_>, wrong: &mut Vec<String>) -> StoreConfig {
        if self.enabled && (self.max_rows == 0 || self.max_mb == 0) {
            wrong.push("store.max_rows, store.max_mb: at least 1".to_owned());
        }
        StoreConfig { path: context.path(&self.path), ..self.clone() }
    }

    fn check_machine(&self, wrong: &mut Vec<String>) {
        wrong.extend(not_writable(&self.path).map(|why| format!("store.path: {why}")));
    }

    fn describe(&self) -> String {
        format!("history {}", self.path.display())
    }
}

/// Why no SQLite file can be kept at this path.
fn not_writable(path: &Path) -> Option<String> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let may = |path: &Path, what: Access| access(path, what).map_err(std::io::Error::from);
    match std::fs::metadata(folder) {
        Err(_) => return Some(format!("the folder {} does not exist; create it", folder.display())),
        Ok(about) if !about.is_dir() => return Some(format!("{} is not a folder", folder.display())),
        Ok(_) => {}
    }
    if path.is_dir() {
        return Some(format!("{} is a folder; name a file in it", path.display()));
    }
    if let Err(e) = may(folder, Access::WRITE_OK | Access::EXEC_OK) {
        return Some(format!("the folder {} cannot be written: {e}", folder.display()));
    }
    let refused = path.exists().then(|| may(path, Access::READ_OK | Access::WRITE_OK).err()).flatten();
    refused.map(|e| format!("{} cannot be written: {e}", path.display()))
}
