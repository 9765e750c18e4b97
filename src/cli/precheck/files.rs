//! Files, folders and devices that a configuration names.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::wires;
use crate::config::{Config, Place};

pub(super) fn check(c: &Config, wrong: &mut Vec<String>) {
    if let Some((path, ..)) = &c.plant.store {
        wrong.extend(writable(path).map(|why| format!("store.path: {why}")));
    }
    let mut files: Vec<(&str, Option<&PathBuf>)> = Vec::new();
    if let Some(m) = &c.plant.mqtt {
        files.extend([
            ("mqtt.password_file", m.password_file.as_ref()),
            ("mqtt.ca", m.ca.as_ref()),
            ("mqtt.certificate", m.certificate.as_ref()),
            ("mqtt.key", m.key.as_ref()),
        ]);
    }
    if let Some(w) = &c.plant.webhook {
        files.push(("webhook.token_file", w.token_file.as_ref()));
    }
    if c.zenoh.enabled {
        let (z, tls) = (&c.zenoh, &c.zenoh.tls);
        files.extend([
            ("zenoh.config_file", z.config_file.as_ref()),
            ("zenoh.tls.ca", tls.ca.as_ref()),
            ("zenoh.tls.certificate", tls.certificate.as_ref()),
            ("zenoh.tls.key", tls.key.as_ref()),
        ]);
    }
    for (key, path) in files {
        wrong.extend(path.and_then(|path| unfit(key, path)).map(|why| format!("{key}: {why}")));
    }
    let mut chips: Vec<&PathBuf> = Vec::new();
    for wire in wires(c) {
        if let Place::Gpio { chip, .. } = &wire.place
            && !chips.contains(&chip)
            && !chip.exists()
        {
            wrong.push(format!(
                "{}: there is no GPIO chip {}; `andon doctor` lists those that there are",
                wire.name,
                chip.display()
            ));
            chips.push(chip);
        }
    }
}

/// Why a file cannot be what its key says.
fn unfit(key: &str, path: &Path) -> Option<String> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) => return Some(format!("cannot read {}: {e}", path.display())),
    };
    let text = String::from_utf8_lossy(&bytes);
    let secret = key.ends_with("password_file") || key.ends_with("token_file");
    if secret && text.lines().next().unwrap_or_default().trim().is_empty() {
        return Some(format!("the first line of {} is empty", path.display()));
    }
    let pem = !secret && !key.ends_with("config_file");
    (pem && !text.contains("-----BEGIN ")).then(|| format!("{} holds no PEM (-----BEGIN …)", path.display()))
}

/// Why no SQLite file can be kept at this path.
fn writable(path: &Path) -> Option<String> {
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
