//! Where a training run stands, on disk: enough to go on to the same bytes as if nothing had happened.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use thiserror::Error;

use crate::files::write_whole;
use crate::trainer::{Snapshot, Weight};

/// In a file's metadata: what it is.
const FORMAT: &str = "andon-checkpoint";

/// Why a run cannot be gone on with, or kept.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// It cannot be read or written.
    #[error("{file}: {source}")]
    File {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error("{file} is no checkpoint: {why}; remove it to begin anew")]
    Not {
        /// The file.
        file: String,
        /// Why.
        why: String,
    },
    /// It is of another run.
    #[error("{file} is of a run with other pictures or options; remove it to begin anew, or name another place")]
    OtherRun {
        /// The file.
        file: String,
    },
}

/// Writes where a run stands, whole or not at all; `run` is a digest of all that the run's result depends on.
///
/// # Errors
/// [`CheckpointError::File`]: the old file is untouched.
pub fn write(path: &Path, snapshot: &Snapshot, run: &str) -> Result<(), CheckpointError> {
    let failed = |source| CheckpointError::File { file: path.display().to_string(), source };
    let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    for (weight, moments) in snapshot.weights.iter().zip(&snapshot.moments) {
        tensors.push((weight.name.clone(), weight.shape.clone(), le_bytes(&weight.values)));
        for (number, moment) in moments.iter().enumerate() {
            tensors.push((format!("{}/{number}", weight.name), weight.shape.clone(), le_bytes(moment)));
        }
    }
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| Ok((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
        .map_err(|e| failed(std::io::Error::other(e.to_string())))?;
    let metadata = HashMap::from([
        ("format".to_owned(), FORMAT.to_owned()),
        ("run".to_owned(), run.to_owned()),
        ("steps".to_owned(), snapshot.steps.to_string()),
        ("planned".to_owned(), snapshot.planned.to_string()),
    ]);
    let bytes =
        safetensors::serialize(views, Some(metadata)).map_err(|e| failed(std::io::Error::other(e.to_string())))?;
    write_whole(path, &bytes).map_err(failed)
}

/// Reads where a run stands; `start` is what it started from. `None` if there is no such file.
///
/// # Errors
/// [`CheckpointError`].
pub fn read(path: &Path, start: &Snapshot, run: &str) -> Result<Option<Snapshot>, CheckpointError> {
    let file = || path.display().to_string();
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(CheckpointError::File { file: file(), source }),
    };
    let not = |why: String| CheckpointError::Not { file: file(), why };
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| not(e.to_string()))?;
    let about = header.metadata().clone().unwrap_or_default();
    if about.get("format").map(String::as_str) != Some(FORMAT) {
        return Err(not("its metadata do not say that it is one".to_owned()));
    }
    if about.get("run").map(String::as_str) != Some(run) {
        return Err(CheckpointError::OtherRun { file: file() });
    }
    let number = |key: &str| about.get(key).and_then(|n| n.parse::<u64>().ok());
    let (steps, planned) = number("steps").zip(number("planned")).ok_or_else(|| not("it has no step".to_owned()))?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|e| not(e.to_string()))?;
    let values = |name: &str, shape: &[usize]| {
        let view = tensors.tensor(name).map_err(|e| not(e.to_string()))?;
        match (view.dtype(), view.shape() == shape) {
            (Dtype::F32, true) => {
                Ok(view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect::<Vec<f32>>())
            }
            _ => Err(not(format!("`{name}` has the wrong type or shape"))),
        }
    };
    let mut snapshot = Snapshot { weights: Vec::new(), moments: Vec::new(), steps, planned };
    for (weight, moments) in start.weights.iter().zip(&start.moments) {
        let Weight { name, shape, .. } = weight;
        snapshot.weights.push(Weight { values: values(name, shape)?, ..weight.clone() });
        let kept = (0..moments.len()).map(|number| values(&format!("{name}/{number}"), shape));
        snapshot.moments.push(kept.collect::<Result<_, _>>()?);
    }
    Ok(Some(snapshot))
}

fn le_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}
