//! Exact nearest rows by tensor cores: half precision leaves a few rows for each query, single precision measures them. See
//! `kernels/matrix.cu`.

use cudarc::driver::{LaunchConfig, PushKernelArg};

use super::shape::{blocks, holds, int, need};
use super::{Buffer, CudaError, Device};

/// Rows of a tile, as in the kernel.
const TILE: usize = 64;

/// A bank in half precision, and what is known of its rounding.
pub(super) struct MatrixBank {
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
pub(super) struct MatrixNear {
    halves: Buffer<u16>,
    norms: Buffer<f32>,
    errors: Buffer<f32>,
    low: Buffer<f32>,
    high: Buffer<u32>,
}

impl MatrixBank {
    /// Values of `rows` are on the card as well.
    pub fn new(device: &Device, values: &[f32], rows: &Buffer<f32>, dim: usize) -> Result<MatrixBank, CudaError> {
        let count = values.len() / dim;
        let depth = dim.next_multiple_of(32);
        let most = values.iter().filter(|v| v.is_finite()).fold(0.0f32, |m, v| m.max(v.abs()));
        // A power of two changes no digit; queries may be a hundred times as large before they leave the range of a half.
        let scale = if most > 0.0 { 2f32.powi(9 - most.log2().floor() as i32) } else { 1.0 };
        let mut halves = device.zeros(count * depth)?;
        let (mut norms, mut errors) = (device.zeros(count)?, device.zeros(count)?);
        device.matrix_rows(rows, (count, dim, depth), scale, &mut halves, &mut norms, &mut errors)?;
        let largest = |of: Vec<f32>| -> Vec<f32> {
            let nan_first = |m: f32, v: &f32| if m.is_nan() || m >= *v { m } else { *v };
            of.chunks(TILE).map(|tile| tile.iter().fold(0.0, nan_first)).collect()
        };
        let tile_norms = device.upload(&largest(device.download(&norms)?))?;
        let tile_errors = device.upload(&largest(device.download(&errors)?))?;
        let tiles = count.div_ceil(TILE);
        Ok(MatrixBank { halves, norms, tile_norms, tile_errors, tiles, depth, scale })
    }

    pub fn room(&self, device: &Device, queries: usize) -> Result<MatrixNear, CudaError> {
        Ok(MatrixNear {
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
        near: &mut MatrixNear,
        best: &mut Buffer<u64>,
    ) -> Result<(), CudaError> {
        let size = (count, dim, self.depth);
        device.matrix_rows(queries, size, self.scale, &mut near.halves, &mut near.norms, &mut near.errors)?;
        // Infinity has no bytes that are alike: 0x7f7f7f7f is 3.4e38, which bounds as well.
        device.fill(&mut near.high, count, 0x7f)?;
        device.matrix_bounds(self, (count, row_count), near)?;
        device.matrix_rank((queries, count), (rows, row_count, dim), self.tiles, near, best)
    }
}

macro_rules! launch {
    ($device:expr, $kernel:ident, $grid:expr, $block:expr, $($argument:expr),* $(,)?) => {{
        let Some(kernels) = &$device.matrix else {
            return Err(CudaError::Shape("this card has no tensor cores".to_owned()));
        };
        let config = LaunchConfig { grid_dim: $grid, block_dim: $block, shared_mem_bytes: 0 };
        let mut launch = $device.stream.launch_builder(&kernels.$kernel);
        $(launch.arg($argument);)*
        // SAFETY: the arguments are those of the kernel's contract, in its order and of its types, and the checks before say that every
        // index that it makes of them is inside its buffer.
        unsafe { launch.launch(config) }.map_err(CudaError::driver(concat!("launching ", stringify!($kernel))))?;
        Ok(())
    }};
}

impl Device {
    fn matrix_rows(
        &self,
        rows: &Buffer<f32>,
        (count, dim, depth): (usize, usize, usize),
        scale: f32,
        halves: &mut Buffer<u16>,
        norms: &mut Buffer<f32>,
        errors: &mut Buffer<f32>,
    ) -> Result<(), CudaError> {
        holds("the depth is a multiple of 32 that holds a row", depth.is_multiple_of(32) && depth >= dim && dim > 0)?;
        need("the rows", rows, count * dim)?;
        need("the halves", halves, count * depth)?;
        need("the norms", norms, count)?;
        need("the errors", errors, count)?;
        let grid = (blocks(count, 8), 1, 1);
        let (count, dim, depth) = (int("rows", count)?, int("dim", dim)?, int("depth", depth)?);
        launch!(self, matrix_rows, grid, (32, 8, 1), rows, &count, &dim, &depth, &scale, halves, norms, errors)
    }

    fn matrix_bounds(
        &self,
        bank: &MatrixBank,
        (count, rows): (usize, usize),
        near: &mut MatrixNear,
    ) -> Result<(), CudaError> {
        need("the queries' halves", &near.halves, count * bank.depth)?;
        need("the queries' norms", &near.norms, count)?;
        need("the bank's halves", &bank.halves, rows * bank.depth)?;
        need("the bank's norms", &bank.norms, rows)?;
        holds("as many tiles as the bank has", bank.tiles == rows.div_ceil(TILE))?;
        need("the tiles' norms", &bank.tile_norms, bank.tiles)?;
        need("the tiles' errors", &bank.tile_errors, bank.tiles)?;
        need("the lower bounds", &near.low, count * bank.tiles)?;
        need("the upper bounds", &near.high, count)?;
        let grid = (blocks(count, 128), blocks(rows, 128), 1);
        // Each of `depth` products is cut at 24 bits of the largest of its block, and each block's sum (of four products on the oldest
        // cards) once more: off by a unit of the last place at most each time, of no more than |q||b| <= (|q|^2 + |b|^2) / 2; twice
        // that, for the factor 2 of the product. The norms are sums of depth / 32 values a lane, and a few more roundings are left.
        let slack = (1.25 * bank.depth as f32 + bank.depth as f32 / 32.0 + 32.0) * f32::EPSILON;
        let (count, rows, depth) = (int("queries", count)?, int("rows", rows)?, int("depth", bank.depth)?);
        let tiles = int("tiles", bank.tiles)?;
        launch!(
            self,
            matrix_bounds,
            grid,
            (256, 1, 1),
            &near.halves,
            &near.norms,
            &count,
            &bank.halves,
            &bank.norms,
            &rows,
            &depth,
            &bank.tile_norms,
            &bank.tile_errors,
            &tiles,
            &slack,
            &mut near.low,
            &mut near.high
        )
    }

    fn matrix_rank(
        &self,
        (queries, count): (&Buffer<f32>, usize),
        (bank, rows, dim): (&Buffer<f32>, usize, usize),
        tiles: usize,
        near: &MatrixNear,
        best: &mut Buffer<u64>,
    ) -> Result<(), CudaError> {
        need("the queries", queries, count * dim)?;
        need("the bank", bank, rows * dim)?;
        need("the lower bounds", &near.low, count * tiles)?;
        need("the upper bounds", &near.high, count)?;
        need("the errors", &near.errors, count)?;
        need("the answers", best, count)?;
        let grid = (blocks(count, 8), 1, 1);
        let (count, rows, dim, tiles) =
            (int("queries", count)?, int("rows", rows)?, int("dim", dim)?, int("tiles", tiles)?);
        launch!(
            self,
            matrix_rank,
            grid,
            (32, 8, 1),
            queries,
            &count,
            bank,
            &rows,
            &dim,
            &near.low,
            &near.high,
            &near.errors,
            &tiles,
            best
        )
    }
}
