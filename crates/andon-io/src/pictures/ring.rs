//! The ring of picture files: newest kept, oldest removed, by bytes and by days. One thread writes; any number of threads read.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use atomic_write_file::AtomicWriteFile;
use ulid::Ulid;

use super::error::PictureError;
use super::note::PictureSummary;
use super::stored::StoredPicture;
use andon_core::WallClock;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingLimits {
    /// Bytes at most, each file counted in blocks of 4 KiB.
    pub max_bytes: u64,
    /// Days at most, if there is a limit.
    pub max_days: Option<u64>,
}

/// Which pictures are listed; those keys that are `None` do not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PictureFilter {
    /// Name of the camera.
    pub camera: Option<String>,
    /// `PASS`, `REJECT`, `UNINSPECTED` or `ERROR`.
    pub result: Option<String>,
    /// `not_passed`, `near_miss` or `nth_pass`.
    pub kept_for: Option<String>,
    /// Only pictures before the one with this id: the next page of a list.
    pub before: Option<String>,
}

impl PictureFilter {
    fn takes(&self, picture: &PictureSummary) -> bool {
        let is = |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|wanted| wanted == value);
        is(&self.camera, &picture.camera) && is(&self.result, &picture.result) && is(&self.kept_for, &picture.kept_for)
    }
}

/// The pictures on disk. Clones share them; every method may be called from any thread.
#[derive(Clone, Debug)]
pub struct PictureRing(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    limits: RingLimits,
    /// By time, which is how ids are ordered.
    index: Mutex<BTreeMap<Ulid, Entry>>,
    bytes: AtomicU64,
    /// Held as long as the ring is open.
    _lock: File,
}

#[derive(Clone, Debug)]
struct Entry {
    bytes: u64,
    /// `png` or `jpg`.
    ending: &'static str,
    /// What its note says, once somebody asked.
    summary: Arc<OnceLock<PictureSummary>>,
}

/// Endings of picture files.
const ENDINGS: [&str; 2] = ["png", "jpg"];
/// The end of the note's name.
const NOTE: &str = "json";
/// Held by the program that writes.
const LOCK: &str = ".lock";
const DAY: Duration = Duration::from_secs(86_400);

