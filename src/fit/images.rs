//! Pictures that users give: decoded by content, with limits, refused with one clear line.

use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use thiserror::Error;

use crate::types::{FrameView, PixelFormat};

/// Longest side that is decoded.
pub const MAX_SIDE: u32 = 16_384;
/// Memory that decoding one picture may take.
const MAX_ALLOC: u64 = 1 << 30;
/// Files above this are refused unread.
const MAX_FILE: u64 = 1 << 30;

/// A decoded picture: 8-bit RGB, rows without padding. 16-bit pictures are scaled down, grey is copied to the three
/// channels, transparency is dropped, and an EXIF orientation is ignored: the camera sees what the sensor sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `width * height * 3` bytes.
    pub rgb: Vec<u8>,
}

impl Picture {
    /// The picture as a frame's pixels; `None` if it is empty.
    pub fn view(&self) -> Option<FrameView<'_>> {
        let (w, h) = (self.width as usize, self.height as usize);
        FrameView::new(PixelFormat::Rgb8, w, h, w * 3, &self.rgb)
    }
}

/// Why a picture, or a folder of them, is refused.
#[derive(Debug, Error)]
pub enum ImageError {
    /// Cannot be opened or read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// File or folder.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// Nothing in it.
    #[error("{path} is empty (0 bytes); copy it again")]
    Empty {
        /// File.
        path: PathBuf,
    },
    /// No known picture format.
    #[error("{path} is no picture that andon reads (PNG, JPEG, BMP, TIFF); export it as one of these")]
    WrongKind {
        /// File.
        path: PathBuf,
    },
    /// Too large to decode.
    #[error("{path} has {width}x{height} pixels; at most {MAX_SIDE} a side are read: crop it to the part")]
    TooLarge {
        /// File.
        path: PathBuf,
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// A file of a size that no picture of a part has.
    #[error("{path} has {bytes} bytes, more than the {MAX_FILE} that are read: is it a picture?")]
    HugeFile {
        /// File.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// The format is right, the content is not.
    #[error("{path} is damaged ({why}); copy it again or leave it out")]
    Damaged {
        /// File.
        path: PathBuf,
        /// The decoder's words.
        why: String,
    },
    /// A folder without pictures.
    #[error("no pictures (png, jpg, jpeg, bmp, tif, tiff) in {path}; subfolders are not searched")]
    NoImages {
        /// Folder.
        path: PathBuf,
    },
}

/// The pictures of a folder, sorted by name; hidden files and subfolders are left out.
///
/// # Errors
/// [`ImageError::Read`] when it is no readable folder, [`ImageError::NoImages`] when it holds none.
pub fn list_images(folder: &Path) -> Result<Vec<PathBuf>, ImageError> {
    let read = |source| ImageError::Read { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(read)? {
        let path = entry.map_err(read)?.path();
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_lowercase();
        let hidden = path.file_name().and_then(|n| n.to_str()).is_none_or(|n| n.starts_with('.'));
        if !hidden && ["png", "jpg", "jpeg", "bmp", "tif", "tiff"].contains(&extension.as_str()) && !path.is_dir() {
            found.push(path);
        }
    }
    if found.is_empty() {
        return Err(ImageError::NoImages { path: folder.to_owned() });
    }
    found.sort();
    Ok(found)
}

/// Decodes one picture by its content, whatever its name says. Its size is checked before any pixel is decoded.
///
/// # Errors
/// See [`ImageError`].
pub fn read_image(path: &Path) -> Result<Picture, ImageError> {
    let path = path.to_owned();
    let read = |source| ImageError::Read { path: path.clone(), source };
    let damaged = |e: image::ImageError| ImageError::Damaged { path: path.clone(), why: one_line(&e) };
    let file = std::fs::File::open(&path).map_err(read)?;
    let about = file.metadata().map_err(read)?;
    if about.len() > MAX_FILE {
        return Err(ImageError::HugeFile { path, bytes: about.len() });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(about.len()).unwrap_or(0));
    file.take(MAX_FILE).read_to_end(&mut bytes).map_err(read)?;
    if bytes.is_empty() {
        return Err(ImageError::Empty { path });
    }
    let Ok(format) = image::guess_format(&bytes) else { return Err(ImageError::WrongKind { path }) };
    if !matches!(format, ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::Bmp | ImageFormat::Tiff) {
        return Err(ImageError::WrongKind { path });
    }
    let decoder = ImageReader::with_format(Cursor::new(&bytes), format).into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    if width > MAX_SIDE || height > MAX_SIDE {
        return Err(ImageError::TooLarge { path, width, height });
    }
    if format == ImageFormat::Jpeg && !jpeg_is_whole(&bytes) {
        return Err(ImageError::Damaged { path, why: "the file ends before the picture does".into() });
    }
    let mut reader = ImageReader::with_format(Cursor::new(&bytes), format);
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(MAX_SIDE), Some(MAX_SIDE));
    limits.max_alloc = Some(MAX_ALLOC);
    reader.limits(limits);
    let rgb = match reader.decode().map_err(damaged)? {
        DynamicImage::ImageRgb8(rgb) => rgb,
        other => other.to_rgb8(),
    };
    if width == 0 || height == 0 {
        return Err(ImageError::Damaged { path, why: "it has no pixels".into() });
    }
    Ok(Picture { width, height, rgb: rgb.into_raw() })
}

/// JPEG decoders fill what is missing with grey and say nothing, so the end marker is looked for: it must come after the
/// last start of scan. (Inside a scan, the byte 0xFF is always followed by 0 or a restart marker.)
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    let last = |marker: u8| bytes.windows(2).rposition(|w| w == [0xff, marker]);
    matches!((last(0xda), last(0xd9)), (Some(scan), Some(end)) if end > scan)
}

fn one_line(error: &dyn std::fmt::Display) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
