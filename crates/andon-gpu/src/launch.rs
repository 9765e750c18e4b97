//! Every launch of a kernel, one function each: checks what its contract in the `.cu` file asks for, then launches.

use cudarc::driver::{DeviceRepr, LaunchConfig, PushKernelArg};

use super::shape::{blocks, holds, int, need};
use super::{Buffer, CudaError, Device, Grid, Placement};

type Size = (u32, u32, u32);

macro_rules! launch {
    ($device:expr, $kernel:ident, $grid:expr, $block:expr, $($argument:expr),* $(,)?) => {{
        let (grid_dim, block_dim): (Size, Size) = ($grid, $block);
        let config = LaunchConfig { grid_dim, block_dim, shared_mem_bytes: 0 };
        let mut launch = $device.stream.launch_builder(&$device.kernels.$kernel);
        $(launch.arg($argument);)*
        // SAFETY: the arguments are those of the kernel's contract, in its order and of its types (the emulated driver compares both
        // with the PTX), and the checks before say that every index that it makes of them is inside its buffer.
        unsafe { launch.launch(config) }.map_err(CudaError::driver(concat!("launching ", stringify!($kernel))))?;
        Ok(())
    }};
}

mod prepare;

impl Device {
    /// One feature map of `grid.images` images, `channels x map_height x map_width` values each, into values `base..` of patches of
    /// `dim` values: averaged over `pool x pool` neighbours (odd), weighted, brought to the grid, put where `placement` says. The images
    /// are the first piece of every frame, then the second of every frame, and so on.
    ///
    /// # Errors
    /// Buffers too small, an even `pool`, or a launch that fails.
    #[allow(clippy::too_many_arguments, reason = "the kernel's contract")]
    pub fn aggregate(
        &self,
        map: &Buffer<f32>,
        (channels, map_height, map_width): (usize, usize, usize),
        pool: usize,
        weight: f32,
        grid: Grid,
        placement: &Placement,
        dim: usize,
        base: usize,
        out: &mut Buffer<f32>,
    ) -> Result<(), CudaError> {
        holds("the neighbourhood's side has to be odd", pool % 2 == 1)?;
        holds("a map has a cell at least", map_height * map_width > 0)?;
        holds("the channels do not fit the patch", base + channels <= dim)?;
        need("the feature map", map, grid.images * channels * map_height * map_width)?;
        holds("frames are of whole pieces", grid.images > 0 && grid.images.is_multiple_of(placement.pieces))?;
        need("the pieces' patches", &placement.slots, placement.pieces * grid.size())?;
        let frames = grid.images / placement.pieces;
        need("the patches", out, frames * placement.rows * dim)?;
        let launched = (blocks(grid.size(), 32), blocks(channels, 8), blocks(grid.images, 1));
        let (channels, height, width) =
            (int("channels", channels)?, int("rows", map_height)?, int("columns", map_width)?);
        let (grid_height, grid_width) = (int("rows", grid.height)?, int("columns", grid.width)?);
        let (pool, dim, base) = (int("pool", pool)?, int("dim", dim)?, int("base", base)?);
        let (frames, rows) = (int("frames", frames)?, int("rows", placement.rows)?);
        launch!(
            self,
            aggregate,
            launched,
            (32, 8, 1),
            map,
            &channels,
            &height,
            &width,
            &pool,
            &weight,
            &grid_height,
            &grid_width,
            &placement.slots,
            &frames,
            &rows,
            &dim,
            &base,
            out
        )
    }

    /// Nearest rows as packed keys; `best` starts as all ones.
    pub(super) fn nearest(
        &self,
        queries: &Buffer<f32>,
        count: usize,
        bank: &Buffer<f32>,
        (rows, dim, share): (usize, usize, usize),
        best: &mut Buffer<u64>,
    ) -> Result<(), CudaError> {
        holds("a share is a multiple of 64 rows", share > 0 && share.is_multiple_of(64))?;
        need("the queries", queries, count * dim)?;
        need("the bank", bank, rows * dim)?;
        need("the answers", best, count)?;
        let grid = (blocks(count, 64), blocks(rows, share), 1);
        let (count, rows, dim, share) =
            (int("queries", count)?, int("rows", rows)?, int("dim", dim)?, int("share", share)?);
        launch!(self, nearest, grid, (16, 16, 1), queries, &count, bank, &rows, &dim, &share, best)
    }

