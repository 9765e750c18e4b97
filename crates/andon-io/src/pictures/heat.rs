//! The anomaly map as a picture to lay over the part.

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

use super::error::PictureError;
use andon_core::{AnomalyMap, heatmap};

/// Pixels for each cell of the map in each direction, and pixels of a side at most: the browser stretches the rest.
const PER_CELL: usize = 8;
const MOST: usize = 512;

/// The map as a PNG with transparency, on the model's fixed scale: nothing at `baseline` (a typical good patch), yellow at the threshold, red at
/// twice that way. It covers the whole picture and has to be stretched to its size. `None` for a map without cells.
///
/// # Errors
/// [`PictureError::Coding`].
pub fn heatmap_png(map: &AnomalyMap, baseline: f32, threshold: f32) -> Result<Option<Vec<u8>>, PictureError> {
    if map.data.is_empty() || map.data.len() != map.width * map.height {
        return Ok(None);
    }
    let side = |cells: usize| (cells * PER_CELL).min(MOST).max(cells.min(2 * MOST));
    let (width, height) = (side(map.width), side(map.height));
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    heatmap::render_into(map, width, height, &mut values);
    heatmap::to_u8(&values, baseline, threshold, &mut levels);
    let pixel = |level: &u8| {
        let [r, g, b] = heatmap::colour(*level);
        // As strong as in `heatmap::overlay`.
        [r, g, b, ((f32::from(*level) / 127.5).min(1.0) * 0.75 * 255.0) as u8]
    };
    let rgba: Vec<u8> = levels.iter().flat_map(pixel).collect();
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Fast, FilterType::Sub).write_image(
        &rgba,
        width as u32,
        height as u32,
        ExtendedColorType::Rgba8,
    )?;
    Ok(Some(png))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_patch_is_clear_and_the_threshold_is_not() {
        let map = AnomalyMap { width: 4, height: 2, data: vec![5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 20.0, 20.0] };
        let png = heatmap_png(&map, 5.0, 10.0).unwrap().unwrap();
        let image = image::load_from_memory(&png).unwrap().to_rgba8();
        assert_eq!(image.dimensions(), (32, 16));
        assert_eq!(image.get_pixel(0, 0).0[3], 0);
        let hot = image.get_pixel(31, 15).0;
        assert!(hot[3] > 180 && hot[0] > 200 && hot[1] < 60, "{hot:?}");
        assert!(heatmap_png(&AnomalyMap::default(), 5.0, 10.0).unwrap().is_none());
    }
}
