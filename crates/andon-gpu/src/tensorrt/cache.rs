//! Built engines on disk: written whole or not at all, checked before they are used.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use atomic_write_file::AtomicWriteFile;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use andon_vision::model::graph::Precision;

const FORMAT: &str = "andon.engine.1";

/// What is known about a built engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// What it depends on: see [`super::EnginePlan::fingerprint`].
    pub fingerprint: String,
    /// TensorRT and its version.
    pub library: String,
    /// The GPU. The key is part of the file format.
    pub card: String,
    /// Arithmetic.
    pub precision: Precision,
    /// Images at a time, at most.
    pub images: usize,
    /// The model that it was built for and compared with.
    pub part: String,
    /// The largest relative difference of its scores to the reference, and what was allowed.
    pub parity: (f32, f32),
    /// When, RFC 3339 UTC.
    pub built: String,
    /// Seconds that it took.
    pub seconds: f64,
    /// Digest of the engine.
    pub blake3: String,
}

/// Why an engine cannot be kept or used.
#[derive(Debug, Error)]
pub enum CacheError {
    /// No place is known.
    #[error("no folder for engines: neither HOME nor XDG_CACHE_HOME is set; name one with engine.cache")]
    NoFolder,
    /// Reading or writing failed.
    #[error("{path}: {source}")]
    Io {
        /// File or folder.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// Not what was written.
    #[error("{path} is damaged ({why}); it is built again by `andon engine build`")]
    Damaged {
        /// File.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// A file of the cache, and what it says of itself or why it cannot be read.
type Listed = (PathBuf, Result<Entry, String>);

/// A folder of engines.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// This folder, or `andon/engines` in the user's cache.
    ///
    /// # Errors
    /// [`CacheError::NoFolder`].
    pub fn new(folder: Option<&Path>) -> Result<Cache, CacheError> {
        let user = || {
            let cache = std::env::var_os("XDG_CACHE_HOME").filter(|v| !v.is_empty()).map(PathBuf::from);
            cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))
        };
        match folder {
            Some(folder) => Ok(Cache { folder: folder.to_owned() }),
            None => Ok(Cache { folder: user().ok_or(CacheError::NoFolder)?.join("andon/engines") }),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn file(&self, fingerprint: &str) -> PathBuf {
        self.folder.join(format!("{fingerprint}.engine"))
    }

    /// The engine with this fingerprint; `None` if it was never built.
    ///
    /// # Errors
    /// [`CacheError`]: it cannot be read, or is not what was written.
    pub fn load(&self, fingerprint: &str) -> Result<Option<(Entry, Vec<u8>)>, CacheError> {
        let path = self.file(fingerprint);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(CacheError::Io { path, source }),
        };
        let damaged = |why: String| CacheError::Damaged { path: path.clone(), why };
        let (entry, engine) = read(&bytes).map_err(damaged)?;
        let damaged = |why: &str| CacheError::Damaged { path: path.clone(), why: why.to_owned() };
        if entry.fingerprint != fingerprint {
            return Err(damaged("it is another engine than its name says"));
        }
        if blake3::hash(&engine).to_hex().as_str() != entry.blake3 {
            return Err(damaged("its digest differs"));
        }
        Ok(Some((entry, engine)))
    }

    /// Keeps an engine; replaces one with the same fingerprint.
    ///
    /// # Errors
    /// [`CacheError::Io`]: the old file, if there is one, is untouched.
    pub fn store(&self, entry: &mut Entry, engine: &[u8]) -> Result<PathBuf, CacheError> {
        entry.blake3 = blake3::hash(engine).to_hex().to_string();
        let path = self.file(&entry.fingerprint);
        let bytes = write(entry, engine).map_err(|why| CacheError::Damaged { path: path.clone(), why })?;
        self.put(&path, &bytes)?;
        Ok(path)
    }

    fn put(&self, path: &Path, bytes: &[u8]) -> Result<(), CacheError> {
        let write = || {
            std::fs::create_dir_all(&self.folder)?;
            let mut file = AtomicWriteFile::open(path)?;
            file.write_all(bytes)?;
            file.commit()
        };
        write().map_err(|source| CacheError::Io { path: path.to_owned(), source })
    }

    /// Why an engine with this fingerprint was refused for a model (by its digest), if it was: building it again would only take time.
    pub fn refused(&self, fingerprint: &str, model: &str) -> Option<String> {
        std::fs::read_to_string(self.refusal(fingerprint, model)).ok()
    }

    /// Remembers that, or forgets it.
    ///
    /// # Errors
    /// [`CacheError::Io`].
    pub fn refuse(&self, fingerprint: &str, model: &str, why: Option<&str>) -> Result<(), CacheError> {
        let path = self.refusal(fingerprint, model);
        match why {
            Some(why) => self.put(&path, why.as_bytes()),
            None => match std::fs::remove_file(&path) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(CacheError::Io { path, source }),
                _ => Ok(()),
            },
        }
    }

    fn refusal(&self, fingerprint: &str, model: &str) -> PathBuf {
        self.folder.join(format!("{fingerprint}-{}.refused", &model[..model.len().min(16)]))
    }