    /// The `k` nearest rows of each share, then of all.
    #[allow(clippy::too_many_arguments, reason = "the kernels' contract")]
    pub(super) fn nearest_k(
        &self,
        queries: &Buffer<f32>,
        count: usize,
        bank: &Buffer<f32>,
        (rows, dim, share): (usize, usize, usize),
        k: usize,
        lists: &mut Buffer<u64>,
        merged: &mut Buffer<u64>,
    ) -> Result<(), CudaError> {
        holds("k is 1 to 9", (1..=9).contains(&k))?;
        holds("a share is a multiple of 64 rows", share > 0 && share.is_multiple_of(64))?;
        let shares = rows.div_ceil(share).max(1);
        need("the queries", queries, count * dim)?;
        need("the bank", bank, rows * dim)?;
        need("the lists", lists, shares * count * k)?;
        need("the answers", merged, count * k)?;
        let (grid, merging) = ((blocks(count, 64), blocks(rows, share), 1), (blocks(count, 256), 1, 1));
        let (count, rows, dim, share) =
            (int("queries", count)?, int("rows", rows)?, int("dim", dim)?, int("share", share)?);
        let (k, shares) = (int("k", k)?, int("shares", shares)?);
        let listed: Result<(), CudaError> =
            launch!(self, nearest_k, grid, (16, 16, 1), queries, &count, bank, &rows, &dim, &share, &k, &mut *lists);
        listed?;
        launch!(self, nearest_merge, merging, (256, 1, 1), &*lists, &shares, &count, &k, merged)
    }

    pub(super) fn score_cells(
        &self,
        best: &Buffer<u64>,
        weights: &Buffer<f32>,
        rows: usize,
        cells: &Buffer<u32>,
        grid: Grid,
        map: &mut Buffer<f32>,
    ) -> Result<(), CudaError> {
        let count = cells.len();
        need("the nearest rows", best, grid.images * count)?;
        need("the rows' weights", weights, rows)?;
        need("the map", map, grid.all())?;
        let launched = (blocks(count, 256), blocks(grid.images, 1), 1);
        let (rows, count, size) = (int("rows", rows)?, int("cells", count)?, int("the map", grid.size())?);
        launch!(self, score_cells, launched, (256, 1, 1), best, weights, &rows, cells, &count, &size, map)
    }

    pub(super) fn score_smooth(
        &self,
        map: &Buffer<f32>,
        grid: Grid,
        kernel: &Buffer<f32>,
        down: bool,
        out: &mut Buffer<f32>,
    ) -> Result<(), CudaError> {
        holds("the filter has an odd number of weights", kernel.len() % 2 == 1)?;
        holds("a map has a cell at least", grid.size() > 0)?;
        need("the map", map, grid.all())?;
        need("the smoothed map", out, grid.all())?;
        let launched = (blocks(grid.size(), 256), blocks(grid.images, 1), 1);
        let (height, width, radius) =
            (int("rows", grid.height)?, int("columns", grid.width)?, int("radius", kernel.len() / 2)?);
        let down = i32::from(down);
        launch!(self, score_smooth, launched, (256, 1, 1), map, &height, &width, kernel, &radius, &down, out)
    }

    pub(super) fn score_share(
        &self,
        map: &mut Buffer<f32>,
        grid: Grid,
        share: &Buffer<f32>,
        looked: &Buffer<u8>,
    ) -> Result<(), CudaError> {
        need("the map", map, grid.all())?;
        need("the mask's share", share, grid.size())?;
        need("the mask", looked, grid.size())?;
        let launched = (blocks(grid.size(), 256), blocks(grid.images, 1), 1);
        let size = int("the map", grid.size())?;
        launch!(self, score_share, launched, (256, 1, 1), map, share, looked, &size)
    }

