//! Constants: type, shape and bytes fit together; those in other files are fetched, from beside the network and from nowhere else.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use prost::Message;

use super::super::proto::{KeyValue, Tensor};
use super::MOST_BYTES;

/// Half bytes of a value of each type that ONNX numbers; 0 is one of no fixed size.
const HALF_BYTES: [u64; 29] =
    [0, 8, 2, 2, 4, 4, 8, 16, 0, 2, 4, 16, 8, 16, 16, 32, 4, 2, 2, 2, 2, 1, 1, 1, 2, 1, 1, 2, 2];

/// Where constants in other files are fetched from, and how much was.
pub(super) struct Store<'a> {
    folder: Option<&'a Path>,
    fetched: u64,
    /// Files that were opened, with their lengths.
    files: HashMap<PathBuf, u64>,
}

impl<'a> Store<'a> {
    /// Weights in other files lie in this folder; without one there are none.
    pub fn new(folder: Option<&'a Path>) -> Store<'a> {
        Store { folder, fetched: 0, files: HashMap::new() }
    }

    /// Checks a constant, and brings it in where it lies in another file.
    pub fn load(&mut self, tensor: &mut Tensor) -> Result<(), String> {
        let bytes = one(tensor)?;
        if tensor.data_location.unwrap_or(0) == 0 {
            return Ok(());
        }
        self.fetched += bytes;
        if self.fetched > MOST_BYTES {
            return Err(format!(
                "`{}` and those before it have more than {MOST_BYTES} bytes in other files",
                tensor.name()
            ));
        }
        self.fetch(tensor, bytes)?;
        // Networks that use weights twice name them twice at most; more is a way to ask for much with a small file.
        let there: u64 = self.files.values().sum();
        if self.fetched > 2 * there {
            return Err(format!(
                "`{}` and those before it lie in the same bytes of other files: {} bytes of {there}; write them once",
                tensor.name(),
                self.fetched
            ));
        }
        Ok(())
    }

    fn fetch(&mut self, tensor: &mut Tensor, bytes: u64) -> Result<(), String> {
        let name = tensor.name().to_owned();
        let entries: Vec<KeyValue> =
            tensor.external_data.iter().filter_map(|bytes| KeyValue::decode(bytes.as_slice()).ok()).collect();
        let entry = |key: &str| entries.iter().find(|e| e.key.as_deref() == Some(key)).and_then(|e| e.value.clone());
        let place = entry("location").unwrap_or_default();
        let path = Path::new(&place);
        let inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if place.is_empty() || !inside || place.contains('\\') {
            return Err(format!(
                "`{name}` lies in `{place}`, outside of the network's folder; that file is not opened"
            ));
        }
        let Some(folder) = self.folder else {
            return Err(format!(
                "`{name}` lies in another file, `{place}`, which is not at hand; put all weights into one file"
            ));
        };
        let number = |key: &str| match entry(key) {
            None => Ok(None),
            Some(text) => {
                text.parse::<u64>().map(Some).map_err(|_| format!("`{name}`: its {key} `{text}` is no number"))
            }
        };
        let offset = number("offset")?.unwrap_or(0);
        let length = number("length")?.unwrap_or(bytes);
        let file = folder.join(path);
        let failed =
            |e: std::io::Error| format!("`{name}` lies in `{place}`, and {} cannot be read: {e}", file.display());
        // A link may lead anywhere, and a pipe is never read to its end.
        let real = file.canonicalize().map_err(failed)?;
        let home = folder.canonicalize().or_else(|_| Path::new(".").canonicalize()).map_err(failed)?;
        if !real.starts_with(&home) {
            return Err(format!(
                "`{name}` lies in `{place}`, a link to {} outside of the network's folder; that file is not opened: copy it beside the network",
                real.display()
            ));
        }
        let there = real.metadata().map_err(failed)?;
        let within = offset.checked_add(length).is_some_and(|end| end <= there.len());
        if !there.is_file() || !within || length != bytes {
            return Err(format!(
                "`{name}` lies in `{place}` from offset {offset} with length {length}; the file has {} bytes, and its shape needs {bytes}",
                there.len()
            ));
        }
        stored(&there).map_err(|why| format!("`{name}` lies in `{place}`: {why}"))?;
        self.files.insert(real.clone(), there.len());
        let mut open = File::open(&real).map_err(failed)?;
        open.seek(SeekFrom::Start(offset)).map_err(failed)?;
        let mut data = Vec::new();
        open.take(length).read_to_end(&mut data).map_err(failed)?;
        tensor.raw_data = Some(data);
        tensor.external_data.clear();
        tensor.data_location = None;
        Ok(())
    }
}

/// Checks one constant; returns how many bytes its values have.
pub(super) fn one(tensor: &Tensor) -> Result<u64, String> {
    let name = tensor.name();
    let kind = tensor.data_type.unwrap_or(0);
    let half_bytes = usize::try_from(kind).ok().and_then(|kind| HALF_BYTES.get(kind));
    let Some(half_bytes) = half_bytes.filter(|_| kind > 0) else {
        return Err(format!("the constant `{name}` has the element type {kind}, which ONNX does not have"));
    };
    let shape = || format!("the constant `{name}` has the shape {:?}", tensor.dims);
    if tensor.dims.iter().any(|side| *side < 0) {
        return Err(format!("{}, with a side below 0", shape()));
    }
    let count = tensor.dims.iter().try_fold(1u64, |all, side| all.checked_mul(*side as u64));
    // With sides whose product wraps, the check of every one counts, whatever the others are.
    let longest =
        tensor.dims.iter().filter(|side| **side > 0).try_fold(1u64, |all, side| all.checked_mul(*side as u64));
    let bytes = count.zip(longest).and_then(|(count, _)| count.checked_mul(*half_bytes)).map(|n| n.div_ceil(2));
    let Some(bytes) = bytes.filter(|bytes| *bytes <= MOST_BYTES) else {
        return Err(format!("{}, which is more than a file can hold", shape()));
    };
    if *half_bytes == 0 || tensor.data_location.unwrap_or(0) != 0 {
        return Ok(bytes);
    }
    let count = count.unwrap_or(0);
    let typed = typed(tensor);
    let given = typed.iter().sum::<usize>() as u64;
    let got = match &tensor.raw_data {
        Some(_) if given > 0 => {
            return Err(format!("{}, and values both as bytes and as numbers; which are meant is not said", shape()));
        }
        Some(raw) => raw.len() as u64,
        None => {
            let own = field_of(kind).map_or(0, |field| typed[field] as u64);
            if given != own {
                return Err(format!("{}, and values of another type than {kind}, its own", shape()));
            }
            // Four bits go two by two into a number, complex numbers are two.
            let wanted = match kind {
                14 | 15 => count * 2,
                21..=23 | 25 | 26 => count.div_ceil(2),
                _ => count,
            };
            return if given == wanted || kind >= 21 {
                Ok(bytes)
            } else {
                Err(format!("{}, which is {wanted} values, and holds {given}", shape()))
            };
        }
    };
    match got == bytes || kind >= 21 {
        true => Ok(bytes),
        false => Err(format!("{}, which is {bytes} bytes, and holds {got}", shape())),
    }
}

/// Whether ONNX numbers a type so.
pub(super) fn is_type(kind: i32) -> bool {
    kind > 0 && usize::try_from(kind).is_ok_and(|kind| kind < HALF_BYTES.len())
}

/// Whether what a file is long lies on the disk: of one that is almost all holes, a few bytes would ask for gigabytes.
pub(super) fn stored(file: &std::fs::Metadata) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt;
    /// Files below this may be as they like.
    const SMALL: u64 = 1 << 26;
    /// No file system makes weights this much smaller.
    const AT_MOST: u64 = 64;
    let there = file.blocks().saturating_mul(512);
    match file.len() > SMALL && there.saturating_mul(AT_MOST) < file.len() {
        true => Err(format!("of {} bytes {there} are on the disk, the rest are holes; copy it again", file.len())),
        false => Ok(()),
    }
}

