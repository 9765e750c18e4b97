//! What a backup of a configured box holds: its models and pipelines, its history and its users, and a configuration that names them as they
//! lie in the archive, so that a restored folder runs as it is.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::config::{self, Loaded};
use andon_service::backup::{ACCOUNTS, BackupPlan, HISTORY};

/// The plan; `file` is the configuration's, from whose folder relative paths are taken.
///
/// # Errors
/// None that a configuration could cause; serde's, in words.
pub fn backup_plan(loaded: &Loaded, file: Option<&Path>) -> Result<BackupPlan, String> {
    let c = &loaded.config;
    let base = file.and_then(Path::parent).unwrap_or(Path::new(""));
    let plain = serde_json::to_value(&loaded.raw).map_err(|e| e.to_string())?;
    let mut shown = config::masked(&loaded.raw).map_err(|e| e.to_string())?;
    let mut masked = Vec::new();
    differing(&plain, &shown, "", &mut masked);
    let mut files = Files::default();
    for camera in &c.cameras {
        let table = &mut shown["cameras"][&camera.name];
        table["model"] = files.add("models", &camera.model).into();
        let pipeline = base.join(&camera.pipeline);
        if pipeline.is_file() {
            table["pipeline"] = files.add("pipelines", &pipeline).into();
        }
    }
    let history = c.sinks.store.path.clone();
    let accounts = c.page.database.clone();
    let mut left_out = Vec::new();
    let known = |path: &Path| files.0.iter().any(|(_, of)| of == path) || path == history || path == accounts;
    named_files(&plain, base, "", &mut |key, path| {
        if !known(&path) {
            left_out.push(format!("{key}: {}", path.display()));
        }
    });
    if c.pictures.enabled {
        left_out.push(format!("pictures.path: {}", c.pictures.path.display()));
    }
    shown["store"]["path"] = HISTORY.into();
    shown["page"]["database"] = ACCOUNTS.into();
    let raw: config::Raw = serde_json::from_value(shown).map_err(|e| e.to_string())?;
    let configuration = toml::to_string(&raw).map_err(|e| e.to_string())?;
    Ok(BackupPlan { files: files.0, configuration, history: Some(history), accounts: Some(accounts), masked, left_out })
}

/// Files by their names in the archive; one that several cameras share is in it once.
#[derive(Default)]
struct Files(Vec<(String, PathBuf)>);

impl Files {
    fn add(&mut self, folder: &str, path: &Path) -> String {
        if let Some((name, _)) = self.0.iter().find(|(_, known)| known == path) {
            return name.clone();
        }
        let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let taken = |name: &String| self.0.iter().any(|(known, _)| known == name);
        let names = (1..).map(|n: u32| match n {
            1 => format!("{folder}/{file}"),
            n => format!("{folder}/{n}-{file}"),
        });
        let name = names.into_iter().find(|name| !taken(name)).unwrap_or_default();
        self.0.push((name.clone(), path.to_owned()));
        name
    }
}

/// Keys of texts that are not as they were.
fn differing(a: &Value, b: &Value, key: &str, into: &mut Vec<String>) {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            for (name, value) in a {
                differing(value, b.get(name).unwrap_or(&Value::Null), &joined(key, name), into);
            }
        }
        (Value::Array(a), Value::Array(b)) => a.iter().zip(b).for_each(|(a, b)| differing(a, b, key, into)),
        (a, b) if a != b && into.last().is_none_or(|last| last != key) => into.push(key.to_owned()),
        _ => {}
    }
}

/// Texts that are paths of files that are there: passwords, certificates, lists.
fn named_files(value: &Value, base: &Path, key: &str, found: &mut impl FnMut(&str, PathBuf)) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| named_files(value, base, &joined(key, name), found));
        }
        Value::Array(list) => list.iter().for_each(|value| named_files(value, base, key, found)),
        Value::String(text) if !text.is_empty() && base.join(text).is_file() => found(key, base.join(text)),
        _ => {}
    }
}

fn joined(key: &str, name: &str) -> String {
    if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restored_configuration_names_what_lies_beside_it_and_no_secret() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("a")).unwrap();
        for name in ["part.andon", "a/part.andon", "pw", "own.toml"] {
            std::fs::write(at(name), "x").unwrap();
        }
        let text = "[cameras.top]\nmodel = \"part.andon\"\npipeline = \"own.toml\"\nvars = { PASSWORD = \"geheim\" }\n\
                    [cameras.side]\nmodel = \"a/part.andon\"\npipeline = \"test\"\n[cameras.third]\nmodel = \"part.andon\"\n\
                    pipeline = \"test\"\n[store]\nenabled = true\n[mqtt]\nusername = \"u\"\npassword_file = \"pw\"\n";
        std::fs::write(at("andon.toml"), text).unwrap();
        let loaded = config::load(Some(&at("andon.toml")), [], &[]).unwrap();
        let plan = backup_plan(&loaded, Some(&at("andon.toml"))).unwrap();
        let names: Vec<&str> = plan.files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["models/part.andon", "models/2-part.andon", "pipelines/own.toml"], "each once");
        assert!(!plan.configuration.contains("geheim"), "{}", plan.configuration);
        assert_eq!(plan.masked, ["cameras.top.vars.PASSWORD"]);
        assert_eq!(plan.left_out, [format!("mqtt.password_file: {}", at("pw").display())]);
        std::fs::write(at("again.toml"), &plan.configuration).unwrap();
        let again = config::load(Some(&at("again.toml")), [], &[]).unwrap();
        assert_eq!(again.raw.store.path, Path::new("history.db"));
    }
}
