//! Finding the way to learn that suits a part: which pictures candidates are compared on, and what is tried. The comparing itself is
//! `andon_vision::search`.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::fit_defaults;
use andon_vision::eval::{Dataset, Sample};
use andon_vision::fit::{Mask, Picture, Survey, read_in_range};
use andon_vision::model::engine::EngineOptions;
use andon_vision::preprocess::align::{Reference, Small};
use andon_vision::search::{Fixed, Found, Network, Recipe, Search, SearchError, search};

/// Good pictures that candidates are compared on at most, and as many known defects.
const PICTURES: usize = 64;
/// Bytes of pictures that are held at most.
const BYTES: usize = 600 << 20;
/// Of fewer known defects none are kept from the search.
const KEPT: usize = 10;

/// What is asked for.
pub struct Asked<'a> {
    /// The good pictures.
    pub surveyed: &'a Survey,
    /// Known defects that choose.
    pub known: &'a [Sample],
    /// What is learned without a search.
    pub base: Recipe,
    /// Other networks.
    pub networks: Vec<Network>,
    /// What is not tried otherwise.
    pub fixed: Fixed,
    /// Where to look.
    pub mask: Option<&'a Mask>,
    /// How networks are run.
    pub engine: &'a EngineOptions,
    /// What judging a picture may take on this machine.
    pub budget: Duration,
    /// Bytes that learning may take.
    pub memory: u64,
}

/// Compares ways to learn. `progress` is told how many are done, of about how many, what is tried and how much of it is done.
///
/// # Errors
/// [`SearchError`].
pub fn find(asked: Asked<'_>, progress: &mut dyn FnMut(usize, usize, &str, f64)) -> Result<Found, SearchError> {
    let Asked { surveyed, known, base, networks, fixed, mask, engine, budget, memory } = asked;
    let range = surveyed.range;
    let pictures = sample(&surveyed.pictures, range);
    let known: Vec<PathBuf> = known.iter().map(|s| s.path.clone()).collect();
    let known: Vec<Picture> = sample(&known, range).into_iter().map(|(_, picture)| picture).collect();
    let small = |(_, p): &(String, Picture)| {
        Small::new(&p.rgb, p.width as usize, p.height as usize, (p.width as usize, p.height as usize))
    };
    let pose = Reference::learn(&pictures.iter().map(small).collect::<Vec<_>>());
    let pose = pose.filter(|pose| pose.usual_residual <= POORLY).map(Arc::new);
    let embedded = base.backbone.onnx == fit_defaults::backbone().onnx;
    search(
        &Search {
            pictures: &pictures,
            in_all: surveyed.pictures.len(),
            known: &known,
            shape: surveyed.size,
            seed: base.options.seed,
            base,
            finer: if embedded { vec!["stride4".to_owned()] } else { Vec::new() },
            pose,
            networks,
            fixed,
            mask: &|columns, rows| mask.map(|m| m.cells(columns, rows)),
            engine,
            budget,
            memory,
        },
        progress,
    )
}

/// Good pictures that fit their common pose worse than this at the median hardly have one.
pub const POORLY: f32 = 0.4;

/// The pose of these pictures; `None` if none can be read.
pub fn pose(files: &[PathBuf], range: Option<[u16; 2]>, progress: &mut dyn FnMut(usize, usize)) -> Option<Reference> {
    let mut small = Vec::with_capacity(files.len());
    for (done, path) in files.iter().enumerate() {
        progress(done, files.len());
        // What cannot be read is named by the learning itself.
        let Ok(Picture { width, height, rgb }) = read_in_range(path, range) else { continue };
        let (w, h) = (width as usize, height as usize);
        small.push(Small::new(&rgb, w, h, (w, h)));
    }
    Reference::learn(&small)
}

/// Evenly chosen pictures that can be read, no two alike.
fn sample(files: &[PathBuf], range: Option<[u16; 2]>) -> Vec<(String, Picture)> {
    let count = files.len().min(PICTURES);
    let (mut seen, mut bytes, mut found) = (HashSet::new(), 0, Vec::new());
    for path in (0..count).map(|i| &files[i * files.len() / count]) {
        // What cannot be read is named by the learning itself.
        let Ok(picture) = read_in_range(path, range) else { continue };
        bytes += picture.rgb.len();
        if bytes > BYTES && found.len() >= 12 {
            break;
        }
        if seen.insert(picture.digest()) {
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            found.push((name, picture));
        }
    }
    found
}

/// Known defects that choose the way to learn, and those that are kept from it to say what it finds; every second one, if there are enough.
pub fn halves(data: Dataset) -> (Vec<Sample>, Dataset) {
    if data.samples.len() < KEPT {
        return (data.samples.clone(), data);
    }
    let (choose, keep): (Vec<_>, Vec<_>) = data.samples.into_iter().enumerate().partition(|(i, _)| i % 2 == 0);
    let only = |all: Vec<(usize, Sample)>| all.into_iter().map(|(_, sample)| sample).collect::<Vec<_>>();
    (only(choose), Dataset { samples: only(keep), ..data })
}
