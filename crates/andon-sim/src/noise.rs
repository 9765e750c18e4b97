//! Random numbers and noise from integers alone.

/// SplitMix64's mixing step.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A stream of numbers for one part.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub fn new(seed: u64, k: u64) -> Dice {
        Dice(mix(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ mix(k.wrapping_add(0x51_7cc1))))
    }

    pub fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        (mix(self.0) >> 32) as u32
    }

    /// Even in 0..1.
    pub fn unit(&mut self) -> f32 {
        (self.next() >> 8) as f32 / (1 << 24) as f32
    }

    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// A direction: cosine and sine of an even angle, without asking libm.
    pub fn direction(&mut self) -> (f32, f32) {
        loop {
            let (x, y) = (self.between(-1.0, 1.0), self.between(-1.0, 1.0));
            let r2 = x * x + y * y;
            if (0.01..=1.0).contains(&r2) {
                let r = r2.sqrt();
                return (x / r, y / r);
            }
        }
    }
}

/// Even in -1..1 for each lattice point.
pub(super) fn at(x: i32, y: i32, seed: u32) -> f32 {
    let mut h =
        (x as u32).wrapping_mul(0x8da6_b343) ^ (y as u32).wrapping_mul(0xd816_3841) ^ seed.wrapping_mul(0xcb1a_b31f);
    h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
    h = (h ^ (h >> 12)).wrapping_mul(0x297a_2d39);
    h ^= h >> 15;
    (h >> 8) as f32 / (1 << 23) as f32 - 1.0
}

/// Smooth noise in -1..1 with features of size 1.
pub(super) fn smooth(x: f32, y: f32, seed: u32) -> f32 {
    let (fx, fy) = (x.floor(), y.floor());
    let (ix, iy) = (fx as i32, fy as i32);
    let ease = |t: f32| t * t * (3.0 - 2.0 * t);
    let (tx, ty) = (ease(x - fx), ease(y - fy));
    let row = |y: i32| at(ix, y, seed) + (at(ix + 1, y, seed) - at(ix, y, seed)) * tx;
    row(iy) + (row(iy + 1) - row(iy)) * ty
}

/// Four octaves of smooth noise.
pub(super) fn cloudy(x: f32, y: f32, seed: u32) -> f32 {
    let octave = |n: u32| smooth(x * (1 << n) as f32, y * (1 << n) as f32, seed + n) / (1 << n) as f32;
    (octave(0) + octave(1) + octave(2) + octave(3)) / 1.875
}
