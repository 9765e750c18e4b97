//! VisA's table `1cls.csv` (object, split, label, image, mask), as its authors wrote it and as spreadsheets save it: with a byte order mark,
//! other separators, quotes, other line ends, backslashes.

use std::path::{Path, PathBuf};

use super::dataset::{DatasetError, Sample};
use crate::fit::ImageError;

/// Samples of the test split; paths are relative to the table's folder or the one above it.
///
/// # Errors
/// [`DatasetError::Csv`] with the line, [`DatasetError::Category`] when the object has to be chosen.
pub(super) fn read(path: &Path, category: Option<&str>) -> Result<Vec<Sample>, DatasetError> {
    let bytes = std::fs::read(path).map_err(|source| ImageError::Read { path: path.to_owned(), source })?;
    let wrong = |line: u64, why: String| DatasetError::Csv { path: path.to_owned(), line: line as usize, why };
    let text = text_of(&bytes).ok_or_else(|| wrong(1, "it is no text in UTF-8 or UTF-16".into()))?;
    let head = text.lines().next().unwrap_or_default();
    if head.trim().is_empty() {
        return Err(wrong(1, "it is empty".into()));
    }
    let separator =
        [b',', b';', b'\t'].into_iter().max_by_key(|s| head.bytes().filter(|b| b == s).count()).unwrap_or(b',');
    let mut reader =
        csv::ReaderBuilder::new().delimiter(separator).trim(csv::Trim::All).flexible(true).from_reader(text.as_bytes());
    let names: Vec<String> = match reader.headers() {
        Ok(head) => head.iter().map(str::to_lowercase).collect(),
        Err(e) => return Err(wrong(1, e.to_string())),
    };
    let column = |name: &str| {
        names.iter().position(|n| n == name).ok_or_else(|| wrong(1, format!("there is no column `{name}`")))
    };
    let (object, split, label) = (column("object")?, column("split")?, column("label")?);
    let (image, mask) = (column("image")?, column("mask")?);
    let folder = path.parent().unwrap_or(Path::new("."));
    let place = |name: &str| -> PathBuf {
        let name = name.replace('\\', "/");
        let here = folder.join(&name);
        if here.exists() { here } else { folder.join("..").join(name) }
    };
    let (mut samples, mut objects) = (Vec::new(), Vec::<String>::new());
    for row in reader.records() {
        let row = row.map_err(|e| wrong(e.position().map_or(0, csv::Position::line), e.to_string()))?;
        let line = row.position().map_or(0, csv::Position::line);
        if row.iter().all(str::is_empty) {
            continue;
        }
        if row.len() != names.len() {
            return Err(wrong(line, format!("{} fields instead of {}", row.len(), names.len())));
        }
        if !objects.iter().any(|o| *o == row[object]) {
            objects.push(row[object].to_owned());
        }
        if !row[split].eq_ignore_ascii_case("test") || category.is_some_and(|c| *c != row[object]) {
            continue;
        }
        let bad = match row[label].to_lowercase().as_str() {
            "normal" | "good" | "ok" | "0" => false,
            "anomaly" | "anomalous" | "bad" | "1" => true,
            other => return Err(wrong(line, format!("label `{other}` is neither normal nor anomaly"))),
        };
        let kind = if bad { "anomaly" } else { "good" }.to_owned();
        let masks = if bad && !row[mask].is_empty() { vec![place(&row[mask])] } else { Vec::new() };
        samples.push(Sample { path: place(&row[image]), kind, bad, masks });
    }
    let chosen = category.map_or(objects.len() <= 1, |c| objects.iter().any(|o| o == c));
    if !chosen {
        return Err(DatasetError::Category { path: path.to_owned(), known: objects.join(", ") });
    }
    samples.sort_by(|a, b| (a.bad, &a.path).cmp(&(b.bad, &b.path)));
    Ok(samples)
}

/// Text without its byte order mark; spreadsheets save UTF-16 too.
fn text_of(bytes: &[u8]) -> Option<String> {
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|b| unit(*b)).collect();
        String::from_utf16(&units).ok()
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] | rest => String::from_utf8(rest.to_vec()).ok(),
    }
}
