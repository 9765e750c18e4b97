//! Compares the op with the heatmap of the CPU.

use crate::driver::Device;
use crate::error::CudaError;
use crate::ops::compare::Random;
use crate::ops::score::self_test::scored;
use crate::ops::shape::Grid;
use andon_vision::model::heatmap;

/// Pixels of another level than those of `model::heatmap`.
pub(crate) fn compare(device: &Device, random: &mut Random) -> Result<f64, CudaError> {
    let (ours, maps, _) = scored(device, random)?;
    let picture = Grid { images: maps.len(), height: random.whole(1, 50), width: random.whole(1, 50) };
    let (typical, threshold) = (random.value(), random.value() + 2.0);
    let mut out = device.zeros(picture.images * picture.size())?;
    super::heatmap(device, ours.map(), ours.grid(), (typical, threshold), picture, &mut out)?;
    let (mut values, mut levels, mut reference) = (Vec::new(), Vec::new(), Vec::new());
    for map in &maps {
        heatmap::render_into(map, picture.width, picture.height, &mut values);
        heatmap::to_u8(&values, typical, threshold, &mut levels);
        reference.extend_from_slice(&levels);
    }
    Ok(device.download(&out)?.iter().zip(&reference).filter(|(a, b)| a != b).count() as f64)
}
