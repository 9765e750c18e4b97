//! Where defects are: files that belong to pictures, under every name that the field gives them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::fit::{ImageError, list_images};

/// What names of mask files end with, after the name of their picture.
const SUFFIXES: [&str; 12] = [
    "mask",
    "masks",
    "gt",
    "groundtruth",
    "ground_truth",
    "label",
    "labels",
    "seg",
    "segmentation",
    "annotation",
    "anno",
    "defect",
];
/// What folders of masks are called.
const FOLDERS: [&str; 9] =
    ["ground_truth", "groundtruth", "gt", "mask", "masks", "label", "labels", "annotation", "annotations"];

/// Names that were looked for, for people.
pub(super) const LOOKED_FOR: &str = "NAME_mask, NAME_gt, NAME_label, NAME_seg or NAME with any picture ending, or a folder NAME, in ground_truth/KIND, masks/KIND or masks";

/// Whether a folder beside the pictures holds masks and no kind of defect.
pub(super) fn is_folder_of_masks(name: &str) -> bool {
    let name = name.to_lowercase().replace([' ', '-'], "_");
    FOLDERS.contains(&name.as_str())
        || ["_mask", "_masks", "_gt", "_ground_truth"].iter().any(|end| name.ends_with(end))
}

/// The picture's name in that of its mask, in lower case; `None` if nothing says that it is one.
pub(super) fn stem_of_mask(stem: &str) -> Option<String> {
    let stem = stem.to_lowercase();
    SUFFIXES.iter().find_map(|suffix| {
        let base = stem.strip_suffix(suffix)?.strip_suffix(['_', '-', '.', ' '])?;
        (!base.is_empty()).then(|| base.to_owned())
    })
}

/// Masks of one folder by the lower-case name of their picture; a defect may have several.
#[derive(Debug, Default)]
pub(super) struct Masks(HashMap<String, Vec<PathBuf>>);

impl Masks {
    /// Those of a folder: files, and folders named after a picture (MVTec LOCO). No folder, no masks.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn of(folder: &Path) -> Result<Masks, ImageError> {
        let mut masks = Masks::default();
        let files = match list_images(folder) {
            Ok(listing) => listing.pictures,
            Err(ImageError::NoImages { .. }) => Vec::new(),
            Err(e) => return Err(e),
        };
        for path in files {
            let stem = lower_stem(&path);
            // A picture's own name may end as a mask's does.
            if let Some(base) = stem_of_mask(&stem) {
                masks.0.entry(base).or_default().push(path.clone());
            }
            masks.0.entry(stem).or_default().push(path);
        }
        let read = |source| ImageError::Read { path: folder.to_owned(), source };
        for entry in std::fs::read_dir(folder).map_err(read)? {
            let path = entry.map_err(read)?.path();
            if path.is_dir()
                && let Ok(listing) = list_images(&path)
            {
                let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
                masks.0.entry(name).or_default().extend(listing.pictures);
            }
        }
        Ok(masks)
    }

    /// Those of a picture.
    pub fn for_picture(&self, picture: &Path) -> Vec<PathBuf> {
        self.0.get(&lower_stem(picture)).cloned().unwrap_or_default()
    }
}

/// A file's name without its ending, in lower case.
pub(super) fn lower_stem(path: &Path) -> String {
    path.file_stem().map(|s| s.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// The folder in `root` of this name, whatever its case.
pub(super) fn folder_called(root: &Path, wanted: impl Fn(&str) -> bool) -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(root).ok()?.flatten().map(|e| e.path()).collect();
    found.sort();
    found.into_iter().find(|p| p.is_dir() && p.file_name().is_some_and(|n| wanted(&n.to_string_lossy())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_known_by_every_usual_name() {
        for name in
            ["000_mask", "000_MASK", "000_GT", "000-gt", "000_label", "000.ground_truth", "000_seg", "000_defect"]
        {
            assert_eq!(stem_of_mask(name).as_deref(), Some("000"), "{name}");
        }
        for name in ["000", "mask", "_mask", "gasket", "labels"] {
            assert_eq!(stem_of_mask(name), None, "{name}");
        }
        assert!(["ground_truth", "Ground Truth", "GT", "masks", "hole_masks"].iter().all(|n| is_folder_of_masks(n)));
        assert!(!["hole", "scratch", "gasket", "bad"].iter().any(|n| is_folder_of_masks(n)));
    }
}
