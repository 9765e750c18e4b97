//! Pictures whose truth is known, in the layouts that the field uses.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::masks::{LOOKED_FOR, Masks, folder_called, is_folder_of_masks, lower_stem, stem_of_mask};
use super::saturation::{self, Saturation, SaturationError};
use super::table;
use crate::fit::{ImageError, list_images, some};

/// One picture with its truth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The picture.
    pub path: PathBuf,
    /// Name of the defect; `good` for good ones.
    pub kind: String,
    /// Whether it is defective.
    pub bad: bool,
    /// Where the defect is: one file, or one for each of its parts.
    pub masks: Vec<PathBuf>,
}

/// A test set.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// Sorted by kind and name.
    pub samples: Vec<Sample>,
    /// What it was read as, for people.
    pub layout: &'static str,
    /// How much of a defect has to be found, where the set says so (MVTec LOCO).
    pub saturation: Option<Vec<Saturation>>,
    /// What was left out or not found, a line each.
    pub notes: Vec<String>,
}

/// Why there is no test set.
#[derive(Debug, Error)]
pub enum DatasetError {
    /// The folder has none of the layouts.
    #[error(
        "{path} is no test set: neither test/good (MVTec AD, MVTec LOCO), test/ok (BTAD), test_public/good (MVTec AD 2), a .csv (VisA) nor folders of pictures of which one is called good, ok or normal"
    )]
    Layout {
        /// Folder.
        path: PathBuf,
    },
    /// Pictures cannot be listed.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// What has to be found of a defect cannot be read.
    #[error(transparent)]
    Saturation(#[from] SaturationError),
    /// The table of a VisA-like set is wrong.
    #[error("{path}, line {line}: {why}")]
    Csv {
        /// Table.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// More than one object and none chosen, or one that is not there.
    #[error("{path} holds {known}; choose one with --category")]
    Category {
        /// Table.
        path: PathBuf,
        /// Those that there are.
        known: String,
    },
    /// Only good or only bad pictures.
    #[error("{path} has {good} good and {bad} defective test pictures; at least one of each is needed")]
    OneClass {
        /// Set.
        path: PathBuf,
        /// Good ones.
        good: usize,
        /// Defective ones.
        bad: usize,
    },
}

/// Finds out the layout and reads the list; no picture is opened.
///
/// # Errors
/// [`DatasetError`].
pub fn load(path: &Path, category: Option<&str>) -> Result<Dataset, DatasetError> {
    let is_csv = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
    let mut notes = Vec::new();
    let inside = |wanted: &str| folder_called(path, |name| name.eq_ignore_ascii_case(wanted));
    let (samples, layout) = if is_csv {
        (table::read(path, category)?, "VisA table")
    } else if let Some(test) = inside("test") {
        let truth = folder_called(path, is_folder_of_masks);
        (folders(&test, truth.as_deref(), &mut notes)?, "MVTec AD, MVTec LOCO or BTAD folders")
    } else if let Some(test) = inside("test_public") {
        (folders(&test, None, &mut notes)?, "MVTec AD 2 folders")
    } else if path.is_dir() {
        (folders(path, None, &mut notes)?, "flat folders")
    } else {
        return Err(DatasetError::Layout { path: path.to_owned() });
    };
    notes.extend(about_masks(&samples));
    let bad = samples.iter().filter(|s| s.bad).count();
    let good = samples.len() - bad;
    if good == 0 && bad == 0 {
        return Err(DatasetError::Layout { path: path.to_owned() });
    }
    if good == 0 || bad == 0 {
        return Err(DatasetError::OneClass { path: path.to_owned(), good, bad });
    }
    let saturation = if is_csv { None } else { saturation::read(path)? };
    Ok(Dataset { samples, layout, saturation, notes })
}

fn is_good(kind: &str) -> bool {
    ["good", "ok", "normal"].contains(&kind.to_lowercase().as_str())
}

pub(super) fn name_of(path: &Path) -> String {
    path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

/// A folder for each kind in `root`; masks in `truth`, beside the kinds, or beside the pictures.
pub(super) fn folders(root: &Path, truth: Option<&Path>, notes: &mut Vec<String>) -> Result<Vec<Sample>, DatasetError> {
    let read = |source| ImageError::Read { path: root.to_owned(), source };
    let (mut kinds, mut beside) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(root).map_err(read)? {
        let path = entry.map_err(read)?.path();
        let name = name_of(&path);
        match path.is_dir() && !name.starts_with('.') {
            true if is_folder_of_masks(&name) => beside.push(path),
            true => kinds.push(path),
            false => {}
        }
    }
    kinds.sort();
    beside.sort();
    if !kinds.iter().any(|k| is_good(&name_of(k))) {
        return Err(DatasetError::Layout { path: root.to_owned() });
    }
    let places: Vec<&Path> = truth.into_iter().chain(beside.iter().map(PathBuf::as_path)).collect();
    let mut samples = Vec::new();
    for folder in kinds {
        let kind = name_of(&folder);
        let bad = !is_good(&kind);
        let mut masks = Vec::new();
        for place in places.iter().filter(|_| bad) {
            if let Some(own) = folder_called(place, |name| name.eq_ignore_ascii_case(&kind)) {
                masks.push(Masks::of(&own)?);
            }
        }
        let listing = list_images(&folder)?;
        notes.extend(listing.note(&folder));
        let stems: std::collections::HashSet<String> = listing.pictures.iter().map(|p| lower_stem(p)).collect();
        let is_mask = |p: &PathBuf| stem_of_mask(&lower_stem(p)).is_some_and(|base| stems.contains(&base));
        // Masks may lie among the pictures themselves.
        let (among, pictures): (Vec<_>, Vec<_>) = listing.pictures.into_iter().partition(is_mask);
        for path in pictures {
            let mut found = masks.iter().map(|m| m.for_picture(&path)).find(|f| !f.is_empty()).unwrap_or_default();
            let stem = lower_stem(&path);
            if bad && found.is_empty() {
                found =
                    among.iter().filter(|m| stem_of_mask(&lower_stem(m)).as_ref() == Some(&stem)).cloned().collect();
            }
            samples.push(Sample { path, kind: if bad { kind.clone() } else { "good".into() }, bad, masks: found });
        }
    }
    common_masks(&mut samples, &places, notes)?;
    Ok(samples)
}

/// Masks of all kinds in one folder, for defective pictures that have none of their own. A name that several pictures have is no name.
fn common_masks(samples: &mut [Sample], places: &[&Path], notes: &mut Vec<String>) -> Result<(), DatasetError> {
    for place in places {
        let masks = Masks::of(place)?;
        let mut bearers = std::collections::HashMap::new();
        for s in samples.iter().filter(|s| s.bad && s.masks.is_empty()) {
            *bearers.entry(lower_stem(&s.path)).or_insert(0) += 1;
        }
        for s in samples.iter_mut().filter(|s| s.bad && s.masks.is_empty()) {
            let found = masks.for_picture(&s.path);
            match bearers.get(&lower_stem(&s.path)) {
                Some(1) => s.masks = found,
                _ if !found.is_empty() => notes.push(format!(
                    "{}: not used, because pictures of several kinds have this name; put masks into a folder for each kind",
                    found[0].display()
                )),
                _ => {}
            }
        }
    }
    Ok(())
}

/// How many defective pictures have a mask; nothing if all have one.
fn about_masks(samples: &[Sample]) -> Option<String> {
    let bad = samples.iter().filter(|s| s.bad);
    let without: Vec<String> =
        bad.clone().filter(|s| s.masks.is_empty()).map(|s| s.path.display().to_string()).collect();
    let all = bad.count();
    match without.len() {
        0 => None,
        n if n == all => {
            Some(format!("0 of {all} masks found, so there are no pixel figures; looked for {LOOKED_FOR}"))
        }
        n => {
            Some(format!("{} of {all} masks found; without one: {}; looked for {LOOKED_FOR}", all - n, some(&without)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        dir
    }

    fn about(set: &Dataset) -> Vec<(String, String, bool, bool)> {
        let name = |s: &Sample| s.path.file_name().unwrap().to_string_lossy().into_owned();
        set.samples.iter().map(|s| (name(s), s.kind.clone(), s.bad, !s.masks.is_empty())).collect()
    }

    #[test]
    fn mvtec_btad_and_flat_folders_are_told_apart() {
        let mvtec = tree(&["test/good/0.png", "test/hole/0.png", "test/hole/1.png", "ground_truth/hole/0_mask.png"]);
        let set = load(mvtec.path(), None).unwrap();
        let row = |n: &str, k: &str, b, m| (n.to_owned(), k.to_owned(), b, m);
        assert_eq!(
            about(&set),
            [row("0.png", "good", false, false), row("0.png", "hole", true, true), row("1.png", "hole", true, false)]
        );
        let btad = tree(&["test/ok/0.bmp", "test/ko/7.bmp", "ground_truth/ko/7.png"]);
        assert_eq!(
            about(&load(btad.path(), None).unwrap()),
            [row("7.bmp", "ko", true, true), row("0.bmp", "good", false, false)]
        );
        let flat = tree(&["Normal/a.png", "scratch/b.jpg"]);
        assert_eq!(load(flat.path(), None).unwrap().layout, "flat folders");
    }

    #[test]
    fn masks_are_found_wherever_the_field_puts_them_and_are_no_defects() {
        for files in [
            &[
                "test/good/0.png",
                "test/hole/0.png",
                "test/hole/1.png",
                "Ground_Truth/Hole/0_GT.PNG",
                "Ground_Truth/Hole/1.bmp",
            ][..],
            &[
                "test/good/0.png",
                "test/hole/0.png",
                "test/hole/1.png",
                "ground_truth/hole/0/000.png",
                "ground_truth/hole/0/001.png",
                "ground_truth/hole/1/000.png",
            ],
            &[
                "test_public/good/0.png",
                "test_public/hole/0.png",
                "test_public/hole/1.png",
                "test_public/ground_truth/hole/0_mask.png",
                "test_public/ground_truth/hole/1_mask.png",
            ],
            &["good/0.png", "hole/0.png", "hole/1.png", "masks/0.png", "masks/1_label.png"],
            &["good/0.png", "hole/0.png", "hole/1.png", "masks/hole/0.png", "masks/hole/1.png"],
            &["good/0.png", "hole/0.png", "hole/0_mask.png", "hole/1.png", "hole/1-seg.png"],
        ] {
            let set = load(tree(files).path(), None).unwrap();
            let row = |n: &str, k: &str, b, m| (n.to_owned(), k.to_owned(), b, m);
            let want = [
                row("0.png", "good", false, false),
                row("0.png", "hole", true, true),
                row("1.png", "hole", true, true),
            ];
            assert_eq!((about(&set), set.notes.as_slice()), (want.to_vec(), &[][..]), "{files:?}");
        }
        let loco =
            tree(&["test/good/0.png", "test/hole/0.png", "ground_truth/hole/0/000.png", "ground_truth/hole/0/001.png"]);
        assert_eq!(load(loco.path(), None).unwrap().samples[1].masks.len(), 2);
    }

    #[test]
    fn masks_that_are_not_found_or_belong_to_several_are_said() {
        let none = load(tree(&["test/good/0.png", "test/hole/0.png", "test/hole/1.png"]).path(), None).unwrap();
        assert!(
            none.notes.len() == 1
                && none.notes[0].contains("0 of 2 masks found")
                && none.notes[0].contains("NAME_mask")
        );
        let partly =
            load(tree(&["test/good/0.png", "test/hole/0.png", "test/hole/1.png", "gt/hole/0.png"]).path(), None)
                .unwrap();
        assert!(
            partly.notes[0].contains("1 of 2 masks found") && partly.notes[0].contains("1.png"),
            "{:?}",
            partly.notes
        );
        let twice = load(tree(&["good/0.png", "hole/0.png", "dent/0.png", "masks/0.png"]).path(), None).unwrap();
        assert!(twice.notes.iter().any(|n| n.contains("several kinds")), "{:?}", twice.notes);
    }

    #[test]
    fn a_table_is_read_as_spreadsheets_save_it() {
        let dir = tree(&["c/n/1.JPG", "c/a/2.JPG", "c/a/2.png"]);
        let path = dir.path().join("t.csv");
        let plain =
            "object,split,label,image,mask\ncandle,test,normal,c/n/1.JPG,\ncandle,test,anomaly,c/a/2.JPG,c/a/2.png\n";
        let utf16: Vec<u8> = std::iter::once(0xfeff).chain(plain.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        let quoted: String = plain.lines().map(|l| format!("\"{}\"\r\n", l.replace(',', "\",\""))).collect();
        for bytes in [
            plain.as_bytes().to_vec(),
            plain.replace('\n', "\r\n").into_bytes(),
            format!("\u{feff}{plain}").into_bytes(),
            plain.replace(',', ";").into_bytes(),
            plain.replace(',', "\t").into_bytes(),
            plain.replace("c/a/", "c\\a\\").into_bytes(),
            plain.replace("object,split", "Object, Split").into_bytes(),
            format!("\u{feff}{quoted}").into_bytes(),
            utf16,
        ] {
            std::fs::write(&path, &bytes).unwrap();
            let set = load(&path, None).unwrap();
            assert!(set.samples.iter().all(|s| s.path.exists()), "{}", String::from_utf8_lossy(&bytes));
            assert_eq!((set.samples.len(), set.samples[1].masks.iter().filter(|m| m.exists()).count()), (2, 1));
        }
    }

    #[test]
    fn a_visa_table_is_read_by_category() {
        let table = "object,split,label,image,mask\n\
            candle,train,normal,c/0.JPG,\ncandle,test,normal,c/1.JPG,\ncandle,test,anomaly,c/2.JPG,c/2.png\n\
            pcb,test,normal,p/1.JPG,\n";
        let dir = tree(&["c/1.JPG"]);
        let path = dir.path().join("split_csv/1cls.csv");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, table).unwrap();
        let set = load(&path, Some("candle")).unwrap();
        assert_eq!(set.samples.len(), 2);
        assert!(set.samples[0].path.ends_with("../c/1.JPG") && set.samples[1].masks.len() == 1);
        assert!(load(&path, None).unwrap_err().to_string().contains("candle, pcb"));
        assert!(load(&path, Some("fish")).unwrap_err().to_string().contains("--category"));
        assert!(load(&path, Some("pcb")).unwrap_err().to_string().contains("1 good and 0 defective"));
        for (table, why) in [
            ("object,split,image,mask\n", "`label`"),
            ("object,split,label,image,mask\na,test\n", "line 2: 2 fields"),
            ("object,split,label,image,mask\na,test,odd,i,m\n", "`odd`"),
            ("", "empty"),
        ] {
            std::fs::write(&path, table).unwrap();
            let said = load(&path, None).unwrap_err().to_string();
            assert!(said.contains(why), "{said}");
        }
    }

    #[test]
    fn what_is_no_test_set_is_named() {
        let dir = tree(&["a/0.png", "b/1.png"]);
        assert!(load(dir.path(), None).unwrap_err().to_string().contains("no test set"));
        assert!(load(&dir.path().join("absent"), None).unwrap_err().to_string().contains("absent"));
        assert!(load(tree(&["good/0.png"]).path(), None).unwrap_err().to_string().contains("1 good and 0"));
    }
}
