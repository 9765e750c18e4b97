//! A frame that owns its bytes: the copy of a camera's frame that may outlive the camera's buffer.

use crate::{Chroma, FrameView, PixelFormat};

/// A frame whose bytes are its own, row by row without padding; NV12's colour differences follow its luma. Its view gives every detector the
/// same pixels as the view that it was copied from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedFrame {
    format: PixelFormat,
    width: usize,
    height: usize,
    /// As in [`Chroma::odd`]; zero for frames of one plane.
    odd: [usize; 2],
    data: Vec<u8>,
}

impl Default for OwnedFrame {
    /// No pixels.
    fn default() -> Self {
        OwnedFrame { format: PixelFormat::Gray8, width: 0, height: 0, odd: [0; 2], data: Vec::new() }
    }
}

impl OwnedFrame {
    /// A frame of `width * height` pixels from its packed bytes; `None` if there are not exactly as many as it needs. `odd` is
    /// [`Chroma::odd`] of NV12, and zero for every other format.
    pub fn new(
        format: PixelFormat,
        (width, height): (usize, usize),
        odd: [usize; 2],
        data: Vec<u8>,
    ) -> Option<OwnedFrame> {
        let frame = OwnedFrame { format, width, height, odd, data };
        let [luma, chroma] = frame.plane_bytes()?;
        let fits = width > 0 && height > 0 && luma.checked_add(chroma)? == frame.data.len();
        fits.then_some(frame)
    }

    /// Copies the pixels of `view`, reusing the storage: nothing is allocated for a frame that is not larger than one before.
    pub fn copy_from(&mut self, view: &FrameView<'_>) {
        let FrameView { format, width, height, stride, data, chroma } = *view;
        (self.format, self.width, self.height) = (format, width, height);
        self.odd = chroma.map_or([0; 2], |c| c.odd);
        self.data.clear();
        let row = width * format.bytes_per_pixel();
        let (columns, rows) = chroma.map_or((0, 0), |c| {
            let [columns, rows] = c.size(width, height);
            (2 * columns, rows)
        });
        self.data.reserve(row * height + columns * rows);
        append(&mut self.data, data, stride, row, height);
        if let Some(chroma) = chroma {
            append(&mut self.data, chroma.data, chroma.stride, columns, rows);
        }
    }

    /// The pixels; `None` for a frame without any.
    pub fn view(&self) -> Option<FrameView<'_>> {
        let row = self.width * self.format.bytes_per_pixel();
        let PixelFormat::Nv12(yuv) = self.format else {
            return FrameView::new(self.format, self.width, self.height, row, &self.data);
        };
        let (luma, pairs) = self.data.split_at_checked(row * self.height)?;
        let stride = (self.width + self.odd[0]).div_ceil(2) * 2;
        let chroma = Chroma { data: pairs, stride, odd: self.odd };
        FrameView::nv12(yuv, (self.width, self.height), (row, luma), chroma)
    }

    /// Layout of one pixel.
    pub fn format(&self) -> PixelFormat {
        self.format
    }

    /// Pixels in a row, and rows.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// The bytes, as [`OwnedFrame::new`] takes them.
    pub fn bytes(&self) -> &[u8] {
        &self.data
    }

    /// [`Chroma::odd`] of NV12, and zero for every other format.
    pub fn odd(&self) -> [usize; 2] {
        self.odd
    }

    /// Bytes of the first plane and of the second; `None` if they are beyond all measure.
    fn plane_bytes(&self) -> Option<[usize; 2]> {
        let luma = self.width.checked_mul(self.format.bytes_per_pixel())?.checked_mul(self.height)?;
        let chroma = match self.format {
            PixelFormat::Nv12(_) => {
                let columns = self.width.checked_add(self.odd[0])?.div_ceil(2);
                let rows = self.height.checked_add(self.odd[1])?.div_ceil(2);
                columns.checked_mul(2)?.checked_mul(rows)?
            }
            _ => 0,
        };
        Some([luma, chroma])
    }
}

/// Appends `rows` rows of `row` bytes.
fn append(to: &mut Vec<u8>, data: &[u8], stride: usize, row: usize, rows: usize) {
    if stride == row {
        to.extend_from_slice(&data[..row * rows]);
        return;
    }
    for y in 0..rows {
        to.extend_from_slice(&data[y * stride..y * stride + row]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Yuv, YuvMatrix};

    #[test]
    fn a_copy_has_the_pixels_without_the_padding_and_reuses_its_storage() {
        let data: Vec<u8> = (0..40).collect();
        let view = FrameView::new(PixelFormat::Bgr8, 3, 4, 10, &data).unwrap();
        let mut frame = OwnedFrame::default();
        assert!(frame.view().is_none());
        frame.copy_from(&view);
        let copied = frame.view().unwrap();
        assert!((0..4).all(|y| copied.row(y) == view.row(y)) && copied.format == PixelFormat::Bgr8);
        let storage = frame.data.as_ptr();
        frame.copy_from(&FrameView::new(PixelFormat::Gray8, 5, 2, 20, &data).unwrap());
        assert_eq!((frame.size(), frame.bytes()), ((5, 2), &[0, 1, 2, 3, 4, 20, 21, 22, 23, 24][..]));
        assert_eq!(frame.data.as_ptr(), storage);
    }

    #[test]
    fn nv12_keeps_both_planes_and_where_its_pairs_begin() {
        let yuv = Yuv { matrix: YuvMatrix::Bt709, full_range: false };
        let (luma, pairs): (Vec<u8>, Vec<u8>) = ((0..60).collect(), (100..160).collect());
        let whole = FrameView::nv12(yuv, (7, 5), (9, &luma), Chroma { data: &pairs, stride: 10, odd: [0, 0] }).unwrap();
        for view in [whole, whole.crop(1, 1, 4, 3).unwrap(), whole.crop(2, 1, 3, 4).unwrap()] {
            let mut frame = OwnedFrame::default();
            frame.copy_from(&view);
            let rebuilt = OwnedFrame::new(frame.format(), frame.size(), frame.odd(), frame.bytes().to_vec()).unwrap();
            let (got, mut want, mut have) = (rebuilt.view().unwrap(), Vec::new(), Vec::new());
            for y in 0..view.height {
                assert!(crate::yuv_row_into(&view, y, &mut want) && crate::yuv_row_into(&got, y, &mut have));
                assert_eq!(have, want);
            }
        }
    }

    #[test]
    fn bytes_that_are_not_the_frames_are_refused() {
        let of = |format, size, bytes| OwnedFrame::new(format, size, [0; 2], vec![0; bytes]);
        let yuv = PixelFormat::Nv12(Yuv { matrix: YuvMatrix::Bt601, full_range: true });
        assert!(of(PixelFormat::Rgb8, (2, 2), 12).is_some() && of(yuv, (3, 3), 9 + 8).is_some());
        assert!(of(PixelFormat::Rgb8, (2, 2), 13).is_none() && of(PixelFormat::Rgb8, (2, 2), 11).is_none());
        assert!(of(PixelFormat::Gray8, (0, 2), 0).is_none() && of(yuv, (3, 3), 9).is_none());
        assert!(of(PixelFormat::Rgb8, (usize::MAX, 2), 0).is_none() && of(yuv, (usize::MAX, usize::MAX), 0).is_none());
    }
}
