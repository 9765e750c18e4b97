//! Pictures that somebody looked at, to choose a threshold by. Unlike a test set they may be of one class alone.

use std::path::{Path, PathBuf};

use super::dataset::{Dataset, DatasetError, Sample, folders, name_of};
use crate::fit::{list_images, some};

/// Reviewed pictures: a folder with a folder for each kind, `good` among them, or a folder of good ones; one class alone will do.
///
/// # Errors
/// [`DatasetError`]: no picture, or a folder that cannot be read.
pub fn reviewed(path: &Path) -> Result<Dataset, DatasetError> {
    let mut notes = Vec::new();
    let mut samples = match folders(path, None, &mut notes) {
        Err(DatasetError::Layout { .. }) => Vec::new(),
        found => found?,
    };
    samples.iter_mut().for_each(|sample| sample.masks.clear());
    let beside = list_images(path);
    if samples.is_empty() {
        let listing = beside?;
        let sample = |path: PathBuf| Sample { path, kind: "good".to_owned(), bad: false, masks: Vec::new() };
        notes.extend(listing.note(path));
        let samples = listing.pictures.into_iter().map(sample).collect();
        return Ok(Dataset { samples, layout: "good pictures", saturation: None, notes });
    }
    if let Ok(listing) = beside {
        // Nobody said of these whether they are good.
        let (n, first) =
            (listing.pictures.len(), some(&listing.pictures.iter().map(|p| name_of(p)).collect::<Vec<_>>()));
        notes.push(format!("left out of {}: {n} pictures beside the folders: {first}", path.display()));
    }
    Ok(Dataset { samples, layout: "flat folders", saturation: None, notes })
}
