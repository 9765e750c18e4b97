//! Connected regions of anomaly maps (`kernels/regions.cu`); the counterpart of `head::regions` on the CPU. So far only the self-test calls it:
//! detectors explain on the CPU, and only parts that are rejected.

pub(crate) mod self_test;

use std::mem::offset_of;

use cudarc::driver::{DeviceRepr, ValidAsZeroBits};

use super::shape::{Grid, blocks, ensure_len, to_i32};
use crate::driver::Device;
use crate::error::CudaError;
use crate::memory::Buffer;

/// `struct Found` of `kernels/regions.cu`.
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

/// Finds regions on the maps of one grid. Owns its buffers for a fixed number of pictures.
pub struct RegionFinder {
    grid: Grid,
    labels: Buffer<u32>,
    next: Buffer<u32>,
    found: Buffer<Found>,
}

impl RegionFinder {
    /// For up to `grid.images` maps at a time.
    ///
    /// # Errors
    /// No memory, or the device is lost.
    pub fn new(device: &Device, grid: Grid) -> Result<RegionFinder, CudaError> {
        let all = grid.all();
        Ok(RegionFinder { grid, labels: device.zeros(all)?, next: device.zeros(all)?, found: device.zeros(all)? })
    }

    /// The regions of each map at or above a threshold, by their lowest cell. Waits.
    ///
    /// # Errors
    /// A map too small, a kernel failed, or the device is lost.
    pub fn find(
        &mut self,
        device: &Device,
        map: &Buffer<f32>,
        threshold: f32,
    ) -> Result<Vec<Vec<FoundRegion>>, CudaError> {
        launch_regions(device, map, self.grid, threshold, &mut self.labels, &mut self.next, &mut self.found)?;
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

fn launch_regions(
    device: &Device,
    map: &Buffer<f32>,
    grid: Grid,
    threshold: f32,
    labels: &mut Buffer<u32>,
    next: &mut Buffer<u32>,
    found: &mut Buffer<Found>,
) -> Result<(), CudaError> {
    ensure_len("the map", map, grid.all())?;
    ensure_len("the labels", labels, grid.all())?;
    ensure_len("the labels' scratch", next, grid.all())?;
    ensure_len("the regions", found, grid.all())?;
    let launched = (blocks(grid.images, 1), 1, 1);
    let (height, width) = (to_i32("rows", grid.height)?, to_i32("columns", grid.width)?);
    launch!(
        device,
        device.kernels,
        regions,
        launched,
        (256, 1, 1),
        map,
        &height,
        &width,
        &threshold,
        labels,
        next,
        found
    )
}