impl PictureRing {
    /// Opens the ring in a folder, which is made if the one above it is there. What a kill has left half-written is removed; files that are
    /// not the ring's are left alone and not counted.
    ///
    /// # Errors
    /// [`PictureError::File`], [`PictureError::Taken`].
    pub fn open(folder: &Path, limits: RingLimits) -> Result<PictureRing, PictureError> {
        if !folder.is_dir() {
            fs::create_dir(folder).map_err(PictureError::file(folder))?;
        }
        let path = folder.join(LOCK);
        let lock =
            File::options().create(true).truncate(false).write(true).open(&path).map_err(PictureError::file(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(PictureError::Taken(folder.to_owned())),
            Err(fs::TryLockError::Error(e)) => return Err(PictureError::file(&path)(e)),
        }
        let found = scan(folder).map_err(PictureError::file(folder))?;
        found.torn.iter().for_each(|path| remove(path));
        let bytes = AtomicU64::new(found.pictures.values().map(|e| e.bytes).sum());
        let inner = Inner { folder: folder.to_owned(), limits, index: Mutex::new(found.pictures), bytes, _lock: lock };
        let ring = PictureRing(Arc::new(inner));
        ring.tidy();
        Ok(ring)
    }

    /// Writes a picture and its note under the id of its verdict; the oldest pictures go where there is no room. Only the `pictures` thread
    /// calls this.
    ///
    /// # Errors
    /// The disk's; nothing of the picture is left then.
    pub(super) fn store(&self, id: Ulid, ending: &'static str, picture: &[u8], note: &[u8]) -> io::Result<()> {
        let bytes = blocks(picture.len() as u64) + blocks(note.len() as u64);
        self.shrink_to(self.0.limits.max_bytes.saturating_sub(bytes));
        let written = self.write(id, ending, picture, note);
        if let Err(e) = &written
            && matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            && self.bytes() > 0
        {
            // The disk is smaller than the limit, or others fill it: as many of the oldest go as this one takes.
            self.shrink_to(self.bytes().saturating_sub(bytes));
            self.write(id, ending, picture, note)?;
        } else {
            written?;
        }
        let entry = Entry { bytes, ending, summary: Arc::default() };
        self.0.bytes.fetch_add(bytes, Relaxed);
        if let Some(old) = self.index().insert(id, entry) {
            self.0.bytes.fetch_sub(old.bytes, Relaxed);
        }
        Ok(())
    }

    /// Removes what is older than the limit or over the size. Only the `pictures` thread calls this, now and then.
    pub(super) fn tidy(&self) {
        self.shrink_to(self.0.limits.max_bytes);
        let Some(days) = self.0.limits.max_days else { return };
        let oldest = now_ms().saturating_sub(days.saturating_mul(DAY.as_millis() as u64));
        while let Some(id) = self.oldest().filter(|id| id.timestamp_ms() < oldest) {
            self.remove(id);
        }
    }

    /// The picture of a verdict, if it is in the ring. An id that is none, in whatever way, finds nothing.
    pub fn find(&self, id: &str) -> Option<StoredPicture> {
        let id = parse(id)?;
        let ending = self.index().get(&id)?.ending;
        StoredPicture::open(&self.path(id, NOTE), &self.path(id, ending), id).ok()
    }

    /// The ids of the pictures after and before this one in time, whether it is in the ring itself or not: newer, older.
    pub fn beside(&self, id: &str) -> [Option<String>; 2] {
        let Some(id) = parse(id) else { return [None, None] };
        let index = self.index();
        let newer = index.range((Bound::Excluded(id), Bound::Unbounded)).next();
        let older = index.range(..id).next_back();
        [newer, older].map(|found| found.map(|(id, _)| id.to_string()))
    }

    /// The newest pictures, newest first, at most `limit`.
    pub fn newest(&self, filter: &PictureFilter, limit: usize) -> Vec<PictureSummary> {
        let before = match &filter.before {
            None => None,
            Some(id) => match parse(id) {
                Some(id) => Some(id),
                None => return Vec::new(),
            },
        };
        // Notes are read without holding the index, which the writing thread needs.
        let ids: Vec<(Ulid, Entry)> = {
            let index = self.index();
            let all = index.iter().rev().skip_while(|(id, _)| before.is_some_and(|before| **id >= before));
            all.map(|(id, entry)| (*id, entry.clone())).collect()
        };
        let summaries = ids.into_iter().filter_map(|(id, entry)| self.summary(id, &entry));
        summaries.filter(|summary| filter.takes(summary)).take(limit).collect()
    }

    fn summary(&self, id: Ulid, entry: &Entry) -> Option<PictureSummary> {
        if let Some(known) = entry.summary.get() {
            return Some(known.clone());
        }
        let read = StoredPicture::open(&self.path(id, NOTE), &self.path(id, entry.ending), id).ok()?;
        Some(entry.summary.get_or_init(|| read.summary()).clone())
    }

    /// Pictures in the ring.
    pub fn len(&self) -> usize {
        self.index().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.index().is_empty()
    }

    /// Bytes of the pictures and their notes, each file counted in blocks of 4 KiB.
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Relaxed)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    fn index(&self) -> MutexGuard<'_, BTreeMap<Ulid, Entry>> {
        self.0.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, id: Ulid, ending: &str) -> PathBuf {
        self.0.folder.join(day_of(id)).join(format!("{id}.{ending}"))
    }

    fn write(&self, id: Ulid, ending: &str, picture: &[u8], note: &[u8]) -> io::Result<()> {
        let folder = self.0.folder.join(day_of(id));
        if !folder.is_dir() {
            fs::create_dir(&folder)?;
        }
        let (picture_path, note_path) = (self.path(id, ending), self.path(id, NOTE));
        let both = write_whole(&picture_path, picture).and_then(|()| write_whole(&note_path, note));
        both.inspect_err(|_| remove(&picture_path))
    }

    fn oldest(&self) -> Option<Ulid> {
        self.index().first_key_value().map(|(id, _)| *id)
    }

    /// Removes the oldest until the rest is no larger.
    fn shrink_to(&self, bytes: u64) {
        while self.bytes() > bytes
            && let Some(id) = self.oldest()
        {
            self.remove(id);
        }
    }

    fn remove(&self, id: Ulid) {
        let Some(entry) = self.index().remove(&id) else { return };
        self.0.bytes.fetch_sub(entry.bytes, Relaxed);
        // The note first: a picture without one is not in the ring.
        remove(&self.path(id, NOTE));
        remove(&self.path(id, entry.ending));
        // Refused while the day has others.
        drop(fs::remove_dir(self.0.folder.join(day_of(id))));
    }
}

