//! Defects that are put into good pictures, to see what a recipe would find before anybody has a real one. Eight kinds, of many sizes and
//! contrasts, each drawn from a seed: the same seed gives the same pixels. Cutting, scars and what they teach: Li et al., "CutPaste:
//! Self-Supervised Learning for Anomaly Detection and Localization", CVPR 2021; the other kinds are what lines report.

use std::f32::consts::PI;

use crate::fit::Picture;
use andon_core::SplitMix64;

/// What is done to a good picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A piece of another good picture, or of another place, pasted in.
    Paste,
    /// A thin line, darker or brighter.
    Scar,
    /// A soft spot, darker or brighter.
    Blob,
    /// A spot of a few pixels.
    Speck,
    /// Structure wiped out: its surroundings' colour in its place.
    Missing,
    /// Structure seen twice, a little apart.
    Doubled,
    /// Another colour, of the same structure.
    Colour,
    /// Structure blurred.
    Blur,
}

/// Every kind.
pub const KINDS: [Kind; 8] =
    [Kind::Paste, Kind::Scar, Kind::Blob, Kind::Speck, Kind::Missing, Kind::Doubled, Kind::Colour, Kind::Blur];

impl Kind {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Paste => "pasted",
            Kind::Scar => "scar",
            Kind::Blob => "blob",
            Kind::Speck => "speck",
            Kind::Missing => "missing",
            Kind::Doubled => "doubled",
            Kind::Colour => "colour",
            Kind::Blur => "blurred",
        }
    }

    /// How visible it has to be at least; a spot of a few pixels cannot be more.
    fn least(self) -> f32 {
        if self == Kind::Speck { LEAST_VISIBLE / 2.0 } else { LEAST_VISIBLE }
    }

    /// Shortest and longest extent, as shares of the square root of the picture's area.
    fn extent(self) -> [f32; 2] {
        match self {
            Kind::Speck => [0.012, 0.04],
            Kind::Scar => [0.1, 0.6],
            Kind::Blob => [0.02, 0.4],
            _ => [0.03, 0.4],
        }
    }
}

/// How strong a defect is.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Strength {
    /// The square root of its area, as a share of that of the picture's.
    pub side: f32,
    /// The mean change of a pixel in it, in grey levels of 0 to 255.
    pub contrast: f32,
}

impl Strength {
    /// What an eye goes by: extent times contrast.
    pub fn visible(&self) -> f32 {
        self.side * self.contrast
    }
}

/// Draws that are tried until one is as visible as it should be.
const TRIES: usize = 40;
/// How visible defects are, by [`Strength::visible`]. Fainter ones are not what lines reject, and prefer fine resolution where real ones do
/// not: with them the sizes of the magnetic tiles were ranked wrongly (docs/accuracy.md). Stronger ones every recipe finds.
const LEAST_VISIBLE: f32 = 2.5;
const MOST_VISIBLE: f32 = 15.0;

/// A copy of `picture` with a defect of this kind inside `allowed` (which is asked for the defect's middle, as shares of width and height).
/// Pieces to paste come from `other`. With how strong it is. `None` where no draw changes anything: an even picture has no structure to double.
pub fn add(
    picture: &Picture,
    other: &Picture,
    kind: Kind,
    allowed: &dyn Fn(f32, f32) -> bool,
    random: &mut SplitMix64,
) -> Option<(Picture, Strength)> {
    for _ in 0..TRIES {
        let shape = Shape::draw(picture, kind, allowed, random)?;
        let paint = Paint::draw(picture, other, kind, &shape, random);
        let mut changed = picture.clone();
        let (mut sum, mut weight) = (0.0, 0.0);
        for (x, y, share) in shape.pixels(picture) {
            let at = (y * picture.width as usize + x) * 3;
            let before: [u8; 3] = std::array::from_fn(|c| picture.rgb[at + c]);
            let wanted = paint.at(picture, x, y, before);
            for c in 0..3 {
                let value = f32::from(before[c]) + share * (wanted[c] - f32::from(before[c]));
                changed.rgb[at + c] = value.round().clamp(0.0, 255.0) as u8;
                sum += f32::from(changed.rgb[at + c].abs_diff(before[c]));
            }
            weight += share * 3.0;
        }
        let area = picture.width as f32 * picture.height as f32;
        let strength = Strength { side: (weight / 3.0 / area).sqrt(), contrast: sum / weight };
        if (kind.least()..MOST_VISIBLE).contains(&strength.visible()) {
            return Some((changed, strength));
        }
    }
    None
}

