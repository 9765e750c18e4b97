//! Where on the picture to look.

use std::path::Path;

use image::{DynamicImage, Rgba};

use super::images::{ImageError, decode};

/// A picture of what is looked at, at its own resolution; stretched over whatever it is applied to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    width: usize,
    height: usize,
    look: Vec<bool>,
}

impl Mask {
    /// From a painted picture file: dark pixels (mean of the channels below half of the brightest that the file can hold) and
    /// transparent ones (opacity below half) are not looked at.
    ///
    /// # Errors
    /// See [`ImageError`].
    pub fn read(path: &Path) -> Result<Mask, ImageError> {
        decode(path).map(|picture| Mask::painted(&picture))
    }

    /// The same from a decoded picture.
    fn painted(picture: &DynamicImage) -> Mask {
        // 16 bits are brought to 8 by their upper half, so a mask is painted with the brightest value of its file.
        let rgba = picture.to_rgba8();
        let seen = |Rgba([r, g, b, opacity]): &Rgba<u8>| {
            [r, g, b].iter().map(|v| u32::from(**v)).sum::<u32>() >= 3 * 128 && *opacity >= 128
        };
        let look = rgba.pixels().map(seen).collect();
        Mask { width: rgba.width() as usize, height: rgba.height() as usize, look }
    }

    /// Columns and rows.
    pub fn size(&self) -> [u32; 2] {
        [self.width as u32, self.height as u32]
    }

    /// Share of the pixels that is looked at.
    pub fn share(&self) -> f64 {
        self.look.iter().filter(|seen| **seen).count() as f64 / self.look.len().max(1) as f64
    }

    /// The inside of a polygon (even-odd rule at pixel centres) in a picture of this size; `None` if it holds no pixel.
    pub fn polygon(corners: &[(f64, f64)], width: u32, height: u32) -> Option<Mask> {
        let (w, h) = (width as usize, height as usize);
        let inside = |x: f64, y: f64| {
            let edges = corners.iter().zip(corners.iter().cycle().skip(1));
            edges.fold(false, |odd, (a, b)| {
                let crosses = (a.1 > y) != (b.1 > y) && x < a.0 + (y - a.1) / (b.1 - a.1) * (b.0 - a.0);
                odd != crosses
            })
        };
        let look: Vec<bool> = (0..w * h).map(|i| inside((i % w) as f64 + 0.5, (i / w) as f64 + 0.5)).collect();
        (corners.len() >= 3 && look.contains(&true)).then_some(Mask { width: w, height: h, look })
    }

    /// Where both look; `other` is stretched to this one's size.
    pub fn and(mut self, other: &Mask) -> Mask {
        for y in 0..self.height {
            for x in 0..self.width {
                let there = (y * other.height / self.height) * other.width + x * other.width / self.width;
                self.look[y * self.width + x] &= other.look[there];
            }
        }
        self
    }

    /// For each cell of a grid laid over the picture: whether at least half of it is looked at.
    pub fn cells(&self, columns: usize, rows: usize) -> Vec<bool> {
        let span = |i: usize, of: usize, pixels: usize| {
            let from = i * pixels / of;
            from..((i + 1) * pixels / of).max(from + 1)
        };
        let half = |row: usize, column: usize| {
            let (ys, xs) = (span(row, rows, self.height), span(column, columns, self.width));
            let all = ys.len() * xs.len();
            let seen = ys.flat_map(|y| xs.clone().map(move |x| (x, y))).filter(|(x, y)| self.look[y * self.width + x]);
            2 * seen.count() >= all
        };
        (0..rows * columns).map(|i| half(i / columns, i % columns)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_painted_mask_and_a_polygon_become_cells() {
        let half = image::GrayImage::from_fn(8, 4, |x, _| image::Luma([if x < 4 { 255 } else { 0 }]));
        let painted = Mask::painted(&half.into());
        assert_eq!(painted.cells(4, 2), [true, true, false, false, true, true, false, false]);
        let upper = Mask::polygon(&[(0.0, 0.0), (80.0, 0.0), (80.0, 20.0), (0.0, 20.0)], 80, 40).unwrap();
        assert_eq!(upper.cells(2, 2), [true, true, false, false]);
        assert_eq!(painted.and(&upper).cells(4, 2), [true, true, false, false, false, false, false, false]);
    }

    #[test]
    fn a_polygon_without_pixels_is_none() {
        assert!(Mask::polygon(&[(0.0, 0.0), (5.0, 5.0)], 10, 10).is_none());
        assert!(Mask::polygon(&[(20.0, 0.0), (30.0, 0.0), (30.0, 9.0)], 10, 10).is_none());
        assert!(Mask::polygon(&[(0.0, 0.0), (10.0, 0.0), (0.0, 10.0)], 10, 10).is_some());
    }

    #[test]
    fn a_mask_smaller_than_the_grid_is_stretched() {
        let two = image::GrayImage::from_fn(2, 1, |x, _| image::Luma([255 * (1 - x as u8)]));
        let mask = Mask::painted(&two.into());
        assert_eq!(mask.cells(4, 2), [true, true, false, false, true, true, false, false]);
    }

    #[test]
    fn what_is_transparent_is_not_looked_at() {
        let half = image::RgbaImage::from_fn(8, 4, |x, _| Rgba([255, 255, 255, if x < 4 { 255 } else { 0 }]));
        let mask = Mask::painted(&half.into());
        assert_eq!(mask.cells(4, 1), [true, true, false, false]);
        assert_eq!((mask.size(), mask.share()), ([8, 4], 0.5));
    }
}
