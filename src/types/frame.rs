#[cfg(feature = "gst")]
use gstreamer_video::VideoFrameExt;

use super::{FrameNo, Mono, Pooled};

/// Layout of one pixel. Sources convert anything else before it gets here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// One byte of luminance.
    Gray8,
    /// Red, green, blue.
    Rgb8,
    /// Blue, green, red.
    Bgr8,
    /// Red, green, blue, one unused byte.
    Rgba8,
    /// Blue, green, red, one unused byte.
    Bgra8,
}

impl PixelFormat {
    /// Bytes of one pixel.
    pub fn bytes_per_pixel(self) -> usize {
        match self {
            PixelFormat::Gray8 => 1,
            PixelFormat::Rgb8 | PixelFormat::Bgr8 => 3,
            PixelFormat::Rgba8 | PixelFormat::Bgra8 => 4,
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
}

impl<'a> FrameView<'a> {
    /// Checks the geometry against the buffer; `None` if any access by it would leave the buffer or it is empty.
    pub fn new(format: PixelFormat, width: usize, height: usize, stride: usize, data: &'a [u8]) -> Option<Self> {
        let row = width.checked_mul(format.bytes_per_pixel())?;
        let need = stride.checked_mul(height.checked_sub(1)?)?.checked_add(row)?;
        (width > 0 && stride >= row && data.len() >= need).then_some(FrameView { format, width, height, stride, data })
    }

    /// The rectangle from column `x` and row `y` on; `None` if it is empty or leaves the picture.
    pub fn crop(&self, x: usize, y: usize, width: usize, height: usize) -> Option<FrameView<'a>> {
        if x.checked_add(width)? > self.width || y.checked_add(height)? > self.height {
            return None;
        }
        let start = y * self.stride + x * self.format.bytes_per_pixel();
        FrameView::new(self.format, width, height, self.stride, self.data.get(start..)?)
    }

    /// The pixels of row `y`, without padding.
    pub fn row(&self, y: usize) -> &'a [u8] {
        let start = y * self.stride;
        &self.data[start..start + self.width * self.format.bytes_per_pixel()]
    }
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
                FrameView::new(*format, frame.width() as usize, frame.height() as usize, stride, data)
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
    fn rows_leave_out_the_padding() {
        let data: Vec<u8> = (0..8).collect();
        let view = FrameView::new(PixelFormat::Gray8, 3, 2, 4, &data).unwrap();
        assert_eq!(view.row(1), &[4, 5, 6]);
    }
}
