//! Whole model files: the part that all methods share and the method's own, both checked on every way in and out.

use std::path::Path;

use crate::model::bundle::{Bundle, BundleError};

impl Bundle {
    /// Reads and checks a model file. Executes nothing of it.
    ///
    /// # Errors
    /// See [`BundleError`]: a file that was cut, changed or is of another kind is refused as a whole.
    pub fn open(path: &Path) -> Result<Bundle, BundleError> {
        Bundle::from_bytes(&Bundle::read_bytes(path)?, &path.display().to_string())
    }

    /// Checks a model file's bytes; `file` is its name in messages.
    ///
    /// # Errors
    /// As [`Bundle::open`].
    pub fn from_bytes(bytes: &[u8], file: &str) -> Result<Bundle, BundleError> {
        let bundle = Bundle::parse(bytes, file)?;
        bundle.check_method().map_err(|why| BundleError::Inconsistent { file: file.to_owned(), why })?;
        Ok(bundle)
    }

    /// The file's bytes; the same bundle gives the same bytes. Sets `blake3`.
    ///
    /// # Errors
    /// [`BundleError::Inconsistent`] when the parts do not fit together.
    pub fn to_bytes(&mut self) -> Result<Vec<u8>, BundleError> {
        let file = self.manifest.name.clone();
        self.check_method().map_err(|why| BundleError::Inconsistent { file, why })?;
        self.container()
    }

    /// Writes the file whole or not at all.
    ///
    /// # Errors
    /// [`BundleError::Write`] (disk full, no permission): the old file is untouched and nothing is left behind.
    pub fn write(&mut self, path: &Path) -> Result<(), BundleError> {
        let bytes = self.to_bytes()?;
        Bundle::write_bytes(path, &bytes)
    }

    fn check_method(&self) -> Result<(), String> {
        super::of(self)?.check(self)
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
