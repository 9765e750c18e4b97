//! Pictures that users give: decoded by content, with limits, refused with one clear line.

use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use thiserror::Error;

use super::jpeg;
use crate::preprocess::{InputSpec, Preprocessor};
use andon_core::{FrameView, PixelFormat};

/// Longest side that is decoded.
pub const MAX_SIDE: u32 = 16_384;
/// Memory that decoding one picture may take.
const MAX_ALLOC: u64 = 1 << 30;
/// Files above this are refused unread.
const MAX_FILE: u64 = 1 << 30;

/// Endings of files that are read as pictures; what they hold is told by their content.
const ENDINGS: [&str; 9] = ["png", "jpg", "jpeg", "jpe", "jfif", "jif", "bmp", "tif", "tiff"];

/// A picture in 8-bit RGB, rows without padding; grey is copied to the three channels.
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

    /// The same for pictures of the same pixels, and for no others.
    pub fn digest(&self) -> [u8; 32] {
        *blake3::hash(&self.rgb).as_bytes()
    }
}

/// A decoded picture as its file has it, turned as its EXIF orientation says: 8-bit RGB, or 16-bit grey or RGB. Transparency is dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawPicture {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `Rgb8`, `Gray16Le` or `Rgb16Le`.
    pub format: PixelFormat,
    /// `width * height` pixels.
    pub data: Vec<u8>,
    /// The file has one channel (and perhaps transparency).
    pub grey: bool,
}

impl RawPicture {
    /// The picture as a frame's pixels; `None` if it is empty.
    pub fn view(&self) -> Option<FrameView<'_>> {
        let (w, h) = (self.width as usize, self.height as usize);
        FrameView::new(self.format, w, h, w * self.format.bytes_per_pixel(), &self.data)
    }

    /// In 8 bits: of a 16-bit picture, `range` becomes 0 to 255, as a detector with this range sees it. Without a range, that of the
    /// fewest bits (see [`bits_range`]) that hold the picture.
    pub fn into_8_bit(self, range: Option<[u16; 2]>) -> Picture {
        let (width, height) = (self.width, self.height);
        let Some(view) = self.view().filter(|_| self.format != PixelFormat::Rgb8) else {
            return Picture { width, height, rgb: self.data };
        };
        let range = Some(range.unwrap_or_else(|| bits_range(view.brightest())));
        let spec = InputSpec { width, height, mean: [0.0; 3], scale: [1.0; 3], range };
        let mut rgb = vec![0; spec.len()];
        Preprocessor::new(spec).resize_rgb_into(&view, &mut rgb);
        Picture { width, height, rgb }
    }
}

/// The range of the fewest bits of camera data (10, 12, 14 or 16) that hold this value.
pub fn bits_range(brightest: u16) -> [u16; 2] {
    let top = [10u32, 12, 14].map(|bits| (1u16 << bits) - 1).into_iter().find(|top| brightest <= *top);
    [0, top.unwrap_or(u16::MAX)]
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
    /// A kind of picture inside a known format that cannot be decoded.
    #[error(
        "{path} is of a kind that is not read ({why}); save it as 8- or 16-bit grey or RGB, without compression or with a common one"
    )]
    Unsupported {
        /// File.
        path: PathBuf,
        /// The decoder's words.
        why: String,
    },
    /// A mask that does not fit on its picture.
    #[error(
        "{path} has {got_w}x{got_h} pixels and its picture {want_w}x{want_h}: it is not the mask of this picture, or was turned or scaled"
    )]
    MaskShape {
        /// Mask.
        path: PathBuf,
        /// Its columns.
        got_w: u32,
        /// Its rows.
        got_h: u32,
        /// Columns of the picture.
        want_w: u32,
        /// Rows of the picture.
        want_h: u32,
    },
    /// Values that the model's range does not hold.
    #[error("{path}: {why}")]
    OutOfRange {
        /// File.
        path: PathBuf,
        /// Which value, and the range.
        why: String,
    },
    /// A folder without pictures.
    #[error("no pictures ({}) in {path}{}; subfolders are not searched", ENDINGS.join(", "), there_is(.left_out))]
    NoImages {
        /// Folder.
        path: PathBuf,
        /// What is there instead.
        left_out: Vec<String>,
    },
}

