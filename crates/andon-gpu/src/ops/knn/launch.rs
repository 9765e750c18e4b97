//! The checked launches of `kernels/nearest.cu`: all distances in single precision.

use crate::driver::Device;
use crate::error::CudaError;
use crate::memory::Buffer;
use crate::ops::shape::{blocks, ensure, ensure_len, to_i32};

/// Nearest rows as packed keys; `best` starts as all ones.
pub(super) fn nearest(
    device: &Device,
    queries: &Buffer<f32>,
    count: usize,
    bank: &Buffer<f32>,
    (rows, dim, share): (usize, usize, usize),
    best: &mut Buffer<u64>,
) -> Result<(), CudaError> {
    ensure("a share is a multiple of 64 rows", share > 0 && share.is_multiple_of(64))?;
    ensure_len("the queries", queries, count * dim)?;
    ensure_len("the bank", bank, rows * dim)?;
    ensure_len("the answers", best, count)?;
    let grid = (blocks(count, 64), blocks(rows, share), 1);
    let (count, rows, dim, share) =
        (to_i32("queries", count)?, to_i32("rows", rows)?, to_i32("dim", dim)?, to_i32("share", share)?);
    launch!(device, device.kernels, nearest, grid, (16, 16, 1), queries, &count, bank, &rows, &dim, &share, best)
}

/// The `k` nearest rows of each share, then of all.
#[allow(clippy::too_many_arguments, reason = "the kernels' contract")]
pub(super) fn nearest_k(
    device: &Device,
    queries: &Buffer<f32>,
    count: usize,
    bank: &Buffer<f32>,
    (rows, dim, share): (usize, usize, usize),
    k: usize,
    lists: &mut Buffer<u64>,
    merged: &mut Buffer<u64>,
) -> Result<(), CudaError> {
    ensure("k is 1 to 9", (1..=9).contains(&k))?;
    ensure("a share is a multiple of 64 rows", share > 0 && share.is_multiple_of(64))?;
    let shares = rows.div_ceil(share).max(1);
    ensure_len("the queries", queries, count * dim)?;
    ensure_len("the bank", bank, rows * dim)?;
    ensure_len("the lists", lists, shares * count * k)?;
    ensure_len("the answers", merged, count * k)?;
    let (grid, merging) = ((blocks(count, 64), blocks(rows, share), 1), (blocks(count, 256), 1, 1));
    let (count, rows, dim, share) =
        (to_i32("queries", count)?, to_i32("rows", rows)?, to_i32("dim", dim)?, to_i32("share", share)?);
    let (k, shares) = (to_i32("k", k)?, to_i32("shares", shares)?);
    let listed: Result<(), CudaError> = launch!(
        device,
        device.kernels,
        nearest_k,
        grid,
        (16, 16, 1),
        queries,
        &count,
        bank,
        &rows,
        &dim,
        &share,
        &k,
        &mut *lists
    );
    listed?;
    launch!(device, device.kernels, nearest_merge, merging, (256, 1, 1), &*lists, &shares, &count, &k, merged)
}
