//! Constant inputs of networks from numpy's files: the format of `numpy.lib.format`, versions 1 to 3.

/// Values of an array in rows, with their shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Its sides.
    pub shape: Vec<usize>,
    /// As many numbers; whole ones of 64 bits are exact up to 2^53.
    pub numbers: Vec<f64>,
    /// They were written in half precision.
    pub half: bool,
}

/// Numbers of an array at most: embeddings are short.
const MOST: usize = 1 << 24;

/// Reads an array from a file; a pipe or device is none.
///
/// # Errors
/// What is wrong with the file.
pub fn open(path: &std::path::Path) -> Result<Array, String> {
    let there = std::fs::metadata(path).map_err(|e| e.to_string())?;
    match there.is_file() {
        true => read(&std::fs::read(path).map_err(|e| e.to_string())?),
        false => Err("it is no ordinary file".to_owned()),
    }
}

/// Reads an array.
///
/// # Errors
/// What is wrong with the file.
pub fn read(bytes: &[u8]) -> Result<Array, String> {
    let rest = bytes.strip_prefix(b"\x93NUMPY").ok_or("it is no file of numpy.save (.npy)")?;
    let (length, from): (usize, usize) = match rest {
        [1, _, a, b, ..] => (usize::from(u16::from_le_bytes([*a, *b])), 4),
        [2 | 3, _, a, b, c, d, ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, 6),
        _ => return Err("it is of a version of .npy that is not known".to_owned()),
    };
    let to = from.checked_add(length).filter(|to| *to <= rest.len()).ok_or("it is cut short")?;
    let header = String::from_utf8_lossy(&rest[from..to]).into_owned();
    let field = |key: &str| header.split_once(&format!("'{key}':")).map(|(_, rest)| rest.trim_start().to_owned());
    let by_columns = field("fortran_order").is_some_and(|order| order.starts_with("True"));
    let shape = field("shape").and_then(|rest| Some(rest.strip_prefix('(')?.split_once(')')?.0.to_owned()));
    let sides = shape.ok_or("it has no shape")?;
    let sides = sides.split(',').map(str::trim).filter(|side| !side.is_empty());
    let shape: Vec<usize> =
        sides.map(|side| side.parse().map_err(|_| "its shape is no numbers")).collect::<Result<_, _>>()?;
    let count = shape.iter().try_fold(1usize, |all, side| all.checked_mul(*side)).filter(|count| *count <= MOST);
    let count = count.ok_or_else(|| format!("it has the shape {shape:?}, and at most {MOST} numbers are taken"))?;
    let kind = field("descr")
        .and_then(|rest| Some(rest.strip_prefix('\'')?.split_once('\'')?.0.to_owned()))
        .unwrap_or_default();
    let data = &rest[to..];
    let size = kind.chars().last().and_then(|c| c.to_digit(10)).unwrap_or(0) as usize;
    if data.len() != count * size {
        return Err(format!("its shape {shape:?} of {kind} needs {} bytes, and it holds {}", count * size, data.len()));
    }
    let twos = data.as_chunks::<2>().0.iter();
    let (fours, eights) = (data.as_chunks::<4>().0.iter(), data.as_chunks::<8>().0.iter());
    let numbers: Vec<f64> = match kind.as_str() {
        "<f2" => twos.map(|b| half::f16::from_le_bytes(*b).to_f64()).collect(),
        "<f4" => fours.map(|b| f64::from(f32::from_le_bytes(*b))).collect(),
        "<f8" => eights.map(|b| f64::from_le_bytes(*b)).collect(),
        "|b1" | "|u1" => data.iter().map(|b| f64::from(*b)).collect(),
        "|i1" => data.iter().map(|b| f64::from(*b as i8)).collect(),
        "<i2" => twos.map(|b| f64::from(i16::from_le_bytes(*b))).collect(),
        "<u2" => twos.map(|b| f64::from(u16::from_le_bytes(*b))).collect(),
        "<i4" => fours.map(|b| f64::from(i32::from_le_bytes(*b))).collect(),
        "<u4" => fours.map(|b| f64::from(u32::from_le_bytes(*b))).collect(),
        "<i8" => eights.map(|b| i64::from_le_bytes(*b) as f64).collect(),
        "<u8" => eights.map(|b| u64::from_le_bytes(*b) as f64).collect(),
        _ => {
            return Err(format!(
                "it holds numbers of the type `{kind}`; f2, f4, f8, b1, whole numbers of 1 to 8 bytes, lowest byte first, are taken"
            ));
        }
    };
    let numbers = if by_columns { in_rows(&shape, &numbers) } else { numbers };
    Ok(Array { shape, numbers, half: kind == "<f2" })
}

/// Numbers that are written with the first side fastest, as arrays that were turned are, with the last side fastest.
fn in_rows(shape: &[usize], numbers: &[f64]) -> Vec<f64> {
    let mut at = vec![0usize; shape.len()];
    let mut made = Vec::with_capacity(numbers.len());
    for _ in 0..numbers.len() {
        let place = at.iter().zip(shape).rev().fold(0, |all, (at, side)| all * side + at);
        made.push(numbers[place]);
        for (at, side) in at.iter_mut().zip(shape).rev() {
            *at += 1;
            if *at < *side {
                break;
            }
            *at = 0;
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn arrays_are_read_and_broken_ones_named() {
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }\n";
        let data = [1.0f32.to_le_bytes(), 2.0f32.to_le_bytes()].concat();
        let array = read(&file(header, &data)).unwrap();
        assert_eq!(array, Array { shape: vec![2, 1], numbers: vec![1.0, 2.0], half: false });
        let whole = header.replace("<f4", "<i8").replace("(2, 1)", "()");
        assert_eq!(read(&file(&whole, &7i64.to_le_bytes())).unwrap().numbers, [7.0]);
        let yes = header.replace("<f4", "|b1").replace("(2, 1)", "(2,)");
        assert_eq!(read(&file(&yes, &[1, 0])).unwrap().numbers, [1.0, 0.0]);
        let half = header.replace("<f4", "<f2");
        assert_eq!(read(&file(&half, &[0x00, 0x3c, 0x00, 0xc0])).unwrap().numbers, [1.0, -2.0]);
        // One that was turned is written with its first side fastest.
        let turned = header.replace("False", "True").replace("(2, 1)", "(2, 3)");
        let six: Vec<u8> = [0.0f32, 3.0, 1.0, 4.0, 2.0, 5.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(read(&file(&turned, &six)).unwrap().numbers, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        for (bytes, words) in [
            (b"PK".to_vec(), "no file of numpy.save"),
            (file(header, &data[..4]), "needs 8 bytes, and it holds 4"),
            (file(&header.replace("<f4", "|O4"), &data), "of the type `|O4`"),
            (file(&header.replace("2, 1", "99999999, 99999999"), &data), "at most"),
            (file(&header.replace("2, 1", "two"), &data), "no numbers"),
            (file(header, &data)[..20].to_vec(), "cut short"),
        ] {
            let why = read(&bytes).unwrap_err();
            assert!(why.contains(words), "{why}");
        }
    }
}
