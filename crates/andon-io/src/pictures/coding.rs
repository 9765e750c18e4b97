//! Frames as PNG and JPEG, and back. A PNG holds every value that a detector reads, in an order that a viewer understands where there is one.

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{DynamicImage, ImageBuffer, ImageEncoder, ImageFormat, Luma, Rgb};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::PictureError;
use andon_core::{FrameView, OwnedFrame, PixelFormat, yuv_row_into};

/// How pictures are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PictureFormat {
    /// PNG: a picture can be judged again with exactly the same score.
    #[default]
    Lossless,
    /// JPEG: for looking at, and for learning where that is good enough.
    Jpeg,
}

/// A frame as PNG, coded quickly. NV12 is one grey picture of both planes, luma above the pairs of colour differences.
///
/// # Errors
/// [`PictureError::Empty`], [`PictureError::Coding`].
pub(super) fn png(frame: &OwnedFrame) -> Result<Vec<u8>, PictureError> {
    encode(&as_stored(frame)?)
}

fn encode(image: &DynamicImage) -> Result<Vec<u8>, PictureError> {
    let mut bytes = Vec::new();
    // Neighbours in a row are alike in every camera's picture; trying all filters takes three times as long.
    let encoder = PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Sub);
    encoder.write_image(image.as_bytes(), image.width(), image.height(), image.color().into())?;
    Ok(bytes)
}

/// The values of a frame in a picture that a PNG can hold.
fn as_stored(frame: &OwnedFrame) -> Result<DynamicImage, PictureError> {
    let ((width, height), bytes) = (frame.size(), frame.bytes());
    let format = frame.format();
    let pixels_of = |n: usize| bytes.chunks_exact(n);
    let value = |b: &[u8]| format.value([b[0], b[1]]);
    let (w, h) = (width as u32, height as u32);
    let image = match format {
        PixelFormat::Gray8 => ImageBuffer::from_raw(w, h, bytes.to_vec()).map(DynamicImage::ImageLuma8),
        PixelFormat::Gray16Le | PixelFormat::Gray16Be => {
            let values = pixels_of(2).map(value).collect();
            ImageBuffer::<Luma<u16>, Vec<u16>>::from_raw(w, h, values).map(DynamicImage::ImageLuma16)
        }
        PixelFormat::Rgb16Le => {
            let values = pixels_of(2).map(value).collect();
            ImageBuffer::<Rgb<u16>, Vec<u16>>::from_raw(w, h, values).map(DynamicImage::ImageRgb16)
        }
        PixelFormat::Rgb8 => ImageBuffer::from_raw(w, h, bytes.to_vec()).map(DynamicImage::ImageRgb8),
        PixelFormat::Bgr8 | PixelFormat::Rgba8 | PixelFormat::Bgra8 => {
            let [r, g, b] = order(format);
            let rgb = pixels_of(format.bytes_per_pixel()).flat_map(|p| [p[r], p[g], p[b]]).collect();
            ImageBuffer::from_raw(w, h, rgb).map(DynamicImage::ImageRgb8)
        }
        PixelFormat::Nv12(_) => {
            let (row, rows) = stacked(frame);
            let (luma, pairs) = bytes.split_at(width * height);
            let mut stack = Vec::with_capacity(row * rows);
            for line in luma.chunks_exact(width.max(1)) {
                stack.extend_from_slice(line);
                stack.resize(stack.len() + row - width, 0);
            }
            stack.extend_from_slice(pairs);
            ImageBuffer::from_raw(row as u32, rows as u32, stack).map(DynamicImage::ImageLuma8)
        }
    };
    image.filter(|image| image.width() > 0 && image.height() > 0).ok_or(PictureError::Empty)
}

/// Bytes in a row and rows of an NV12 frame's two planes, one above the other.
fn stacked(frame: &OwnedFrame) -> (usize, usize) {
    let ((width, height), odd) = (frame.size(), frame.odd());
    ((width + odd[0]).div_ceil(2) * 2, height + (height + odd[1]).div_ceil(2))
}

/// Where red, green and blue are in a pixel of three or four bytes.
fn order(format: PixelFormat) -> [usize; 3] {
    match format {
        PixelFormat::Bgr8 | PixelFormat::Bgra8 => [2, 1, 0],
        _ => [0, 1, 2],
    }
}