fn there_is(left_out: &[String]) -> String {
    if left_out.is_empty() { String::new() } else { format!(", only {}", some(left_out)) }
}

/// The first few of many names, and how many more there are.
pub(crate) fn some(names: &[String]) -> String {
    let first = names.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > 5 { format!("{first} and {} more", names.len() - 5) } else { first }
}

/// What a folder holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The pictures, sorted by name.
    pub pictures: Vec<PathBuf>,
    /// What is neither a picture that is read nor hidden, sorted: files of other kinds, folders, links to nothing.
    pub left_out: Vec<String>,
}

impl Listing {
    /// One line about what was left out of `folder`; `None` if nothing was.
    pub fn note(&self, folder: &Path) -> Option<String> {
        let (n, names) = (self.left_out.len(), some(&self.left_out));
        (n > 0).then(|| {
            format!(
                "left out of {}: {n} that are no pictures ({}) or no files: {names}",
                folder.display(),
                ENDINGS.join(", ")
            )
        })
    }
}

/// The pictures of a folder, sorted by name, and what else is in it. Hidden files are not mentioned; subfolders are not searched.
///
/// # Errors
/// [`ImageError::Read`] when it is no readable folder, [`ImageError::NoImages`] when it holds none.
pub fn list_images(folder: &Path) -> Result<Listing, ImageError> {
    let read = |source| ImageError::Read { path: folder.to_owned(), source };
    let mut found = Listing::default();
    for entry in std::fs::read_dir(folder).map_err(read)? {
        let path = entry.map_err(read)?.path();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        if name.starts_with('.') {
            continue;
        }
        match path.is_file() && ENDINGS.contains(&ending.as_str()) {
            true => found.pictures.push(path),
            false => found.left_out.push(name),
        }
    }
    found.pictures.sort();
    found.left_out.sort();
    if found.pictures.is_empty() {
        return Err(ImageError::NoImages { path: folder.to_owned(), left_out: found.left_out });
    }
    Ok(found)
}

/// Decodes one picture and brings it to 8 bits by the fewest bits that hold it: for people to look at, and for masks.
///
/// # Errors
/// See [`ImageError`].
pub fn read_image(path: &Path) -> Result<Picture, ImageError> {
    read_raw(path).map(|picture| picture.into_8_bit(None))
}

/// Decodes one picture by its content, whatever its name says. Its size is checked before any pixel is decoded.
///
/// # Errors
/// See [`ImageError`].
pub fn read_raw(path: &Path) -> Result<RawPicture, ImageError> {
    raw(path, decode(path)?)
}

/// Decodes the bytes of one picture as [`read_raw`] does; `name` stands in errors.
///
/// # Errors
/// See [`ImageError`].
pub fn raw_of_bytes(name: &Path, bytes: &[u8]) -> Result<RawPicture, ImageError> {
    raw(name, decode_bytes(name, bytes)?)
}

fn raw(path: &Path, decoded: DynamicImage) -> Result<RawPicture, ImageError> {
    let (width, height) = (decoded.width(), decoded.height());
    let grey = !decoded.color().has_color();
    let little = |values: Vec<u16>| values.into_iter().flat_map(u16::to_le_bytes).collect();
    let (format, data) = match decoded {
        DynamicImage::ImageRgb8(rgb) => (PixelFormat::Rgb8, rgb.into_raw()),
        other @ (DynamicImage::ImageLuma16(_) | DynamicImage::ImageLumaA16(_)) => {
            (PixelFormat::Gray16Le, little(other.to_luma16().into_raw()))
        }
        other @ (DynamicImage::ImageRgb16(_) | DynamicImage::ImageRgba16(_)) => {
            (PixelFormat::Rgb16Le, little(other.to_rgb16().into_raw()))
        }
        DynamicImage::ImageRgb32F(_) | DynamicImage::ImageRgba32F(_) => {
            let why = "values with a decimal point, whose range nobody knows".to_owned();
            return Err(ImageError::Unsupported { path: path.to_owned(), why });
        }
        other => (PixelFormat::Rgb8, other.to_rgb8().into_raw()),
    };
    Ok(RawPicture { width, height, format, data, grey })
}

