//! A conveyor in software: turned metal flanges on a rubber belt, good ones and eight kinds of bad ones, with the mask of
//! every defect. Part `k` is a pure function of the seed and `k`; only additions, multiplications, divisions and square
//! roots of f32 are used, which every machine rounds alike, so the pictures are the same bytes everywhere.

mod defect;
mod line;
mod live;
mod noise;
mod paint;
mod painter;
mod score;
mod shape;

pub use defect::DefectKind;
pub use line::{SimLine, SimReport};
pub use live::{LiveBelt, LiveEye};
pub use painter::ConveyorPainter;
pub use score::Ejections;

use defect::Defect;
use noise::Dice;

/// What the conveyor carries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimSpec {
    /// Makes the same parts again.
    pub seed: u64,
    /// Side of the square picture in pixels.
    pub side: u32,
    /// Share of defective parts, 0 to 1.
    pub defect_rate: f32,
}

impl Default for SimSpec {
    fn default() -> Self {
        SimSpec { seed: 1, side: 320, defect_rate: 0.15 }
    }
}

/// One part as it lies under the camera.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Part {
    /// Shift of the centre in units of the part's radius.
    dx: f32,
    dy: f32,
    /// Tangent of half the rotation.
    half_tan: f32,
    /// Factor of the light, and its slope over the picture.
    light: f32,
    slope: (f32, f32),
    /// Picks this part's texture and the sensor's noise.
    grain: u32,
    belt: f32,
    defect: Option<Defect>,
}

/// The conveyor.
#[derive(Clone, Debug)]
pub struct Conveyor {
    spec: SimSpec,
    textures: paint::Textures,
}

/// Parts to learn from are drawn from indices that no part on the belt has.
const GOOD: u64 = 1 << 40;

impl Conveyor {
    /// Prepares the textures that all parts share.
    pub fn new(spec: SimSpec) -> Conveyor {
        Conveyor { spec, textures: paint::Textures::new(spec.seed) }
    }

    /// What it carries.
    pub fn spec(&self) -> &SimSpec {
        &self.spec
    }

    /// Bytes of one picture: RGB, rows without padding.
    pub fn picture_bytes(&self) -> usize {
        let side = self.spec.side as usize;
        side * side * 3
    }

    /// The truth about part `k`: `None` for a good one.
    pub fn defect(&self, k: u64) -> Option<DefectKind> {
        self.part(k).defect.map(|d| d.kind)
    }

    /// Draws part `k` of the belt into `out`, which is resized to [`Conveyor::picture_bytes`].
    pub fn paint(&self, k: u64, out: &mut Vec<u8>) {
        paint::part(&self.textures, &self.part(k), self.spec.side as usize, out);
    }

    /// Draws good part `k` of a set to learn from.
    pub fn paint_good(&self, k: u64, out: &mut Vec<u8>) {
        let part = Part { defect: None, ..self.part(GOOD + k) };
        paint::part(&self.textures, &part, self.spec.side as usize, out);
    }

    /// Draws part `k` with this kind of defect, whatever the belt would carry.
    pub fn paint_with(&self, k: u64, kind: DefectKind, out: &mut Vec<u8>) {
        paint::part(&self.textures, &self.part_with(k, kind), self.spec.side as usize, out);
    }

    /// Ground truth of part `k`: 255 where the defect changes the picture visibly, 0 elsewhere.
    pub fn mask(&self, k: u64) -> Vec<u8> {
        self.mask_of(&self.part(k))
    }

    fn mask_of(&self, part: &Part) -> Vec<u8> {
        /// Levels of a channel that count as visible: twice the sensor's noise.
        const VISIBLE: u8 = 8;
        let side = self.spec.side as usize;
        if part.defect.is_none() {
            return vec![0; side * side];
        }
        let (mut with, mut without) = (Vec::new(), Vec::new());
        paint::part(&self.textures, part, side, &mut with);
        paint::part(&self.textures, &Part { defect: None, ..*part }, side, &mut without);
        let changed = |(a, b): (&[u8; 3], &[u8; 3])| a.iter().zip(b).any(|(a, b)| a.abs_diff(*b) > VISIBLE);
        let pairs = with.as_chunks::<3>().0.iter().zip(without.as_chunks::<3>().0);
        pairs.map(|pair| if changed(pair) { 255 } else { 0 }).collect()
    }

    fn part(&self, k: u64) -> Part {
        let mut dice = Dice::new(self.spec.seed, k);
        let mut part = Part {
            dx: dice.between(-0.05, 0.05),
            dy: dice.between(-0.05, 0.05),
            half_tan: dice.between(-0.05, 0.05),
            light: dice.between(0.9, 1.08),
            slope: (dice.between(-0.05, 0.05), dice.between(-0.05, 0.05)),
            grain: dice.next(),
            belt: dice.between(0.0, 200.0),
            defect: None,
        };
        if dice.unit() < self.spec.defect_rate {
            let kind = DefectKind::ALL[dice.next() as usize % DefectKind::ALL.len()];
            part.defect = Some(Defect::draw(kind, &mut dice));
        }
        part
    }

    fn part_with(&self, k: u64, kind: DefectKind) -> Part {
        let defect = Defect::draw(kind, &mut Dice::new(self.spec.seed ^ 0xdefec7, k));
        Part { defect: Some(defect), ..self.part(k) }
    }
}

#[cfg(test)]
mod tests;
