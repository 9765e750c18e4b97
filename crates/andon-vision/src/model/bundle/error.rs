//! Why a model file cannot be read, used or written.

use std::io;

use thiserror::Error;

use super::{MAX_BYTES, VERSION};

/// Why a model file is refused. Every message names the file and the remedy.
#[derive(Debug, Error)]
pub enum BundleError {
    /// Cannot be read.
    #[error("cannot read the model {file}: {source}")]
    Read {
        /// File.
        file: String,
        /// Cause.
        source: io::Error,
    },
    /// Cannot be written; what was there before is untouched.
    #[error("cannot write the model {file}: {source}; nothing was changed")]
    Write {
        /// File.
        file: String,
        /// Cause.
        source: io::Error,
    },
    /// Larger than any model.
    #[error("the model {file} has {bytes} bytes, more than the {MAX_BYTES} that are read")]
    TooLarge {
        /// File.
        file: String,
        /// Its size.
        bytes: u64,
    },
    /// Another kind of file.
    #[error("{file} is not an andon model: {why}; make one with `andon fit GOOD_DIR -o part.andon`")]
    NotABundle {
        /// File.
        file: String,
        /// What is missing.
        why: String,
    },
    /// Written by another version.
    #[error(
        "the model {file} has version {found}, this program reads versions 2 and {VERSION}; learn it again with `andon fit`, or use the andon that made it"
    )]
    Version {
        /// File.
        file: String,
        /// Its version.
        found: String,
    },
    /// Bytes were changed or lost.
    #[error("the model {file} is damaged (its blake3 does not match); copy it again from where it was made")]
    Damaged {
        /// File.
        file: String,
    },
    /// The hash is right and the content is not.
    #[error("the model {file} contradicts itself: {why}; learn it again with `andon fit`")]
    Inconsistent {
        /// File.
        file: String,
        /// What does not fit.
        why: String,
    },
}
