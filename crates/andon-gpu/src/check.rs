//! Every kernel beside its reference, over random shapes.

mod near;

use serde::Serialize;

use super::{CudaError, Device, DeviceBank, DeviceInput, DeviceScorer, Grid, Near, Placement, Preparer};
use andon_core::{Chroma, FrameView, PixelFormat, ScoreMap, Yuv, YuvMatrix};
use andon_vision::model::engine::FeatureMap;
use andon_vision::model::head::aggregate::{Aggregator, Layer};
use andon_vision::model::head::regions::regions;
use andon_vision::model::head::score::{ImageScore, Scorer, Scoring};
use andon_vision::model::heatmap;
use andon_vision::preprocess::{InputSpec, Preprocessor};
use near::{nearest_matrix, nearest_more, nearest_one};

/// One kernel's comparison.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// The kernel.
    pub kernel: &'static str,
    /// What it was compared with.
    pub reference: &'static str,
    /// Random cases.
    pub cases: usize,
    /// The largest deviation found.
    pub worst: f64,
    /// What is allowed, and in which measure.
    pub bound: f64,
    /// The measure.
    pub measure: &'static str,
}

impl Check {
    /// Whether every case was within its bound.
    pub fn holds(&self) -> bool {
        self.worst <= self.bound
    }
}