/// A number in `low..high`, evenly on a logarithmic scale.
fn between(low: f32, high: f32, random: &mut SplitMix64) -> f32 {
    low * (high / low).powf(unit(random))
}

/// A number in 0..1.
fn unit(random: &mut SplitMix64) -> f32 {
    (random.next_u64() >> 40) as f32 / (1u64 << 24) as f32
}

/// A turned ellipse or bar with soft edges, in pixels.
struct Shape {
    x: f32,
    y: f32,
    /// Half the extents along and across.
    half: [f32; 2],
    cos: f32,
    sin: f32,
    bar: bool,
    /// Pixels over which the edge fades.
    soft: f32,
}

impl Shape {
    /// `None` if no place is allowed.
    fn draw(
        picture: &Picture,
        kind: Kind,
        allowed: &dyn Fn(f32, f32) -> bool,
        random: &mut SplitMix64,
    ) -> Option<Shape> {
        let (w, h) = (picture.width as f32, picture.height as f32);
        let side = (w * h).sqrt();
        let [shortest, longest] = kind.extent();
        let along = between(shortest, longest, random) * side / 2.0;
        let across = match kind {
            Kind::Scar => between(0.006, 0.02, random) * side / 2.0,
            _ => along * between(0.4, 1.0, random),
        };
        let half = [along.max(0.8), across.max(0.6)];
        let angle = unit(random) * PI;
        // Of a few places the one with most structure: a part is seldom as even as what lies around it.
        let mut best: Option<(f32, f32, f32)> = None;
        for _ in 0..48 {
            let (u, v) = (unit(random), unit(random));
            if !allowed(u, v) {
                continue;
            }
            let liveliness = liveliness(picture, u * w, v * h, side * 0.05);
            if best.is_none_or(|b| liveliness > b.0) {
                best = Some((liveliness, u * w, v * h));
            }
            if best.is_some() && unit(random) < 0.3 {
                break;
            }
        }
        let (_, x, y) = best?;
        let bar = matches!(kind, Kind::Scar | Kind::Paste);
        let soft = if bar { 1.0 } else { (half[1] * 0.4).max(1.0) };
        Some(Shape { x, y, half, cos: angle.cos(), sin: angle.sin(), bar, soft })
    }

    /// The pixels that it touches, each with how much of it counts, above 0 and at most 1.
    fn pixels(&self, picture: &Picture) -> impl Iterator<Item = (usize, usize, f32)> + use<'_> {
        let reach = self.half[0].hypot(self.half[1]) + self.soft + 1.0;
        let range = |middle: f32, length: u32| {
            let first = (middle - reach).floor().max(0.0) as usize;
            first..((middle + reach).ceil().max(0.0) as usize).min(length as usize)
        };
        let columns = range(self.x, picture.width);
        range(self.y, picture.height).flat_map(move |y| {
            columns.clone().filter_map(move |x| Some((x, y, self.share(x as f32, y as f32))).filter(|p| p.2 > 0.0))
        })
    }

    fn share(&self, x: f32, y: f32) -> f32 {
        let (dx, dy) = (x - self.x, y - self.y);
        let (u, v) = ((dx * self.cos + dy * self.sin).abs(), (dy * self.cos - dx * self.sin).abs());
        let [along, across] = self.half;
        // How far inside the edge, in pixels.
        let inside = match self.bar {
            true => (along - u).min(across - v),
            false => (1.0 - (u / along).hypot(v / across)) * across,
        };
        ((inside + 0.5) / self.soft).clamp(0.0, 1.0)
    }
}

