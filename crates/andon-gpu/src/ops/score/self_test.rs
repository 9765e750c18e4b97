//! Compares the op, and the smoothing behind it, with the scorer of the CPU.

use super::GpuScorer;
use crate::driver::Device;
use crate::error::CudaError;
use crate::ops::compare::{Random, differing_bits};
use crate::ops::knn::{KnnIndex, Neighbors};
use andon_core::AnomalyMap;
use andon_vision::model::head::score::{ImageScore, Scorer, Scoring};

/// A scorer over a random grid, some of whose cells are masked, its maps on the GPU and on the CPU, and the unmasked cells.
pub(crate) fn scored(
    device: &Device,
    random: &mut Random,
) -> Result<(GpuScorer, Vec<AnomalyMap>, Vec<u32>), CudaError> {
    let (height, width, images) = (random.whole(1, 20), random.whole(1, 20), random.whole(1, 3));
    let masked = random.one_in(2);
    let mut mask: Vec<bool> = (0..height * width).map(|_| !masked || !random.one_in(4)).collect();
    mask[0] = true;
    let smoothing = [0.0, 0.7, 1.0, 4.0][random.whole(0, 3)];
    let scoring = Scoring { smoothing, image: ImageScore::Max, min_area: 0 };
    let mut scorer = Scorer::new(scoring, width, height, &mask);
    let cells = scorer.cells().to_vec();
    let dim = 5;
    let bank = random.values(37 * dim);
    let weights: Vec<f32> = (0..37).map(|_| random.value() + 1.5).collect();
    let mut queries = random.values(images * cells.len() * dim);
    if random.one_in(5) {
        queries[0] = f32::NAN;
    }
    let index = KnnIndex::new(device, &bank, dim)?;
    let mut neighbors = Neighbors::new(device, images * cells.len(), 1, &index)?;
    index.search(device, &device.upload(&queries)?, images * cells.len(), 1, &mut neighbors)?;
    let mut ours = GpuScorer::new(device, &scorer, &weights, images)?;
    ours.score(device, &neighbors, images)?;
    let mut maps = Vec::new();
    for near in neighbors.download(device)?.chunks_exact(cells.len()) {
        let mut data = Vec::new();
        scorer.map_into(near, &weights, &mut data);
        maps.push(AnomalyMap { width, height, data });
    }
    Ok((ours, maps, cells))
}

/// Values of other bits than those of [`Scorer`].
pub(crate) fn compare(device: &Device, random: &mut Random) -> Result<f64, CudaError> {
    let (mut ours, maps, cells) = scored(device, random)?;
    let all: Vec<f32> = maps.iter().flat_map(|m| m.data.iter().copied()).collect();
    let mut differ = differing_bits(&device.download(ours.map())?, &all);
    for (range, map) in ours.ranges(device)?.iter().zip(&maps) {
        let kept = || cells.iter().map(|c| map.data[*c as usize]);
        let any_nan = kept().any(f32::is_nan);
        let of = |value: f32| if any_nan { f32::NAN } else { value };
        let (least, most) = (of(kept().fold(f32::INFINITY, f32::min)), of(kept().fold(f32::NEG_INFINITY, f32::max)));
        differ += differing_bits(&[range.least, range.most], &[least, most]);
    }
    Ok(differ)
}
