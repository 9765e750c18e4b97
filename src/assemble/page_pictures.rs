//! The pictures of the operator's page: those of now, in memory, and those of the ring on disk. The page's own threads ask; the line does not
//! notice. What has to be coded for somebody is coded one at a time, and kept for the next who asks.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::pictures::Pictures;
use andon_core::CameraId;
use andon_io::pictures::{PictureError, StoredPicture};
use andon_service::page::{KeptFiles, Picture, PictureKind, PictureSource, SetUpPicture};

const JPEG: &str = "image/jpeg";
const PNG: &str = "image/png";
/// The longer side of a thumbnail, pixels: what a strip shows, on a screen of twice the density.
const THUMBNAIL: u32 = 240;
/// Bytes of coded pictures that are kept for those who ask next: some thousand thumbnails, or a dozen large pictures.
const CODED_BYTES: usize = 16 << 20;
/// Frame sizes of pictures on disk that are remembered.
const SIZES: usize = 1024;

/// What was coded or read for somebody, and is kept for the next.
#[derive(Default)]
struct Coded {
    /// Used last, last.
    pictures: VecDeque<(String, PictureKind, Picture)>,
    bytes: usize,
    /// Columns and rows of the frames of pictures on disk, oldest first.
    sizes: VecDeque<(String, [u32; 2])>,
}

impl Coded {
    fn get(&mut self, id: &str, kind: PictureKind) -> Option<Picture> {
        let at = self.pictures.iter().position(|(known, of, _)| known == id && *of == kind)?;
        let entry = self.pictures.remove(at)?;
        let picture = entry.2.clone();
        self.pictures.push_back(entry);
        Some(picture)
    }

    fn put(&mut self, id: &str, kind: PictureKind, picture: &Picture) {
        self.bytes += picture.bytes.len();
        self.pictures.push_back((id.to_owned(), kind, picture.clone()));
        while self.bytes > CODED_BYTES
            && let Some((_, _, oldest)) = self.pictures.pop_front()
        {
            self.bytes -= oldest.bytes.len();
        }
    }

    fn size(&self, id: &str) -> Option<[u32; 2]> {
        self.sizes.iter().find(|(known, _)| known == id).map(|(_, size)| *size)
    }

    fn put_size(&mut self, id: &str, size: [u32; 2]) {
        if self.sizes.len() == SIZES {
            self.sizes.pop_front();
        }
        self.sizes.push_back((id.to_owned(), size));
    }
}

/// The pictures of a line, for its page.
pub(super) struct PagePictures {
    pictures: Pictures,
    coded: Mutex<Coded>,
    /// Held while something is coded: two who ask for the same get it from one coding.
    coder: Mutex<()>,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl PagePictures {
    /// From now on the last parts that did not pass stay in memory with their pictures, whether somebody looks or not.
    pub fn new(pictures: Pictures) -> PagePictures {
        pictures.live.keep_recent(true);
        PagePictures { pictures, coded: Mutex::default(), coder: Mutex::default() }
    }

    fn stored(&self, id: &str) -> Option<StoredPicture> {
        self.pictures.ring.as_ref()?.find(id)
    }

    /// Reads from the disk, or codes; `None` if there is nothing to code.
    fn code(&self, id: &str, kind: PictureKind) -> Result<Option<Picture>, PictureError> {
        let picture = |bytes: Vec<u8>, media_type| Picture { bytes: bytes.into(), media_type };
        if let Some(live) = self.pictures.live.by_id(id)
            && kind == PictureKind::Thumbnail
        {
            return Ok(Some(picture(live.thumbnail(THUMBNAIL)?, JPEG)));
        }
        let Some(stored) = self.stored(id) else { return Ok(None) };
        Ok(match kind {
            PictureKind::Whole => Some(picture(stored.jpeg()?, JPEG)),
            PictureKind::Thumbnail => Some(picture(stored.thumbnail(THUMBNAIL)?, JPEG)),
            PictureKind::Heatmap => stored.heatmap_png()?.map(|png| picture(png, PNG)),
        })
    }
}

impl PictureSource for PagePictures {
    fn watch(&self, camera: CameraId) -> Box<dyn Send> {
        Box::new(self.pictures.live.watch(camera))
    }

