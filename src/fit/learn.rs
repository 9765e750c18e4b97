use std::collections::HashMap;
use std::sync::Arc;

use thiserror::Error;

use super::coreset::greedy_coreset;
use super::images::{ImageError, Picture};
use super::parity;
use crate::model::bundle::{BackboneRef, Bundle, Claim, Manifest, Method, Training};
use crate::model::head::nearest::{Nearest, Searcher};
use crate::model::{Backbone, Embed, detector::max_or_nan, heatmap};
use crate::types::Fault;

/// How to learn.
#[derive(Clone, Debug)]
pub struct FitOptions {
    /// Name in the manifest.
    pub name: String,
    /// Patches in the memory bank at most.
    pub bank: usize,
    /// Seed of the coreset's first point.
    pub seed: u64,
    /// Threshold = margin x largest leave-one-image-out score; at least 1.
    pub margin: f32,
    /// Threads of the coreset and of scoring.
    pub threads: usize,
    /// Time stamp of the manifest; `None` is now. Fixed, equal inputs give equal bytes.
    pub created: Option<String>,
    /// Engine that makes the features, for the manifest.
    pub engine: String,
}

/// Fewer good pictures than this say nothing about what is normal.
pub const MIN_IMAGES: usize = 3;
/// Confidence of the printed claim.
const CONFIDENCE: f64 = 0.95;
/// Pictures in the parity set.
const PARITY: usize = 4;

/// What is being done, for progress bars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Reading pictures and computing features.
    Features,
    /// Choosing the memory bank.
    Coreset,
    /// Leave-one-image-out scores.
    Scores,
}

impl Stage {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Features => "features",
            Stage::Coreset => "memory bank",
            Stage::Scores => "leave-one-out scores",
        }
    }
}

/// Why nothing was learned.
#[derive(Debug, Error)]
pub enum FitError {
    /// Pictures that cannot be used; nothing is learned from the rest unless they are taken out.
    #[error("{count} of {of} pictures cannot be used:\n  {shown}\ntake them out, or leave them out with --skip-bad")]
    BadImages {
        /// How many.
        count: usize,
        /// Of how many.
        of: usize,
        /// The first ten, one line each.
        shown: String,
    },
    /// Too little to learn from.
    #[error(
        "{got} different good pictures; at least {MIN_IMAGES} are needed to learn, and 30 or more for a threshold that means something"
    )]
    TooFew {
        /// How many there are.
        got: usize,
    },
    /// An option out of its range.
    #[error("{0}")]
    Option(&'static str),
    /// The network could not make features.
    #[error("{name}: {fault}")]
    Embed {
        /// Picture.
        name: String,
        /// Reason.
        fault: Fault,
    },
    /// The features are useless.
    #[error(
        "the network gives values that are not finite for {name}; check the picture and the network's normalisation"
    )]
    NotFinite {
        /// Picture.
        name: String,
    },
    /// All pictures are the same.
    #[error("all pictures look the same to the network, so no threshold can be set; are they pictures of the part?")]
    NoSpread,
}

/// Learns from named pictures. Copies of a picture are left out; with `skip_bad`, pictures that cannot be read are too. Each
/// that was left out is returned with the reason.
///
/// # Errors
/// See [`FitError`].
pub fn fit(
    pictures: impl ExactSizeIterator<Item = Result<(String, Picture), ImageError>>,
    skip_bad: bool,
    embedder: &mut dyn Embed,
    backbone: &Backbone,
    options: &FitOptions,
    progress: &mut dyn FnMut(Stage, usize, usize),
) -> Result<(Bundle, Vec<String>), FitError> {
    if options.bank == 0 {
        return Err(FitError::Option("--bank: the memory bank needs at least 1 patch"));
    }
    if !(options.margin.is_finite() && options.margin >= 1.0) {
        return Err(FitError::Option(
            "--margin: must be 1 or more, or good parts that were learned from would be rejected",
        ));
    }
    let (set, left_out) = features(pictures, skip_bad, embedder, backbone, progress)?;
    let n = set.names.len();
    let (dim, patches) = (embedder.dim(), set.values.len() / embedder.dim());
    let k = options.bank.min(patches);
    let mut chosen = greedy_coreset(&set.values, dim, k, options.seed, options.threads, &mut |done| {
        progress(Stage::Coreset, done, k);
    });
    // By patch index, so that each image's rows are one range.
    chosen.sort_unstable();
    let per_image = patches / n;
    let bank: Arc<[f32]> =
        chosen.iter().flat_map(|i| &set.values[*i as usize * dim..(*i as usize + 1) * dim]).copied().collect();
    let source: Vec<u32> = chosen.iter().map(|i| i / per_image as u32).collect();

    let mut searcher = Searcher::new(bank.clone(), dim, options.threads);
    let (scores, typical) = leave_one_out(&mut searcher, &set.values, per_image * dim, &source, n, progress);
    let largest = max_or_nan(&scores);
    if !(largest.is_finite() && largest > typical) {
        return Err(FitError::NoSpread);
    }
    searcher.exclude(None);
    let (parity_input, parity_score) = parity::make(&set.parity, embedder, &mut searcher)
        .map_err(|fault| FitError::Embed { name: "parity set".into(), fault })?;

    let (grid_w, grid_h) = embedder.grid();
    let manifest = Manifest {
        name: options.name.clone(),
        created: options.created.clone().unwrap_or_else(|| format!("{:.0}", jiff::Timestamp::now())),
        method: Method::Patchcore,
        backbone: BackboneRef { name: backbone.name.clone(), outputs: backbone.outputs.clone() },
        input: backbone.input.clone(),
        frame_size: set.size,
        grid: [grid_w as u32, grid_h as u32],
        dim: dim as u32,
        threshold: options.margin * largest,
        claim: claim(n),
        typical,
        smoothing_sigma: heatmap::SIGMA,
        parity_tolerance: parity::TOLERANCE,
        training: Training {
            patches: patches as u64,
            seed: options.seed,
            margin: options.margin,
            engine: options.engine.clone(),
            sources: set.names,
        },
    };
    let bundle = Bundle {
        manifest,
        bank,
        bank_source: source,
        train_scores: scores,
        backbone: backbone.onnx.clone(),
        parity_input,
        parity_score,
        blake3: String::new(),
    };
    Ok((bundle, left_out))
}

