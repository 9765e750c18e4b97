//! Compares the op with the preprocessor of the CPU.

use super::GpuPreprocessor;
use crate::driver::Device;
use crate::error::CudaError;
use crate::memory::DeviceInput;
use crate::ops::compare::{Random, differing_bits};
use andon_core::{Chroma, FrameView, PixelFormat, Yuv, YuvMatrix};
use andon_vision::preprocess::{InputSpec, Preprocessor};

/// Values of other bits than those of [`Preprocessor`].
pub(crate) fn compare(device: &Device, random: &mut Random) -> Result<f64, CudaError> {
    let formats = [PixelFormat::Gray8, PixelFormat::Rgb8, PixelFormat::Bgr8, PixelFormat::Rgba8, PixelFormat::Bgra8];
    // The sixth is NV12.
    let format = formats.get(random.whole(0, 5));
    let (width, height, count) = (random.whole(1, 70), random.whole(1, 60), random.whole(1, 3));
    let stride = width * format.map_or(1, |f| f.bytes_per_pixel()) + random.whole(0, 9);
    let yuv = Yuv {
        matrix: [YuvMatrix::Bt601, YuvMatrix::Bt709, YuvMatrix::Bt2020][random.whole(0, 2)],
        full_range: random.one_in(2),
    };
    let (odd, pairs) = ([random.whole(0, 1), random.whole(0, 1)], width + 2 + random.whole(0, 9));
    let mut bytes = |bytes: usize| -> Vec<u8> { (0..bytes).map(|_| random.next() as u8).collect() };
    let pictures: Vec<[Vec<u8>; 2]> =
        (0..count).map(|_| [bytes(stride * height), bytes(pairs * (height / 2 + 1))]).collect();
    let views: Vec<FrameView<'_>> = pictures
        .iter()
        .filter_map(|[data, pairs_of]| match format {
            Some(format) => FrameView::new(*format, width, height, stride, data),
            None => {
                let chroma = Chroma { data: pairs_of, stride: pairs, odd };
                FrameView::nv12(yuv, (width, height), (stride, data), chroma)
            }
        })
        .collect();
    // The same size, smaller and larger.
    let keep = random.one_in(4);
    let (to_width, to_height) = if keep { (width, height) } else { (random.whole(1, 48), random.whole(1, 48)) };
    let spec = InputSpec {
        width: to_width as u32,
        height: to_height as u32,
        mean: [123.675, 116.28, 103.53],
        scale: [0.017_124_75, 0.017_507, 0.017_429_2],
        range: None,
    };
    let tiles = [random.whole(1, width.min(3)), random.whole(1, height.min(2))];
    let all = count * tiles[0] * tiles[1];
    let mut out = device.zeros(all * spec.len())?;
    let mut half = device.zeros(all * spec.len())?;
    let mut gpu = GpuPreprocessor::new(device, spec.clone(), tiles, count)?;
    for (n, view) in views.iter().enumerate() {
        gpu.stage_frame(device, n, view)?;
    }
    gpu.enqueue(device, count, DeviceInput::Single(&mut out))?;
    gpu.enqueue(device, count, DeviceInput::Half(&mut half))?;
    let mut reference = vec![0.0; all * spec.len()];
    let mut preprocessor = Preprocessor::new(spec.clone());
    let mut to = reference.chunks_exact_mut(spec.len());
    for (row, column) in (0..tiles[1]).flat_map(|r| (0..tiles[0]).map(move |c| (r, c))) {
        let edges = |i: usize, of: usize, pixels: usize| (i * pixels / of, (i + 1) * pixels / of);
        let ((left, right), (top, bottom)) = (edges(column, tiles[0], width), edges(row, tiles[1], height));
        for view in &views {
            if let (Some(view), Some(to)) = (view.crop(left, top, right - left, bottom - top), to.next()) {
                preprocessor.prepare_into(&view, to);
            }
        }
    }
    let halves = device.download(&half)?;
    let rounded = halves.iter().zip(&reference).filter(|(h, v)| **h != half::f16::from_f32(**v).to_bits()).count();
    Ok(differing_bits(&device.download(&out)?, &reference) + rounded as f64)
}
