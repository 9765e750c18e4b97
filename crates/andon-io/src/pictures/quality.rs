//! What can be said of a picture before it is learned from: how sharp it is, whether it is clipped, and whether it is one that is there
//! already.

use image::GrayImage;

/// Cells of the grid in each direction in which pictures are compared, at most.
const GRID: usize = 64;
/// Pixels along the side of a cell at least: the mean of fewer has the sensor's noise in it.
const SIDE: usize = 8;
/// Levels of 255 by which every cell of a near-copy may differ at most. The noise of a sensor is far below that in the mean of a cell; an edge
/// that moves by one pixel is above.
const ALIKE: f32 = 2.0;
/// Levels that count as clipped.
const DARK: u8 = 2;
const BRIGHT: u8 = 253;

/// Sharpness and exposure of one picture.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct PictureQuality {
    /// Variance of the Laplacian of the brightness (4 neighbours), levels squared: the larger, the sharper. Only pictures of the same scene
    /// compare. Source: Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000.
    pub sharpness: f64,
    /// Share of the pixels at level 2 or under it, 0 to 1.
    pub dark: f64,
    /// Share of the pixels at level 253 or over it, 0 to 1.
    pub bright: f64,
}

impl PictureQuality {
    /// Of a picture's brightness; zero for one without pixels.
    pub fn of(grey: &GrayImage) -> PictureQuality {
        let (pixels, row) = (grey.as_raw(), grey.width() as usize);
        let share = |clipped: &dyn Fn(u8) -> bool| {
            pixels.iter().filter(|p| clipped(**p)).count() as f64 / pixels.len().max(1) as f64
        };
        let (mut sum, mut squares, mut count) = (0i64, 0i64, 0i64);
        for y in 1..(grey.height() as usize).saturating_sub(1) {
            let [above, here, below] = [y - 1, y, y + 1].map(|y| &pixels[y * row..(y + 1) * row]);
            for x in 1..row.saturating_sub(1) {
                let around = [above[x], below[x], here[x - 1], here[x + 1]].map(i64::from).iter().sum::<i64>();
                let laplacian = around - 4 * i64::from(here[x]);
                sum += laplacian;
                squares += laplacian * laplacian;
                count += 1;
            }
        }
        let n = count.max(1) as f64;
        let mean = sum as f64 / n;
        PictureQuality {
            sharpness: squares as f64 / n - mean * mean,
            dark: share(&|p| p <= DARK),
            bright: share(&|p| p >= BRIGHT),
        }
    }
}

/// What helps to set a camera up: sharpness and exposure of one picture, and how its brightness is spread.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct CameraFigures {
    /// Sharpness, and the shares that are clipped.
    #[serde(flatten)]
    pub quality: PictureQuality,
    /// Pixels by brightness, four levels of 256 in each, the darkest first.
    #[serde(serialize_with = "as_list")]
    pub histogram: [u32; CameraFigures::BINS],
}

fn as_list<S: serde::Serializer>(bins: &[u32; CameraFigures::BINS], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(bins)
}

impl CameraFigures {
    /// Columns of the histogram.
    pub const BINS: usize = 64;

    /// Of a picture's brightness.
    pub fn of(grey: &GrayImage) -> CameraFigures {
        let mut histogram = [0; CameraFigures::BINS];
        for &level in grey.as_raw() {
            histogram[usize::from(level) * CameraFigures::BINS / 256] += 1;
        }
        CameraFigures { quality: PictureQuality::of(grey), histogram }
    }
}

/// The means of a picture's brightness in a grid, by which near-copies are found.
#[derive(Clone, Debug, PartialEq)]
pub struct PictureSketch {
    size: (u32, u32),
    cells: Vec<f32>,
}

