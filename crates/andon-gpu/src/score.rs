use std::mem::offset_of;

use cudarc::driver::{DeviceRepr, ValidAsZeroBits};

use super::{Buffer, CellRange, CudaError, Device, Grid, Near};
use andon_vision::model::head::score::Scorer;

/// From nearest rows to the anomaly map on the card; the twin of [`Scorer`]. Owns its buffers for a fixed number of pictures.
pub struct DeviceScorer {
    grid: Grid,
    room: usize,
    cells: Buffer<u32>,
    kernel: Option<Buffer<f32>>,
    /// The smoothed mask and the mask, where some cells are not looked at.
    masked: Option<(Buffer<f32>, Buffer<u8>)>,
    weights: Buffer<f32>,
    map: Buffer<f32>,
    other: Buffer<f32>,
    range: Buffer<f32>,
    labels: Buffer<u32>,
    next: Buffer<u32>,
    found: Buffer<Found>,
}

/// As `struct Found` in `kernels/regions.cu`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Found {
    count: u32,
    left: u32,
    top: u32,
    right: u32,
    bottom: u32,
    peak_cell: u32,
    peak: u64,
}

// The same numbers stand in `kernels/regions.cu`.
const _: () = {
    assert!(size_of::<Found>() == 32 && align_of::<Found>() == 8);
    assert!(offset_of!(Found, count) == 0);
    assert!(offset_of!(Found, left) == 4);
    assert!(offset_of!(Found, top) == 8);
    assert!(offset_of!(Found, right) == 12);
    assert!(offset_of!(Found, bottom) == 16);
    assert!(offset_of!(Found, peak_cell) == 20);
    assert!(offset_of!(Found, peak) == 24);
};

// SAFETY: whole numbers only, laid out as C does; the kernel's struct has the same members in the same order.
unsafe impl DeviceRepr for Found {}
// SAFETY: every member may be 0.
unsafe impl ValidAsZeroBits for Found {}

/// A region on the grid: cells, inclusive box, the lowest cell with the largest value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundRegion {
    /// Cells.
    pub count: u32,
    /// Left, top, right and bottom cell.
    pub bounds: [u32; 4],
    /// Where its largest value is.
    pub peak_cell: u32,
}

impl DeviceScorer {
    /// The tables of a scorer for `images` pictures at a time. `weights` has a factor for each bank row.
    ///
    /// # Errors
    /// No memory, or the card is lost.
    pub fn new(device: &Device, scorer: &Scorer, weights: &[f32], images: usize) -> Result<DeviceScorer, CudaError> {
        let tables = scorer.tables();
        let grid = Grid { images, height: tables.height, width: tables.width };
        let mut looked = vec![0u8; grid.size()];
        tables.cells.iter().for_each(|c| looked[*c as usize] = 1);
        let all = images * grid.size();
        Ok(DeviceScorer {
            grid,
            room: images,
            cells: device.upload(tables.cells)?,
            kernel: (tables.kernel.len() > 1).then(|| device.upload(tables.kernel)).transpose()?,
            masked: match tables.share.is_empty() {
                true => None,
                false => Some((device.upload(tables.share)?, device.upload(&looked)?)),
            },
            weights: device.upload(weights)?,
            map: device.zeros(all)?,
            other: device.zeros(all)?,
            range: device.zeros(2 * images)?,
            labels: device.zeros(all)?,
            next: device.zeros(all)?,
            found: device.zeros(all)?,
        })
    }

    /// Maps of the first `images` pictures, from the nearest row of each cell that is looked at.
    ///
    /// # Errors
    /// More pictures than there is room for, buffers too small, or a launch that fails.
    pub fn score(&mut self, device: &Device, near: &Near, images: usize) -> Result<(), CudaError> {
        if images > self.room {
            return Err(CudaError::Shape(format!("{images} pictures, there is room for {}", self.room)));
        }
        self.grid.images = images;
        device.fill(&mut self.map, self.grid.all(), 0)?;
        let rows = self.weights.len();
        device.score_cells(&near.keys, &self.weights, rows, &self.cells, self.grid, &mut self.map)?;
        if let Some(kernel) = &self.kernel {
            device.score_smooth(&self.map, self.grid, kernel, false, &mut self.other)?;
            device.score_smooth(&self.other, self.grid, kernel, true, &mut self.map)?;
        }
        if let Some((share, looked)) = &self.masked {
            device.score_share(&mut self.map, self.grid, share, looked)?;
        }
        Ok(())
    }

    /// The maps, one after the other.
    pub fn map(&self) -> &Buffer<f32> {
        &self.map
    }

    /// The grid, and how many pictures were scored last.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// Smallest and largest value of each map; the largest is the score of `ImageScore::Max`.
    ///
    /// # Errors
    /// A kernel failed, or the card is lost.
    pub fn ranges(&mut self, device: &Device) -> Result<Vec<CellRange>, CudaError> {
        device.score_range(&self.map, self.grid, &self.cells, &mut self.range)?;
        let range = device.download(&self.range)?;
        Ok(range.as_chunks::<2>().0[..self.grid.images]
            .iter()
            .map(|[least, most]| CellRange { least: *least, most: *most })
            .collect())
    }

    /// The regions of each map at or above a threshold, by their lowest cell.
    ///
    /// # Errors
    /// A kernel failed, or the card is lost.
    pub fn regions(&mut self, device: &Device, threshold: f32) -> Result<Vec<Vec<FoundRegion>>, CudaError> {
        device.regions(&self.map, self.grid, threshold, &mut self.labels, &mut self.next, &mut self.found)?;
        let found = device.download(&self.found)?;
        let region = |f: &Found| FoundRegion {
            count: f.count,
            bounds: [f.left, f.top, f.right, f.bottom],
            peak_cell: f.peak_cell,
        };
        let of = |all: &[Found]| all.iter().filter(|f| f.count > 0).map(region).collect();
        Ok(found.chunks(self.grid.size().max(1)).take(self.grid.images).map(of).collect())
    }
}
