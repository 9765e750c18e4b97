//! A backup back into a folder: every file checked against the manifest, nothing overwritten, nothing outside the folder.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Component, Path};

use super::{BackupError, BackupFile, Hashing, MANIFEST, Manifest, SCHEMA, named};

/// Bytes of a manifest at most.
const MANIFEST_BYTES: u64 = 1 << 20;
/// Entries of an archive at most: models, pipelines, three databases.
const ENTRIES: usize = 1000;

/// Puts an archive into the folder `to`, which must not be there yet, and returns its manifest. The folder appears when all of it is right.
///
/// # Errors
/// [`BackupError`]; there is no folder `to` then.
pub fn restore(archive: &Path, to: &Path) -> Result<Manifest, BackupError> {
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let no_backup = |why: &str| BackupError::NoBackup { path: archive.to_owned(), why: why.to_owned() };
    let beside = match to.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let folder = tempfile::Builder::new().prefix(".andon-restore-").tempdir_in(beside).map_err(named(beside))?;
    let mut tar = tar::Archive::new(BufReader::new(File::open(archive).map_err(named(archive))?));
    let (mut found, mut names, mut manifest) = (Vec::new(), HashSet::new(), None);
    for entry in tar.entries().map_err(named(archive))? {
        let entry = entry.map_err(|e| no_backup(&e.to_string()))?;
        let path = entry.path().map_err(|e| no_backup(&e.to_string()))?.into_owned();
        let name = path.to_string_lossy().into_owned();
        let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        if !plain || !entry.header().entry_type().is_file() || !names.insert(name.clone()) || names.len() > ENTRIES {
            return Err(no_backup(&format!("its entry `{}` is none of ours", name.escape_debug())));
        }
        if name == MANIFEST {
            let mut text = String::new();
            entry.take(MANIFEST_BYTES).read_to_string(&mut text).map_err(named(archive))?;
            manifest = Some(serde_json::from_str::<Manifest>(&text).map_err(|e| no_backup(&e.to_string()))?);
        } else {
            found.push(unpack(entry, &folder.path().join(&path), &name)?);
        }
    }
    let manifest = manifest.ok_or_else(|| no_backup("it has no manifest.json; it is not whole"))?;
    if manifest.schema != SCHEMA {
        return Err(no_backup(&format!("its schema is `{}`, and this andon knows {SCHEMA}", manifest.schema)));
    }
    for file in &manifest.files {
        if !found.contains(file) {
            return Err(BackupError::Damaged { path: archive.to_owned(), name: file.name.clone() });
        }
    }
    if found.len() != manifest.files.len() {
        return Err(no_backup("it holds files that its manifest does not name"));
    }
    let text = serde_json::to_string_pretty(&manifest).map_err(|e| BackupError::Write(e.into()))?;
    let listed = folder.path().join(MANIFEST);
    std::fs::write(&listed, text).map_err(named(&listed))?;
    let made = folder.keep();
    std::fs::rename(&made, to).map_err(named(to))?;
    Ok(manifest)
}

fn unpack(entry: impl Read, to: &Path, name: &str) -> Result<BackupFile, BackupError> {
    use std::os::unix::fs::OpenOptionsExt;
    if let Some(parent) = to.parent() {
        std::fs::create_dir_all(parent).map_err(named(parent))?;
    }
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(to).map_err(named(to))?;
    let mut from = Hashing::new(entry);
    io::copy(&mut from, &mut file).map_err(named(to))?;
    file.sync_all().map_err(named(to))?;
    Ok(from.told(name))
}
