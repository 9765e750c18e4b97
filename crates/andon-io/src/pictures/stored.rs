//! One picture of the ring, as it lies on disk.

use std::path::{Path, PathBuf};

use image::DynamicImage;
use ulid::Ulid;

use super::coding::{from_png, jpeg, viewable};
use super::error::PictureError;
use super::heat::heatmap_png;
use super::note::{Note, PICTURE_SCHEMA, PictureSummary};
use andon_core::{AnomalyMap, OwnedFrame, PixelFormat};

/// JPEG quality of what is only looked at.
pub(super) const QUALITY: u8 = 85;

/// A picture in the ring. Its note was read; its pixels are read when they are asked for, and may be gone by then
/// ([`PictureError::is_gone`]).
#[derive(Clone, Debug)]
pub struct StoredPicture {
    note: Note,
    note_path: PathBuf,
    path: PathBuf,
}

impl StoredPicture {
    pub(super) fn open(note_path: &Path, path: &Path, id: Ulid) -> Result<StoredPicture, PictureError> {
        let bytes = std::fs::read(note_path).map_err(PictureError::file(note_path))?;
        let note: Note = serde_json::from_slice(&bytes)
            .map_err(|source| PictureError::Note { path: note_path.to_owned(), source })?;
        if note.schema != PICTURE_SCHEMA || note.id != id.to_string() {
            return Err(PictureError::Mismatch { path: note_path.to_owned(), why: "not the note of this picture" });
        }
        Ok(StoredPicture { note, note_path: note_path.to_owned(), path: path.to_owned() })
    }

    /// What a list shows of it.
    pub fn summary(&self) -> PictureSummary {
        PictureSummary::of(&self.note)
    }

    /// The verdict on its part, as on the wire.
    pub fn verdict_json(&self) -> String {
        self.note.verdict.to_string()
    }

    /// Columns and rows of the frame, in whose pixels the verdict's regions are.
    pub fn frame_size(&self) -> [u32; 2] {
        let side = |pixels: usize| u32::try_from(pixels).unwrap_or(u32::MAX);
        [side(self.note.picture.width), side(self.note.picture.height)]
    }

    /// Whether [`StoredPicture::frame`] gives the very pixels that were judged; not so for JPEG.
    pub fn is_lossless(&self) -> bool {
        self.note.picture.file == "png"
    }

    /// The frame. A lossless one gives every detector exactly the pixels that were judged; of a JPEG it is what JPEG left of them, as grey or RGB.
    ///
    /// # Errors
    /// [`PictureError`]; [`PictureError::is_gone`] once it was removed as the oldest.
    pub fn frame(&self) -> Result<OwnedFrame, PictureError> {
        let bytes = self.bytes()?;
        if !self.is_lossless() {
            return self.decoded(&bytes);
        }
        let layout = &self.note.picture;
        let mismatch = |why| PictureError::Mismatch { path: self.path.clone(), why };
        let format = layout.format().ok_or(mismatch("its note names an unknown layout of pixels"))?;
        let frame = from_png(&bytes, format, (layout.width, layout.height), layout.odd)?;
        frame.ok_or(mismatch("not a picture of the size and layout in its note"))
    }

    fn decoded(&self, bytes: &[u8]) -> Result<OwnedFrame, PictureError> {
        let image = image::load_from_memory_with_format(bytes, image::ImageFormat::Jpeg)?;
        let size = (image.width() as usize, image.height() as usize);
        let frame = match image {
            DynamicImage::ImageLuma8(grey) => OwnedFrame::new(PixelFormat::Gray8, size, [0; 2], grey.into_raw()),
            other => OwnedFrame::new(PixelFormat::Rgb8, size, [0; 2], other.into_rgb8().into_raw()),
        };
        frame.ok_or(PictureError::Empty)
    }

    /// The file as it lies on disk, and its media type. A lossless picture of NV12 shows its two planes and is meant for programs.
    ///
    /// # Errors
    /// [`PictureError`].
    pub fn file(&self) -> Result<(Vec<u8>, &'static str), PictureError> {
        Ok((self.bytes()?, if self.is_lossless() { "image/png" } else { "image/jpeg" }))
    }

    /// Its note as it lies on disk: JSON.
    ///
    /// # Errors
    /// [`PictureError`].
    pub fn note(&self) -> Result<String, PictureError> {
        std::fs::read_to_string(&self.note_path).map_err(PictureError::file(&self.note_path))
    }

    /// The picture for a browser, in its full size, as JPEG.
    ///
    /// # Errors
    /// [`PictureError`].
    pub fn jpeg(&self) -> Result<Vec<u8>, PictureError> {
        if self.is_lossless() { self.shown(None) } else { self.bytes() }
    }

    /// A small picture as JPEG, its longer side `max_px` pixels at most.
    ///
    /// # Errors
    /// [`PictureError`].
    pub fn thumbnail(&self, max_px: u32) -> Result<Vec<u8>, PictureError> {
        self.shown(Some(max_px.max(1)))
    }

    fn shown(&self, max_px: Option<u32>) -> Result<Vec<u8>, PictureError> {
        let frame = self.frame()?;
        jpeg(&viewable(&frame.view().ok_or(PictureError::Empty)?)?, QUALITY, max_px)
    }

    /// The anomaly map with the baseline and the threshold of its scale, if it was kept.
    ///
    /// # Errors
    /// [`PictureError::Mismatch`] if the note does not hold a whole map.
    pub fn map(&self) -> Result<Option<(AnomalyMap, f32, f32)>, PictureError> {
        let Some(note) = &self.note.map else { return Ok(None) };
        let damaged = || PictureError::Mismatch { path: self.note_path.clone(), why: "its anomaly map is not whole" };
        let map = note.map().ok_or_else(damaged)?;
        Ok(Some((map, note.baseline, note.threshold)))
    }

    /// The heatmap to lay over the picture and to be stretched to its size: a PNG with transparency, nothing where a patch is like a typical
    /// good one, yellow at the threshold, red at twice that way. `None` if no map was kept.
    ///
    /// # Errors
    /// [`PictureError`].
    pub fn heatmap_png(&self) -> Result<Option<Vec<u8>>, PictureError> {
        match self.map()? {
            Some((map, baseline, threshold)) => heatmap_png(&map, baseline, threshold),
            None => Ok(None),
        }
    }

    fn bytes(&self) -> Result<Vec<u8>, PictureError> {
        std::fs::read(&self.path).map_err(PictureError::file(&self.path))
    }
}