/// The frame that [`png`] made of one of this layout; `None` if the picture does not hold such a frame.
pub(super) fn from_png(
    bytes: &[u8],
    format: PixelFormat,
    (width, height): (usize, usize),
    odd: [usize; 2],
) -> Result<Option<OwnedFrame>, PictureError> {
    let image = image::load_from_memory_with_format(bytes, ImageFormat::Png)?;
    let data = match (format, image) {
        (PixelFormat::Gray8, DynamicImage::ImageLuma8(image)) => image.into_raw(),
        (PixelFormat::Gray16Le, DynamicImage::ImageLuma16(image)) => {
            image.into_raw().into_iter().flat_map(u16::to_le_bytes).collect()
        }
        (PixelFormat::Gray16Be, DynamicImage::ImageLuma16(image)) => {
            image.into_raw().into_iter().flat_map(u16::to_be_bytes).collect()
        }
        (PixelFormat::Rgb16Le, DynamicImage::ImageRgb16(image)) => {
            image.into_raw().into_iter().flat_map(u16::to_le_bytes).collect()
        }
        (PixelFormat::Rgb8, DynamicImage::ImageRgb8(image)) => image.into_raw(),
        (PixelFormat::Bgr8 | PixelFormat::Rgba8 | PixelFormat::Bgra8, DynamicImage::ImageRgb8(image)) => {
            let [r, g, b] = order(format);
            let rest = format.bytes_per_pixel() - 3;
            let pixel = |p: &[u8; 3]| {
                let mut pixel = [255u8; 4];
                (pixel[r], pixel[g], pixel[b]) = (p[0], p[1], p[2]);
                pixel.into_iter().take(3 + rest)
            };
            image.as_raw().as_chunks::<3>().0.iter().flat_map(pixel).collect()
        }
        (PixelFormat::Nv12(_), DynamicImage::ImageLuma8(image)) => {
            let (row, stack) = (image.width() as usize, image.into_raw());
            let Some((luma, pairs)) = row.checked_mul(height).and_then(|at| stack.split_at_checked(at)) else {
                return Ok(None);
            };
            let mut data: Vec<u8> = Vec::with_capacity(stack.len());
            for line in luma.chunks_exact(row.max(1)) {
                data.extend_from_slice(&line[..width.min(row)]);
            }
            data.extend_from_slice(pairs);
            data
        }
        _ => return Ok(None),
    };
    Ok(OwnedFrame::new(format, (width, height), odd, data))
}

/// A frame as people see it: grey or RGB, 8 bits. 16-bit values are brought down by the fewest bits, 10 to 16, that hold the largest of them.
pub(super) fn viewable(view: &FrameView<'_>) -> Result<DynamicImage, PictureError> {
    let (w, h) = (view.width as u32, view.height as u32);
    let shift = bits(view.brightest()) - 8;
    let narrow = |b: &[u8; 2]| (view.format.value(*b) >> shift) as u8;
    let mut line = Vec::new();
    let mut rgb = Vec::with_capacity(view.width * view.height * 3);
    match view.format {
        PixelFormat::Gray8 | PixelFormat::Gray16Le | PixelFormat::Gray16Be => {
            return Ok(DynamicImage::ImageLuma8(luma(view)));
        }
        PixelFormat::Rgb16Le => {
            (0..view.height).for_each(|y| rgb.extend(view.row(y).as_chunks::<2>().0.iter().map(narrow)));
        }
        PixelFormat::Rgb8 | PixelFormat::Bgr8 | PixelFormat::Rgba8 | PixelFormat::Bgra8 => {
            let ([r, g, b], n) = (order(view.format), view.format.bytes_per_pixel());
            for y in 0..view.height {
                rgb.extend(view.row(y).chunks_exact(n).flat_map(|p| [p[r], p[g], p[b]]));
            }
        }
        PixelFormat::Nv12(_) => {
            for y in 0..view.height {
                yuv_row_into(view, y, &mut line);
                rgb.extend_from_slice(&line);
            }
        }
    }
    ImageBuffer::from_raw(w, h, rgb).map(DynamicImage::ImageRgb8).ok_or(PictureError::Empty)
}

/// The fewest bits of 10, 12, 14 and 16 that hold a value; 8 for a picture of 8 bits, whose brightest 16-bit value is 0.
fn bits(brightest: u16) -> u32 {
    match brightest {
        0 => 8,
        value => [10, 12, 14].into_iter().find(|bits| value >> bits == 0).unwrap_or(16),
    }
}

/// The brightness of a frame, 8 bits a pixel: what is grey as it is, colours by the weights of BT.601. 16-bit values are brought down by the
/// fewest bits, 10 to 16, that hold the largest of them.
pub fn luma(view: &FrameView<'_>) -> image::GrayImage {
    let shift = bits(view.brightest()) - 8;
    let mut grey = Vec::with_capacity(view.width * view.height);
    for y in 0..view.height {
        let row = view.row(y);
        match view.format {
            PixelFormat::Gray8 | PixelFormat::Nv12(_) => grey.extend_from_slice(row),
            PixelFormat::Gray16Le | PixelFormat::Gray16Be => {
                grey.extend(row.as_chunks::<2>().0.iter().map(|b| (view.format.value(*b) >> shift) as u8));
            }
            PixelFormat::Rgb16Le => grey.extend(row.as_chunks::<6>().0.iter().map(|p| {
                let [r, g, b] = [[p[0], p[1]], [p[2], p[3]], [p[4], p[5]]].map(|v| view.format.value(v) >> shift);
                brightness(r.into(), g.into(), b.into())
            })),
            PixelFormat::Rgb8 | PixelFormat::Bgr8 | PixelFormat::Rgba8 | PixelFormat::Bgra8 => {
                let ([r, g, b], n) = (order(view.format), view.format.bytes_per_pixel());
                grey.extend(row.chunks_exact(n).map(|p| brightness(p[r].into(), p[g].into(), p[b].into())));
            }
        }
    }
    // The rows have as many bytes as the view has pixels.
    ImageBuffer::from_raw(view.width as u32, view.height as u32, grey).unwrap_or_default()
}