/// The standard deviation of the grey values of some pixels around a place.
fn liveliness(picture: &Picture, x: f32, y: f32, reach: f32) -> f32 {
    let (mut sum, mut squares) = (0.0, 0.0);
    const GRID: [f32; 5] = [-1.0, -0.5, 0.0, 0.5, 1.0];
    for dy in GRID {
        for dx in GRID {
            let grey = pixel(picture, x + dx * reach, y + dy * reach).iter().sum::<f32>() / 3.0;
            (sum, squares) = (sum + grey, squares + grey * grey);
        }
    }
    let n = (GRID.len() * GRID.len()) as f32;
    (squares / n - (sum / n) * (sum / n)).max(0.0).sqrt()
}

/// The pixel nearest to a place; outside, that of the edge.
fn pixel(picture: &Picture, x: f32, y: f32) -> [f32; 3] {
    let x = x.round().clamp(0.0, picture.width as f32 - 1.0) as usize;
    let y = y.round().clamp(0.0, picture.height as f32 - 1.0) as usize;
    let at = (y * picture.width as usize + x) * 3;
    std::array::from_fn(|c| f32::from(picture.rgb[at + c]))
}

/// What a defect's pixels become.
enum Paint<'a> {
    /// So much brighter in each channel.
    Shift([f32; 3]),
    /// The pixels of a picture, so far away.
    Copy { from: &'a Picture, dx: f32, dy: f32 },
    /// The mean of the pixel and another, so far away.
    Twice { dx: f32, dy: f32 },
    /// One colour: the mean of the edge around it.
    Even([f32; 3]),
    /// The mean of pixels around.
    Blurred(f32),
}

