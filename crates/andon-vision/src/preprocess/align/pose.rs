//! Finding a pose: candidates from the spectrum, the best by correlation, refined.

use rustfft::num_complex::Complex32;

use super::spectrum::Spectrum;
use super::{SIDE, Small};

/// How a frame lies: the aligned picture at `p` shows the frame at `turn(p - shift)`, both from the middle, in pixels of the small picture.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pose {
    /// Radians, clockwise on the screen: by so much the part is turned against the reference.
    pub angle: f32,
    /// Columns and rows, in 1/128 of the frame's longer side.
    pub shift: [f32; 2],
    /// 1 less the correlation with the reference: 0 for the same picture.
    pub residual: f32,
}

/// Side of the pictures in which candidates are looked for.
const COARSE: usize = SIDE / 2;
/// Steps of a half turn that the spectrum is compared in.
const ANGLES: usize = 180;
/// Turns that are looked into, each with its opposite.
const PEAKS: usize = 4;
/// Turns nearer than this, in steps, are one.
const APART: usize = 8;
/// Where the window begins to fade, as a share of the way to its edge.
const FADES: f32 = 0.85;
/// A shift of more than this share of the picture is no shift.
const FARTHEST: f32 = 0.3;

impl Pose {
    /// The small picture at a pixel of the aligned one.
    pub(super) fn sample(&self, grey: &[f32], x: usize, y: usize) -> f32 {
        let middle = (SIDE as f32 - 1.0) / 2.0;
        let (sin, cos) = self.angle.sin_cos();
        let (px, py) = (x as f32 - middle - self.shift[0], y as f32 - middle - self.shift[1]);
        bilinear(grey, SIDE, cos * px - sin * py + middle, sin * px + cos * py + middle)
    }

    /// The same for pictures of `columns x rows` that show a frame whose sides are as `frame`.
    pub(super) fn warp(&self, frame: (usize, usize), (columns, rows): (usize, usize)) -> Warp {
        let longest = frame.0.max(frame.1).max(1) as f32;
        // Pixels of the picture in a pixel of the small one.
        let scale = [(columns, frame.0), (rows, frame.1)]
            .map(|(n, side)| n as f32 / (side.max(1) as f32 / longest * SIDE as f32));
        let (sin, cos) = self.angle.sin_cos();
        let [sx, sy] = scale;
        let turn = [[cos, -sin * sx / sy], [sin * sy / sx, cos]];
        let middle = [(columns as f32 - 1.0) / 2.0, (rows as f32 - 1.0) / 2.0];
        let moved = [middle[0] + self.shift[0] * sx, middle[1] + self.shift[1] * sy];
        Warp { turn, from: moved, to: middle }
    }
}

/// Where a pixel of one picture lies in another: `turn * (p - from) + to`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Warp {
    turn: [[f32; 2]; 2],
    from: [f32; 2],
    to: [f32; 2],
}

impl Warp {
    pub fn at(&self, x: f32, y: f32) -> [f32; 2] {
        let (px, py) = (x - self.from[0], y - self.from[1]);
        std::array::from_fn(|i| self.turn[i][0] * px + self.turn[i][1] * py + self.to[i])
    }

    pub fn inverse(&self) -> Warp {
        // A turn between two scales: its determinant is 1.
        let [[a, b], [c, d]] = self.turn;
        Warp { turn: [[d, -b], [-c, a]], from: self.to, to: self.from }
    }

    /// `out` shows `rgb`, both interleaved RGB of `width x height`; beyond its edge, the edge.
    pub fn apply(&self, rgb: &[u8], out: &mut [u8], width: usize, height: usize) {
        let pixels = rgb.as_chunks::<3>().0;
        let last = [(width - 1) as f32, (height - 1) as f32];
        for (row, line) in out.chunks_exact_mut(width * 3).enumerate() {
            let [first_x, first_y] = self.at(0.0, row as f32);
            for (column, pixel) in line.as_chunks_mut::<3>().0.iter_mut().enumerate() {
                let x = (first_x + self.turn[0][0] * column as f32).clamp(0.0, last[0]);
                let y = (first_y + self.turn[1][0] * column as f32).clamp(0.0, last[1]);
                let (left, top) = (x as usize, y as usize);
                let (right, bottom) = ((left + 1).min(width - 1), (top + 1).min(height - 1));
                let (tx, ty) = (x - left as f32, y - top as f32);
                let at = |x: usize, y: usize| -> &[u8; 3] { &pixels[y * width + x] };
                let corners = [at(left, top), at(right, top), at(left, bottom), at(right, bottom)];
                for (c, value) in pixel.iter_mut().enumerate() {
                    let [a, b, d, e] = corners.map(|corner| f32::from(corner[c]));
                    let (upper, lower) = (a + (b - a) * tx, d + (e - d) * tx);
                    *value = (upper + (lower - upper) * ty + 0.5) as u8;
                }
            }
        }
    }
}