/// What a folder holds.
struct Found {
    pictures: BTreeMap<Ulid, Entry>,
    /// Files that belong to no whole picture.
    torn: Vec<PathBuf>,
}

fn scan(folder: &Path) -> io::Result<Found> {
    let mut found = Found { pictures: BTreeMap::new(), torn: Vec::new() };
    for day in fs::read_dir(folder)? {
        let day = day?;
        let is_day = day.file_name().to_str().is_some_and(|name| name.parse::<jiff::civil::Date>().is_ok());
        if is_day && day.file_type()?.is_dir() {
            scan_day(&day.path(), &mut found)?;
        }
    }
    Ok(found)
}

fn scan_day(folder: &Path, found: &mut Found) -> io::Result<()> {
    let mut files: BTreeMap<Ulid, Vec<(String, u64)>> = BTreeMap::new();
    for file in fs::read_dir(folder)? {
        let file = file?;
        let name = file.file_name();
        let Some(name) = name.to_str() else { continue };
        // Where the file system has no files without a name, one that was being written is hidden and carries the name that it would have got.
        if name.strip_prefix('.').and_then(|rest| parse(rest.get(..26)?)).is_some() {
            found.torn.push(file.path());
            continue;
        }
        let Some((id, ending)) = name.split_once('.').and_then(|(id, ending)| Some((parse(id)?, ending))) else {
            continue;
        };
        if ending == NOTE || ENDINGS.contains(&ending) {
            files.entry(id).or_default().push((ending.to_owned(), file.metadata()?.len()));
        }
    }
    for (id, files) in files {
        let picture = ENDINGS.iter().find(|ending| files.iter().any(|(e, _)| e == *ending));
        let has_note = files.iter().any(|(ending, _)| ending == NOTE);
        match picture {
            Some(ending) if has_note && files.len() == 2 => {
                let bytes = files.iter().map(|(_, len)| blocks(*len)).sum();
                found.pictures.insert(id, Entry { bytes, ending, summary: Arc::default() });
            }
            _ => found.torn.extend(files.iter().map(|(ending, _)| folder.join(format!("{id}.{ending}")))),
        }
    }
    Ok(())
}

/// Bytes of the pictures in a folder that nobody may have opened yet.
pub(super) fn bytes_in(folder: &Path) -> u64 {
    scan(folder).map_or(0, |found| found.pictures.values().map(|e| e.bytes).sum())
}

/// An id in the one way in which it is written.
fn parse(id: &str) -> Option<Ulid> {
    let read = Ulid::from_string(id).ok()?;
    (read.to_string() == id).then_some(read)
}

/// The folder of an id: the day of its time, UTC.
fn day_of(id: Ulid) -> String {
    let at = i64::try_from(id.timestamp_ms()).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    at.unwrap_or(jiff::Timestamp::UNIX_EPOCH).strftime("%Y-%m-%d").to_string()
}

fn now_ms() -> u64 {
    WallClock::read().unix_ms(andon_core::Mono::now())
}

fn blocks(bytes: u64) -> u64 {
    bytes.div_ceil(4096) * 4096
}

/// A file that is whole or not there, also after a loss of power.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = AtomicWriteFile::open(path)?;
    file.write_all(bytes)?;
    file.commit()
}

/// Removes a file; one that is not there is no matter.
fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            tracing::warn!("cannot remove the old picture {}: {e}", path.display());
        }
        _ => {}
    }
}

#[cfg(test)]
#[path = "ring/tests.rs"]
mod tests;
