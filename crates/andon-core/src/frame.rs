//! Frames and their pixels: where they lie in memory, and views that were checked against it.

#[cfg(feature = "gst")]
use gstreamer_video::VideoFrameExt;

use crate::{FrameNo, Mono, Pooled};

/// Layout of one pixel. Sources convert anything else before it gets here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// One byte of luminance.
    Gray8,
    /// Two bytes of luminance, the low one first. Cameras of 10, 12 or 14 bits use the lower values only.
    Gray16Le,
    /// Two bytes of luminance, the high one first.
    Gray16Be,
    /// Red, green, blue, two bytes each, the low one first: picture files only.
    Rgb16Le,
    /// Red, green, blue.
    Rgb8,
    /// Blue, green, red.
    Bgr8,
    /// Red, green, blue, one unused byte.
    Rgba8,
    /// Blue, green, red, one unused byte.
    Bgra8,
    /// A plane of luma, one byte a pixel, and one of colour differences, two bytes for each 2x2 pixels: what decoders and most cameras give.
    Nv12(Yuv),
}

/// How luma and colour differences become red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Yuv {
    /// Their weights.
    pub matrix: YuvMatrix,
    /// Luma from 0 to 255 instead of 16 to 235.
    pub full_range: bool,
}

/// Weights by the standard of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum YuvMatrix {
    /// ITU-R BT.601: standard definition, JPEG.
    Bt601,
    /// ITU-R BT.709: high definition.
    Bt709,
    /// ITU-R BT.2020, non-constant luminance.
    Bt2020,
}

impl PixelFormat {
    /// Bytes of one pixel; of NV12, in the plane of luma.
    pub fn bytes_per_pixel(self) -> usize {
        match self {
            PixelFormat::Gray8 | PixelFormat::Nv12(_) => 1,
            PixelFormat::Gray16Le | PixelFormat::Gray16Be => 2,
            PixelFormat::Rgb16Le => 6,
            PixelFormat::Rgb8 | PixelFormat::Bgr8 => 3,
            PixelFormat::Rgba8 | PixelFormat::Bgra8 => 4,
        }
    }

    /// Bits of one value: 8 or 16.
    pub fn bits(self) -> u32 {
        match self {
            PixelFormat::Gray16Le | PixelFormat::Gray16Be | PixelFormat::Rgb16Le => 16,
            _ => 8,
        }
    }

    /// A 16-bit value of this layout from its two bytes.
    pub fn value(self, bytes: [u8; 2]) -> u16 {
        match self {
            PixelFormat::Gray16Be => u16::from_be_bytes(bytes),
            _ => u16::from_le_bytes(bytes),
        }
    }
}

/// Borrowed pixels with their geometry. Row `y` starts at `y * stride`; bytes past `width` pixels in a row are padding.
#[derive(Clone, Copy, Debug)]
pub struct FrameView<'a> {
    /// Layout of one pixel.
    pub format: PixelFormat,
    /// Pixels in a row, at least 1.
    pub width: usize,
    /// Rows, at least 1.
    pub height: usize,
    /// Bytes from one row to the next, at least `width * bytes_per_pixel`.
    pub stride: usize,
    /// At least `stride * (height - 1) + width * bytes_per_pixel` bytes.
    pub data: &'a [u8],
    /// NV12's second plane; no other format has one.
    pub chroma: Option<Chroma<'a>>,
}

/// Colour differences of a frame: pairs (blue, red), one for each 2x2 pixels. Pixel (x, y) has the pair `((x + odd[0]) / 2, (y + odd[1]) / 2)`.
#[derive(Clone, Copy, Debug)]
pub struct Chroma<'a> {
    /// At least `stride * (rows - 1) + 2 * columns` bytes.
    pub data: &'a [u8],
    /// Bytes from one row of pairs to the next.
    pub stride: usize,
    /// 1 where the frame begins at an odd column or row of the picture that it was cut from, else 0.
    pub odd: [usize; 2],
}

impl Chroma<'_> {
    /// Pairs in a row and rows of pairs, of a frame of this size.
    pub fn size(&self, width: usize, height: usize) -> [usize; 2] {
        [(width + self.odd[0]).div_ceil(2), (height + self.odd[1]).div_ceil(2)]
    }
}

impl<'a> FrameView<'a> {
    /// Checks the geometry against the buffer; `None` if any access by it would leave the buffer, it is empty, or the format has a second
    /// plane.
    pub fn new(format: PixelFormat, width: usize, height: usize, stride: usize, data: &'a [u8]) -> Option<Self> {
        let of_one_plane = !matches!(format, PixelFormat::Nv12(_));
        let row = width.checked_mul(format.bytes_per_pixel())?;
        let fits = of_one_plane && fits(row, height, stride, data)?;
        fits.then_some(FrameView { format, width, height, stride, data, chroma: None })
    }

