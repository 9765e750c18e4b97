//! What a large network makes of pictures: computed once, kept on disk, and read again at random.
//!
//! A folder holds `targets.f16` (for each entry `[outputs, rows, columns]`), `pictures.rgb` (for each entry the picture as the small network sees
//! it, 8-bit RGB) and `targets.json`. An entry is a picture in colour, or in grey.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use andon_core::SplitMix64;
use andon_vision::fit::{Picture, read_image};
use andon_vision::model::Embed;
use andon_vision::preprocess::{InputSpec, Preprocessor};
use half::f16;
use serde::{Deserialize, Serialize};

use super::subspace::{Subspace, dot};
use super::{DistillError, GREY_SHARE, SIDE};
use crate::files::write_whole;

/// How values of the large network become those that the small one learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// The mean of neighbouring channels, each then with mean 0 and deviation 1, as published.
    Average,
    /// Principal components, each divided by the fourth root of its variance, so that what varies most still counts most; all together with
    /// variance 1.
    Components,
}

/// Pictures from which the reduction is worked out.
const SURVEYED: usize = 250;
/// One patch of so many is taken of each of them.
const EVERY: usize = 61;

/// The reduction, worked out: `y = matrix (x - mean)`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Projection {
    mean: Vec<f32>,
    /// `outputs * dim`.
    matrix: Vec<f32>,
    /// Share of the variance that is kept.
    kept: f64,
}

#[derive(Debug, Serialize, Deserialize)]
struct About {
    /// Digest of all that the targets depend on.
    of: String,
    outputs: usize,
    grid: [usize; 2],
    projection: Projection,
}

/// Targets on disk.
pub struct Targets {
    about: About,
    targets: File,
    pictures: File,
    /// The number of each entry's picture.
    sources: Vec<usize>,
}

/// Where targets come from.
pub struct Source<'a> {
    /// The pictures.
    pub files: &'a [PathBuf],
    /// The large network.
    pub trunk: &'a mut dyn Embed,
    /// How many of its values come from each of its layers, in their order.
    pub layers: &'a [usize],
    /// Values for each place.
    pub outputs: usize,
    /// How they are reduced.
    pub reduction: Reduction,
    /// Digest of all that the targets depend on.
    pub of: String,
}

impl Targets {
    /// Opens the targets in `folder`, and computes those that are not there yet. `progress` is told how many of how many are there, and says no to
    /// stop.
    ///
    /// # Errors
    /// [`DistillError`].
    pub fn open(
        folder: &Path,
        mut source: Source<'_>,
        progress: &mut dyn FnMut(&str, usize, usize) -> bool,
    ) -> Result<Targets, DistillError> {
        let failed = |name: &str| {
            let file = folder.join(name).display().to_string();
            move |source| DistillError::File { file, source }
        };
        let entries = entries(source.files);
        let manifest = folder.join("targets.json");
        let about = match std::fs::read(&manifest) {
            Ok(bytes) => serde_json::from_slice::<About>(&bytes)
                .ok()
                .filter(|about| about.of == source.of)
                .ok_or_else(|| DistillError::OtherTargets { folder: folder.display().to_string() })?,
            Err(_) => {
                let about = survey(&mut source, progress)?;
                let bytes = serde_json::to_vec(&about).unwrap_or_default();
                write_whole(&manifest, &bytes).map_err(failed("targets.json"))?;
                about
            }
        };
        let open = |name: &str| {
            OpenOptions::new().read(true).append(true).create(true).open(folder.join(name)).map_err(failed(name))
        };
        let (mut targets, mut pictures) = (open("targets.f16")?, open("pictures.rgb")?);
        let sizes = (about.outputs * about.grid[0] * about.grid[1] * 2, 3 * SIDE * SIDE);
        let length = |file: &File, name| file.metadata().map(|m| m.len() as usize).map_err(failed(name));
        // A run that was killed may have written half an entry.
        let whole = (length(&targets, "targets.f16")? / sizes.0).min(length(&pictures, "pictures.rgb")? / sizes.1);
        targets.set_len((whole * sizes.0) as u64).map_err(failed("targets.f16"))?;
        pictures.set_len((whole * sizes.1) as u64).map_err(failed("pictures.rgb"))?;
        let mut small = Preprocessor::new(plain(SIDE));
        for (number, (file, grey)) in entries.iter().enumerate().skip(whole) {
            if !progress("targets", number, entries.len()) {
                return Err(DistillError::Stopped);
            }
            let picture = read(file, *grey)?;
            let features = embed(source.trunk, &picture, file)?;
            let bytes: Vec<u8> =
                about.projection.of(&features).iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect();
            let mut rgb = vec![0; sizes.1];
            let view = picture.view().ok_or_else(|| DistillError::picture(file, "it is no picture"))?;
            small.resize_rgb_into(&view, &mut rgb);
            targets.write_all(&bytes).map_err(failed("targets.f16"))?;
            pictures.write_all(&rgb).map_err(failed("pictures.rgb"))?;
        }
        progress("targets", entries.len(), entries.len());
        let number = |file: &Path| source.files.iter().position(|f| f == file).unwrap_or(0);
        let sources = entries.iter().map(|(file, _)| number(file)).collect();
        Ok(Targets { about, targets, pictures, sources })
    }

