//! Compares the op with the aggregator of the CPU.

use super::PatchLayout;
use crate::driver::Device;
use crate::error::CudaError;
use crate::ops::compare::{Random, differing_bits};
use crate::ops::shape::Grid;
use andon_vision::model::engine::FeatureMap;
use andon_vision::model::head::aggregate::{Aggregator, Layer};

/// Values of other bits than those of [`Aggregator`].
pub(crate) fn compare(device: &Device, random: &mut Random) -> Result<f64, CudaError> {
    let grid = Grid { images: random.whole(1, 3), height: random.whole(1, 14), width: random.whole(1, 14) };
    let layers: Vec<Layer> =
        (0..2).map(|_| Layer { pool: [1, 3, 5][random.whole(0, 2)], weight: random.value() }).collect();
    let sizes = [
        (random.whole(1, 20), grid.height, grid.width),
        (random.whole(1, 20), random.whole(1, grid.height), random.whole(1, grid.width)),
    ];
    let dim = sizes[0].0 + sizes[1].0;
    // Frames in one or two tiles, some of whose patches are masked.
    let tiles = random.whole(1, 2);
    let (frames, patches) = (grid.images, grid.size());
    let grid = Grid { images: frames * tiles, ..grid };
    let mut kept: Vec<usize> = (0..tiles * patches).filter(|_| !random.one_in(4)).collect();
    if kept.is_empty() {
        kept.push(0);
    }
    // In another order than they come in.
    kept.reverse();
    let mut slots = vec![-1; tiles * patches];
    kept.iter().zip(0..).for_each(|(patch, row)| slots[*patch] = row);
    let layout = PatchLayout::new(device, &slots, tiles, kept.len())?;
    let values = sizes.map(|(c, h, w)| random.values(grid.images * c * h * w));
    let mut out = device.zeros(frames * kept.len() * dim)?;
    let mut base = 0;
    for ((size, layer), values) in sizes.iter().zip(&layers).zip(&values) {
        let map = device.upload(values)?;
        super::aggregate(device, &map, *size, layer.pool as usize, layer.weight, grid, &layout, dim, base, &mut out)?;
        base += size.0;
    }
    let mut images = Vec::new();
    let mut aggregator = Aggregator::new(layers);
    for image in 0..grid.images {
        let of = |n: usize| {
            let (channels, height, width) = sizes[n];
            let each = channels * height * width;
            FeatureMap { channels, height, width, data: values[n][image * each..(image + 1) * each].to_vec() }
        };
        let mut patches = Vec::new();
        aggregator.run(&[of(0), of(1)], &mut patches);
        images.push(patches);
    }
    let mut reference = Vec::new();
    for (frame, patch) in (0..frames).flat_map(|f| kept.iter().map(move |p| (f, *p))) {
        let at = patch % patches * dim;
        reference.extend_from_slice(&images[patch / patches * frames + frame][at..at + dim]);
    }
    Ok(differing_bits(&device.download(&out)?, &reference))
}
