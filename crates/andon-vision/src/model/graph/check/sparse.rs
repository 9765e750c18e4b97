//! Constants of which only what is not 0 is written: engines differ in whether they read them, so they are written out.

use prost::Message;

use super::super::proto::{SparseTensor, Tensor};
use super::shapes::MOST_VALUES;
use super::tensors::{bytes_of_value, numbers, raw};

/// The constant written out.
///
/// # Errors
/// What does not fit together, or is too large.
pub(super) fn written_out(bytes: &[u8]) -> Result<Tensor, String> {
    let sparse = SparseTensor::decode(bytes).map_err(|e| format!("a sparse constant is cut short ({e})"))?;
    let SparseTensor { values, indices, dims } = sparse;
    let values = values.ok_or("a sparse constant has no values")?;
    let wrong = |what: &str| Err(format!("the sparse constant `{}` of the shape {dims:?} {what}", values.name()));
    let sides: Option<Vec<u64>> = dims.iter().map(|side| u64::try_from(*side).ok()).collect();
    let count = sides.as_ref().and_then(|sides| sides.iter().try_fold(1u64, |all, side| all.checked_mul(*side)));
    let (Some(sides), Some(count)) = (sides, count.filter(|count| *count <= MOST_VALUES)) else {
        return wrong("is more than fits");
    };
    let (size, given) = (bytes_of_value(&values)?, raw(&values)?);
    let places: Vec<u64> = match &indices {
        Some(indices) => numbers(indices)?.iter().map(|place| u64::try_from(*place).unwrap_or(u64::MAX)).collect(),
        None => Vec::new(),
    };
    let rank = sides.len();
    let by_axis = indices.as_ref().is_some_and(|i| i.dims.len() == 2);
    let places: Vec<u64> = match by_axis && rank > 0 {
        false => places,
        true => {
            if places.chunks(rank).any(|place| place.iter().zip(&sides).any(|(at, side)| at >= side)) {
                return wrong("has values outside of it");
            }
            places
                .chunks(rank)
                .map(|place| place.iter().zip(&sides).fold(0, |all, (at, side)| all * side + at))
                .collect()
        }
    };
    if places.len() * size != given.len() {
        return wrong("has not as many places as values");
    }
    let mut data = vec![0u8; count as usize * size];
    for (place, value) in places.iter().zip(given.chunks_exact(size.max(1))) {
        let at = usize::try_from(*place).ok().and_then(|place| place.checked_mul(size));
        let Some(to) = at.and_then(|at| data.get_mut(at..at.checked_add(size)?)) else {
            return wrong("has values outside of it");
        };
        to.copy_from_slice(value);
    }
    Ok(Tensor { name: values.name, dims, data_type: values.data_type, raw_data: Some(data), ..Tensor::default() })
}
