//! Teachers: patch description networks that were taught what a large network makes of pictures, once; students learn from them.

mod foreign;
mod pickle;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use half::f16;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use thiserror::Error;

use crate::files::write_whole;
use crate::networks::{Pdn, Size};
use crate::trainer::Weight;

/// What the names of a teacher's weights begin with.
pub const PREFIX: &str = "teacher";

/// In a file's metadata: what it is.
const FORMAT: &str = "andon-teacher";

/// A teacher with where it comes from.
#[derive(Clone, Debug)]
pub struct Teacher {
    /// Its network.
    pub pdn: Pdn,
    /// Its weights, `teacher.convN.weight` and `.bias`.
    pub weights: Vec<Weight>,
    /// Where it comes from: what it was taught by, on how many pictures, in how many steps, to which loss, under which licence.
    pub about: BTreeMap<String, String>,
}

/// Why a file is no teacher.
#[derive(Debug, Error)]
pub enum TeacherError {
    /// It cannot be read or written.
    #[error("{file}: {source}")]
    File {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error("{file} is no teacher that can be used: {why}")]
    Not {
        /// The file.
        file: String,
        /// Why.
        why: String,
    },
}

impl Teacher {
    /// The teacher that is built in, where there is one.
    pub fn built_in(size: Size) -> Option<Teacher> {
        match size {
            Size::Xs => Teacher::from_bytes(include_bytes!("../../../../models/pdn-xs.safetensors")).ok(),
            Size::S | Size::M => None,
        }
    }

    /// Reads a teacher of this size: a file of `andon distill`, or weights of the paper's networks from elsewhere, as ONNX, safetensors or
    /// PyTorch's file. Executes nothing of it.
    ///
    /// # Errors
    /// [`TeacherError`].
    pub fn read(path: &Path, size: Size) -> Result<Teacher, TeacherError> {
        let file = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|source| TeacherError::File { file: file.clone(), source })?;
        let read = if is_own(&bytes) { Teacher::from_bytes(&bytes) } else { foreign::read(&bytes, size) };
        read.map_err(|why| TeacherError::Not { file, why })
    }

    /// Reads the bytes of a teacher's file.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Teacher, String> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
        let about: BTreeMap<String, String> = header.metadata().clone().unwrap_or_default().into_iter().collect();
        if about.get("format").map(String::as_str) != Some(FORMAT) {
            return Err("its metadata do not say that it is one".to_owned());
        }
        let name = about.get("network").map(String::as_str).unwrap_or_default();
        let size = Size::ALL.into_iter().find(|size| size.as_str() == name);
        let pdn = Pdn::new(size.ok_or_else(|| format!("its network `{name}` is none of xs, s, m"))?);
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
        let weights = pdn
            .shapes(PREFIX)
            .into_iter()
            .map(|(name, shape)| {
                let view = tensors.tensor(&name).map_err(|e| e.to_string())?;
                if view.shape() != shape {
                    return Err(format!("`{name}` has the shape {:?} and should have {shape:?}", view.shape()));
                }
                let values: Vec<f32> = match view.dtype() {
                    Dtype::F16 => {
                        view.data().as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect()
                    }
                    Dtype::F32 => view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
                    other => return Err(format!("`{name}` is {other:?}, and f16 or f32 is wanted")),
                };
                match values.iter().all(|v| v.is_finite()) {
                    true => Ok(Weight { name, shape, values }),
                    false => Err(format!("`{name}` holds a value that is not finite")),
                }
            })
            .collect::<Result<_, String>>()?;
        Ok(Teacher { pdn, weights, about })
    }

    /// How its weights came about, in one line: what is known of this run, then of those before it.
    pub fn history(&self) -> String {
        let of = |key: &str| self.about.get(key).map_or("?", String::as_str);
        format!("{} steps of {} on {} pictures, from {}", of("steps"), of("batch"), of("pictures"), of("start"))
    }

    /// Writes the file, in f16, whole or not at all.
    ///
    /// # Errors
    /// [`TeacherError::File`].
    pub fn write(&self, path: &Path) -> Result<(), TeacherError> {
        let failed = |source| TeacherError::File { file: path.display().to_string(), source };
        let mut metadata: HashMap<String, String> =
            self.about.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        metadata.insert("format".to_owned(), FORMAT.to_owned());
        metadata.insert("network".to_owned(), self.pdn.size().as_str().to_owned());
        let halves: Vec<(&Weight, Vec<u8>)> = self
            .weights
            .iter()
            .map(|w| (w, w.values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect()))
            .collect();
        let views = halves
            .iter()
            .map(|(w, bytes)| Ok((w.name.as_str(), TensorView::new(Dtype::F16, w.shape.clone(), bytes)?)))
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
            .map_err(|e| failed(std::io::Error::other(e.to_string())))?;
        let bytes =
            safetensors::serialize(views, Some(metadata)).map_err(|e| failed(std::io::Error::other(e.to_string())))?;
        write_whole(path, &bytes).map_err(failed)
    }
}

/// Whether these bytes say that they are a file of `andon distill`.
fn is_own(bytes: &[u8]) -> bool {
    let about = SafeTensors::read_metadata(bytes).ok().and_then(|(_, header)| header.metadata().clone());
    about.is_some_and(|about| about.get("format").map(String::as_str) == Some(FORMAT))
}