/// Finds poses against one template.
pub(super) struct Searcher {
    template: Vec<f32>,
    spectrum: Spectrum,
    /// The window's extents that the template's spectra are for.
    half: [f32; 2],
    coarse_template: Vec<f32>,
    transform: Vec<Complex32>,
    polar: Vec<f32>,
    /// Scratch.
    windowed: Vec<f32>,
    turned: Vec<f32>,
    other: Vec<Complex32>,
    rows: Vec<f32>,
    /// Pixels inside the window, in fine and in coarse, with their weights.
    fine: Vec<(usize, usize, f32)>,
    coarse: Vec<(usize, usize, f32)>,
}

impl Searcher {
    pub fn new(template: &[f32]) -> Searcher {
        Searcher {
            template: template.to_vec(),
            spectrum: Spectrum::new(COARSE),
            half: [0.0; 2],
            coarse_template: halved(template),
            transform: Vec::new(),
            polar: Vec::new(),
            windowed: Vec::new(),
            turned: vec![0.0; COARSE * COARSE],
            other: Vec::new(),
            rows: Vec::new(),
            fine: Vec::new(),
            coarse: Vec::new(),
        }
    }

    /// The pose in which a picture fits the template best.
    pub fn find(&mut self, small: &Small) -> Pose {
        self.prepare(small.half);
        let coarse = halved(&small.grey);
        let turns = self.turns(&coarse);
        let upright = self.fit(&coarse, COARSE, Pose::default());
        let mut best = upright;
        for angle in turns {
            let shift = self.shift_of(&coarse, angle);
            let pose = self.fit(&coarse, COARSE, Pose { angle, shift, residual: 1.0 });
            if pose.residual < best.residual {
                best = pose;
            }
        }
        let best = self.refine(&coarse, COARSE, &[(2.0, 2.0), (1.0, 1.0)], best);
        let best = self.fit(&small.grey, SIDE, best);
        self.refine(&small.grey, SIDE, &[(0.5, 0.5), (0.25, 0.25)], best)
    }

    /// The template's spectra in the window of pictures of these extents.
    fn prepare(&mut self, half: [f32; 2]) {
        if self.half == half {
            return;
        }
        self.half = half;
        self.fine = window(SIDE, half);
        self.coarse = window(COARSE, half.map(|h| h / 2.0));
        windowed(&self.coarse_template, &self.coarse, &mut self.windowed);
        self.spectrum.forward(&self.windowed, &mut self.transform);
        self.spectrum.polar(&self.transform, ANGLES, &mut self.polar);
    }

    /// Turns at which the spectra agree, with their opposites.
    fn turns(&mut self, coarse: &[f32]) -> Vec<f32> {
        windowed(coarse, &self.coarse, &mut self.windowed);
        self.spectrum.forward(&self.windowed, &mut self.other);
        self.spectrum.polar(&self.other, ANGLES, &mut self.rows);
        let radii = self.spectrum.radii();
        // Twice the half turn, so that every turn of it is one slice.
        self.rows.extend_from_within(..);
        let turned = |turn: usize| &self.rows[turn * radii..][..ANGLES * radii];
        let agreement: Vec<f32> =
            (0..ANGLES).map(|turn| self.polar.iter().zip(turned(turn)).map(|(a, b)| a * b).sum()).collect();
        let mut order: Vec<usize> = (0..ANGLES).collect();
        order.sort_by(|a, b| agreement[*b].total_cmp(&agreement[*a]));
        let mut kept: Vec<usize> = Vec::new();
        for turn in order {
            let apart = |other: &usize| {
                let steps = turn.abs_diff(*other);
                steps.min(ANGLES - steps) >= APART
            };
            if kept.iter().all(apart) {
                kept.push(turn);
                if kept.len() == PEAKS {
                    break;
                }
            }
        }
        let step = std::f32::consts::PI / ANGLES as f32;
        // The transform is transposed, so that it turns the other way.
        let both = |turn: usize| [-(turn as f32) * step, std::f32::consts::PI - turn as f32 * step];
        kept.into_iter().flat_map(both).collect()
    }

    /// The shift after a turn, by phase correlation, in pixels of the small picture.
    fn shift_of(&mut self, coarse: &[f32], angle: f32) -> [f32; 2] {
        let (sin, cos) = angle.sin_cos();
        let middle = (COARSE as f32 - 1.0) / 2.0;
        for (i, value) in self.turned.iter_mut().enumerate() {
            let (x, y) = ((i % COARSE) as f32 - middle, (i / COARSE) as f32 - middle);
            *value = bilinear(coarse, COARSE, cos * x - sin * y + middle, sin * x + cos * y + middle);
        }
        windowed(&self.turned, &self.coarse, &mut self.windowed);
        self.spectrum.forward(&self.windowed, &mut self.other);
        let shift = self.spectrum.shift(&self.transform, &mut self.other);
        let far = shift.iter().any(|s| s.abs() > FARTHEST * COARSE as f32);
        if far { [0.0; 2] } else { shift.map(|s| s * 2.0) }
    }

