//! The machine itself: processors, memory, disks, clock.

use std::path::{Path, PathBuf};

use super::{Finding, State, finding};
use crate::cli::limits;
use crate::config::Config;
use andon_vision::model::engine::processors;

/// Below this much free space a disk is a fault that is about to happen.
const LITTLE: u64 = 1 << 30;

pub(super) fn look(c: &Config) -> Vec<Finding> {
    let mut found = vec![finding("processors", State::Ok, processors().to_string())];
    if let Some(free) = limits::free_memory() {
        found.push(finding("memory", State::Ok, format!("{} free", limits::size(free))));
    }
    found.extend(disks(c));
    found.push(clock());
    found
}

/// The disks of history and models, or of this folder.
fn disks(c: &Config) -> Vec<Finding> {
    let mut wanted: Vec<(PathBuf, u64)> = Vec::new();
    let store = &c.sinks.store;
    if store.enabled {
        let kept = std::fs::metadata(&store.path).map_or(0, |about| about.len());
        wanted.push((folder(&store.path), store.max_bytes().saturating_sub(kept)));
    }
    wanted.extend(c.cameras.iter().map(|camera| (folder(&camera.model), 0)));
    if wanted.is_empty() {
        wanted.push((PathBuf::from("."), 0));
    }
    let mut seen: Vec<PathBuf> = Vec::new();
    let mut found = Vec::new();
    for (path, needed) in wanted {
        let path = path.canonicalize().unwrap_or(path);
        let Ok(about) = rustix::fs::statvfs(&path) else { continue };
        if seen.contains(&path) {
            continue;
        }
        let free = about.f_bavail.saturating_mul(about.f_frsize);
        let words = format!("{} free at {}", limits::size(free), path.display());
        found.push(match (free < needed, free < LITTLE) {
            (true, _) => {
                let more = format!("the history may grow by {}; lower store.max_mb", limits::size(needed));
                finding("disk", State::Missing, format!("{words}, {more}"))
            }
            (_, true) => finding("disk", State::Missing, format!("{words}, which is little")),
            _ => finding("disk", State::Ok, words),
        });
        seen.push(path);
    }
    found
}

fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Whether records carry the right time.
fn clock() -> Finding {
    // systemd-timesyncd leaves this file once it is in step; other programs tell the kernel, which timedatectl asks.
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return finding("clock", State::Ok, "synchronised".to_owned());
    }
    let asked = std::process::Command::new("timedatectl").args(["show", "-p", "NTPSynchronized", "--value"]).output();
    let answer =
        asked.ok().filter(|o| o.status.success()).map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned());
    match answer.as_deref() {
        Some("yes") => finding("clock", State::Ok, "synchronised".to_owned()),
        Some("no") => {
            let how = "not synchronised, so the times of records may be wrong; start systemd-timesyncd or chrony";
            finding("clock", State::Missing, how.to_owned())
        }
        _ => finding("clock", State::Ok, "this machine does not say whether it is synchronised".to_owned()),
    }
}

/// Whether this is an NVIDIA Jetson.
pub(super) fn is_jetson() -> bool {
    let compatible = std::fs::read("/proc/device-tree/compatible").unwrap_or_default();
    cfg!(target_arch = "aarch64")
        && (String::from_utf8_lossy(&compatible).contains("tegra") || Path::new("/etc/nv_tegra_release").exists())
}