    /// The entries whose picture's number `keep` says yes to.
    pub fn entries(&self, keep: impl Fn(usize) -> bool) -> Vec<usize> {
        (0..self.sources.len()).filter(|entry| keep(self.sources[*entry])).collect()
    }

    /// Values of each place, rows and columns.
    pub fn shape(&self) -> [usize; 3] {
        [self.about.outputs, self.about.grid[0], self.about.grid[1]]
    }

    /// The share of the large network's variance that the targets keep.
    pub fn kept(&self) -> f64 {
        self.about.projection.kept
    }

    /// A picture, as planes `(x / 255 - mean) / deviation`, and its target; mirrored, if asked for.
    ///
    /// # Errors
    /// The files cannot be read.
    pub fn read(&self, entry: usize, mirrored: bool) -> std::io::Result<(Vec<f32>, Vec<f32>)> {
        let [outputs, rows, columns] = self.shape();
        let size = outputs * rows * columns * 2;
        let mut bytes = vec![0; size];
        self.targets.read_exact_at(&mut bytes, (entry * size) as u64)?;
        let mut target: Vec<f32> = bytes.as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect();
        let size = 3 * SIDE * SIDE;
        let mut rgb = vec![0; size];
        self.pictures.read_exact_at(&mut rgb, (entry * size) as u64)?;
        let mut picture = crate::pictures::planes(&rgb);
        if mirrored {
            target.chunks_exact_mut(columns).for_each(<[f32]>::reverse);
            picture.chunks_exact_mut(SIDE).for_each(<[f32]>::reverse);
        }
        Ok((picture, target))
    }
}

/// Every picture in colour, and some in grey: which, is drawn by a fixed seed.
fn entries(files: &[PathBuf]) -> Vec<(&Path, bool)> {
    let mut random = SplitMix64::new(0x6772_6579);
    let colour = files.iter().map(|file| (file.as_path(), false));
    let grey = files.iter().filter(|_| random.unit() < GREY_SHARE).map(|file| (file.as_path(), true));
    colour.chain(grey.collect::<Vec<_>>()).collect()
}

fn plain(side: usize) -> InputSpec {
    InputSpec { width: side as u32, height: side as u32, mean: [0.0; 3], scale: [1.0; 3], range: None }
}

fn read(file: &Path, grey: bool) -> Result<Picture, DistillError> {
    let mut picture = read_image(file).map_err(|e| DistillError::picture(file, &e.to_string()))?;
    if grey {
        for pixel in picture.rgb.as_chunks_mut::<3>().0 {
            *pixel = [crate::pictures::grey(*pixel); 3];
        }
    }
    Ok(picture)
}

fn embed(trunk: &mut dyn Embed, picture: &Picture, file: &Path) -> Result<Vec<f32>, DistillError> {
    let view = picture.view().ok_or_else(|| DistillError::picture(file, "it is no picture"))?;
    let mut features = Vec::new();
    trunk.embed(&view, &mut features).map_err(|fault| DistillError::picture(file, &fault.to_string()))?;
    match features.iter().all(|v| v.is_finite()) {
        true => Ok(features),
        false => Err(DistillError::picture(file, "the network gives values that are not finite")),
    }
}

/// Works the reduction out.
fn survey(
    source: &mut Source<'_>,
    progress: &mut dyn FnMut(&str, usize, usize) -> bool,
) -> Result<About, DistillError> {
    let Source { files, trunk, layers, outputs, reduction, of } = source;
    let (dim, (columns, rows)) = (trunk.dim(), trunk.grid());
    if *outputs > dim {
        return Err(DistillError::Narrow { dim, outputs: *outputs });
    }
    let mut order: Vec<usize> = (0..files.len()).collect();
    let mut random = SplitMix64::new(0x7375_7276);
    for i in 0..order.len() {
        let other = i + random.below((order.len() - i) as u64) as usize;
        order.swap(i, other);
    }
    order.truncate(SURVEYED);
    let mut values = Vec::new();
    for (done, number) in order.iter().enumerate() {
        if !progress("what varies", done, order.len()) {
            return Err(DistillError::Stopped);
        }
        let features = embed(*trunk, &read(&files[*number], false)?, &files[*number])?;
        for patch in features.chunks_exact(dim).skip(done % EVERY).step_by(EVERY) {
            values.extend_from_slice(patch);
        }
    }
    let projection = match reduction {
        Reduction::Average => averages(&values, dim, *outputs),
        Reduction::Components => components(&mut values, dim, layers, *outputs),
    };
    Ok(About { of: of.clone(), outputs: *outputs, grid: [rows, columns], projection })
}

