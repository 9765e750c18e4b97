//! Pictures to learn from, collected while the line runs: those of the next parts of a camera, whatever becomes of the parts, as lossless
//! files in a folder of their own. The `pictures` thread writes them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use atomic_write_file::AtomicWriteFile;

use super::coding::save_png;
use super::error::PictureError;
use andon_core::{CameraId, OwnedFrame, PictureWants};

/// What is being collected of a camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// Where the pictures go; the folder is there.
    pub folder: PathBuf,
    /// How many are wanted.
    pub want: usize,
    /// How many came.
    pub have: usize,
    /// Why it ended before its end.
    pub fault: Option<String>,
}

impl Collection {
    /// Whether more pictures are to come.
    pub fn runs(&self) -> bool {
        self.have < self.want && self.fault.is_none()
    }
}

/// Collects pictures of cameras. Clones share what they collect.
#[derive(Clone, Debug)]
pub struct PictureCollector(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    wants: Arc<PictureWants>,
    /// By camera: the last one that was asked for.
    cameras: Vec<Mutex<Option<Collection>>>,
}

impl PictureCollector {
    /// Nothing is collected yet, of so many cameras.
    pub fn new(cameras: usize, wants: Arc<PictureWants>) -> PictureCollector {
        let cameras = (0..cameras).map(|_| Mutex::default()).collect();
        PictureCollector(Arc::new(Inner { wants, cameras }))
    }

    /// Begins to collect the pictures of the camera's next `want` parts into a folder that is there. What was collected before stays where
    /// it is. False if the camera is not there, or is being collected from.
    pub fn start(&self, camera: CameraId, folder: &Path, want: usize) -> bool {
        let Some(mut slot) = self.slot(camera) else { return false };
        if slot.as_ref().is_some_and(Collection::runs) {
            return false;
        }
        *slot = Some(Collection { folder: folder.to_owned(), want, have: 0, fault: None });
        self.0.wants.collect(camera, want > 0);
        true
    }

    /// Ends before so many came.
    pub fn stop(&self, camera: CameraId) {
        self.0.wants.collect(camera, false);
        if let Some(mut slot) = self.slot(camera)
            && let Some(collection) = slot.as_mut()
        {
            collection.want = collection.have;
        }
    }

    /// What is, or was last, collected of a camera.
    pub fn of(&self, camera: CameraId) -> Option<Collection> {
        self.slot(camera)?.clone()
    }

    /// Takes the picture of a part under the id of its verdict. A disk that cannot ends the collection, which says so.
    pub(super) fn take(&self, camera: CameraId, id: &str, frame: &OwnedFrame) {
        let Some(mut slot) = self.slot(camera) else { return };
        let Some(collection) = slot.as_mut().filter(|collection| collection.runs()) else { return };
        match save(&collection.folder.join(format!("{id}.png")), frame) {
            Ok(()) => collection.have += 1,
            Err(e) => {
                tracing::error!("pictures to learn from are no longer collected: {e}");
                collection.fault = Some(e.to_string());
            }
        }
        if !collection.runs() {
            self.0.wants.collect(camera, false);
        }
    }

    fn slot(&self, camera: CameraId) -> Option<MutexGuard<'_, Option<Collection>>> {
        Some(self.0.cameras.get(camera.index())?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn save(path: &Path, frame: &OwnedFrame) -> Result<(), PictureError> {
    let png = save_png(frame)?;
    let write = || {
        let mut file = AtomicWriteFile::open(path)?;
        file.write_all(&png)?;
        file.commit()
    };
    write().map_err(PictureError::file(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::PixelFormat;

    fn frame(level: u8) -> OwnedFrame {
        OwnedFrame::new(PixelFormat::Gray8, (3, 2), [0; 2], vec![level; 6]).unwrap()
    }

    #[test]
    fn so_many_pictures_are_collected_and_the_next_one_is_wanted_no_more() {
        let (folder, wants, top) = (tempfile::tempdir().unwrap(), Arc::new(PictureWants::default()), CameraId(0));
        let collector = PictureCollector::new(1, wants.clone());
        assert!(!collector.start(CameraId(1), folder.path(), 2), "no such camera");
        assert!(collector.start(top, folder.path(), 2) && !collector.start(top, folder.path(), 5));
        for (n, id) in ["A", "B", "C"].into_iter().enumerate() {
            assert_eq!(wants.collects(top), n < 2);
            collector.take(top, id, &frame(n as u8));
        }
        let names: std::collections::BTreeSet<String> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["A.png", "B.png"]);
        assert_eq!(collector.of(top).map(|c| (c.have, c.want, c.runs())), Some((2, 2, false)));
        assert!(collector.start(top, folder.path(), 9));
        collector.stop(top);
        assert!(!collector.of(top).unwrap().runs() && !wants.collects(top));
    }

    #[test]
    fn a_folder_that_is_gone_ends_the_collection_with_words() {
        let (folder, wants, top) = (tempfile::tempdir().unwrap(), Arc::new(PictureWants::default()), CameraId(0));
        let collector = PictureCollector::new(1, wants.clone());
        collector.start(top, &folder.path().join("gone"), 2);
        collector.take(top, "A", &frame(1));
        let ended = collector.of(top).unwrap();
        assert!(ended.fault.as_ref().is_some_and(|why| why.contains("gone")) && !wants.collects(top), "{ended:?}");
    }
}
