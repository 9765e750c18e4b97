//! Compares the op with the regions of the CPU.

use super::{FoundRegion, RegionFinder};
use crate::driver::Device;
use crate::error::CudaError;
use crate::ops::compare::Random;
use crate::ops::score::self_test::scored;
use andon_vision::model::head::regions::regions;

/// Regions that differ from those of `head::regions`.
pub(crate) fn compare(device: &Device, random: &mut Random) -> Result<f64, CudaError> {
    let (ours, maps, _) = scored(device, random)?;
    let threshold = 1.0 + random.value();
    let found = RegionFinder::new(device, ours.grid())?.find(device, ours.map(), threshold)?;
    let mut differ = 0;
    for (found, map) in found.iter().zip(&maps) {
        // On a picture of one pixel a cell, boxes and areas are cells.
        let mut scratch = Vec::new();
        let size = (map.width, map.height);
        let reference = regions(map, threshold, size, 0.0, &mut scratch, |_| None);
        let reported = found.len().min(andon_core::MAX_REGIONS);
        differ +=
            usize::from(found.len() != reference.total as usize) + usize::from(reference.as_slice().len() != reported);
        for r in reference.as_slice() {
            let same = |f: &&FoundRegion| {
                let [left, top, right, bottom] = f.bounds;
                let bounds = (left, top, right - left + 1, bottom - top + 1) == (r.x, r.y, r.width, r.height);
                bounds && f.count == r.area && map.data[f.peak_cell as usize].to_bits() == r.peak.to_bits()
            };
            differ += usize::from(found.iter().filter(same).count() == 0);
        }
    }
    Ok(differ as f64)
}
