//! Compares the op, and the smoothing behind it, with the scorer of the CPU.

use super::GpuScorer;
use crate::driver::Device;
use crate::error::CudaError;
use crate::ops::compare::{Random, differing_bits};
use crate::ops::knn::{KnnIndex, Neighbors};
use andon_vision::model::head::score::{ImageScore, Scorer, Scoring};

/// Values of other bits than those of [`Scorer`], over a random grid some of whose cells are masked.
pub(crate) fn compare(device: &Device, random: &mut Random) -> Result<f64, CudaError> {
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
    let mut all = Vec::new();
    for near in neighbors.download(device)?.chunks_exact(cells.len()) {
        let mut map = Vec::new();
        scorer.map_into(near, &weights, &mut map);
        all.extend(map);
    }
    Ok(differing_bits(&device.download(ours.map())?, &all))
}