impl PictureSketch {
    /// Of a picture's brightness. A grid of 64 x 64 cells, or fewer, of at least 8 x 8 pixels; the picture's mean is taken off, so that light
    /// that flickers makes no difference.
    pub fn of(grey: &GrayImage) -> PictureSketch {
        let (width, height) = (grey.width() as usize, grey.height() as usize);
        let cells_along = |side: usize| (side / SIDE).clamp(1, GRID).min(side);
        let (columns, rows) = (cells_along(width), cells_along(height));
        let mut cells = vec![0.0f32; columns * rows];
        let mut sums = vec![0u64; columns];
        for row in 0..rows {
            let lines = row * height / rows..(row + 1) * height / rows;
            sums.fill(0);
            for y in lines.clone() {
                let line = &grey.as_raw()[y * width..(y + 1) * width];
                for (column, sum) in sums.iter_mut().enumerate() {
                    let span = &line[column * width / columns..(column + 1) * width / columns];
                    *sum += span.iter().map(|p| u64::from(*p)).sum::<u64>();
                }
            }
            for (column, sum) in sums.iter().enumerate() {
                let wide = (column + 1) * width / columns - column * width / columns;
                cells[row * columns + column] = *sum as f32 / (wide * lines.len()) as f32;
            }
        }
        let mean = cells.iter().sum::<f32>() / cells.len().max(1) as f32;
        cells.iter_mut().for_each(|cell| *cell -= mean);
        PictureSketch { size: grey.dimensions(), cells }
    }

    /// Whether both show the same thing in the same place: no cell differs by more than 2 levels of 255.
    pub fn is_near_copy(&self, other: &PictureSketch) -> bool {
        self.size == other.size && self.cells.iter().zip(&other.cells).all(|(a, b)| (a - b).abs() <= ALIKE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::SplitMix64;

    /// A bright square on a dark ground, with the noise of a sensor.
    fn picture(left: u32, seed: u64, light: i32) -> GrayImage {
        let mut random = SplitMix64::new(seed);
        GrayImage::from_fn(320, 256, |x, y| {
            let inside = (left..left + 100).contains(&x) && (60..160).contains(&y);
            let noise = random.below(9) as i32 - 4;
            image::Luma([(if inside { 180 } else { 60 } + noise + light).clamp(0, 255) as u8])
        })
    }

    #[test]
    fn a_part_that_stands_still_is_a_near_copy_and_one_that_moves_by_a_pixel_is_not() {
        let sketch = |left, seed, light| PictureSketch::of(&picture(left, seed, light));
        let first = sketch(100, 1, 0);
        assert!(first.is_near_copy(&sketch(100, 2, 0)), "noise");
        assert!(first.is_near_copy(&sketch(100, 3, 6)), "light that flickers");
        assert!(!first.is_near_copy(&sketch(101, 4, 0)), "one pixel");
        let mut scratched = picture(100, 5, 0);
        (0..20).for_each(|n| scratched.put_pixel(120 + n, 90 + n, image::Luma([20])));
        assert!(!first.is_near_copy(&PictureSketch::of(&scratched)), "a scratch");
        assert!(!first.is_near_copy(&PictureSketch::of(&GrayImage::new(1, 1))), "another size");
        assert!(PictureSketch::of(&GrayImage::new(0, 0)).cells.is_empty());
    }

    #[test]
    fn the_histogram_counts_every_pixel_once() {
        let mut grey = GrayImage::new(4, 4);
        for (n, level) in [(0, 3), (1, 4), (2, 255), (3, 252)] {
            grey.put_pixel(n, 0, image::Luma([level]));
        }
        let figures = CameraFigures::of(&grey);
        assert_eq!((figures.histogram[0], figures.histogram[1], figures.histogram[63]), (13, 1, 2));
        assert_eq!(figures.histogram.iter().sum::<u32>(), 16);
        let told = serde_json::to_value(figures).unwrap();
        assert!(told["sharpness"].is_f64() && told["histogram"][63] == 2, "{told}");
    }

    #[test]
    fn a_blurred_picture_is_less_sharp_and_clipped_pixels_are_counted() {
        let sharp = picture(100, 1, 0);
        let (a, b) = (PictureQuality::of(&sharp), PictureQuality::of(&image::imageops::blur(&sharp, 2.0)));
        assert!(a.sharpness > 5.0 * b.sharpness, "{a:?} {b:?}");
        // By hand: one pixel of 16 on black, and the variance over the 9 places with four neighbours: (64^2 + 4 * 16^2) / 9 - 0.
        let mut dot = GrayImage::new(5, 5);
        dot.put_pixel(2, 2, image::Luma([16]));
        let one = PictureQuality::of(&dot);
        assert!((one.sharpness - (4096.0 + 1024.0) / 9.0).abs() < 1e-9, "{one:?}");
        assert!((one.dark - 0.96).abs() < 1e-9 && one.bright == 0.0);
        let clipped = PictureQuality::of(&picture(0, 1, 200));
        assert!(clipped.bright > 0.1 && clipped.dark == 0.0, "{clipped:?}");
        assert_eq!(PictureQuality::of(&GrayImage::new(1, 1)).sharpness, 0.0);
    }
}