fn brightness(r: u32, g: u32, b: u32) -> u8 {
    ((77 * r + 150 * g + 29 * b) >> 8) as u8
}

/// A picture as JPEG, with its longer side `max_side` pixels at most.
pub(super) fn jpeg(image: &DynamicImage, quality: u8, max_side: Option<u32>) -> Result<Vec<u8>, PictureError> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
    match max_side.filter(|side| image.width().max(image.height()) > *side) {
        Some(side) => encoder.encode_image(&image.thumbnail(side, side))?,
        None => encoder.encode_image(image)?,
    }
    Ok(bytes)
}

/// A frame as a PNG to learn from: the values of its camera, and of NV12 the colours that its preprocessing sees.
///
/// # Errors
/// [`PictureError::Empty`], [`PictureError::Coding`].
pub fn save_png(frame: &OwnedFrame) -> Result<Vec<u8>, PictureError> {
    match frame.format() {
        PixelFormat::Nv12(_) => encode(&viewable(&frame.view().ok_or(PictureError::Empty)?)?),
        _ => png(frame),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::{SplitMix64, Yuv, YuvMatrix};

    fn noise(bytes: usize) -> Vec<u8> {
        let mut random = SplitMix64::new(7);
        (0..bytes).map(|_| random.next_u64() as u8).collect()
    }

    fn frame(format: PixelFormat, (w, h): (usize, usize)) -> OwnedFrame {
        let bytes = match format {
            PixelFormat::Nv12(_) => w * h + w.div_ceil(2) * 2 * h.div_ceil(2),
            other => w * h * other.bytes_per_pixel(),
        };
        OwnedFrame::new(format, (w, h), [0; 2], noise(bytes)).unwrap()
    }

    const YUV: Yuv = Yuv { matrix: YuvMatrix::Bt709, full_range: false };

    #[test]
    fn every_format_comes_back_from_png_to_the_last_value_that_is_read() {
        use PixelFormat::*;
        for format in [Gray8, Gray16Le, Gray16Be, Rgb16Le, Rgb8, Bgr8, Rgba8, Bgra8, Nv12(YUV)] {
            for size in [(9, 7), (8, 6), (1, 1)] {
                let frame = frame(format, size);
                let got = from_png(&png(&frame).unwrap(), format, size, [0; 2]).unwrap().unwrap();
                let mut want = frame.bytes().to_vec();
                if format.bytes_per_pixel() == 4 {
                    // The byte that nobody reads.
                    want.iter_mut().skip(3).step_by(4).for_each(|b| *b = 255);
                }
                assert!(got.bytes() == want && got.format() == format && got.size() == size, "{format:?} {size:?}");
            }
        }
    }

    #[test]
    fn a_picture_that_is_not_what_its_note_says_is_no_frame() {
        let bytes = png(&frame(PixelFormat::Rgb8, (8, 6))).unwrap();
        for (format, size) in
            [(PixelFormat::Rgb8, (8, 7)), (PixelFormat::Gray8, (8, 6)), (PixelFormat::Nv12(YUV), (8, 6))]
        {
            assert!(from_png(&bytes, format, size, [0; 2]).unwrap().is_none(), "{format:?}");
        }
        let grey = png(&frame(PixelFormat::Gray8, (8, 6))).unwrap();
        assert!(from_png(&grey, PixelFormat::Nv12(YUV), (8, usize::MAX), [0; 2]).unwrap().is_none());
        assert!(from_png(&bytes[..40], PixelFormat::Rgb8, (8, 6), [0; 2]).is_err());
    }

    #[test]
    fn people_see_colours_in_their_order_and_dark_cameras_brightened() {
        let bgr = OwnedFrame::new(PixelFormat::Bgr8, (1, 1), [0; 2], vec![10, 20, 200]).unwrap();
        assert_eq!(viewable(&bgr.view().unwrap()).unwrap().to_rgb8().get_pixel(0, 0).0, [200, 20, 10]);
        // 10 bits: the largest value is 1000 of 1023.
        let grey = OwnedFrame::new(PixelFormat::Gray16Le, (2, 1), [0; 2], vec![232, 3, 0, 2]).unwrap();
        assert_eq!(luma(&grey.view().unwrap()).as_raw(), &[250, 128]);
        let image = viewable(&frame(PixelFormat::Nv12(YUV), (64, 32)).view().unwrap()).unwrap();
        let small = image::load_from_memory(&jpeg(&image, 80, Some(16)).unwrap()).unwrap();
        assert_eq!((small.width(), small.height()), (16, 8));
    }
}
