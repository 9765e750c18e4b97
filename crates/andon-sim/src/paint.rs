//! Draws one flange. Units: the part's radius is 1, its centre the origin.

use super::Part;
use super::noise;
use super::shape::{BORE, HOLE, Surface, nearest_hole};

/// The part's radius as a share of the picture's side.
const RADIUS: f32 = 0.39;

/// What all parts share: the marks of the lathe by radius, and the rubber of the belt.
#[derive(Clone, Debug)]
pub(super) struct Textures {
    turned: Vec<f32>,
    belt: Vec<f32>,
}

const TURNED: usize = 1024;
const BELT: usize = 256;

impl Textures {
    pub fn new(seed: u64) -> Textures {
        let seed = seed as u32 ^ 0x5eed;
        let fine = |i: usize| 0.6 * noise::at(i as i32, 1, seed) + 0.4 * noise::smooth(i as f32 / 7.0, 0.5, seed);
        let rubber = |i: usize| {
            let (x, y) = ((i % BELT) as f32, (i / BELT) as f32);
            0.5 * noise::at(x as i32, y as i32, seed + 9) + noise::cloudy(x / 32.0, y / 32.0, seed + 10)
        };
        Textures { turned: (0..TURNED).map(fine).collect(), belt: (0..BELT * BELT).map(rubber).collect() }
    }

    fn turned(&self, r: f32, shift: usize) -> f32 {
        self.turned[((r * 420.0) as usize + shift) % TURNED]
    }

    fn belt(&self, x: usize, y: usize) -> f32 {
        self.belt[y % BELT * BELT + x % BELT]
    }
}

pub(super) fn part(textures: &Textures, part: &Part, side: usize, out: &mut Vec<u8>) {
    out.resize(side * side * 3, 0);
    let scale = 1.0 / (side as f32 * RADIUS);
    let half = side as f32 / 2.0;
    // Rotation from the tangent of half its angle: exact without sine and cosine.
    let t2 = part.half_tan * part.half_tan;
    let (cos, sin) = ((1.0 - t2) / (1.0 + t2), 2.0 * part.half_tan / (1.0 + t2));
    let shift = part.grain as usize % TURNED;
    for (i, pixel) in out.as_chunks_mut::<3>().0.iter_mut().enumerate() {
        let (column, row) = (i % side, i / side);
        let x = (column as f32 + 0.5 - half) * scale - part.dx;
        let y = (row as f32 + 0.5 - half) * scale - part.dy;
        let (px, py) = (x * cos + y * sin, y * cos - x * sin);
        let lit = part.light * (1.0 + part.slope.0 * x + part.slope.1 * y);
        let colour = metal(textures, part, (px, py), shift).unwrap_or_else(|| {
            let shade = shadow(x - 0.05, y - 0.07);
            let weave = textures.belt(column, row + part.belt as usize);
            let grey = (44.0 + 7.0 * weave) * shade;
            [grey, grey, grey * 1.04]
        });
        // The sensor's noise, one level for all channels.
        let noise = 3.0 * noise::at(column as i32, row as i32, part.grain);
        *pixel = colour.map(|c| (c * lit + noise).clamp(0.0, 255.0) as u8);
    }
}

/// The metal's colour at a point of the part; `None` where the belt shows.
fn metal(textures: &Textures, part: &Part, (px, py): (f32, f32), shift: usize) -> Option<[f32; 3]> {
    let r = (px * px + py * py).sqrt();
    if !(BORE..=1.0).contains(&r) {
        return None;
    }
    let missing = part.defect.and_then(|d| d.missing_hole());
    let hole = nearest_hole(px, py, missing).sqrt();
    if hole < HOLE {
        return None;
    }
    let mut surface = Surface { light: 1.0, rust: 0.0, metal: true };
    if let Some(defect) = &part.defect {
        defect.apply(px, py, &mut surface);
    }
    if !surface.metal {
        return None;
    }
    // Turned metal shines in two opposite sectors, as the lathe's marks run around the centre.
    let sector = (px * 0.8 - py * 0.6) / r;
    let shine = 0.86 + 0.22 * sector * sector;
    let marks = 1.0 + 0.05 * textures.turned(r, shift);
    // Bevels at rim, bore and holes, lit from the upper left.
    let facing = -(px + py) / r;
    let bevel = bevel(1.0 - r, facing) + bevel(r - BORE, -facing) + 0.4 * bevel(hole - HOLE, 0.8);
    let grey = 158.0 * (shine * marks + bevel) * surface.light;
    let rust = surface.rust;
    Some([grey * (1.0 + 0.06 * rust), grey * (1.0 - 0.16 * rust), grey * (1.02 - 0.42 * rust)])
}

/// Brightness of an edge at a distance from it.
fn bevel(from_edge: f32, facing: f32) -> f32 {
    const WIDTH: f32 = 0.035;
    if from_edge < WIDTH { 0.3 * facing * (1.0 - from_edge / WIDTH) } else { 0.0 }
}

/// The part's soft shadow on the belt.
fn shadow(x: f32, y: f32) -> f32 {
    let r = (x * x + y * y).sqrt();
    let cover = if r > 0.6 { (1.12 - r) / 0.16 } else { (r - BORE + 0.1) / 0.16 };
    1.0 - 0.55 * cover.clamp(0.0, 1.0)
}
