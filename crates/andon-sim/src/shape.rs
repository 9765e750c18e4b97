//! The flange's geometry, in units of its radius, and the state of its surface at a point.

/// Radius of the bore.
pub(super) const BORE: f32 = 0.3;
/// Radius of a screw hole.
pub(super) const HOLE: f32 = 0.085;
/// Number of screw holes.
pub(super) const HOLES: usize = 6;
/// Their centres on a circle of 0.66, 60 degrees apart.
const HOLE_AT: [(f32, f32); HOLES] =
    [(0.66, 0.0), (0.33, 0.571_577), (-0.33, 0.571_577), (-0.66, 0.0), (-0.33, -0.571_577), (0.33, -0.571_577)];
/// How the surface is at one point: brightness factor, tint towards rust, and whether there is metal at all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surface {
    pub light: f32,
    pub rust: f32,
    pub metal: bool,
}

/// Squared distance to the nearest screw hole's centre, leaving one out.
pub(super) fn nearest_hole(px: f32, py: f32, missing: Option<usize>) -> f32 {
    let d2 = |(x, y): &(f32, f32)| (px - x) * (px - x) + (py - y) * (py - y);
    HOLE_AT.iter().enumerate().filter(|(i, _)| Some(*i) != missing).map(|(_, h)| d2(h)).fold(f32::MAX, f32::min)
}