/// The features of all pictures, with what has to be remembered of the pictures themselves.
struct Set {
    names: Vec<String>,
    values: Vec<f32>,
    /// The one size of all pictures.
    size: Option<[u32; 2]>,
    /// The first few pictures at input size.
    parity: Vec<Picture>,
}

fn features(
    pictures: impl ExactSizeIterator<Item = Result<(String, Picture), ImageError>>,
    skip_bad: bool,
    embedder: &mut dyn Embed,
    backbone: &Backbone,
    progress: &mut dyn FnMut(Stage, usize, usize),
) -> Result<(Set, Vec<String>), FitError> {
    let total = pictures.len();
    let (mut bad, mut left_out) = (Vec::new(), Vec::new());
    let mut seen = HashMap::new();
    let mut sizes = Vec::new();
    let mut set = Set { names: Vec::new(), values: Vec::new(), size: None, parity: Vec::new() };
    let mut one = Vec::new();
    for (i, picture) in pictures.enumerate() {
        progress(Stage::Features, i, total);
        let (name, picture) = match picture {
            Ok(named) => named,
            Err(e) => {
                bad.push(e.to_string());
                continue;
            }
        };
        if let Some(first) = seen.insert(*blake3::hash(&picture.rgb).as_bytes(), name.clone()) {
            // It would pretend to be evidence for the threshold.
            left_out.push(format!("{name} is a copy of {first}"));
            continue;
        }
        let embed = |fault| FitError::Embed { name: name.clone(), fault };
        let view = picture.view().ok_or(Fault::BadFrame).map_err(embed)?;
        embedder.embed(&view, &mut one).map_err(embed)?;
        if !one.iter().all(|v| v.is_finite()) {
            return Err(FitError::NotFinite { name });
        }
        if set.values.is_empty() {
            set.values.reserve_exact(one.len() * total);
        }
        set.values.extend_from_slice(&one);
        if set.parity.len() < PARITY {
            set.parity.push(parity::at_input_size(&view, &backbone.input));
        }
        set.names.push(name);
        sizes.push([picture.width, picture.height]);
    }
    progress(Stage::Features, total, total);
    if !bad.is_empty() && !skip_bad {
        let shown = bad.iter().take(10).map(String::as_str).collect::<Vec<_>>().join("\n  ");
        return Err(FitError::BadImages { count: bad.len(), of: total, shown });
    }
    if set.names.len() < MIN_IMAGES {
        return Err(FitError::TooFew { got: set.names.len() });
    }
    set.size = sizes.iter().all(|s| *s == sizes[0]).then(|| sizes[0]);
    left_out.extend(bad);
    Ok((set, left_out))
}

/// Scores every image against the rows that do not come from it; also the median patch distance.
fn leave_one_out(
    searcher: &mut Searcher,
    values: &[f32],
    per_image: usize,
    source: &[u32],
    n: usize,
    progress: &mut dyn FnMut(Stage, usize, usize),
) -> (Vec<f32>, f32) {
    let mut near: Vec<Nearest> = Vec::new();
    let mut scores = Vec::with_capacity(n);
    let mut all = Vec::new();
    for (i, image) in values.chunks_exact(per_image).enumerate() {
        progress(Stage::Scores, i, n);
        let rows = source.partition_point(|s| (*s as usize) < i)..source.partition_point(|s| (*s as usize) <= i);
        searcher.exclude(Some(rows));
        searcher.search_into(image, &mut near);
        all.extend(near.iter().map(|n| n.distance));
        scores.push(near.iter().map(|n| n.distance).fold(0.0, f32::max));
    }
    progress(Stage::Scores, n, n);
    let middle = all.len() / 2;
    let (_, typical, _) = all.select_nth_unstable_by(middle, f32::total_cmp);
    (scores, *typical)
}

/// The distribution-free bound of the largest of `n` scores: the next good part is above it with a probability of at most
/// `alpha`, where `(1 - alpha)^n = 1 - confidence`. A margin above 1 only makes it safer.
fn claim(n: usize) -> Claim {
    let max_false_reject = 1.0 - (1.0 - CONFIDENCE).powf(1.0 / n as f64);
    Claim { images: n as u32, max_false_reject, confidence: CONFIDENCE }
}

/// Good images that a claim of this share needs at the printed confidence.
pub fn images_for_claim(max_false_reject: f64) -> u64 {
    ((1.0 - CONFIDENCE).ln() / (1.0 - max_false_reject).ln()).ceil() as u64
}

#[cfg(test)]
mod tests;