/// How many numbers a constant holds in each of its lists: f32, i32, i64, f64, u64.
fn typed(tensor: &Tensor) -> [usize; 5] {
    [
        tensor.float_data.len(),
        tensor.int32_data.len(),
        tensor.int64_data.len(),
        tensor.double_data.len(),
        tensor.uint64_data.len(),
    ]
}

/// In which of these lists numbers of a type are.
fn field_of(kind: i32) -> Option<usize> {
    match kind {
        1 | 14 => Some(0),
        7 => Some(2),
        11 | 15 => Some(3),
        12 | 13 => Some(4),
        8 => None,
        _ => Some(1),
    }
}

/// Bytes of one value of a constant.
///
/// # Errors
/// Its type has no whole number of them.
pub(super) fn bytes_of_value(tensor: &Tensor) -> Result<usize, String> {
    one(tensor)?;
    let half_bytes = HALF_BYTES[usize::try_from(tensor.data_type.unwrap_or(0)).unwrap_or(0)];
    match half_bytes.is_multiple_of(2) && half_bytes > 0 {
        true => Ok(half_bytes as usize / 2),
        false => Err(format!("the constant `{}` has a type that is not taken here", tensor.name())),
    }
}

/// The values of a constant as bytes, whichever way they are written.
///
/// # Errors
/// They do not fit together, or lie in another file.
pub(super) fn raw(tensor: &Tensor) -> Result<Vec<u8>, String> {
    let size = bytes_of_value(tensor)?;
    if tensor.data_location.unwrap_or(0) != 0 {
        return Err(format!("the constant `{}` lies in another file", tensor.name()));
    }
    if let Some(raw) = &tensor.raw_data {
        return Ok(raw.clone());
    }
    Ok(match field_of(tensor.data_type.unwrap_or(0)) {
        Some(0) => tensor.float_data.iter().flat_map(|v| v.to_le_bytes()).collect(),
        Some(2) => tensor.int64_data.iter().flat_map(|v| v.to_le_bytes()).collect(),
        Some(3) => tensor.double_data.iter().flat_map(|v| v.to_le_bytes()).collect(),
        Some(4) => tensor.uint64_data.iter().flat_map(|v| v.to_le_bytes()[..size].to_vec()).collect(),
        _ => tensor.int32_data.iter().flat_map(|v| v.to_le_bytes()[..size].to_vec()).collect(),
    })
}

/// The values of a constant of whole numbers.
///
/// # Errors
/// It is of another type, or does not fit together.
pub(super) fn numbers(tensor: &Tensor) -> Result<Vec<i64>, String> {
    let bytes = raw(tensor)?;
    Ok(match tensor.data_type.unwrap_or(0) {
        7 => bytes.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b)).collect(),
        6 => bytes.as_chunks().0.iter().map(|b| i64::from(i32::from_le_bytes(*b))).collect(),
        kind => {
            return Err(format!(
                "the constant `{}` is of the type {kind}, where whole numbers are wanted",
                tensor.name()
            ));
        }
    })
}
