//! Constants: type, shape and bytes fit together; those in other files are fetched, from beside the network and from nowhere else.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};

use prost::Message;

use super::super::proto::{KeyValue, Tensor};
use super::MOST_BYTES;

/// Half bytes of a value of each type that ONNX numbers; 0 is one of no fixed size.
const HALF_BYTES: [u64; 27] = [0, 8, 2, 2, 4, 4, 8, 16, 0, 2, 4, 16, 8, 16, 16, 32, 4, 2, 2, 2, 2, 1, 1, 1, 2, 1, 1];

/// Checks all of them and brings those in other files in.
pub(super) fn check(all: &mut [Tensor], folder: Option<&Path>) -> Result<(), String> {
    let mut fetched = 0u64;
    for tensor in all {
        let bytes = one(tensor)?;
        if tensor.data_location.unwrap_or(0) != 0 {
            fetched += bytes;
            if fetched > MOST_BYTES {
                return Err(format!(
                    "`{}` and those before it have more than {MOST_BYTES} bytes in other files",
                    tensor.name()
                ));
            }
            fetch(tensor, bytes, folder)?;
        }
    }
    Ok(())
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
    let got = match &tensor.raw_data {
        Some(raw) => raw.len() as u64,
        None => {
            let typed = [
                tensor.float_data.len(),
                tensor.int32_data.len(),
                tensor.int64_data.len(),
                tensor.double_data.len(),
                tensor.uint64_data.len(),
            ];
            let given = typed.iter().sum::<usize>() as u64;
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

fn fetch(tensor: &mut Tensor, bytes: u64, folder: Option<&Path>) -> Result<(), String> {
    let name = tensor.name().to_owned();
    let entries: Vec<KeyValue> =
        tensor.external_data.iter().filter_map(|bytes| KeyValue::decode(bytes.as_slice()).ok()).collect();
    let entry = |key: &str| entries.iter().find(|e| e.key.as_deref() == Some(key)).and_then(|e| e.value.clone());
    let place = entry("location").unwrap_or_default();
    let path = Path::new(&place);
    let inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if place.is_empty() || !inside || place.contains('\\') {
        return Err(format!("`{name}` lies in `{place}`, outside of the network's folder; that file is not opened"));
    }
    let Some(folder) = folder else {
        return Err(format!(
            "`{name}` lies in another file, `{place}`, which is not at hand; put all weights into one file"
        ));
    };
    let number = |key: &str| match entry(key) {
        None => Ok(None),
        Some(text) => text.parse::<u64>().map(Some).map_err(|_| format!("`{name}`: its {key} `{text}` is no number")),
    };
    let offset = number("offset")?.unwrap_or(0);
    let length = number("length")?.unwrap_or(bytes);
    let file = folder.join(path);
    let failed = |e: std::io::Error| format!("`{name}` lies in `{place}`, and {} cannot be read: {e}", file.display());
    let mut open = File::open(&file).map_err(failed)?;
    let there = open.metadata().map_err(failed)?;
    let within = offset.checked_add(length).is_some_and(|end| end <= there.len());
    if !there.is_file() || !within || length != bytes {
        return Err(format!(
            "`{name}` lies in `{place}` from offset {offset} with length {length}; the file has {} bytes, and its shape needs {bytes}",
            there.len()
        ));
    }
    open.seek(SeekFrom::Start(offset)).map_err(failed)?;
    let mut data = Vec::new();
    open.take(length).read_to_end(&mut data).map_err(failed)?;
    tensor.raw_data = Some(data);
    tensor.external_data.clear();
    tensor.data_location = None;
    Ok(())
}
