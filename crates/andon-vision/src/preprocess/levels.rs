//! 16-bit values in the 8 bits of everything behind: the model's range is brought to 0..=255, one table for every pixel. Files and camera
//! frames go through this one function, so the same picture gets the same bytes.

use andon_core::{FrameView, PixelFormat};

/// The 8-bit level of every 16-bit value.
#[derive(Debug)]
pub(super) struct Levels {
    /// 65,536 levels; empty for a model of 8-bit frames, which never asks.
    table: Vec<u8>,
}

/// The layout of a row after [`Levels::row_into`]; 8-bit layouts stay as they are.
pub(super) fn as_8_bit(format: PixelFormat) -> PixelFormat {
    match format {
        PixelFormat::Gray16Le | PixelFormat::Gray16Be => PixelFormat::Gray8,
        PixelFormat::Rgb16Le => PixelFormat::Rgb8,
        other => other,
    }
}

/// `value` as a level: black and darker is 0, white and brighter 255, to the nearest between.
fn level(value: u16, [black, white]: [u16; 2]) -> u8 {
    let span = u32::from(white.saturating_sub(black)).max(1);
    let over = u32::from(value.clamp(black, white.max(black)) - black);
    // At most 65,535 * 255 + 32,767: it fits.
    ((over * 255 + span / 2) / span).min(255) as u8
}

impl Levels {
    /// For values from the first (0) to the second (255); `None` is all 16 bits, and costs nothing until such a frame comes.
    pub fn new(range: Option<[u16; 2]>) -> Levels {
        Levels { table: range.map_or_else(Vec::new, |range| (0..=u16::MAX).map(|v| level(v, range)).collect()) }
    }

    /// Row `y` of a 16-bit frame in 8 bits, and its layout; `None` for frames of 8 bits, and `out` is left alone.
    pub fn row_into(&self, frame: &FrameView<'_>, y: usize, out: &mut Vec<u8>) -> Option<PixelFormat> {
        if frame.format.bits() != 16 {
            return None;
        }
        let at = |v: u16| self.table.get(usize::from(v)).copied().unwrap_or_else(|| level(v, [0, u16::MAX]));
        out.clear();
        out.extend(frame.row(y).as_chunks::<2>().0.iter().map(|b| at(frame.format.value(*b))));
        Some(as_8_bit(frame.format))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_ten_or_twelve_bits_fills_the_eight() {
        assert_eq!([0, 1023, 511, 512].map(|v| level(v, [0, 1023])), [0, 255, 127, 128]);
        assert_eq!([100, 99, 4095, 5000].map(|v| level(v, [100, 4095])), [0, 0, 255, 255]);
        assert_eq!([0, 257, 65535].map(|v| level(v, [0, 65535])), [0, 1, 255]);
        assert_eq!([4, 5, 6].map(|v| level(v, [5, 5])), [0, 0, 0], "an empty range does not divide by zero");
        let seen: std::collections::BTreeSet<u8> = (0..1024).map(|v| level(v, [0, 1023])).collect();
        assert_eq!(seen.len(), 256);
    }

    #[test]
    fn both_byte_orders_and_three_channels_give_the_same_levels() {
        let levels = Levels::new(Some([0, 4095]));
        let mut out = Vec::new();
        let little: Vec<u8> = [0u16, 4095, 2048].iter().flat_map(|v| v.to_le_bytes()).collect();
        let big: Vec<u8> = [0u16, 4095, 2048].iter().flat_map(|v| v.to_be_bytes()).collect();
        for (format, width, data, now) in [
            (PixelFormat::Gray16Le, 3, &little, PixelFormat::Gray8),
            (PixelFormat::Gray16Be, 3, &big, PixelFormat::Gray8),
            (PixelFormat::Rgb16Le, 1, &little, PixelFormat::Rgb8),
        ] {
            let view = FrameView::new(format, width, 1, 6, data).unwrap();
            assert_eq!(levels.row_into(&view, 0, &mut out), Some(now));
            assert_eq!(out, [0, 255, 128]);
        }
    }
}
