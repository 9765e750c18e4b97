//! Pictures that are not of the product: the student is kept from saying anything of them, so that it does not learn to say of everything what the
//! teacher says.

use std::path::{Path, PathBuf};

use andon_core::SplitMix64;
use andon_vision::fit::read_image;
use andon_vision::preprocess::{InputSpec, Preprocessor};

use super::LearnError;
use crate::pictures::{grey, planes};

/// Share of them that are shown in grey, as published.
const GREY_SHARE: f64 = 0.3;

/// Where they come from.
#[derive(Clone, Debug)]
pub enum Penalty {
    /// Photographs of all kinds: their files.
    Natural(Vec<PathBuf>),
    /// Made here: leaves of all sizes and colours, one over the other. Their edges and sizes are spread as in photographs. Source: Lee, Mumford and
    /// Huang, "Occlusion Models for Natural Images", IJCV 2001.
    Made,
}

impl Penalty {
    /// For people and model files.
    pub fn words(&self) -> String {
        match self {
            Penalty::Natural(files) => format!("kept off {} photographs", files.len()),
            Penalty::Made => "kept off generated pictures".to_owned(),
        }
    }
}

/// Gives them, by number.
pub(super) struct Source<'a> {
    from: &'a Penalty,
    /// Rows and columns of what is shown.
    size: [usize; 2],
    /// Photographs at twice that size.
    read: Vec<Option<Vec<u8>>>,
}

impl<'a> Source<'a> {
    pub fn new(from: &'a Penalty, size: [usize; 2]) -> Source<'a> {
        let files = match from {
            Penalty::Natural(files) => files.len(),
            Penalty::Made => 0,
        };
        Source { from, size, read: vec![None; files] }
    }

    /// A picture as networks see it, `[1, 3, rows, columns]`.
    pub fn draw(&mut self, random: &mut SplitMix64) -> Result<Vec<f32>, LearnError> {
        let [rows, columns] = self.size;
        let mut rgb = match self.from {
            Penalty::Made => leaves(rows, columns, random),
            Penalty::Natural(files) => {
                let number = random.below(files.len() as u64) as usize;
                let whole = match &mut self.read[number] {
                    Some(whole) => whole,
                    slot => slot.insert(read(&files[number], [2 * rows, 2 * columns])?),
                };
                // Its middle.
                (rows / 2..rows / 2 + rows)
                    .flat_map(|y| &whole[(y * 2 * columns + columns / 2) * 3..][..columns * 3])
                    .copied()
                    .collect()
            }
        };
        if random.unit() < GREY_SHARE {
            rgb.as_chunks_mut::<3>().0.iter_mut().for_each(|pixel| *pixel = [grey(*pixel); 3]);
        }
        Ok(planes(&rgb))
    }
}

fn read(file: &Path, [rows, columns]: [usize; 2]) -> Result<Vec<u8>, LearnError> {
    let failed = |why: String| LearnError::Natural { file: file.display().to_string(), why };
    let picture = read_image(file).map_err(|e| failed(e.to_string()))?;
    let spec = InputSpec { width: columns as u32, height: rows as u32, mean: [0.0; 3], scale: [1.0; 3], range: None };
    let mut rgb = vec![0; spec.len()];
    let view = picture.view().ok_or_else(|| failed("it is empty".to_owned()))?;
    Preprocessor::new(spec).resize_rgb_into(&view, &mut rgb);
    Ok(rgb)
}

/// Discs whose radii have the density `r^-3`, the first drawn on top, until nothing is left to cover; each of one colour with some texture.
fn leaves(rows: usize, columns: usize, random: &mut SplitMix64) -> Vec<u8> {
    /// Smallest and largest radius, as shares of the picture's side.
    const RADII: [f64; 2] = [0.01, 0.7];
    /// Leaves at most; what they leave open keeps the ground's colour.
    const MOST: usize = 1500;
    let side = rows.max(columns) as f64;
    let ground: [f64; 3] = std::array::from_fn(|_| random.unit() * 255.0);
    let mut rgb: Vec<u8> = ground.map(|v| v as u8).repeat(rows * columns);
    let mut open = vec![true; rows * columns];
    let mut left = open.len();
    for _ in 0..MOST {
        if left == 0 {
            break;
        }
        // The inverse of the distribution function of r^-3.
        let [small, large] = RADII.map(|r| (r * side).powi(-2));
        let radius = (small + random.unit() * (large - small)).powf(-0.5);
        let (x, y) = (random.unit() * columns as f64, random.unit() * rows as f64);
        let colour: [f64; 3] = std::array::from_fn(|_| random.unit() * 255.0);
        let (rough, slope) = (random.unit() * 40.0, (random.unit() - 0.5) * 120.0 / radius);
        let angle = random.unit() * std::f64::consts::TAU;
        let (sin, cos) = angle.sin_cos();
        let squash = 0.4 + 0.6 * random.unit();
        let reach = |at: f64, most: usize| {
            (((at - radius).floor().max(0.0)) as usize, ((at + radius).ceil().max(0.0) as usize).min(most))
        };
        let ((x0, x1), (y0, y1)) = (reach(x, columns), reach(y, rows));
        for v in y0..y1 {
            for u in x0..x1 {
                let (dx, dy) = (u as f64 - x, v as f64 - y);
                let (along, across) = (dx * cos + dy * sin, (dy * cos - dx * sin) / squash);
                let at = v * columns + u;
                if !open[at] || along * along + across * across > radius * radius {
                    continue;
                }
                let noise = (random.unit() - 0.5) * rough + slope * along;
                for c in 0..3 {
                    rgb[at * 3 + c] = (colour[c] + noise).clamp(0.0, 255.0) as u8;
                }
                open[at] = false;
                left -= 1;
            }
        }
    }
    rgb
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Neighbours in photographs are alike, and less so the further apart they are; noise is not.
    #[test]
    fn made_pictures_cover_the_picture_and_vary_as_photographs_do() {
        let mut random = SplitMix64::new(4);
        let (mut near, mut far, mut all) = (0.0, 0.0, 0.0);
        for _ in 0..8 {
            let rgb = leaves(128, 128, &mut random);
            let at = |x: usize, y: usize| f64::from(rgb[(y * 128 + x) * 3]);
            let mean = (0..128 * 128).map(|i| f64::from(rgb[i * 3])).sum::<f64>() / 16384.0;
            for y in 0..128 {
                for x in 0..96 {
                    let here = at(x, y) - mean;
                    all += here * here;
                    near += here * (at(x + 1, y) - mean);
                    far += here * (at(x + 32, y) - mean);
                }
            }
        }
        assert!(near / all > 0.6 && far / all < 0.6 * near / all && far / all > -0.3, "{} {}", near / all, far / all);
    }

    #[test]
    fn the_same_seed_gives_the_same_picture() {
        let made = |seed| Source::new(&Penalty::Made, [32, 48]).draw(&mut SplitMix64::new(seed)).unwrap();
        assert_eq!(made(1), made(1));
        assert_ne!(made(1), made(2));
        assert_eq!(made(1).len(), 3 * 32 * 48);
    }
}
