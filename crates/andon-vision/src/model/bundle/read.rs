//! Reading a model file: the container, its digest, its version, and the part that all methods share.

use std::path::Path;
use std::sync::Arc;

use safetensors::SafeTensors;
use safetensors::tensor::Dtype;

use super::write::header;
use super::{Bundle, BundleError, FORMAT, MAX_BYTES, Manifest, VERSION, digest, digest_at, version2};
use crate::model::tensors::{Tensor, Tensors};
use crate::preprocess::align::SIDE;

impl Bundle {
    /// The bytes of a model file.
    ///
    /// # Errors
    /// [`BundleError::Read`], [`BundleError::TooLarge`], [`BundleError::NotABundle`] for a folder.
    pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>, BundleError> {
        let file = path.display().to_string();
        let read = |source| BundleError::Read { file: file.clone(), source };
        let about = std::fs::metadata(path).map_err(read)?;
        if about.is_dir() {
            return Err(BundleError::NotABundle { file, why: "it is a folder".into() });
        }
        if about.len() > MAX_BYTES {
            return Err(BundleError::TooLarge { file, bytes: about.len() });
        }
        std::fs::read(path).map_err(read)
    }

    /// Reads a model file's bytes and checks the part that all methods share; `file` is its name in messages.
    ///
    /// # Errors
    /// [`BundleError`]: a file that was cut, changed or is of another kind is refused as a whole.
    pub(crate) fn parse(bytes: &[u8], file: &str) -> Result<Bundle, BundleError> {
        let not = |why: &str| BundleError::NotABundle { file: file.to_owned(), why: why.to_owned() };
        let damaged = || BundleError::Damaged { file: file.to_owned() };
        if bytes.is_empty() {
            return Err(not("it is empty"));
        }
        let place = digest_at(header(bytes)).ok_or_else(|| not("it has no andon header"))?;
        let place = place.start + 8..place.end + 8;
        let blake3 = digest(bytes, &place);
        let intact = bytes[place] == *blake3.as_bytes();
        let (_, about) = SafeTensors::read_metadata(bytes)
            .map_err(|_| if intact { not("its header is broken") } else { damaged() })?;
        let metadata = about.metadata().as_ref().ok_or_else(|| not("its header has no metadata"))?;
        let field = |key: &str| metadata.get(key).map(String::as_str);
        if field("format") != Some(FORMAT) {
            return Err(if intact { not("its header names another format") } else { damaged() });
        }
        // Before the hash: another version may hash in another way, and its user deserves the better message.
        let version = field("version").unwrap_or_default();
        let number = version.parse::<u32>().ok();
        let known = number.is_some_and(|n| n == VERSION || n == version2::VERSION);
        if !known && (intact || number.is_some()) {
            return Err(BundleError::Version { file: file.to_owned(), found: version.to_owned() });
        }
        if !intact {
            return Err(damaged());
        }
        let inconsistent = |why: String| BundleError::Inconsistent { file: file.to_owned(), why };
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| inconsistent(e.to_string()))?;
        let (text, broken) = (field("manifest").unwrap_or_default(), |e| inconsistent(format!("manifest: {e}")));
        let (manifest, names) = match number {
            Some(version2::VERSION) => version2::manifest(text).map_err(broken)?,
            _ => (serde_json::from_str::<Manifest>(text).map_err(broken)?, None),
        };
        let bundle = parts(&tensors, manifest, names, blake3).map_err(inconsistent)?;
        bundle.check_common().map_err(inconsistent)?;
        Ok(bundle)
    }

    /// Whether what all methods share fits together.
    ///
    /// # Errors
    /// What does not.
    pub(crate) fn check_common(&self) -> Result<(), String> {
        let m = &self.manifest;
        let images = m.training.sources.len();
        let picture = m.input.len() * (m.tiles[0] * m.tiles[1]) as usize;
        let cells = m.grid[0] as usize * m.grid[1] as usize;
        let align = if m.align.is_some() { SIDE * SIDE } else { 0 };
        let side = |n: u32| (1..=4096).contains(&n);
        let rules = [
            (self.train_scores.len() == images, "train_scores and the list of images differ in length"),
            (self.train_scores.iter().all(|v| v.is_finite()), "a training score is not finite"),
            (m.threshold.is_finite() && m.threshold > 0.0, "the threshold is not a finite number above 0"),
            (m.baseline.is_finite() && m.baseline < m.threshold, "the heatmap's zero is not below the threshold"),
            (
                self.mask.len() == cells && self.mask.iter().any(|m| *m != 0),
                "the mask does not fit the grid or hides all",
            ),
            (m.backbone.layers.len() == m.backbone.outputs.len(), "layers and outputs differ in number"),
            (m.backbone.layers.iter().all(|l| l.pool % 2 == 1 && l.pool < 32), "a neighbourhood is even or above 31"),
            (
                m.backbone.layers.iter().all(|l| l.weight.is_finite() && l.weight > 0.0),
                "a layer's weight is not above 0",
            ),
            (m.tiles.iter().all(|n| (1..=16).contains(n)), "the tiles are not 1 to 16 each way"),
            (
                m.training.groups.is_empty() || m.training.groups.len() + m.training.added as usize == images,
                "the groups are not those of the images that were learned from",
            ),
            (m.training.added as usize <= images, "more images were added than there are"),
            (m.parity_tolerance > 0.0 && m.parity_tolerance < 1.0, "parity_tolerance is not between 0 and 1"),
            (side(m.input.width) && side(m.input.height), "the input's sides are not in 1..=4096"),
            (side(m.grid[0]) && side(m.grid[1]), "the grid's sides are not in 1..=4096"),
            (m.input.mean.iter().chain(&m.input.scale).all(|v| v.is_finite()), "the normalisation is not finite"),
            (m.frame_size.is_none_or(|s| s[0] > 0 && s[1] > 0), "frame_size has an empty side"),
            (!m.backbone.outputs.is_empty() && !self.backbone.is_empty(), "it has no network"),
            (self.parity_input.len() == self.parity_score.len() * picture, "the parity pictures have the wrong size"),
            (self.align.len() == align, "the picture of the pose has the wrong size"),
            (
                m.align.is_none_or(|a| a.most_residual > 0.0 && a.most_residual <= 2.0 && a.usual_residual.is_finite()),
                "the pose's residual is not in 0..=2",
            ),
            (self.parity_score.iter().all(|v| v.is_finite()), "a parity score is not finite"),
        ];
        m.scoring.check()?;
        rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, why)| Err(why.to_owned()))
    }
}