    fn latest(&self, camera: CameraId) -> Option<String> {
        Some(self.pictures.live.latest(camera)?.verdict_json.clone())
    }

    fn version(&self) -> u64 {
        self.pictures.live.version()
    }

    fn frame_size(&self, id: &str) -> Option<[u32; 2]> {
        if let Some(live) = self.pictures.live.by_id(id) {
            return Some(live.frame_size);
        }
        if let Some(size) = lock(&self.coded).size(id) {
            return Some(size);
        }
        let size = self.stored(id)?.frame_size();
        lock(&self.coded).put_size(id, size);
        Some(size)
    }

    fn verdict(&self, id: &str) -> Option<String> {
        match self.pictures.live.by_id(id) {
            Some(live) => Some(live.verdict_json.clone()),
            None => Some(self.stored(id)?.verdict_json()),
        }
    }

    fn beside(&self, id: &str) -> [Option<String>; 2] {
        if let Some(ring) = &self.pictures.ring {
            return ring.beside(id);
        }
        let Some(live) = self.pictures.live.by_id(id) else { return [None, None] };
        let recent = self.pictures.live.recent(live.camera);
        let Some(n) = recent.iter().position(|part| part.id == id) else { return [None, None] };
        [n.checked_sub(1), Some(n + 1)].map(|n| Some(recent.get(n?)?.id.clone()))
    }

    fn kept(&self, id: &str) -> Option<KeptFiles> {
        let stored = self.stored(id)?;
        let ending = if stored.is_lossless() { "png" } else { "jpg" };
        // One that is removed as the oldest meanwhile is not kept.
        Some(KeptFiles { ending, picture: stored.file().ok()?.0, note: stored.note().ok()? })
    }

    fn ask_to_set_up(&self, camera: CameraId) {
        self.pictures.live.ask(camera);
    }

    fn to_set_up(&self, camera: CameraId) -> Option<SetUpPicture> {
        let live = self.pictures.live.latest(camera)?;
        let figures = live.figures?;
        let picture = Picture { bytes: live.jpeg.clone(), media_type: JPEG };
        Some(SetUpPicture { id: live.id.clone(), picture, figures })
    }

    fn at_hand(&self, id: &str, kind: PictureKind) -> Option<Picture> {
        let live = self.pictures.live.by_id(id);
        let of_now = live.and_then(|live| match kind {
            PictureKind::Whole => Some(Picture { bytes: live.jpeg.clone(), media_type: JPEG }),
            PictureKind::Heatmap => Some(Picture { bytes: live.heatmap_png.clone()?, media_type: PNG }),
            PictureKind::Thumbnail => None,
        });
        of_now.or_else(|| lock(&self.coded).get(id, kind))
    }

    fn read(&self, id: &str, kind: PictureKind) -> Option<Picture> {
        let coder = lock(&self.coder);
        if let Some(picture) = self.at_hand(id, kind) {
            return Some(picture);
        }
        let coded = self.code(id, kind).unwrap_or_else(|e| {
            if !e.is_gone() {
                tracing::warn!("the page cannot show a picture: {e}");
            }
            None
        });
        match &coded {
            Some(picture) => lock(&self.coded).put(id, kind, picture),
            // Removed meanwhile, as the oldest of the ring.
            None if kind != PictureKind::Heatmap => lock(&self.coded).sizes.retain(|(known, _)| known != id),
            None => {}
        }
        drop(coder);
        coded
    }
}

#[cfg(test)]
#[path = "page_pictures/tests.rs"]
mod tests;
