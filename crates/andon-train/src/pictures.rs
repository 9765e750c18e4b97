//! Pictures as networks in training see them.

use andon_core::SplitMix64;

/// ImageNet's mean and deviation of red, green and blue, in units of 0..=1, with which all these networks are trained.
pub const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// See [`MEAN`].
pub const DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];

/// Interleaved 8-bit RGB as three planes `(x / 255 - mean) / deviation`.
pub fn planes(rgb: &[u8]) -> Vec<f32> {
    let pixels = rgb.as_chunks::<3>().0;
    (0..3).flat_map(|c| pixels.iter().map(move |p| (f32::from(p[c]) / 255.0 - MEAN[c]) / DEVIATION[c])).collect()
}

/// Brightness by ITU-R BT.601, as PIL and PyTorch turn pictures grey.
pub fn grey([red, green, blue]: [u8; 3]) -> u8 {
    ((u32::from(red) * 299 + u32::from(green) * 587 + u32::from(blue) * 114 + 500) / 1000) as u8
}

/// The picture with one of brightness, contrast and saturation times 0.8 to 1.2, as PIL and PyTorch change them; interleaved 8-bit RGB.
pub fn changed(rgb: &[u8], random: &mut SplitMix64) -> Vec<u8> {
    let factor = 0.8 + 0.4 * random.unit() as f32;
    let kind = random.below(3);
    let pixels = rgb.as_chunks::<3>().0;
    let mean = pixels.iter().map(|p| f64::from(grey(*p))).sum::<f64>() / pixels.len().max(1) as f64;
    let towards = |pixel: &[u8; 3]| match kind {
        0 => 0.0,
        1 => mean.round() as f32,
        _ => f32::from(grey(*pixel)),
    };
    let value = |pixel: &[u8; 3], c: usize| {
        let other = towards(pixel);
        (other + factor * (f32::from(pixel[c]) - other)).clamp(0.0, 255.0) as u8
    };
    pixels.iter().flat_map(|pixel| (0..3).map(move |c| (pixel, c))).map(|(pixel, c)| value(pixel, c)).collect()
}