/// Tensors that every model has; all others are the method's.
const COMMON: [&str; 6] = ["mask", "train_scores", "backbone", "parity_input", "parity_score", "align"];

fn parts(
    tensors: &SafeTensors<'_>,
    manifest: Manifest,
    renamed: Option<version2::Renamed>,
    blake3: String,
) -> Result<Bundle, String> {
    let get = |name: &str, dtype: Dtype, rank: usize| {
        let view = tensors.tensor(name).map_err(|_| format!("the tensor `{name}` is missing"))?;
        if view.dtype() != dtype || view.shape().len() != rank {
            return Err(format!("the tensor `{name}` has the wrong type or rank"));
        }
        Ok((view.shape().to_vec(), view.data()))
    };
    let (_, mask) = get("mask", Dtype::U8, 2)?;
    let (parity_shape, parity_input) = get("parity_input", Dtype::U8, 4)?;
    let [columns, lines] = manifest.tiles.map(|n| n as usize);
    let (height, width) = (manifest.input.height as usize * lines, manifest.input.width as usize * columns);
    if parity_shape[1..] != [height, width, 3] {
        return Err("the parity pictures have another size than the input".to_owned());
    }
    let mut own = Tensors::default();
    for (name, view) in tensors.iter().filter(|(name, _)| !COMMON.contains(name)) {
        let prefix = format!("{}/", manifest.method.id);
        let short = match renamed {
            Some(names) => names.iter().find(|(old, _)| *old == name).map(|(_, new)| *new),
            None => name.strip_prefix(&prefix),
        };
        let short = short.ok_or_else(|| format!("the tensor `{name}` belongs to no part of the model"))?;
        let tensor = match view.dtype() {
            Dtype::F32 => Tensor::f32(view.shape(), floats(view.data())),
            Dtype::U32 => Tensor::u32(view.shape(), words(view.data())),
            _ => return Err(format!("the tensor `{name}` has the wrong type")),
        };
        own.insert(short, tensor);
    }
    Ok(Bundle {
        tensors: own,
        mask: mask.to_vec(),
        train_scores: floats(get("train_scores", Dtype::F32, 1)?.1),
        backbone: Arc::from(get("backbone", Dtype::U8, 1)?.1),
        align: match manifest.align {
            Some(_) => get("align", Dtype::U8, 2)?.1.to_vec(),
            None if tensors.tensor("align").is_ok() => {
                return Err("it has a pose, and the manifest knows nothing of it".to_owned());
            }
            None => Vec::new(),
        },
        parity_input: parity_input.to_vec(),
        parity_score: floats(get("parity_score", Dtype::F32, 1)?.1),
        manifest,
        blake3,
    })
}

fn floats(data: &[u8]) -> Vec<f32> {
    data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

fn words(data: &[u8]) -> Vec<u32> {
    data.as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b)).collect()
}
