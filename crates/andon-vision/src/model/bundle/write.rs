//! Writing a model file: equal bundles are equal bytes.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;

use atomic_write_file::AtomicWriteFile;
use safetensors::tensor::{Dtype, TensorView};

use super::{Bundle, BundleError, FORMAT, VERSION, digest, digest_at};
use crate::model::tensors::Values;
use crate::preprocess::align::SIDE;

impl Bundle {
    /// The file's bytes; the same bundle gives the same bytes. Sets `blake3`.
    ///
    /// # Errors
    /// [`BundleError::Inconsistent`] when what all methods share does not fit together.
    pub(crate) fn container(&mut self) -> Result<Vec<u8>, BundleError> {
        let inconsistent = |why: String| BundleError::Inconsistent { file: self.manifest.name.clone(), why };
        self.check_common().map_err(inconsistent)?;
        let m = &self.manifest;
        let k = self.parity_score.len();
        let (h, w) = ((m.input.height * m.tiles[1]) as usize, (m.input.width * m.tiles[0]) as usize);
        let scores = le_bytes(&self.train_scores);
        let parity = le_bytes(&self.parity_score);
        let grid = vec![m.grid[1] as usize, m.grid[0] as usize];
        let own: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = self
            .tensors
            .iter()
            .map(|(name, tensor)| {
                let (dtype, bytes) = match &tensor.values {
                    Values::F32(values) => (Dtype::F32, le_bytes(values)),
                    Values::U32(values) => (Dtype::U32, values.iter().flat_map(|v| v.to_le_bytes()).collect()),
                };
                (format!("{}/{name}", m.method.id), dtype, tensor.shape.clone(), bytes)
            })
            .collect();
        let common = [
            ("mask", Dtype::U8, grid, self.mask.as_slice()),
            ("train_scores", Dtype::F32, vec![self.train_scores.len()], &scores),
            ("backbone", Dtype::U8, vec![self.backbone.len()], &self.backbone),
            ("parity_input", Dtype::U8, vec![k, h, w, 3], &self.parity_input),
            ("parity_score", Dtype::F32, vec![k], &parity),
        ];
        let own =
            own.iter().map(|(name, dtype, shape, bytes)| (name.as_str(), *dtype, shape.clone(), bytes.as_slice()));
        let align = (!self.align.is_empty()).then_some(("align", Dtype::U8, vec![SIDE, SIDE], self.align.as_slice()));
        let tensors: Vec<_> = common.into_iter().chain(align).chain(own).collect();
        let mut views = Vec::with_capacity(tensors.len());
        for (name, dtype, shape, data) in tensors {
            views.push((name, TensorView::new(dtype, shape, data).map_err(|e| inconsistent(e.to_string()))?));
        }
        let manifest = serde_json::to_string(m).map_err(|e| inconsistent(e.to_string()))?;
        let metadata = HashMap::from([
            ("format".to_owned(), FORMAT.to_owned()),
            ("version".to_owned(), VERSION.to_string()),
            ("blake3".to_owned(), "0".repeat(64)),
            ("manifest".to_owned(), manifest),
        ]);
        let bytes = safetensors::serialize(views, Some(metadata)).map_err(|e| inconsistent(e.to_string()))?;
        let mut bytes = sorted_metadata(bytes).ok_or_else(|| inconsistent("its header cannot be written".into()))?;
        let place = digest_at(header(&bytes)).ok_or_else(|| inconsistent("its name hides the digest".into()))?;
        let place = place.start + 8..place.end + 8;
        self.blake3 = digest(&bytes, &place);
        bytes[place].copy_from_slice(self.blake3.as_bytes());
        Ok(bytes)
    }

    /// Writes a file whole or not at all: to a nameless place first, synced, then put in the old one's stead.
    ///
    /// # Errors
    /// [`BundleError::Write`] (disk full, no permission): the old file is untouched and nothing is left behind.
    pub(crate) fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), BundleError> {
        let write = || -> std::io::Result<()> {
            let mut file = AtomicWriteFile::open(path)?;
            file.write_all(bytes)?;
            file.commit()
        };
        write().map_err(|source| BundleError::Write { file: path.display().to_string(), source })
    }
}

/// The JSON header without its length.
pub(super) fn header(bytes: &[u8]) -> &[u8] {
    let len = bytes.first_chunk::<8>().map_or(0, |b| u64::from_le_bytes(*b));
    let end = usize::try_from(len).ok().and_then(|n| n.checked_add(8)).filter(|n| *n <= bytes.len());
    bytes.get(8..end.unwrap_or(8)).unwrap_or(&[])
}

/// The container writes its metadata in the order of a hash map, which differs from run to run; equal bundles shall be
/// equal bytes, so the header is written once more with its keys in order.
fn sorted_metadata(bytes: Vec<u8>) -> Option<Vec<u8>> {
    let old = header(&bytes).len();
    let mut entries: BTreeMap<String, serde_json::Value> = serde_json::from_slice(header(&bytes)).ok()?;
    let metadata: BTreeMap<String, String> = serde_json::from_value(entries.remove("__metadata__")?).ok()?;
    let metadata = serde_json::to_string(&metadata).ok()?;
    let tensors = serde_json::to_string(&entries).ok()?;
    let mut text = format!("{{\"__metadata__\":{metadata},{}", &tensors[1..]).into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut sorted = Vec::with_capacity(bytes.len() + 8);
    sorted.extend((text.len() as u64).to_le_bytes());
    sorted.extend(text);
    sorted.extend(&bytes[8 + old..]);
    Some(sorted)
}

fn le_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}
