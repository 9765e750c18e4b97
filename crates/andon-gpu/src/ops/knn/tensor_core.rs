//! Exact nearest rows by tensor cores (`kernels/matrix.cu`): half precision leaves a few rows for each query, single precision measures them.
//! `KnnIndex` decides when it is used.

use crate::driver::Device;
use crate::error::CudaError;
use crate::memory::Buffer;
use crate::module::TensorCoreKernels;
use crate::ops::shape::{blocks, ensure, ensure_len, to_i32};

/// Rows of a tile, as in the kernel.
const TILE: usize = 64;

/// A bank in half precision, and what is known of its rounding.
pub(super) struct TensorCoreIndex {
    halves: Buffer<u16>,
    norms: Buffer<f32>,
    /// The largest of each tile.
    tile_norms: Buffer<f32>,
    tile_errors: Buffer<f32>,
    tiles: usize,
    depth: usize,
    scale: f32,
}

/// Room for the queries of a search.
pub(super) struct TensorCoreScratch {
    halves: Buffer<u16>,
    norms: Buffer<f32>,
    errors: Buffer<f32>,
    low: Buffer<f32>,
    high: Buffer<u32>,
}

impl TensorCoreIndex {
    /// `rows` are the values on the GPU.
    pub fn new(device: &Device, values: &[f32], rows: &Buffer<f32>, dim: usize) -> Result<TensorCoreIndex, CudaError> {
        let count = values.len() / dim;
        let depth = dim.next_multiple_of(32);
        let most = values.iter().filter(|v| v.is_finite()).fold(0.0f32, |m, v| m.max(v.abs()));
        // A power of two changes no digit; queries may be a hundred times as large before they leave the range of a half.
        let scale = if most > 0.0 { 2f32.powi(9 - most.log2().floor() as i32) } else { 1.0 };
        let mut halves = device.zeros(count * depth)?;
        let (mut norms, mut errors) = (device.zeros(count)?, device.zeros(count)?);
        matrix_rows(device, rows, (count, dim, depth), scale, &mut halves, &mut norms, &mut errors)?;
        let largest = |of: Vec<f32>| -> Vec<f32> {
            let nan_first = |m: f32, v: &f32| if m.is_nan() || m >= *v { m } else { *v };
            of.chunks(TILE).map(|tile| tile.iter().fold(0.0, nan_first)).collect()
        };
        let tile_norms = device.upload(&largest(device.download(&norms)?))?;
        let tile_errors = device.upload(&largest(device.download(&errors)?))?;
        let tiles = count.div_ceil(TILE);
        Ok(TensorCoreIndex { halves, norms, tile_norms, tile_errors, tiles, depth, scale })
    }

    pub fn scratch(&self, device: &Device, queries: usize) -> Result<TensorCoreScratch, CudaError> {
        Ok(TensorCoreScratch {
            halves: device.zeros(queries * self.depth)?,
            norms: device.zeros(queries)?,
            errors: device.zeros(queries)?,
            low: device.zeros(queries * self.tiles)?,
            high: device.zeros(queries)?,
        })
    }

    /// The nearest of `rows` for each of `count` queries, as packed keys.
    pub fn search(
        &self,
        device: &Device,
        (queries, count): (&Buffer<f32>, usize),
        (rows, row_count, dim): (&Buffer<f32>, usize, usize),
        scratch: &mut TensorCoreScratch,
        best: &mut Buffer<u64>,
    ) -> Result<(), CudaError> {
        let size = (count, dim, self.depth);
        matrix_rows(device, queries, size, self.scale, &mut scratch.halves, &mut scratch.norms, &mut scratch.errors)?;
        // Infinity has no bytes that are alike: 0x7f7f7f7f is 3.4e38, which bounds as well.
        device.fill(&mut scratch.high, count, 0x7f)?;
        matrix_bounds(device, self, (count, row_count), scratch)?;
        matrix_rank(device, (queries, count), (rows, row_count, dim), self.tiles, scratch, best)
    }
}

/// The kernels, where the GPU has tensor cores.
fn tensor_cores(device: &Device) -> Result<&TensorCoreKernels, CudaError> {
    device.tensor_core_kernels.as_ref().ok_or_else(|| CudaError::Shape("this card has no tensor cores".to_owned()))
}

