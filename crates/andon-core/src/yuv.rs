//! From luma and colour differences to red, green and blue, in whole numbers that every processor computes alike. Colour differences are
//! those of the 2x2 pixels that a pixel belongs to; nothing is interpolated. Source: ITU-R BT.601-7, BT.709-6 and BT.2020-2.

use crate::{Chroma, FrameView, PixelFormat, Yuv, YuvMatrix};

/// Fractional bits of the weights.
const BITS: u32 = 16;

/// Weights of 16 fractional bits: `c = (luma * (y - black) + ... + half) >> 16`, held to 0..=255.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct YuvWeights {
    /// Luma of black.
    pub black: i32,
    /// Of luma, in every channel.
    pub luma: i32,
    /// Of the red difference, in red.
    pub red: i32,
    /// Of the blue difference, then the red one, in green; both are taken off.
    pub green: [i32; 2],
    /// Of the blue difference, in blue.
    pub blue: i32,
}

impl YuvWeights {
    /// By the standard.
    pub fn new(yuv: Yuv) -> YuvWeights {
        let (kr, kb) = match yuv.matrix {
            YuvMatrix::Bt601 => (0.299, 0.114),
            YuvMatrix::Bt709 => (0.2126, 0.0722),
            YuvMatrix::Bt2020 => (0.2627, 0.0593),
        };
        let (black, luma, difference) = match yuv.full_range {
            true => (0, 1.0, 1.0),
            false => (16, 255.0 / 219.0, 255.0 / 224.0),
        };
        let fixed = |w: f64| (w * f64::from(1u32 << BITS)).round() as i32;
        let (red, blue) = (2.0 * (1.0 - kr) * difference, 2.0 * (1.0 - kb) * difference);
        let kg = 1.0 - kr - kb;
        YuvWeights {
            black,
            luma: fixed(luma),
            red: fixed(red),
            green: [fixed(blue * kb / kg), fixed(red * kr / kg)],
            blue: fixed(blue),
        }
    }

    /// One pixel.
    pub fn rgb(&self, luma: u8, blue: u8, red: u8) -> [u8; 3] {
        let y = (i32::from(luma) - self.black) * self.luma + (1 << (BITS - 1));
        let (b, r) = (i32::from(blue) - 128, i32::from(red) - 128);
        [y + r * self.red, y - b * self.green[0] - r * self.green[1], y + b * self.blue]
            .map(|sum| (sum >> BITS).clamp(0, 255) as u8)
    }
}

/// Row `y` of an NV12 frame as RGB into `out`, three bytes a pixel; any other frame is left alone and `false` said.
pub fn yuv_row_into(frame: &FrameView<'_>, y: usize, out: &mut Vec<u8>) -> bool {
    let (PixelFormat::Nv12(yuv), Some(Chroma { data, stride, odd })) = (frame.format, frame.chroma) else {
        return false;
    };
    let weights = YuvWeights::new(yuv);
    let pairs = &data[(y + odd[1]) / 2 * stride..];
    out.clear();
    for (x, luma) in frame.row(y).iter().enumerate() {
        let pair = (x + odd[0]) / 2 * 2;
        out.extend_from_slice(&weights.rgb(*luma, pairs[pair], pairs[pair + 1]));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [YuvMatrix; 3] = [YuvMatrix::Bt601, YuvMatrix::Bt709, YuvMatrix::Bt2020];

    #[test]
    fn colours_are_those_of_the_standards_in_double_precision() {
        for (matrix, full_range) in ALL.into_iter().flat_map(|m| [(m, false), (m, true)]) {
            let weights = YuvWeights::new(Yuv { matrix, full_range });
            let (kr, kb) = [(0.299, 0.114), (0.2126, 0.0722), (0.2627, 0.0593)][matrix as usize];
            let mut worst = 0.0f64;
            for (y, b, r) in (0..=255)
                .step_by(5)
                .flat_map(|y| (0..=255).step_by(15).map(move |b| (y, b)))
                .flat_map(|(y, b)| (0..=255).step_by(15).map(move |r| (y, b, r)))
            {
                let (black, white, swing) = if full_range { (0.0, 255.0, 255.0) } else { (16.0, 219.0, 224.0) };
                let luma = (f64::from(y) - black) / white;
                let (pb, pr) = ((f64::from(b) - 128.0) / swing, (f64::from(r) - 128.0) / swing);
                let red = luma + 2.0 * (1.0 - kr) * pr;
                let blue = luma + 2.0 * (1.0 - kb) * pb;
                // Green from the definition of luma, instead of from the weights.
                let green = (luma - kr * red - kb * blue) / (1.0 - kr - kb);
                let got = weights.rgb(y as u8, b as u8, r as u8);
                for (got, want) in got.iter().zip([red, green, blue]) {
                    worst = worst.max((f64::from(*got) - (want * 255.0).clamp(0.0, 255.0)).abs());
                }
            }
            // Half a level for rounding to bytes; weights are off by 2^-17, times 255 twice that is a hundredth of a level at most.
            assert!(worst <= 0.51, "{matrix:?} {full_range}: {worst}");
        }
    }

    #[test]
    fn greys_have_no_colour_and_the_ends_are_black_and_white() {
        for matrix in ALL {
            let limited = YuvWeights::new(Yuv { matrix, full_range: false });
            assert_eq!((limited.rgb(16, 128, 128), limited.rgb(235, 128, 128)), ([0; 3], [255; 3]));
            let full = YuvWeights::new(Yuv { matrix, full_range: true });
            assert!((0..=255).all(|y| full.rgb(y, 128, 128) == [y; 3]));
        }
    }
}
