//! What can be wrong with a flange. Places are in units of its radius, the centre at 0.

use serde::Serialize;

use super::noise::{self, Dice};
use super::shape::{BORE, HOLES, Surface};

/// A kind of defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DefectKind {
    /// A straight line across the brushing.
    Scratch,
    /// A dent with a bright rim.
    Dent,
    /// A brownish stain.
    Stain,
    /// A jagged dark line from the rim inward.
    Crack,
    /// A screw hole that was never drilled.
    MissingHole,
    /// A piece broken out of the rim.
    Chip,
    /// A hair or fibre on the surface.
    Fibre,
    /// Smeared grease.
    Smear,
}

impl DefectKind {
    /// All kinds.
    pub const ALL: [DefectKind; 8] = [
        DefectKind::Scratch,
        DefectKind::Dent,
        DefectKind::Stain,
        DefectKind::Crack,
        DefectKind::MissingHole,
        DefectKind::Chip,
        DefectKind::Fibre,
        DefectKind::Smear,
    ];

    /// For people and records.
    pub fn as_str(self) -> &'static str {
        match self {
            DefectKind::Scratch => "scratch",
            DefectKind::Dent => "dent",
            DefectKind::Stain => "stain",
            DefectKind::Crack => "crack",
            DefectKind::MissingHole => "missing_hole",
            DefectKind::Chip => "chip",
            DefectKind::Fibre => "fibre",
            DefectKind::Smear => "smear",
        }
    }
}

/// One defect, drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Defect {
    pub kind: DefectKind,
    /// Its place on the part.
    x: f32,
    y: f32,
    /// Its direction.
    along: (f32, f32),
    /// Its extent.
    size: f32,
    /// How much it changes the surface, 0 to 1.
    strength: f32,
    grain: u32,
}

impl Defect {
    pub fn draw(kind: DefectKind, dice: &mut Dice) -> Defect {
        let (ux, uy) = dice.direction();
        // On the ring between bore and rim, off the screw holes' circle most of the time.
        let r = match kind {
            DefectKind::Chip | DefectKind::Crack => 1.0,
            _ => dice.between(BORE + 0.12, 0.9),
        };
        let size = match kind {
            DefectKind::Scratch => dice.between(0.18, 0.5),
            DefectKind::Dent => dice.between(0.045, 0.1),
            DefectKind::Stain => dice.between(0.1, 0.22),
            DefectKind::Crack => dice.between(0.25, 0.5),
            DefectKind::MissingHole => 0.0,
            DefectKind::Chip => dice.between(0.07, 0.14),
            DefectKind::Fibre => dice.between(0.15, 0.3),
            DefectKind::Smear => dice.between(0.16, 0.3),
        };
        Defect {
            kind,
            x: ux * r,
            y: uy * r,
            along: dice.direction(),
            size,
            strength: dice.between(0.45, 1.0),
            grain: dice.next(),
        }
    }

    /// Which screw hole is not there.
    pub fn missing_hole(&self) -> Option<usize> {
        (self.kind == DefectKind::MissingHole).then_some(self.grain as usize % HOLES)
    }

    /// Changes the surface at `(px, py)`.
    pub fn apply(&self, px: f32, py: f32, surface: &mut Surface) {
        let (dx, dy) = (px - self.x, py - self.y);
        // Along and across the defect's direction.
        let u = dx * self.along.0 + dy * self.along.1;
        let v = dy * self.along.0 - dx * self.along.1;
        let d = (dx * dx + dy * dy).sqrt();
        match self.kind {
            DefectKind::Scratch => {
                let width = 0.008 + 0.006 * self.strength;
                if u.abs() < self.size / 2.0 && v.abs() < width {
                    let bright = if self.grain.is_multiple_of(2) { 0.55 } else { -0.5 };
                    surface.light *= 1.0 + bright * self.strength * (1.0 - v.abs() / width * 0.5);
                }
            }
            DefectKind::Dent => {
                let t = d / self.size;
                if t < 1.0 {
                    // Lit from the upper left: dark on that side of the hollow, bright on the other.
                    let facing = (dx + dy) / self.size;
                    surface.light *= 1.0 + (0.55 * facing - 0.35 * (1.0 - t)) * self.strength;
                }
            }
            DefectKind::Stain => {
                let edge = self.size * (1.0 + 0.45 * noise::cloudy(px * 5.0, py * 5.0, self.grain));
                if d < edge {
                    let fade = ((edge - d) / (0.35 * self.size)).min(1.0);
                    surface.light *= 1.0 - 0.3 * self.strength * fade;
                    surface.rust = 0.8 * self.strength * fade;
                }
            }
            DefectKind::Crack => {
                // From the rim towards the centre, wandering to both sides.
                let (ix, iy) = (-self.x, -self.y);
                let (along, across) = (dx * ix + dy * iy, dy * ix - dx * iy);
                if (0.0..self.size).contains(&along) {
                    let path = 0.045 * noise::cloudy(along * 9.0, 0.0, self.grain);
                    let width = 0.012 * (1.0 - 0.7 * along / self.size);
                    if (across - path).abs() < width {
                        surface.light *= 1.0 - 0.75 * self.strength.max(0.6);
                    }
                }
            }
            DefectKind::Chip => {
                let edge = self.size * (1.0 + 0.3 * noise::cloudy(px * 12.0, py * 12.0, self.grain));
                if d < edge {
                    surface.metal = false;
                } else if d < edge + 0.02 {
                    surface.light *= 1.35;
                }
            }
            DefectKind::Fibre => {
                let bend = 1.6 * u * u / self.size - 0.15 * self.size;
                if u.abs() < self.size && (v - bend).abs() < 0.009 {
                    surface.light *= 1.0 - 0.65 * self.strength.max(0.6);
                }
            }
            DefectKind::Smear => {
                let t = (u * u) / (self.size * self.size) + (v * v) / (self.size * self.size * 0.2);
                if t < 1.0 {
                    let streaks = 0.7 + 0.3 * noise::smooth(v * 60.0, u * 3.0, self.grain);
                    surface.light *= 1.0 - 0.42 * self.strength * (1.0 - t) * streaks;
                }
            }
            DefectKind::MissingHole => {}
        }
    }
}
