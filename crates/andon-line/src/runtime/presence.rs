//! Tells frames with a part from those of an empty belt, where nothing else announces parts.

use andon_core::FrameView;

/// A light barrier in the picture: a part comes when the mean brightness of a band crosses a level, and the next one only
/// after the brightness has gone back by the hysteresis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Presence {
    /// Left, upper edge, width and height of the band, shares of the picture.
    pub band: [f32; 4],
    /// Mean brightness from which on a part is there: 0 to 255; of 16-bit frames, 255 is the value 65,535.
    pub level: f32,
    /// How far it has to go back.
    pub hysteresis: f32,
    /// A part is darker than the belt.
    pub dark: bool,
}

impl Presence {
    /// Whether a part is in the band, given whether one was a frame ago.
    pub fn sees(&self, view: &FrameView<'_>, before: bool) -> bool {
        let Some(mean) = self.brightness(view) else { return before };
        let over = if self.dark { self.level - mean } else { mean - self.level };
        over >= if before { -self.hysteresis } else { 0.0 }
    }

    /// Mean of all channels of the band's pixels.
    fn brightness(&self, view: &FrameView<'_>) -> Option<f32> {
        let [x, y, w, h] = self.band;
        let (width, height) = (view.width as f32, view.height as f32);
        let (left, top) = ((x * width) as usize, (y * height) as usize);
        let columns = ((w * width).round() as usize).clamp(1, view.width.checked_sub(left)?);
        let rows = ((h * height).round() as usize).clamp(1, view.height.checked_sub(top)?);
        let band = view.crop(left, top, columns, rows)?;
        if band.format.bits() == 16 {
            let values = |r: usize| band.row(r).as_chunks::<2>().0.iter().map(|b| u64::from(band.format.value(*b)));
            let sum: u64 = (0..rows).map(|r| values(r).sum::<u64>()).sum();
            let count = rows * columns * band.format.bytes_per_pixel() / 2;
            return Some(sum as f32 / count as f32 / 257.0);
        }
        let (step, channels) = match band.format.bytes_per_pixel() {
            // The fourth byte is no light.
            4 => (4, 3),
            n => (n, n),
        };
        let light = |pixel: &[u8]| pixel[..channels].iter().map(|b| u64::from(*b)).sum::<u64>();
        let sum: u64 = (0..rows).map(|r| band.row(r).chunks_exact(step).map(light).sum::<u64>()).sum();
        let count = rows * columns * channels;
        Some(sum as f32 / count as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::PixelFormat;

    #[test]
    fn a_part_is_seen_once_while_it_goes_through_the_band() {
        let presence = Presence { band: [0.0, 0.5, 1.0, 0.25], level: 100.0, hysteresis: 20.0, dark: false };
        let mut there = false;
        let mut seen = |row: u8, elsewhere: u8| {
            // Rows 4 and 5 of 8 are the band.
            let data: Vec<u8> = (0..8).flat_map(|y| [if y == 4 || y == 5 { row } else { elsewhere }; 8]).collect();
            let view = FrameView::new(PixelFormat::Gray8, 8, 8, 8, &data).unwrap();
            let before = there;
            there = presence.sees(&view, before);
            there && !before
        };
        let told: Vec<bool> = [10, 99, 100, 200, 85, 120, 79, 100].map(|row| seen(row, 255)).to_vec();
        assert_eq!(told, [false, false, true, false, false, false, false, true]);
    }

    #[test]
    fn dark_parts_on_a_light_belt() {
        let presence = Presence { band: [0.0, 0.0, 1.0, 1.0], level: 100.0, hysteresis: 5.0, dark: true };
        let light = [180u8; 12];
        let dark = [40u8; 12];
        let view = |data| FrameView::new(PixelFormat::Rgb8, 2, 2, 6, data).unwrap();
        assert!(!presence.sees(&view(&light), false) && presence.sees(&view(&dark), false));
    }
}
