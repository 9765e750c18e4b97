//! What a reconstruction is off, by which measure, as operators of ONNX that every engine has.

use super::maker::{Maker, ints};

/// A measure of the difference of two pictures, or of two sets of feature planes: a plane of values from 0 on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Distance {
    /// The mean over the channels of the squared difference.
    #[default]
    Squared,
    /// 1 less the structural similarity in Gaussian windows (11 pixels, deviation 1.5), mean over the colours. Source: Wang et al., "Image quality assessment: from error
    /// visibility to structural similarity", 2004; Bergmann et al., "Improving unsupervised defect segmentation by applying structural similarity to
    /// autoencoders", 2018, took it for defects.
    Ssim,
    /// 1 less the similarity of gradients' lengths (Prewitt) at up to four sizes, each half of the one before. Sources: Xue et al., "Gradient magnitude similarity deviation", 2013;
    /// Zavrtanik et al., "Reconstruction by inpainting for visual anomaly detection" (RIAD), 2020.
    Gradients,
    /// 1 less the cosine between the values of a place.
    Cosine,
}

impl Distance {
    /// All.
    pub const ALL: [Distance; 4] = [Distance::Squared, Distance::Ssim, Distance::Gradients, Distance::Cosine];

    /// As options name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Distance::Squared => "squared",
            Distance::Ssim => "ssim",
            Distance::Gradients => "gradients",
            Distance::Cosine => "cosine",
        }
    }

    /// Whether it is of pictures in 0..1, and not of any values.
    pub fn of_pictures(self) -> bool {
        matches!(self, Distance::Ssim | Distance::Gradients)
    }
}

/// The distance of `a` and `b`, `[1, channels, rows, columns]` of f32, as one plane.
pub(super) fn write(
    maker: &mut Maker,
    distance: Distance,
    [a, b]: [&str; 2],
    channels: usize,
    size: [usize; 2],
) -> String {
    match distance {
        Distance::Squared => {
            let off = maker.add("Sub", &[a, b], Vec::new());
            let square = maker.add("Mul", &[&off, &off], Vec::new());
            maker.channels(&square, &vec![1.0 / channels as f32; channels])
        }
        Distance::Cosine => cosine(maker, a, b, channels),
        Distance::Ssim => ssim(maker, a, b, channels),
        Distance::Gradients => gradients(maker, a, b, channels, size),
    }
}

/// `1 - a.b / (|a| |b| + 1e-8)`.
fn cosine(maker: &mut Maker, a: &str, b: &str, channels: usize) -> String {
    let ones = vec![1.0; channels];
    let [dot, aa, bb] = [[a, b], [a, a], [b, b]].map(|pair| {
        let product = maker.add("Mul", &pair, Vec::new());
        maker.channels(&product, &ones)
    });
    let squares = maker.add("Mul", &[&aa, &bb], Vec::new());
    let lengths = maker.add("Sqrt", &[&squares], Vec::new());
    let little = maker.number(1e-8);
    let under = maker.add("Add", &[&lengths, &little], Vec::new());
    let cosine = maker.add("Div", &[&dot, &under], Vec::new());
    less_from_one(maker, &cosine)
}

fn less_from_one(maker: &mut Maker, value: &str) -> String {
    let one = maker.number(1.0);
    maker.add("Sub", &[&one, value], Vec::new())
}

