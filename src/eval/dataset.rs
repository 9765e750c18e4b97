//! Pictures whose truth is known, in the layouts that the field uses.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::fit::{ImageError, list_images};

/// One picture with its truth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The picture.
    pub path: PathBuf,
    /// Name of the defect; `good` for good ones.
    pub kind: String,
    /// Whether it is defective.
    pub bad: bool,
    /// Where the defect is: white on black.
    pub mask: Option<PathBuf>,
}

/// A test set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// Sorted by kind and name.
    pub samples: Vec<Sample>,
    /// What it was read as, for people.
    pub layout: &'static str,
}

/// Why there is no test set.
#[derive(Debug, Error)]
pub enum DatasetError {
    /// The folder has none of the layouts.
    #[error(
        "{path} is no test set: neither test/good (MVTec AD), test/ok (BTAD), a .csv (VisA) nor folders of pictures of which one is called good, ok or normal"
    )]
    Layout {
        /// Folder.
        path: PathBuf,
    },
    /// Pictures cannot be listed.
    #[error(transparent)]
    Image(#[from] ImageError),
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
    let (samples, layout) = if is_csv {
        (csv(path, category)?, "VisA table")
    } else if path.join("test").is_dir() {
        (folders(&path.join("test"), Some(&path.join("ground_truth")))?, "MVTec AD or BTAD folders")
    } else if path.is_dir() {
        (folders(path, None)?, "flat folders")
    } else {
        return Err(DatasetError::Layout { path: path.to_owned() });
    };
    let bad = samples.iter().filter(|s| s.bad).count();
    let good = samples.len() - bad;
    if good == 0 && bad == 0 {
        return Err(DatasetError::Layout { path: path.to_owned() });
    }
    if good == 0 || bad == 0 {
        return Err(DatasetError::OneClass { path: path.to_owned(), good, bad });
    }
    Ok(Dataset { samples, layout })
}

fn is_good(kind: &str) -> bool {
    ["good", "ok", "normal"].contains(&kind.to_lowercase().as_str())
}

fn folders(root: &Path, truth: Option<&Path>) -> Result<Vec<Sample>, DatasetError> {
    let read = |source| ImageError::Read { path: root.to_owned(), source };
    let mut kinds: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(root).map_err(read)? {
        let path = entry.map_err(read)?.path();
        if path.is_dir() && !path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.')) {
            kinds.push(path);
        }
    }
    kinds.sort();
    let name = |p: &Path| p.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if !kinds.iter().any(|k| is_good(&name(k))) {
        return Err(DatasetError::Layout { path: root.to_owned() });
    }
    let mut samples = Vec::new();
    for folder in kinds {
        let kind = name(&folder);
        let bad = !is_good(&kind);
        let masks = match truth.filter(|_| bad).map(|t| t.join(&kind)) {
            Some(dir) if dir.is_dir() => by_stem(&dir)?,
            _ => HashMap::new(),
        };
        for path in list_images(&folder)?.pictures {
            let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
            let mask = masks.get(&stem).cloned();
            samples.push(Sample { path, kind: if bad { kind.clone() } else { "good".into() }, bad, mask });
        }
    }
    Ok(samples)
}

/// The masks of a folder by the stem of the picture that they belong to: `NAME_mask.png` or `NAME.png`.
fn by_stem(folder: &Path) -> Result<HashMap<String, PathBuf>, DatasetError> {
    let stem = |p: &PathBuf| {
        let stem = p.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        stem.strip_suffix("_mask").map(str::to_owned).unwrap_or(stem)
    };
    Ok(list_images(folder)?.pictures.into_iter().map(|p| (stem(&p), p)).collect())
}

/// VisA's `1cls.csv`: object, split, label, image, mask. Paths are relative to the table's folder or the one above it.
fn csv(path: &Path, category: Option<&str>) -> Result<Vec<Sample>, DatasetError> {
    let text = std::fs::read_to_string(path).map_err(|source| ImageError::Read { path: path.to_owned(), source })?;
    let wrong = |line: usize, why: String| DatasetError::Csv { path: path.to_owned(), line: line + 1, why };
    let mut rows = text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty());
    let (_, head) = rows.next().ok_or_else(|| wrong(0, "it is empty".into()))?;
    let names: Vec<&str> = head.split(',').map(str::trim).collect();
    let column = |name: &str| {
        names.iter().position(|n| *n == name).ok_or_else(|| wrong(0, format!("there is no column `{name}`")))
    };
    let (object, split, label) = (column("object")?, column("split")?, column("label")?);
    let (image, mask) = (column("image")?, column("mask")?);
    let folder = path.parent().unwrap_or(Path::new("."));
    let place = |name: &str| {
        let here = folder.join(name);
        if here.exists() { here } else { folder.join("..").join(name) }
    };
    let (mut samples, mut objects) = (Vec::new(), Vec::new());
    for (n, row) in rows {
        let fields: Vec<&str> = row.split(',').map(str::trim).collect();
        if fields.len() != names.len() {
            return Err(wrong(n, format!("{} fields instead of {}", fields.len(), names.len())));
        }
        if !objects.contains(&fields[object]) {
            objects.push(fields[object]);
        }
        if fields[split] != "test" || category.is_some_and(|c| c != fields[object]) {
            continue;
        }
        let bad = match fields[label] {
            "normal" | "good" | "0" => false,
            "anomaly" | "bad" | "1" => true,
            other => return Err(wrong(n, format!("label `{other}` is neither normal nor anomaly"))),
        };
        let kind = if bad { "anomaly" } else { "good" }.to_owned();
        let mask = (bad && !fields[mask].is_empty()).then(|| place(fields[mask]));
        samples.push(Sample { path: place(fields[image]), kind, bad, mask });
    }
    let chosen = category.map_or(objects.len() <= 1, |c| objects.contains(&c));
    if !chosen {
        return Err(DatasetError::Category { path: path.to_owned(), known: objects.join(", ") });
    }
    samples.sort_by(|a, b| (a.bad, &a.path).cmp(&(b.bad, &b.path)));
    Ok(samples)
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
        set.samples.iter().map(|s| (name(s), s.kind.clone(), s.bad, s.mask.is_some())).collect()
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
        assert!(set.samples[0].path.ends_with("../c/1.JPG") && set.samples[1].mask.is_some());
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