    /// The same for NV12: luma with its bytes from row to row, then colour differences.
    pub fn nv12(
        yuv: Yuv,
        (width, height): (usize, usize),
        (stride, data): (usize, &'a [u8]),
        chroma: Chroma<'a>,
    ) -> Option<Self> {
        let [columns, rows] = chroma.size(width, height);
        let fits = fits(width, height, stride, data)? && fits(columns * 2, rows, chroma.stride, chroma.data)?;
        let format = PixelFormat::Nv12(yuv);
        fits.then_some(FrameView { format, width, height, stride, data, chroma: Some(chroma) })
    }

    /// The rectangle from column `x` and row `y` on; `None` if it is empty or leaves the picture.
    pub fn crop(&self, x: usize, y: usize, width: usize, height: usize) -> Option<FrameView<'a>> {
        if x.checked_add(width)? > self.width || y.checked_add(height)? > self.height {
            return None;
        }
        let start = y * self.stride + x * self.format.bytes_per_pixel();
        let data = self.data.get(start..)?;
        match (self.format, self.chroma) {
            (PixelFormat::Nv12(yuv), Some(chroma)) => {
                let [x, y] = [x + chroma.odd[0], y + chroma.odd[1]];
                let rest = chroma.data.get(y / 2 * chroma.stride + x / 2 * 2..)?;
                let chroma = Chroma { data: rest, stride: chroma.stride, odd: [x % 2, y % 2] };
                FrameView::nv12(yuv, (width, height), (self.stride, data), chroma)
            }
            _ => FrameView::new(self.format, width, height, self.stride, data),
        }
    }

    /// The pixels of row `y`, without padding.
    pub fn row(&self, y: usize) -> &'a [u8] {
        let start = y * self.stride;
        &self.data[start..start + self.width * self.format.bytes_per_pixel()]
    }
}

impl FrameView<'_> {
    /// The largest value of a 16-bit frame; of any other, 0.
    pub fn brightest(&self) -> u16 {
        if self.format.bits() != 16 {
            return 0;
        }
        let of_row = |y| self.row(y).as_chunks::<2>().0.iter().map(|b| self.format.value(*b)).max();
        (0..self.height).filter_map(of_row).max().unwrap_or(0)
    }

    /// Whether any pixel is not grey. A difference of one between colour differences and their middle is rounding.
    pub fn has_colour(&self) -> bool {
        let differs = |y: usize| match self.format {
            PixelFormat::Gray8 | PixelFormat::Gray16Le | PixelFormat::Gray16Be | PixelFormat::Nv12(_) => false,
            PixelFormat::Rgb8 | PixelFormat::Bgr8 => {
                self.row(y).as_chunks::<3>().0.iter().any(|p| p[0] != p[1] || p[1] != p[2])
            }
            PixelFormat::Rgba8 | PixelFormat::Bgra8 => {
                self.row(y).as_chunks::<4>().0.iter().any(|p| p[0] != p[1] || p[1] != p[2])
            }
            PixelFormat::Rgb16Le => {
                self.row(y).as_chunks::<6>().0.iter().any(|p| p[..2] != p[2..4] || p[2..4] != p[4..])
            }
        };
        let Some(chroma) = self.chroma else { return (0..self.height).any(differs) };
        let [columns, rows] = chroma.size(self.width, self.height);
        let pairs = |y: usize| &chroma.data[y * chroma.stride..y * chroma.stride + 2 * columns];
        (0..rows).any(|y| pairs(y).iter().any(|c| !(127..=129).contains(c)))
    }
}

/// Whether rows of `row` bytes lie within the buffer; `None` if there are none or their size overflows.
fn fits(row: usize, height: usize, stride: usize, data: &[u8]) -> Option<bool> {
    let need = stride.checked_mul(height.checked_sub(1)?)?.checked_add(row)?;
    Some(row > 0 && stride >= row && data.len() >= need)
}

/// Where a frame's bytes live. Never a fresh `Vec` per frame: either the camera's own buffer, held, or one from a pool.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "moved through one queue; boxing would allocate per frame")]
pub enum Pixels {
    /// Bytes in a pooled buffer.
    Pooled {
        /// The bytes.
        data: Pooled<Vec<u8>>,
        /// Layout of one pixel.
        format: PixelFormat,
        /// Pixels in a row.
        width: usize,
        /// Rows.
        height: usize,
        /// Bytes from one row to the next.
        stride: usize,
    },
    /// A GStreamer buffer, mapped for reading; it returns to the camera's pool when the frame is dropped.
    #[cfg(feature = "gst")]
    Gst {
        /// The mapped buffer.
        frame: gstreamer_video::VideoFrame<gstreamer_video::video_frame::Readable>,
        /// Layout of one pixel.
        format: PixelFormat,
    },
    /// A buffer that could not be mapped as what its caps say; the part still gets its outcome (ERROR).
    Unreadable,
}

/// One picture on its way to the inspector.
#[derive(Debug)]
pub struct Frame {
    /// Its number; set by the capture stage.
    pub number: FrameNo,
    /// When the picture was taken.
    pub t_capture: Mono,
    /// The source's own frame counter, where it has one (v4l2 sequence, simulator index).
    pub source_index: Option<u64>,
    /// The bytes.
    pub pixels: Pixels,
}