/// `(2 m + c1)(2 s + c2) / ((ma^2 + mb^2 + c1)(sa + sb + c2))` with means `m`, variances and covariance `s` in a Gaussian window. Second moments are taken about
/// the middle of 0..1, where less cancels.
fn ssim(maker: &mut Maker, a: &str, b: &str, channels: usize) -> String {
    /// For a range of 1: 0.01 and 0.03, squared.
    const C: [f32; 2] = [1e-4, 9e-4];
    const RADIUS: i64 = 5;
    const DEVIATION: f64 = 1.5;
    let raw: Vec<f64> = (-RADIUS..=RADIUS).map(|x| (-((x * x) as f64) / (2.0 * DEVIATION * DEVIATION)).exp()).collect();
    let sum: f64 = raw.iter().sum();
    let window: Vec<f32> = raw.iter().map(|v| (v / sum) as f32).collect();
    let side = 2 * RADIUS + 1;
    let all: Vec<f32> = (0..channels).flat_map(|_| window.iter().copied()).collect();
    let down = maker.constant(&[channels, 1, side as usize, 1], &all);
    let across = maker.constant(&[channels, 1, 1, side as usize], &all);
    let half = maker.number(0.5);
    let [x, y] = [a, b].map(|v| maker.add("Sub", &[v, &half], Vec::new()));
    let [mx, my, xx, yy, xy] = [[&x, ""], [&y, ""], [&x, &x], [&y, &y], [&x, &y]].map(|[first, second]| {
        let value = if second.is_empty() { first.to_owned() } else { maker.add("Mul", &[first, second], Vec::new()) };
        let wide = maker.mirror(&value, RADIUS);
        let rows = maker.conv(&wide, &down, [side, 1], channels as i64);
        maker.conv(&rows, &across, [1, side], channels as i64)
    });
    let central = |maker: &mut Maker, moment: &str, p: &str, q: &str| {
        let product = maker.add("Mul", &[p, q], Vec::new());
        maker.add("Sub", &[moment, &product], Vec::new())
    };
    let covariance = central(maker, &xy, &mx, &my);
    let (vx, vy) = (central(maker, &xx, &mx, &mx), central(maker, &yy, &my, &my));
    let [ma, mb] = [mx, my].map(|m| maker.add("Add", &[&m, &half], Vec::new()));
    let [c1, c2] = C.map(|c| maker.number(c));
    let means = alike(maker, [&ma, &mb], &c1);
    let twice = maker.add("Add", &[&covariance, &covariance], Vec::new());
    let over = maker.add("Add", &[&twice, &c2], Vec::new());
    let spread = maker.add("Add", &[&vx, &vy], Vec::new());
    let under = maker.add("Add", &[&spread, &c2], Vec::new());
    let structure = maker.add("Div", &[&over, &under], Vec::new());
    let similarity = maker.add("Mul", &[&means, &structure], Vec::new());
    let mean = maker.channels(&similarity, &vec![1.0 / channels as f32; channels]);
    less_from_one(maker, &mean)
}

/// `(2 a b + c) / (a^2 + b^2 + c)`.
fn alike(maker: &mut Maker, [a, b]: [&str; 2], c: &str) -> String {
    let [ab, aa, bb] = [[a, b], [a, a], [b, b]].map(|pair| maker.add("Mul", &pair, Vec::new()));
    let twice = maker.add("Add", &[&ab, &ab], Vec::new());
    let over = maker.add("Add", &[&twice, c], Vec::new());
    let squares = maker.add("Add", &[&aa, &bb], Vec::new());
    let under = maker.add("Add", &[&squares, c], Vec::new());
    maker.add("Div", &[&over, &under], Vec::new())
}

/// Of the mean of the colours.
fn gradients(maker: &mut Maker, a: &str, b: &str, channels: usize, size: [usize; 2]) -> String {
    /// Keeps even surfaces from counting; the published number for values of 0 to 1.
    const C: f32 = 0.0026;
    const SCALES: usize = 4;
    /// Sides below which no gradients are taken.
    const LEAST: usize = 8;
    let third = 1.0 / 3.0;
    let prewitt: [[f32; 9]; 2] = [
        [third, 0.0, -third, third, 0.0, -third, third, 0.0, -third],
        [third, third, third, 0.0, 0.0, 0.0, -third, -third, -third],
    ];
    let kernel = maker.constant(&[2, 1, 3, 3], prewitt.as_flattened());
    let c = maker.number(C);
    let grey = vec![1.0 / channels as f32; channels];
    let mut planes = [a, b].map(|v| maker.channels(v, &grey));
    let mut sides = size;
    let (mut sum, mut count) = (None::<String>, 0);
    while count == 0 || (count < SCALES && sides.iter().all(|side| *side >= LEAST)) {
        let lengths = planes.clone().map(|plane| {
            let wide = maker.mirror(&plane, 1);
            let both = maker.conv(&wide, &kernel, [3, 3], 1);
            let squares = maker.add("Mul", &[&both, &both], Vec::new());
            let squared = maker.channels(&squares, &[1.0; 2]);
            maker.add("Sqrt", &[&squared], Vec::new())
        });
        let similarity = alike(maker, [&lengths[0], &lengths[1]], &c);
        let large = if sides == size { similarity } else { maker.resize(&similarity, 1, size) };
        sum = Some(match sum {
            None => large,
            Some(before) => maker.add("Add", &[&before, &large], Vec::new()),
        });
        count += 1;
        let halved = vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2]), ints("pads", &[0; 4])];
        planes = planes.map(|plane| maker.add("AveragePool", &[&plane], halved.clone()));
        sides = sides.map(|side| side / 2);
    }
    let share = maker.number(1.0 / count as f32);
    let mean = maker.add("Mul", &[&sum.unwrap_or_default(), &share], Vec::new());
    less_from_one(maker, &mean)
}