/// Runs every kernel against its reference, `cases` random shapes each; the same seed gives the same shapes.
///
/// # Errors
/// A launch fails. A kernel that computes something else is no error but a [`Check`] that does not hold.
pub fn self_test(device: &Device, cases: usize, seed: u64) -> Result<Vec<Check>, CudaError> {
    const ALL: [(&str, &str, f64, &str, Case); 10] = [
        ("prepare", "preprocess::Preprocessor", 0.0, "values of other bits", prepare),
        ("aggregate", "model::head::aggregate", 0.0, "values of other bits", aggregate),
        // A sum of n squares in f32 is off by n half units of the last place at most: 1,536 x 6e-8.
        (
            "nearest",
            "all distances in f64",
            1e-4,
            "relative error of the distance found, and of the nearest",
            nearest_one,
        ),
        (
            "nearest_matrix",
            "all distances in f64",
            1e-4,
            "relative error of the distance found, and of the nearest",
            nearest_matrix,
        ),
        ("nearest_k", "all distances in f64", 1e-4, "relative error of each of the k distances", nearest_more),
        ("score", "model::head::score::Scorer", 0.0, "values of other bits", score),
        ("heatmap", "model::heatmap", 0.0, "pixels of another level", heat),
        ("regions", "model::head::regions", 0.0, "regions that differ", find_regions),
        ("gauss_diagonal", "Mahalanobis distance in f64", 1e-4, "relative error", |d, r| gauss(d, r, false)),
        ("gauss_full", "Mahalanobis distance in f64", 1e-4, "relative error", |d, r| gauss(d, r, true)),
    ];
    let mut found = Vec::new();
    for (n, (kernel, reference, bound, measure, case)) in ALL.into_iter().enumerate() {
        let mut random = Random(seed ^ (n as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut worst = 0.0f64;
        for _ in 0..cases {
            let off = case(device, &mut random)?;
            worst = if off.is_nan() { f64::INFINITY } else { worst.max(off) };
        }
        found.push(Check { kernel, reference, cases, worst, bound, measure });
    }
    Ok(found)
}

type Case = fn(&Device, &mut Random) -> Result<f64, CudaError>;

/// SplitMix64 (Steele, Lea and Flood 2014): the same numbers on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From `low` to `high`, both included.
    fn whole(&mut self, low: usize, high: usize) -> usize {
        low + (self.next() % (high - low + 1) as u64) as usize
    }

    /// From -1 to 1.
    fn value(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn values(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.value()).collect()
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }
}

/// Values whose bits differ; all NaN are one.
fn other_bits(ours: &[f32], reference: &[f32]) -> f64 {
    assert_eq!(ours.len(), reference.len());
    let differ = |(a, b): &(&f32, &f32)| a.to_bits() != b.to_bits() && !(a.is_nan() && b.is_nan());
    ours.iter().zip(reference).filter(differ).count() as f64
}

fn prepare(device: &Device, random: &mut Random) -> Result<f64, CudaError> {
    let formats = [PixelFormat::Gray8, PixelFormat::Rgb8, PixelFormat::Bgr8, PixelFormat::Rgba8, PixelFormat::Bgra8];
    // The sixth is NV12.
    let format = formats.get(random.whole(0, 5));
    let (width, height, count) = (random.whole(1, 70), random.whole(1, 60), random.whole(1, 3));
    let stride = width * format.map_or(1, |f| f.bytes_per_pixel()) + random.whole(0, 9);
    let yuv = Yuv {
        matrix: [YuvMatrix::Bt601, YuvMatrix::Bt709, YuvMatrix::Bt2020][random.whole(0, 2)],
        full_range: random.one_in(2),
    };
    let (odd, pairs) = ([random.whole(0, 1), random.whole(0, 1)], width + 2 + random.whole(0, 9));
    let mut bytes = |bytes: usize| -> Vec<u8> { (0..bytes).map(|_| random.next() as u8).collect() };
    let pictures: Vec<[Vec<u8>; 2]> =
        (0..count).map(|_| [bytes(stride * height), bytes(pairs * (height / 2 + 1))]).collect();
    let views: Vec<FrameView<'_>> = pictures
        .iter()
        .filter_map(|[data, pairs_of]| match format {
            Some(format) => FrameView::new(*format, width, height, stride, data),
            None => {
                let chroma = Chroma { data: pairs_of, stride: pairs, odd };
                FrameView::nv12(yuv, (width, height), (stride, data), chroma)
            }
        })
        .collect();
    // The same size, smaller and larger.
    let keep = random.one_in(4);
    let (to_width, to_height) = if keep { (width, height) } else { (random.whole(1, 48), random.whole(1, 48)) };
    let spec = InputSpec {
        width: to_width as u32,
        height: to_height as u32,
        mean: [123.675, 116.28, 103.53],
        scale: [0.017_124_75, 0.017_507, 0.017_429_2],
        range: None,
    };
    let pieces = [random.whole(1, width.min(3)), random.whole(1, height.min(2))];
    let all = count * pieces[0] * pieces[1];
    let mut out = device.zeros(all * spec.len())?;
    let mut half = device.zeros(all * spec.len())?;
    let mut preparer = Preparer::new(device, spec.clone(), pieces, count)?;
    for (n, view) in views.iter().enumerate() {
        preparer.load(device, n, view)?;
    }
    preparer.enqueue(device, count, DeviceInput::Single(&mut out))?;
    preparer.enqueue(device, count, DeviceInput::Half(&mut half))?;
    let mut reference = vec![0.0; all * spec.len()];
    let mut preprocessor = Preprocessor::new(spec.clone());
    let mut to = reference.chunks_exact_mut(spec.len());
    for (row, column) in (0..pieces[1]).flat_map(|r| (0..pieces[0]).map(move |c| (r, c))) {
        let edges = |i: usize, of: usize, pixels: usize| (i * pixels / of, (i + 1) * pixels / of);
        let ((left, right), (top, bottom)) = (edges(column, pieces[0], width), edges(row, pieces[1], height));
        for view in &views {
            if let (Some(view), Some(to)) = (view.crop(left, top, right - left, bottom - top), to.next()) {
                preprocessor.prepare_into(&view, to);
            }
        }
    }
    let halves = device.download(&half)?;
    let rounded = halves.iter().zip(&reference).filter(|(h, v)| **h != half::f16::from_f32(**v).to_bits()).count();
    Ok(other_bits(&device.download(&out)?, &reference) + rounded as f64)
}

fn aggregate(device: &Device, random: &mut Random) -> Result<f64, CudaError> {
    let grid = Grid { images: random.whole(1, 3), height: random.whole(1, 14), width: random.whole(1, 14) };
    let layers: Vec<Layer> =
        (0..2).map(|_| Layer { pool: [1, 3, 5][random.whole(0, 2)], weight: random.value() }).collect();
    let sizes = [
        (random.whole(1, 20), grid.height, grid.width),
        (random.whole(1, 20), random.whole(1, grid.height), random.whole(1, grid.width)),
    ];
    let dim = sizes[0].0 + sizes[1].0;
    // Frames in one or two pieces, some of whose patches are not looked at.
    let pieces = random.whole(1, 2);
    let (frames, patches) = (grid.images, grid.size());
    let grid = Grid { images: frames * pieces, ..grid };
    let mut looked: Vec<usize> = (0..pieces * patches).filter(|_| !random.one_in(4)).collect();
    if looked.is_empty() {
        looked.push(0);
    }
    // In another order than they come in.
    looked.reverse();
    let mut slots = vec![-1; pieces * patches];
    looked.iter().zip(0..).for_each(|(patch, row)| slots[*patch] = row);
    let placement = Placement::new(device, &slots, pieces, looked.len())?;
    let values = sizes.map(|(c, h, w)| random.values(grid.images * c * h * w));
    let mut out = device.zeros(frames * looked.len() * dim)?;
    let mut base = 0;
    for ((size, layer), values) in sizes.iter().zip(&layers).zip(&values) {
        let map = device.upload(values)?;
        device.aggregate(&map, *size, layer.pool as usize, layer.weight, grid, &placement, dim, base, &mut out)?;
        base += size.0;
    }
    let mut images = Vec::new();
    let mut aggregator = Aggregator::new(layers);
    for image in 0..grid.images {
        let of = |n: usize| {
            let (channels, height, width) = sizes[n];
            let each = channels * height * width;
            FeatureMap { channels, height, width, data: values[n][image * each..(image + 1) * each].to_vec() }
        };
        let mut patches = Vec::new();
        aggregator.run(&[of(0), of(1)], &mut patches);
        images.push(patches);
    }
    let mut reference = Vec::new();
    for (frame, patch) in (0..frames).flat_map(|f| looked.iter().map(move |p| (f, *p))) {
        let at = patch % patches * dim;
        reference.extend_from_slice(&images[patch / patches * frames + frame][at..at + dim]);
    }
    Ok(other_bits(&device.download(&out)?, &reference))
}

/// A scorer over a random grid, some of whose cells are not looked at, and the nearest rows on the card and off it.
fn scored(device: &Device, random: &mut Random) -> Result<(DeviceScorer, Vec<ScoreMap>, Vec<u32>), CudaError> {
    let (height, width, images) = (random.whole(1, 20), random.whole(1, 20), random.whole(1, 3));
    let masked = random.one_in(2);
    let mut mask: Vec<bool> = (0..height * width).map(|_| !masked || !random.one_in(4)).collect();
    mask[0] = true;
    let smoothing = [0.0, 0.7, 1.0, 4.0][random.whole(0, 3)];
    let scoring = Scoring { smoothing, image: ImageScore::Max, min_area: 0 };
    let mut scorer = Scorer::new(scoring, width, height, &mask);
    let cells = scorer.cells().to_vec();
    let dim = 5;
    let bank = random.values(37 * dim);
    let weights: Vec<f32> = (0..37).map(|_| random.value() + 1.5).collect();
    let mut queries = random.values(images * cells.len() * dim);
    if random.one_in(5) {
        queries[0] = f32::NAN;
    }
    let on_card = DeviceBank::new(device, &bank, dim)?;
    let mut near = Near::new(device, images * cells.len(), 1, &on_card)?;
    on_card.search(device, &device.upload(&queries)?, images * cells.len(), 1, &mut near)?;
    let mut twin = DeviceScorer::new(device, &scorer, &weights, images)?;
    twin.score(device, &near, images)?;
    let mut maps = Vec::new();
    for near in near.download(device)?.chunks_exact(cells.len()) {
        let mut data = Vec::new();
        scorer.map_into(near, &weights, &mut data);
        maps.push(ScoreMap { width, height, data });
    }
    Ok((twin, maps, cells))
}

fn score(device: &Device, random: &mut Random) -> Result<f64, CudaError> {
    let (mut twin, maps, cells) = scored(device, random)?;
    let all: Vec<f32> = maps.iter().flat_map(|m| m.data.iter().copied()).collect();
    let mut differ = other_bits(&device.download(twin.map())?, &all);
    for (range, map) in twin.ranges(device)?.iter().zip(&maps) {
        let looked = || cells.iter().map(|c| map.data[*c as usize]);
        let lost = looked().any(f32::is_nan);
        let of = |value: f32| if lost { f32::NAN } else { value };
        let (least, most) =
            (of(looked().fold(f32::INFINITY, f32::min)), of(looked().fold(f32::NEG_INFINITY, f32::max)));
        differ += other_bits(&[range.least, range.most], &[least, most]);
    }
    Ok(differ)
}

fn heat(device: &Device, random: &mut Random) -> Result<f64, CudaError> {
    let (twin, maps, _) = scored(device, random)?;
    let picture = Grid { images: maps.len(), height: random.whole(1, 50), width: random.whole(1, 50) };
    let (typical, threshold) = (random.value(), random.value() + 2.0);
    let mut out = device.zeros(picture.images * picture.size())?;
    device.heatmap(twin.map(), twin.grid(), (typical, threshold), picture, &mut out)?;
    let (mut values, mut levels, mut reference) = (Vec::new(), Vec::new(), Vec::new());
    for map in &maps {
        heatmap::render_into(map, picture.width, picture.height, &mut values);
        heatmap::to_u8(&values, typical, threshold, &mut levels);
        reference.extend_from_slice(&levels);
    }
    Ok(device.download(&out)?.iter().zip(&reference).filter(|(a, b)| a != b).count() as f64)
}

fn find_regions(device: &Device, random: &mut Random) -> Result<f64, CudaError> {
    let (mut twin, maps, _) = scored(device, random)?;
    let threshold = 1.0 + random.value();
    let found = twin.regions(device, threshold)?;
    let mut differ = 0;
    for (found, map) in found.iter().zip(&maps) {
        // On a picture of one pixel a cell, boxes and areas are cells.
        let mut scratch = Vec::new();
        let size = (map.width, map.height);
        let reference = regions(map, threshold, size, 0.0, &mut scratch, |_| None);
        let told = found.len().min(andon_core::MAX_REGIONS);
        differ +=
            usize::from(found.len() != reference.total as usize) + usize::from(reference.as_slice().len() != told);
        for r in reference.as_slice() {
            let same = |f: &&super::FoundRegion| {
                let [left, top, right, bottom] = f.bounds;
                let bounds = (left, top, right - left + 1, bottom - top + 1) == (r.x, r.y, r.width, r.height);
                bounds && f.count == r.area && map.data[f.peak_cell as usize].to_bits() == r.peak.to_bits()
            };
            differ += usize::from(found.iter().filter(same).count() == 0);
        }
    }
    Ok(differ as f64)
}

fn gauss(device: &Device, random: &mut Random, full: bool) -> Result<f64, CudaError> {
    let (images, places, dim) = (random.whole(1, 3), random.whole(1, 12), random.whole(1, 70));
    let (features, mean) = (random.values(images * places * dim), random.values(places * dim));
    let square = if full { dim * dim } else { dim };
    let mut inverse = random.values(places * square);
    if full {
        // Symmetric, and positive because its diagonal outweighs the rest.
        for matrix in inverse.chunks_exact_mut(square) {
            for row in 0..dim {
                for column in 0..row {
                    matrix[column * dim + row] = matrix[row * dim + column];
                }
                matrix[row * dim + row] = dim as f32 + 1.0;
            }
        }
    } else {
        inverse.iter_mut().for_each(|v| *v = v.abs() + 0.1);
    }
    let mut out = device.zeros(images * places)?;
    let (on_card, means, inverses) = (device.upload(&features)?, device.upload(&mean)?, device.upload(&inverse)?);
    device.gauss(&on_card, (images, places, dim), &means, &inverses, full, &mut out)?;
    let mut worst = 0.0f64;
    for (n, ours) in device.download(&out)?.iter().enumerate() {
        let place = n % places;
        let c: Vec<f64> =
            (0..dim).map(|d| f64::from(features[n * dim + d]) - f64::from(mean[place * dim + d])).collect();
        let of = |row: usize, column: usize| match full {
            true => f64::from(inverse[place * square + row * dim + column]),
            false if row == column => f64::from(inverse[place * square + row]),
            false => 0.0,
        };
        let sum: f64 = (0..dim).flat_map(|r| (0..dim).map(move |k| (r, k))).map(|(r, k)| c[r] * of(r, k) * c[k]).sum();
        worst = worst.max((f64::from(*ours) - sum.sqrt()).abs() / sum.sqrt().max(1e-3));
    }
    Ok(worst)
}