impl<'a> Paint<'a> {
    fn draw(picture: &Picture, other: &'a Picture, kind: Kind, shape: &Shape, random: &mut SplitMix64) -> Paint<'a> {
        let sign = if random.below(2) == 0 { -1.0 } else { 1.0 };
        let side = (picture.width as f32 * picture.height as f32).sqrt();
        let turn = unit(random) * 2.0 * PI;
        match kind {
            Kind::Scar | Kind::Blob | Kind::Speck => {
                let contrast = between(20.0, 160.0, random) * sign;
                Paint::Shift([contrast; 3])
            }
            Kind::Colour => {
                let strength = between(15.0, 120.0, random);
                let channel = random.below(3) as usize;
                // A grey picture has no other colour, only another brightness.
                match picture.rgb.as_chunks::<3>().0.iter().all(|p| p[0] == p[1] && p[1] == p[2]) {
                    true => Paint::Shift([strength * sign * 0.6; 3]),
                    false => {
                        Paint::Shift(std::array::from_fn(|c| strength * sign * if c == channel { 1.0 } else { -0.5 }))
                    }
                }
            }
            Kind::Paste => {
                let (x, y) = (unit(random) * other.width as f32, unit(random) * other.height as f32);
                Paint::Copy { from: other, dx: x - shape.x, dy: y - shape.y }
            }
            Kind::Doubled => {
                let far = between(0.01, 0.05, random) * side;
                Paint::Twice { dx: turn.cos() * far.max(2.0), dy: turn.sin() * far.max(2.0) }
            }
            Kind::Missing => {
                let reach = shape.half[0] + shape.soft;
                let ring = (0..16).map(|i| {
                    let angle = i as f32 * PI / 8.0;
                    pixel(picture, shape.x + angle.cos() * reach, shape.y + angle.sin() * reach)
                });
                let sum = ring.fold([0.0f32; 3], |a, b| std::array::from_fn(|c| a[c] + b[c]));
                Paint::Even(sum.map(|v| v / 16.0))
            }
            Kind::Blur => Paint::Blurred(between(0.006, 0.025, random) * side),
        }
    }

    fn at(&self, picture: &Picture, x: usize, y: usize, before: [u8; 3]) -> [f32; 3] {
        let before = before.map(f32::from);
        let (x, y) = (x as f32, y as f32);
        match self {
            Paint::Shift(by) => std::array::from_fn(|c| before[c] + by[c]),
            Paint::Copy { from, dx, dy } => {
                // Where the piece ends, it is mirrored.
                let mirrored = |v: f32, length: u32| {
                    let last = (length.max(2) - 1) as f32;
                    let v = v.abs() % (2.0 * last);
                    if v > last { 2.0 * last - v } else { v }
                };
                pixel(from, mirrored(x + dx, from.width), mirrored(y + dy, from.height))
            }
            Paint::Twice { dx, dy } => {
                let other = pixel(picture, x + dx, y + dy);
                std::array::from_fn(|c| (before[c] + other[c]) / 2.0)
            }
            Paint::Even(colour) => *colour,
            Paint::Blurred(reach) => {
                let mut sum = [0.0f32; 3];
                const GRID: [f32; 5] = [-1.0, -0.5, 0.0, 0.5, 1.0];
                for dy in GRID {
                    for dx in GRID {
                        let p = pixel(picture, x + dx * reach, y + dy * reach);
                        sum = std::array::from_fn(|c| sum[c] + p[c]);
                    }
                }
                sum.map(|v| v / (GRID.len() * GRID.len()) as f32)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stripes and a disc, so that every kind has something to change.
    fn part(shift: usize) -> Picture {
        let (w, h) = (160usize, 120usize);
        let rgb = (0..w * h).flat_map(|i| {
            let (x, y) = (i % w, i / w);
            let disc = (x as i32 - 80).pow(2) + (y as i32 - 60).pow(2) < 1600;
            let stripe = ((x + shift) / 6).is_multiple_of(2);
            let v = 60 + 90 * u8::from(disc) + 50 * u8::from(stripe);
            [v, v / 2, 255 - v]
        });
        Picture { width: w as u32, height: h as u32, rgb: rgb.collect() }
    }

    #[test]
    fn every_kind_changes_some_pixels_of_a_part_and_the_same_seed_the_same_ones() {
        let (one, two) = (part(0), part(3));
        for kind in KINDS {
            let mut drawn = 0;
            for seed in 0..20 {
                let draw = || add(&one, &two, kind, &|_, _| true, &mut SplitMix64::new(seed));
                assert_eq!(draw(), draw(), "{kind:?} {seed}");
                let Some((changed, strength)) = draw() else { continue };
                drawn += 1;
                assert!((kind.least()..MOST_VISIBLE).contains(&strength.visible()), "{kind:?} {seed}: {strength:?}");
                let pixels = changed.rgb.chunks(3).zip(one.rgb.chunks(3)).filter(|(a, b)| a != b).count();
                let share = pixels as f32 / (one.width * one.height) as f32;
                assert!((1..19200).contains(&pixels) && share < 0.3, "{kind:?} {seed}: {pixels} pixels");
            }
            assert!(drawn >= 12, "{kind:?}: {drawn} of 20");
        }
    }

    #[test]
    fn defects_stay_where_they_are_allowed() {
        let (one, two) = (part(0), part(3));
        for seed in 0..20 {
            let changed = add(&one, &two, Kind::Speck, &|u, _| u < 0.25, &mut SplitMix64::new(seed));
            let Some((changed, _)) = changed else { continue };
            let right = changed.rgb.chunks(3).zip(one.rgb.chunks(3)).enumerate();
            assert!(right.filter(|(_, (a, b))| a != b).all(|(i, _)| i % 160 < 50), "{seed}");
        }
        assert!(add(&one, &two, Kind::Blob, &|_, _| false, &mut SplitMix64::new(0)).is_none());
    }

    #[test]
    fn an_even_picture_has_no_structure_to_change_but_can_be_scratched() {
        let even = Picture { width: 64, height: 64, rgb: vec![120; 64 * 64 * 3] };
        let draw = |kind| add(&even, &even, kind, &|_, _| true, &mut SplitMix64::new(1));
        assert!([Kind::Paste, Kind::Missing, Kind::Doubled, Kind::Blur].into_iter().all(|k| draw(k).is_none()));
        assert!([Kind::Scar, Kind::Blob, Kind::Speck, Kind::Colour].into_iter().all(|k| draw(k).is_some()));
        let tiny = Picture { width: 1, height: 1, rgb: vec![9; 3] };
        for kind in KINDS {
            add(&tiny, &tiny, kind, &|_, _| true, &mut SplitMix64::new(1));
        }
    }
}