    /// What is kept, by file; a file that cannot be read says why.
    ///
    /// # Errors
    /// [`CacheError::Io`]: the folder is there and cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, CacheError> {
        let io = |source| CacheError::Io { path: self.folder.clone(), source };
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(io(e)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(io)?.path();
            if path.extension().is_some_and(|e| e == "engine") {
                let fingerprint = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
                let about = match self.load(fingerprint) {
                    Ok(Some((about, _))) => Ok(about),
                    Ok(None) => continue,
                    Err(e) => Err(e.to_string()),
                };
                found.push((path, about));
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(found)
    }

    /// What builds on this GPU with this library measured; empty if nothing is kept. It only saves time, so a file that cannot be read is
    /// none.
    pub fn timings(&self, library: &str, card: &str) -> Vec<u8> {
        std::fs::read(self.timings_file(library, card)).unwrap_or_default()
    }

    /// Keeps what builds measured.
    ///
    /// # Errors
    /// [`CacheError::Io`].
    pub fn store_timings(&self, library: &str, card: &str, timings: &[u8]) -> Result<(), CacheError> {
        match timings.is_empty() {
            true => Ok(()),
            false => self.put(&self.timings_file(library, card), timings),
        }
    }

    fn timings_file(&self, library: &str, card: &str) -> PathBuf {
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
        let name: String = format!("{library} {card}").chars().map(plain).collect();
        self.folder.join(format!("{name}.timings"))
    }
}

fn write(entry: &Entry, engine: &[u8]) -> Result<Vec<u8>, String> {
    let about = serde_json::to_string(entry).map_err(|e| e.to_string())?;
    let metadata = HashMap::from([("format".to_owned(), FORMAT.to_owned()), ("about".to_owned(), about)]);
    let tensor = TensorView::new(Dtype::U8, vec![engine.len()], engine).map_err(|e| e.to_string())?;
    safetensors::serialize([("engine", tensor)], Some(metadata)).map_err(|e| e.to_string())
}

fn read(bytes: &[u8]) -> Result<(Entry, Vec<u8>), String> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
    let metadata = header.metadata().as_ref().ok_or("it says nothing about itself")?;
    if metadata.get("format").map(String::as_str) != Some(FORMAT) {
        return Err(format!("it is no {FORMAT}"));
    }
    let about = metadata.get("about").ok_or("it says nothing about itself")?;
    let entry = serde_json::from_str(about).map_err(|e| e.to_string())?;
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
    let engine = tensors.tensor("engine").map_err(|e| e.to_string())?;
    Ok((entry, engine.data().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(fingerprint: &str) -> Entry {
        Entry {
            fingerprint: fingerprint.to_owned(),
            library: "TensorRT 10.3.0".to_owned(),
            card: "Orin".to_owned(),
            precision: Precision::Fp16,
            images: 1,
            part: "flange".to_owned(),
            parity: (1e-4, 1e-2),
            built: "2026-01-01T00:00:00Z".to_owned(),
            seconds: 12.5,
            blake3: String::new(),
        }
    }

    #[test]
    fn an_engine_is_what_was_kept_or_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(Some(&folder.path().join("a/b"))).unwrap();
        assert!(cache.load("x").unwrap().is_none() && cache.list().unwrap().is_empty());
        let mut about = entry("x");
        let path = cache.store(&mut about, &[7; 999]).unwrap();
        assert_eq!(cache.load("x").unwrap().unwrap(), (about.clone(), vec![7; 999]));
        let whole = std::fs::read(&path).unwrap();
        // Every cut and every flipped byte is noticed.
        for at in 0..whole.len() {
            let told = |bytes: &[u8]| {
                std::fs::write(&path, bytes).unwrap();
                cache.load("x")
            };
            assert!(matches!(told(&whole[..at]), Err(CacheError::Damaged { .. })), "cut at {at}");
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            // What is said about it may be another date; the engine may not be another engine.
            if let Ok(Some((_, engine))) = told(&flipped) {
                assert_eq!(engine, vec![7; 999], "flipped at {at}");
            }
        }
        std::fs::write(&path, &whole).unwrap();
        std::fs::copy(&path, cache.file("y")).unwrap();
        assert!(cache.load("y").unwrap_err().to_string().contains("another engine"));
        assert_eq!(cache.list().unwrap().iter().map(|(_, e)| e.is_ok()).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn a_refusal_is_remembered_for_its_model_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(Some(&folder.path().join("new"))).unwrap();
        assert_eq!(cache.refused("x", "0123456789abcdef0"), None);
        cache.refuse("x", "0123456789abcdef0", None).unwrap();
        cache.refuse("x", "0123456789abcdef0", Some("off by 34 %")).unwrap();
        assert_eq!(cache.refused("x", "0123456789abcdef0").as_deref(), Some("off by 34 %"));
        assert!(cache.refused("x", "another").is_none() && cache.refused("y", "0123456789abcdef0").is_none());
        assert!(cache.load("x").unwrap().is_none() && cache.list().unwrap().is_empty(), "no engine is kept");
        cache.refuse("x", "0123456789abcdef0", None).unwrap();
        assert_eq!(cache.refused("x", "0123456789abcdef0"), None);
    }

    #[test]
    fn timings_only_save_time() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(Some(folder.path())).unwrap();
        assert!(cache.timings("TensorRT 10.3.0", "a/b").is_empty());
        cache.store_timings("TensorRT 10.3.0", "a/b", &[]).unwrap();
        cache.store_timings("TensorRT 10.3.0", "a/b", &[1, 2]).unwrap();
        assert_eq!(cache.timings("TensorRT 10.3.0", "a/b"), [1, 2]);
        assert!(folder.path().join("TensorRT-10.3.0-a-b.timings").exists());
        let blocked = Cache::new(Some(&folder.path().join("TensorRT-10.3.0-a-b.timings"))).unwrap();
        assert!(matches!(blocked.store_timings("x", "y", &[1]), Err(CacheError::Io { .. })));
    }
}
