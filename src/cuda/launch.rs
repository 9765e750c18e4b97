//! Every launch of a kernel, one function each: checks what its contract in the `.cu` file asks for, then launches.

use cudarc::driver::{DeviceRepr, LaunchConfig, PushKernelArg};

use super::{Buffer, CudaError, Device};

/// A grid of patches or cells, and how many pictures of it lie one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Pictures.
    pub images: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Grid {
    /// Cells of one picture.
    pub fn size(&self) -> usize {
        self.height * self.width
    }

    fn all(&self) -> usize {
        self.images * self.size()
    }
}

/// Smallest and largest value among the cells of a picture that are looked at; NaN if any of them is, or if there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CellRange {
    /// Smallest.
    pub least: f32,
    /// Largest.
    pub most: f32,
}

/// Where red, green and blue are in a pixel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pixel {
    pub bytes: usize,
    pub order: [usize; 3],
}

/// Tables of one axis of a resize, on the card: see `kernels/prepare.cu`.
pub(super) struct AxisBuffers {
    pub input: usize,
    pub output: usize,
    pub spans: Buffer<i32>,
    pub weights: Buffer<i32>,
    pub taps: usize,
}

fn need<T>(what: &str, buffer: &Buffer<T>, values: usize) -> Result<(), CudaError> {
    match buffer.len() >= values {
        true => Ok(()),
        false => Err(CudaError::Shape(format!("{what} holds {} values, {values} are needed", buffer.len()))),
    }
}

/// As a kernel's `int`.
fn int(what: &str, value: usize) -> Result<i32, CudaError> {
    i32::try_from(value).map_err(|_| CudaError::Shape(format!("{what} is {value}, too large for a kernel")))
}

fn holds(what: &str, holds: bool) -> Result<(), CudaError> {
    if holds { Ok(()) } else { Err(CudaError::Shape(what.to_owned())) }
}

fn blocks(values: usize, each: usize) -> u32 {
    // A grid without blocks is refused by the driver; kernels check their bounds.
    u32::try_from(values.div_ceil(each).max(1)).unwrap_or(u32::MAX)
}

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

impl Device {
    #[allow(clippy::too_many_arguments, reason = "the kernel's contract")]
    pub(super) fn prepare_columns(
        &self,
        frames: &Buffer<u8>,
        images: usize,
        stride: usize,
        pitch: usize,
        height: usize,
        pixel: Pixel,
        axis: &AxisBuffers,
        between: &mut Buffer<u8>,
    ) -> Result<(), CudaError> {
        holds("frames have a picture, a line and a pixel at least", images > 0 && height > 0 && axis.input > 0)?;
        holds("a line does not hold its pixels", pitch >= axis.input * pixel.bytes)?;
        holds("red, green or blue lies outside of the pixel", pixel.order.iter().all(|c| *c < pixel.bytes))?;
        need("the frames' buffer", frames, (images - 1) * stride + (height - 1) * pitch + axis.input * pixel.bytes)?;
        need("the buffer between columns and rows", between, images * height * axis.output * 3)?;
        let [red, green, blue] =
            [int("red", pixel.order[0])?, int("green", pixel.order[1])?, int("blue", pixel.order[2])?];
        let (bytes, taps) = (int("a pixel", pixel.bytes)?, int("the filter", axis.taps)?);
        let (pitch, lines, width) = (int("a line", pitch)?, int("the height", height)?, int("the width", axis.output)?);
        let grid = (blocks(axis.output, 32), blocks(height, 8), blocks(images, 1));
        let stride = stride as u64;
        launch!(
            self,
            prepare_columns,
            grid,
            (32, 8, 1),
            frames,
            &stride,
            &pitch,
            &lines,
            &bytes,
            &red,
            &green,
            &blue,
            &axis.spans,
            &axis.weights,
            &taps,
            &width,
            between
        )
    }

    #[allow(clippy::too_many_arguments, reason = "the kernel's contract")]
    pub(super) fn prepare_rows(
        &self,
        between: &Buffer<u8>,
        images: usize,
        width: usize,
        axis: &AxisBuffers,
        mean: &Buffer<f32>,
        scale: &Buffer<f32>,
        out: &mut Buffer<f32>,
    ) -> Result<(), CudaError> {
        need("the buffer between columns and rows", between, images * axis.input * width * 3)?;
        need("the mean", mean, 3)?;
        need("the scale", scale, 3)?;
        need("the network's input", out, images * 3 * axis.output * width)?;
        let grid = (blocks(width, 32), blocks(axis.output, 8), blocks(images, 1));
        let (lines, width) = (int("the height", axis.input)?, int("the width", width)?);
        let (height, taps) = (int("the height", axis.output)?, int("the filter", axis.taps)?);
        launch!(
            self,
            prepare_rows,
            grid,
            (32, 8, 1),
            between,
            &lines,
            &width,
            &axis.spans,
            &axis.weights,
            &taps,
            &height,
            mean,
            scale,
            out
        )
    }

    /// One feature map of `grid.images` pictures, `channels x map_height x map_width` values each, into values `base..` of patches of
    /// `dim` values: averaged over `pool x pool` neighbours (odd), weighted, brought to the grid.
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
        dim: usize,
        base: usize,
        out: &mut Buffer<f32>,
    ) -> Result<(), CudaError> {
        holds("the neighbourhood's side has to be odd", pool % 2 == 1)?;
        holds("a map has a cell at least", map_height * map_width > 0)?;
        holds("the channels do not fit the patch", base + channels <= dim)?;
        need("the feature map", map, grid.images * channels * map_height * map_width)?;
        need("the patches", out, grid.all() * dim)?;
        let launched = (blocks(grid.size(), 32), blocks(channels, 8), blocks(grid.images, 1));
        let (channels, height, width) =
            (int("channels", channels)?, int("rows", map_height)?, int("columns", map_width)?);
        let (grid_height, grid_width) = (int("rows", grid.height)?, int("columns", grid.width)?);
        let (pool, dim, base) = (int("pool", pool)?, int("dim", dim)?, int("base", base)?);
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