fn matrix_rows(
    device: &Device,
    rows: &Buffer<f32>,
    (count, dim, depth): (usize, usize, usize),
    scale: f32,
    halves: &mut Buffer<u16>,
    norms: &mut Buffer<f32>,
    errors: &mut Buffer<f32>,
) -> Result<(), CudaError> {
    ensure("the depth is a multiple of 32 that holds a row", depth.is_multiple_of(32) && depth >= dim && dim > 0)?;
    ensure_len("the rows", rows, count * dim)?;
    ensure_len("the halves", halves, count * depth)?;
    ensure_len("the norms", norms, count)?;
    ensure_len("the errors", errors, count)?;
    let grid = (blocks(count, 8), 1, 1);
    let (count, dim, depth) = (to_i32("rows", count)?, to_i32("dim", dim)?, to_i32("depth", depth)?);
    launch!(
        device,
        tensor_cores(device)?,
        matrix_rows,
        grid,
        (32, 8, 1),
        rows,
        &count,
        &dim,
        &depth,
        &scale,
        halves,
        norms,
        errors
    )
}

fn matrix_bounds(
    device: &Device,
    bank: &TensorCoreIndex,
    (count, rows): (usize, usize),
    scratch: &mut TensorCoreScratch,
) -> Result<(), CudaError> {
    ensure_len("the queries' halves", &scratch.halves, count * bank.depth)?;
    ensure_len("the queries' norms", &scratch.norms, count)?;
    ensure_len("the bank's halves", &bank.halves, rows * bank.depth)?;
    ensure_len("the bank's norms", &bank.norms, rows)?;
    ensure("as many tiles as the bank has", bank.tiles == rows.div_ceil(TILE))?;
    ensure_len("the tiles' norms", &bank.tile_norms, bank.tiles)?;
    ensure_len("the tiles' errors", &bank.tile_errors, bank.tiles)?;
    ensure_len("the lower bounds", &scratch.low, count * bank.tiles)?;
    ensure_len("the upper bounds", &scratch.high, count)?;
    let grid = (blocks(count, 128), blocks(rows, 128), 1);
    // Each of `depth` products is cut at 24 bits of the largest of its block, and each block's sum (of four products on the oldest
    // cards) once more: off by a unit of the last place at most each time, of no more than |q||b| <= (|q|^2 + |b|^2) / 2; twice
    // that, for the factor 2 of the product. The norms are sums of depth / 32 values a lane, and a few more roundings are left.
    let slack = (1.25 * bank.depth as f32 + bank.depth as f32 / 32.0 + 32.0) * f32::EPSILON;
    let (count, rows, depth) = (to_i32("queries", count)?, to_i32("rows", rows)?, to_i32("depth", bank.depth)?);
    let tiles = to_i32("tiles", bank.tiles)?;
    launch!(
        device,
        tensor_cores(device)?,
        matrix_bounds,
        grid,
        (256, 1, 1),
        &scratch.halves,
        &scratch.norms,
        &count,
        &bank.halves,
        &bank.norms,
        &rows,
        &depth,
        &bank.tile_norms,
        &bank.tile_errors,
        &tiles,
        &slack,
        &mut scratch.low,
        &mut scratch.high
    )
}

fn matrix_rank(
    device: &Device,
    (queries, count): (&Buffer<f32>, usize),
    (bank, rows, dim): (&Buffer<f32>, usize, usize),
    tiles: usize,
    scratch: &TensorCoreScratch,
    best: &mut Buffer<u64>,
) -> Result<(), CudaError> {
    ensure_len("the queries", queries, count * dim)?;
    ensure_len("the bank", bank, rows * dim)?;
    ensure_len("the lower bounds", &scratch.low, count * tiles)?;
    ensure_len("the upper bounds", &scratch.high, count)?;
    ensure_len("the errors", &scratch.errors, count)?;
    ensure_len("the answers", best, count)?;
    let grid = (blocks(count, 8), 1, 1);
    let (count, rows, dim, tiles) =
        (to_i32("queries", count)?, to_i32("rows", rows)?, to_i32("dim", dim)?, to_i32("tiles", tiles)?);
    launch!(
        device,
        tensor_cores(device)?,
        matrix_rank,
        grid,
        (32, 8, 1),
        queries,
        &count,
        bank,
        &rows,
        &dim,
        &scratch.low,
        &scratch.high,
        &scratch.errors,
        &tiles,
        best
    )
}
