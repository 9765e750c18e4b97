//! Why a picture cannot be kept or read.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a picture cannot be kept or read.
#[derive(Debug, Error)]
pub enum PictureError {
    /// A file or a folder.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Another program writes into the same folder.
    #[error("{}: another program keeps its pictures here; give this one a pictures.path of its own", .0.display())]
    Taken(PathBuf),
    /// The note beside the picture is not one of this program's, or is damaged.
    #[error("{}: not a note of a picture: {source}", .path.display())]
    Note {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The picture is not what its note says.
    #[error("{}: {why}", .path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        why: &'static str,
    },
    /// Coding or decoding.
    #[error(transparent)]
    Coding(#[from] image::ImageError),
    /// A frame without pixels.
    #[error("the frame has no pixels")]
    Empty,
}

impl PictureError {
    /// For `map_err` of what was done with a file.
    pub(super) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> PictureError {
        move |source| PictureError::File { path: path.to_owned(), source }
    }

    /// The picture was removed meanwhile, as the oldest of the ring.
    pub fn is_gone(&self) -> bool {
        matches!(self, PictureError::File { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    }
}