    /// The pose with its residual, in a picture of this side, [`SIDE`] or [`COARSE`].
    fn fit(&self, grey: &[f32], side: usize, pose: Pose) -> Pose {
        let (window, template) = match side {
            SIDE => (&self.fine, &self.template),
            _ => (&self.coarse, &self.coarse_template),
        };
        let scale = side as f32 / SIDE as f32;
        let middle = (side as f32 - 1.0) / 2.0;
        let (sin, cos) = pose.angle.sin_cos();
        let [dx, dy] = pose.shift.map(|shift| shift * scale + middle);
        // In double precision: the squares of grey values are large, and what is left of them may be small.
        let (mut n, mut a, mut b, mut aa, mut bb, mut ab) = (0.0f64, 0.0f64, 0.0f64, 0.0f64, 0.0f64, 0.0f64);
        for (x, y, weight) in window {
            let (px, py) = (*x as f32 - dx, *y as f32 - dy);
            let v = f64::from(bilinear(grey, side, cos * px - sin * py + middle, sin * px + cos * py + middle));
            let (t, weight) = (f64::from(template[y * side + x]), f64::from(*weight));
            let (wt, wv) = (weight * t, weight * v);
            (n, a, b) = (n + weight, a + wt, b + wv);
            (aa, bb, ab) = (aa + wt * t, bb + wv * v, ab + wt * v);
        }
        let spread = ((aa - a * a / n) * (bb - b * b / n)).max(0.0).sqrt();
        let correlation = (ab - a * b / n) / (spread + 1e-3 * n);
        Pose { residual: (1.0 - correlation) as f32, ..pose }
    }

    /// Steps of so many degrees and pixels to where the residual is least.
    fn refine(&self, grey: &[f32], side: usize, steps: &[(f32, f32)], mut best: Pose) -> Pose {
        /// A pose that is still bettered after so many steps of one length is a wrong one.
        const MOST: usize = 8;
        for (degrees, pixels) in steps {
            for _ in 0..MOST {
                let before = best.residual;
                let turn = degrees.to_radians();
                let tries = [(turn, 0.0, 0.0), (0.0, *pixels, 0.0), (0.0, 0.0, *pixels)];
                for (angle, dx, dy) in tries {
                    for sign in [1.0, -1.0] {
                        let [x, y] = best.shift;
                        let (angle, shift) = (best.angle + sign * angle, [x + sign * dx, y + sign * dy]);
                        let next = self.fit(grey, side, Pose { angle, shift, residual: 1.0 });
                        if next.residual < best.residual {
                            best = next;
                            break;
                        }
                    }
                }
                if best.residual > before - 1e-4 {
                    break;
                }
            }
        }
        best
    }
}

/// Half the side, each pixel the mean of four.
fn halved(grey: &[f32]) -> Vec<f32> {
    (0..COARSE * COARSE)
        .map(|i| {
            let at = (i / COARSE) * 2 * SIDE + (i % COARSE) * 2;
            (grey[at] + grey[at + 1] + grey[at + SIDE] + grey[at + SIDE + 1]) / 4.0
        })
        .collect()
}

/// The pixels of an ellipse of these half axes around the middle, fading to its edge.
fn window(side: usize, half: [f32; 2]) -> Vec<(usize, usize, f32)> {
    let middle = (side as f32 - 1.0) / 2.0;
    let all = (0..side * side).map(|i| {
        let (x, y) = (i % side, i / side);
        let far = ((x as f32 - middle) / half[0]).hypot((y as f32 - middle) / half[1]);
        (x, y, ((1.0 - far) / (1.0 - FADES)).clamp(0.0, 1.0))
    });
    all.filter(|p| p.2 > 0.0).collect()
}

/// A picture less its mean, faded to nothing outside of the window.
fn windowed(grey: &[f32], window: &[(usize, usize, f32)], out: &mut Vec<f32>) {
    let side = grey.len().isqrt();
    out.clear();
    out.resize(grey.len(), 0.0);
    let (sum, weight) = window.iter().fold((0.0, 0.0f32), |(s, n), (x, y, w)| (s + w * grey[y * side + x], n + w));
    let mean = sum / weight.max(1.0);
    for (x, y, w) in window {
        out[y * side + x] = (grey[y * side + x] - mean) * w;
    }
}

/// Between four pixels; beyond the edge, the edge.
fn bilinear(grey: &[f32], side: usize, x: f32, y: f32) -> f32 {
    let last = side as f32 - 1.0;
    let (x, y) = (x.clamp(0.0, last), y.clamp(0.0, last));
    let (left, top) = (x as usize, y as usize);
    let (right, bottom) = ((left + 1).min(side - 1), (top + 1).min(side - 1));
    let (tx, ty) = (x - left as f32, y - top as f32);
    let upper = grey[top * side + left] * (1.0 - tx) + grey[top * side + right] * tx;
    let lower = grey[bottom * side + left] * (1.0 - tx) + grey[bottom * side + right] * tx;
    upper + (lower - upper) * ty
}