impl Frame {
    /// The pixels with checked geometry; `None` for a frame that must become ERROR.
    pub fn view(&self) -> Option<FrameView<'_>> {
        match &self.pixels {
            Pixels::Pooled { data, format, width, height, stride } => {
                FrameView::new(*format, *width, *height, *stride, data)
            }
            #[cfg(feature = "gst")]
            Pixels::Gst { frame, format } => {
                let stride = usize::try_from(*frame.plane_stride().first()?).ok()?;
                let data = frame.plane_data(0).ok()?;
                let (width, height) = (frame.width() as usize, frame.height() as usize);
                let PixelFormat::Nv12(yuv) = *format else {
                    return FrameView::new(*format, width, height, stride, data);
                };
                let pairs = usize::try_from(*frame.plane_stride().get(1)?).ok()?;
                let chroma = Chroma { data: frame.plane_data(1).ok()?, stride: pairs, odd: [0, 0] };
                FrameView::nv12(yuv, (width, height), (stride, data), chroma)
            }
            Pixels::Unreadable => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_geometry_that_leaves_the_buffer_is_refused() {
        let data = [0u8; 24];
        assert!(FrameView::new(PixelFormat::Rgb8, 3, 2, 12, &data).is_some());
        assert!(FrameView::new(PixelFormat::Rgb8, 3, 2, 8, &data).is_none(), "stride shorter than a row");
        assert!(FrameView::new(PixelFormat::Rgb8, 4, 3, 12, &data).is_none(), "a row too many");
        assert!(FrameView::new(PixelFormat::Rgb8, 0, 2, 12, &data).is_none());
        assert!(FrameView::new(PixelFormat::Rgb8, 1, 0, 12, &data).is_none());
        assert!(FrameView::new(PixelFormat::Rgba8, usize::MAX, 2, usize::MAX, &data).is_none(), "overflow");
    }

    #[test]
    fn a_crop_shows_its_own_pixels_and_cannot_leave_the_picture() {
        let data: Vec<u8> = (0..24).collect();
        let view = FrameView::new(PixelFormat::Gray8, 5, 4, 6, &data).unwrap();
        let crop = view.crop(3, 2, 2, 2).unwrap();
        assert_eq!((crop.row(0), crop.row(1)), (&data[15..17], &data[21..23]));
        assert!(view.crop(4, 0, 2, 1).is_none() && view.crop(0, 3, 1, 2).is_none() && view.crop(0, 0, 0, 1).is_none());
        assert!(view.crop(usize::MAX, 0, 2, 1).is_none());
    }

    #[test]
    fn a_crop_of_nv12_keeps_the_colours_of_its_pixels() {
        let yuv = Yuv { matrix: YuvMatrix::Bt601, full_range: true };
        // Luma says where a pixel is, the first byte of a pair which 2x2 pixels it belongs to.
        let (luma, pairs): (Vec<u8>, Vec<u8>) = ((0..30).collect(), (0..18).collect());
        let chroma = Chroma { data: &pairs, stride: 6, odd: [0, 0] };
        let whole = FrameView::nv12(yuv, (5, 5), (6, &luma), chroma).unwrap();
        let pair = |f: &FrameView<'_>, x: usize, y: usize| {
            let c = f.chroma.unwrap();
            c.data[(y + c.odd[1]) / 2 * c.stride + (x + c.odd[0]) / 2 * 2]
        };
        for (x, y, w, h) in [(0, 0, 5, 5), (1, 0, 2, 3), (3, 3, 2, 2), (1, 1, 4, 4), (4, 2, 1, 1)] {
            let crop = whole.crop(x, y, w, h).unwrap().crop(w / 2, h / 2, w - w / 2, h - h / 2).unwrap();
            for (dx, dy) in (0..crop.height).flat_map(|dy| (0..crop.width).map(move |dx| (dx, dy))) {
                let at = (x + w / 2 + dx, y + h / 2 + dy);
                assert_eq!(crop.row(dy)[dx], luma[at.1 * 6 + at.0]);
                assert_eq!(pair(&crop, dx, dy), pair(&whole, at.0, at.1), "{x},{y} {w}x{h} at {dx},{dy}");
            }
        }
        assert!(FrameView::nv12(yuv, (5, 5), (6, &luma), Chroma { data: &pairs[..17], ..chroma }).is_none());
        assert!(FrameView::nv12(yuv, (5, 5), (6, &luma), Chroma { stride: 5, ..chroma }).is_none());
        assert!(FrameView::new(PixelFormat::Nv12(yuv), 5, 5, 6, &luma).is_none(), "a plane is missing");
    }

    #[test]
    fn rows_leave_out_the_padding() {
        let data: Vec<u8> = (0..8).collect();
        let view = FrameView::new(PixelFormat::Gray8, 3, 2, 4, &data).unwrap();
        assert_eq!(view.row(1), &[4, 5, 6]);
    }
}