/// Which channels a mean is of, as PyTorch's `adaptive_avg_pool1d` shares them out.
fn averages(values: &[f32], dim: usize, outputs: usize) -> Projection {
    let mut matrix = vec![0.0f32; outputs * dim];
    for (output, row) in matrix.chunks_exact_mut(dim).enumerate() {
        let (from, to) = (output * dim / outputs, ((output + 1) * dim).div_ceil(outputs));
        row[from..to].fill(1.0 / (to - from) as f32);
    }
    let mut projection = Projection { mean: vec![0.0; dim], matrix, kept: f64::NAN };
    let made = projection.rows(values);
    let n = (made.len() / outputs).max(1) as f64;
    let mut kept = 0.0;
    for output in 0..outputs {
        let column = || made.iter().skip(output).step_by(outputs).map(|v| f64::from(*v));
        let mean = column().sum::<f64>() / n;
        let variance = column().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        let row = &mut projection.matrix[output * dim..(output + 1) * dim];
        // A mean of k values keeps k times its own variance.
        kept += variance * row.iter().filter(|v| **v > 0.0).count() as f64;
        row.iter_mut().for_each(|v| *v /= variance.sqrt().max(1e-6) as f32);
    }
    let mut total = 0.0;
    for channel in 0..dim {
        let column = || values.iter().skip(channel).step_by(dim).map(|v| f64::from(*v));
        let mean = column().sum::<f64>() / n;
        projection.mean[channel] = mean as f32;
        total += column().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    }
    projection.kept = kept / total.max(1e-12);
    projection
}

/// Each layer is brought to deviation 1 first, or the one of the largest numbers would be all.
fn components(values: &mut [f32], dim: usize, layers: &[usize], outputs: usize) -> Projection {
    let deviations = deviations(values, dim, layers);
    for patch in values.chunks_exact_mut(dim) {
        patch.iter_mut().zip(&deviations).for_each(|(v, d)| *v /= d);
    }
    let found = Subspace::of(values, dim, outputs);
    // Along each, the variance is then the root of what it was; all together have 1 on average.
    let after: f64 = found.variance.iter().map(|v| v.sqrt()).sum::<f64>() / outputs as f64;
    let scales = found.variance.iter().map(|v| 1.0 / (v.max(1e-12).powf(0.25) * after.max(1e-12).sqrt()));
    let matrix = found
        .directions
        .chunks_exact(dim)
        .zip(scales)
        .flat_map(|(direction, scale)| {
            direction.iter().zip(&deviations).map(move |(d, deviation)| (d * scale) as f32 / deviation)
        })
        .collect();
    let kept = found.variance.iter().sum::<f64>() / found.total.max(1e-12);
    let mean = found.mean.iter().zip(&deviations).map(|(m, deviation)| *m as f32 * deviation).collect();
    Projection { mean, matrix, kept }
}

/// For each channel, the deviation of its whole layer around the channels' own means.
fn deviations(values: &[f32], dim: usize, layers: &[usize]) -> Vec<f32> {
    let n = (values.len() / dim).max(1) as f64;
    let variance = |channel: usize| {
        let column = || values.iter().skip(channel).step_by(dim).map(|v| f64::from(*v));
        let mean = column().sum::<f64>() / n;
        column().map(|v| (v - mean).powi(2)).sum::<f64>() / n
    };
    let mut all = Vec::with_capacity(dim);
    for width in layers {
        let from = all.len();
        let mean = (from..from + width).map(variance).sum::<f64>() / (*width).max(1) as f64;
        all.resize(from + width, mean.sqrt().max(1e-12) as f32);
    }
    all.resize(dim, 1.0);
    all
}

impl Projection {
    /// Patch by patch.
    fn rows(&self, features: &[f32]) -> Vec<f32> {
        let dim = self.mean.len();
        let mut centred = vec![0.0f32; dim];
        let mut made = Vec::with_capacity(features.len() / dim * (self.matrix.len() / dim));
        for patch in features.chunks_exact(dim) {
            centred.iter_mut().zip(patch).zip(&self.mean).for_each(|((c, v), m)| *c = v - m);
            made.extend(self.matrix.chunks_exact(dim).map(|row| dot(row, &centred)));
        }
        made
    }

    /// Plane by plane.
    fn of(&self, features: &[f32]) -> Vec<f32> {
        let outputs = self.matrix.len() / self.mean.len();
        let rows = self.rows(features);
        (0..outputs).flat_map(|output| rows.iter().skip(output).step_by(outputs).copied()).collect()
    }
}