    pub(super) fn score_range(
        &self,
        map: &Buffer<f32>,
        grid: Grid,
        cells: &Buffer<u32>,
        range: &mut Buffer<f32>,
    ) -> Result<(), CudaError> {
        need("the map", map, grid.all())?;
        need("the ranges", range, 2 * grid.images)?;
        let launched = (1, blocks(grid.images, 1), 1);
        let (count, size) = (int("cells", cells.len())?, int("the map", grid.size())?);
        launch!(self, score_range, launched, (256, 1, 1), map, cells, &count, &size, range)
    }

    /// Heatmaps of `out.images` pictures of `out.height x out.width` pixels: the map upsampled, `typical` at 0 and the threshold at 127.5.
    ///
    /// # Errors
    /// Buffers too small, or a launch that fails.
    pub fn heatmap(
        &self,
        map: &Buffer<f32>,
        grid: Grid,
        (typical, threshold): (f32, f32),
        picture: Grid,
        out: &mut Buffer<u8>,
    ) -> Result<(), CudaError> {
        holds("as many heatmaps as maps", picture.images == grid.images)?;
        holds("a map has a cell at least", grid.size() > 0)?;
        need("the map", map, grid.all())?;
        need("the heatmap", out, picture.all())?;
        let scale = 127.5 / (threshold - typical).max(f32::MIN_POSITIVE);
        let launched = (blocks(picture.width, 32), blocks(picture.height, 8), blocks(grid.images, 1));
        let (height, width) = (int("rows", grid.height)?, int("columns", grid.width)?);
        let (to_height, to_width) = (int("rows", picture.height)?, int("columns", picture.width)?);
        launch!(self, heatmap, launched, (32, 8, 1), map, &height, &width, &to_height, &to_width, &typical, &scale, out)
    }

    pub(super) fn regions<F: DeviceRepr>(
        &self,
        map: &Buffer<f32>,
        grid: Grid,
        threshold: f32,
        labels: &mut Buffer<u32>,
        next: &mut Buffer<u32>,
        found: &mut Buffer<F>,
    ) -> Result<(), CudaError> {
        need("the map", map, grid.all())?;
        need("the labels", labels, grid.all())?;
        need("the labels' scratch", next, grid.all())?;
        need("the regions", found, grid.all())?;
        let launched = (blocks(grid.images, 1), 1, 1);
        let (height, width) = (int("rows", grid.height)?, int("columns", grid.width)?);
        launch!(self, regions, launched, (256, 1, 1), map, &height, &width, &threshold, labels, next, found)
    }

    /// Mahalanobis distances of `images x places` patches of `dim` values, one Gaussian for each place. `inverse` holds the inverse
    /// variances (`places x dim`), or, with `full`, the inverse covariances (`places x dim x dim`, symmetric, `dim` at most 1,024).
    ///
    /// # Errors
    /// Buffers too small, or a launch that fails.
    #[allow(clippy::too_many_arguments, reason = "the kernels' contract")]
    pub fn gauss(
        &self,
        features: &Buffer<f32>,
        (images, places, dim): (usize, usize, usize),
        mean: &Buffer<f32>,
        inverse: &Buffer<f32>,
        full: bool,
        out: &mut Buffer<f32>,
    ) -> Result<(), CudaError> {
        holds("a full covariance of more than 1,024 values", !full || dim <= 1024)?;
        need("the features", features, images * places * dim)?;
        need("the means", mean, places * dim)?;
        need("the inverse covariances", inverse, places * dim * if full { dim } else { 1 })?;
        need("the distances", out, images * places)?;
        let (each, all) = ((blocks(places, 8), blocks(images, 1), 1), (blocks(places, 1), blocks(images, 1), 1));
        let (places, dim) = (int("places", places)?, int("dim", dim)?);
        match full {
            false => launch!(self, gauss_diagonal, each, (32, 8, 1), features, &places, &dim, mean, inverse, out),
            true => launch!(self, gauss_full, all, (32, 8, 1), features, &places, &dim, mean, inverse, out),
        }
    }
}
