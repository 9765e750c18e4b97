//! The heatmap: the anomaly map upsampled to the picture, on a colour scale that is fixed for each model.

use crate::AnomalyMap;

/// Upsamples `map` to `width * height` values (bilinear, half-pixel centres).
pub fn render_into(map: &AnomalyMap, width: usize, height: usize, out: &mut Vec<f32>) {
    out.clear();
    if map.data.is_empty() || map.data.len() != map.width * map.height {
        out.resize(width * height, f32::NAN);
        return;
    }
    out.reserve(width * height);
    for y in 0..height {
        let (top, bottom, ty) = tap(y, map.height, height);
        for x in 0..width {
            let (left, right, tx) = tap(x, map.width, width);
            let at = |y: usize, x: usize| map.data[y * map.width + x];
            let a = at(top, left) + (at(top, right) - at(top, left)) * tx;
            let b = at(bottom, left) + (at(bottom, right) - at(bottom, left)) * tx;
            out.push(a + (b - a) * ty);
        }
    }
}

fn tap(o: usize, from: usize, to: usize) -> (usize, usize, f32) {
    let at = ((o as f32 + 0.5) * from as f32 / to as f32 - 0.5).max(0.0);
    let a = (at as usize).min(from - 1);
    (a, (a + 1).min(from - 1), at - a as f32)
}

/// Puts values on the fixed scale: `typical` (a good part) is 0, `threshold` 127.5, twice that way 255. NaN is 255: what
/// could not be compared is shown as bad.
pub fn to_u8(values: &[f32], typical: f32, threshold: f32, out: &mut Vec<u8>) {
    let scale = 127.5 / (threshold - typical).max(f32::MIN_POSITIVE);
    out.clear();
    out.extend(values.iter().map(|v| {
        let level = (v - typical) * scale;
        if level.is_nan() { 255 } else { level.round().clamp(0.0, 255.0) as u8 }
    }));
}

/// The colour of a level of [`to_u8`]: dark blue for good, yellow at the threshold, red above it.
pub fn colour(level: u8) -> [u8; 3] {
    const STOPS: [(f32, [f32; 3]); 5] = [
        (0.0, [8.0, 10.0, 28.0]),
        (70.0, [52.0, 34.0, 110.0]),
        (127.0, [252.0, 206.0, 66.0]),
        (170.0, [236.0, 88.0, 38.0]),
        (255.0, [255.0, 16.0, 40.0]),
    ];
    let level = f32::from(level);
    let upper = STOPS.iter().position(|(at, _)| level <= *at).unwrap_or(STOPS.len() - 1).max(1);
    let ((a, from), (b, to)) = (STOPS[upper - 1], STOPS[upper]);
    let t = (level - a) / (b - a);
    std::array::from_fn(|c| (from[c] + (to[c] - from[c]) * t) as u8)
}

/// The picture in grey with the heat laid over it, stronger where it is hotter. `rgb` holds 3 bytes for each level.
pub fn overlay(rgb: &[u8], levels: &[u8]) -> Vec<u8> {
    let blend = |(pixel, level): (&[u8; 3], &u8)| {
        let grey = (u32::from(pixel[0]) * 77 + u32::from(pixel[1]) * 150 + u32::from(pixel[2]) * 29) >> 8;
        let heat = colour(*level);
        let weight = (f32::from(*level) / 127.5).min(1.0) * 0.75;
        heat.map(|h| (grey as f32 * (1.0 - weight) + f32::from(h) * weight) as u8)
    };
    rgb.as_chunks::<3>().0.iter().zip(levels).flat_map(blend).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_fixed_by_the_model_and_shows_nan_as_bad() {
        let mut out = Vec::new();
        to_u8(&[5.0, 10.0, 15.0, 99.0, 0.0, f32::NAN], 5.0, 15.0, &mut out);
        assert_eq!(out, [0, 64, 128, 255, 0, 255]);
    }

    #[test]
    fn upsampling_never_leaves_the_range_of_the_map() {
        let mut map = AnomalyMap { width: 4, height: 4, data: vec![3.0; 16] };
        let mut out = Vec::new();
        map.data[5] = 30.0;
        render_into(&map, 32, 32, &mut out);
        let peak = out.iter().copied().fold(f32::MIN, f32::max);
        assert!(peak > 25.0 && peak <= 30.0 && out.iter().all(|v| *v >= 3.0), "{peak}");
    }

    #[test]
    fn colours_go_from_dark_to_red() {
        assert!(colour(0).iter().all(|c| *c < 40));
        let [r, g, _] = colour(127);
        assert!(r > 200 && g > 150);
        let [r, g, _] = colour(255);
        assert!(r > 200 && g < 60);
    }
}
