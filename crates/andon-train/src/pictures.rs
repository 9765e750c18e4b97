//! Pictures as networks in training see them.

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