/// Where a mask file of a picture of this size says that it is defective: every value but 0 (masks are written with 1, 255 or numbers of
/// defects, in 8 or 16 bits); in a JPEG, whose black is not quite 0, every value from half on; if all pixels have one colour, where they
/// are opaque. With the largest grey value there, which numbers the defect in some sets.
///
/// # Errors
/// See [`ImageError`]; another size is refused.
pub fn read_truth(path: &Path, [want_w, want_h]: [u32; 2]) -> Result<(Vec<bool>, u16), ImageError> {
    let decoded = decode(path)?;
    let (got_w, got_h) = (decoded.width(), decoded.height());
    if (got_w, got_h) != (want_w, want_h) {
        return Err(ImageError::MaskShape { path: path.to_owned(), got_w, got_h, want_w, want_h });
    }
    let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    let lossy = ending.starts_with('j');
    let (alpha, rgba) = (decoded.color().has_alpha(), decoded.to_rgba16());
    let first = rgba.pixels().next().map(|p| [p[0], p[1], p[2]]);
    let painted = alpha
        && rgba.pixels().all(|p| Some([p[0], p[1], p[2]]) == first)
        && rgba.pixels().any(|p| Some(p[3]) != rgba.pixels().next().map(|q| q[3]));
    let least = if lossy { 0x8000 } else { 1 };
    let defect =
        |p: &image::Rgba<u16>| if painted { p[3] > 0 } else { p[3] > 0 && p.0[..3].iter().any(|v| *v >= least) };
    // Grey levels as they stand in a file of 8 bits.
    let value = rgba.pixels().filter(|p| defect(p)).map(|p| p[0] / 257).max().unwrap_or(0);
    Ok((rgba.pixels().map(defect).collect(), value))
}

/// The decoded file, turned as its EXIF orientation says.
pub(super) fn decode(path: &Path) -> Result<DynamicImage, ImageError> {
    let path = path.to_owned();
    let read = |source| ImageError::Read { path: path.clone(), source };
    let file = std::fs::File::open(&path).map_err(read)?;
    let about = file.metadata().map_err(read)?;
    if about.len() > MAX_FILE {
        return Err(ImageError::HugeFile { path, bytes: about.len() });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(about.len()).unwrap_or(0));
    file.take(MAX_FILE).read_to_end(&mut bytes).map_err(read)?;
    decode_bytes(&path, &bytes)
}

fn decode_bytes(path: &Path, bytes: &[u8]) -> Result<DynamicImage, ImageError> {
    let path = path.to_owned();
    let refused = |e: image::ImageError| match e {
        image::ImageError::Unsupported(_) => ImageError::Unsupported { path: path.clone(), why: one_line(&e) },
        e => ImageError::Damaged { path: path.clone(), why: one_line(&e) },
    };
    if bytes.is_empty() {
        return Err(ImageError::Empty { path });
    }
    let Ok(format) = image::guess_format(bytes) else { return Err(ImageError::WrongKind { path }) };
    if !matches!(format, ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::Bmp | ImageFormat::Tiff) {
        return Err(ImageError::WrongKind { path });
    }
    let decoder = ImageReader::with_format(Cursor::new(bytes), format).into_decoder().map_err(refused)?;
    let (width, height) = decoder.dimensions();
    if width > MAX_SIDE || height > MAX_SIDE {
        return Err(ImageError::TooLarge { path, width, height });
    }
    if width == 0 || height == 0 {
        return Err(ImageError::Damaged { path, why: "it has no pixels".into() });
    }
    if format == ImageFormat::Jpeg && !jpeg::is_whole(bytes) {
        return Err(ImageError::Damaged { path, why: "the file ends before the picture does".into() });
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(MAX_SIDE), Some(MAX_SIDE));
    limits.max_alloc = Some(MAX_ALLOC);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(refused)?;
    let turned = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut decoded = DynamicImage::from_decoder(decoder).map_err(refused)?;
    decoded.apply_orientation(turned);
    Ok(decoded)
}

fn one_line(error: &dyn std::fmt::Display) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
