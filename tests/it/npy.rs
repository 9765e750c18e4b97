//! Arrays to and from numpy: just enough of the .npy format (version 1.0, C order) for the tests.

use std::path::Path;

/// Writes an array of little-endian values; `descr` is numpy's type, such as `<f4` or `|u1`.
pub fn write(path: &Path, descr: &str, shape: &[usize], bytes: &[u8]) {
    let dims: String = shape.iter().map(|d| format!("{d},")).collect();
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({dims}), }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(bytes);
    std::fs::write(path, file).unwrap();
}

/// Writes f32 values.
pub fn write_f32(path: &Path, shape: &[usize], values: &[f32]) {
    write(path, "<f4", shape, &values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>());
}

/// The raw bytes of an array, after checking its type.
pub fn read(path: &Path, descr: &str) -> Vec<u8> {
    let file = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let len = u16::from_le_bytes([file[8], file[9]]) as usize;
    let header = String::from_utf8_lossy(&file[10..10 + len]).into_owned();
    assert!(header.contains(&format!("'{descr}'")), "{header}");
    file[10 + len..].to_vec()
}

/// Values of an f8 array.
pub fn read_f64(path: &Path) -> Vec<f64> {
    read(path, "<f8").as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect()
}

/// Values of an f4 array.
pub fn read_f32(path: &Path) -> Vec<f32> {
    read(path, "<f4").as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}
