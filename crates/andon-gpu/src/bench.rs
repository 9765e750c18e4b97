//! How long searches and whole frames take, measured by the GPU's own clock; `andon doctor --gpu` prints it.

use serde::Serialize;

use crate::backbone::GpuBackbone;
use crate::driver::Device;
use crate::error::CudaError;
use crate::features::channels;
use crate::ops::knn::{KnnIndex, Neighbors};
use crate::pipeline::{GpuPipeline, PipelineSpec};
use andon_core::{FrameView, Mono, PixelFormat};
use andon_vision::model::Backbone;
use andon_vision::model::head::score::{ImageScore, Scorer, Scoring};

/// One size of a search.
#[derive(Clone, Debug, Serialize)]
pub struct SearchTime {
    /// Patches.
    pub queries: usize,
    /// Bank rows.
    pub rows: usize,
    /// Values of each.
    pub dim: usize,
    /// Median of the runs, milliseconds on the GPU.
    pub ms: f64,
    /// Runs.
    pub runs: usize,
    /// `2 * queries * rows * dim` over that time: what a matrix product of this size would count, in 10^12 a second.
    pub tflops: f64,
}

/// One network and number of frames at a time.
#[derive(Clone, Debug, Serialize)]
pub struct FrameTime {
    /// The network.
    pub network: String,
    /// Frames at a time.
    pub frames: usize,
    /// Milliseconds from the frames in host memory to the maps in host memory.
    pub p50_ms: f64,
    /// 99 of 100 runs take less.
    pub p99_ms: f64,
    /// Frames in a second.
    pub frames_per_second: f64,
    /// Microseconds on the GPU at the median: prepare, network, aggregate, nearest and score.
    pub stages_us: [f64; 4],
    /// Whether a captured graph was launched.
    pub graph: bool,
    /// Runs.
    pub runs: usize,
}

/// Random values. As in a bank of features few rows are about as near to a query as its nearest, so that tensor
/// cores leave as little to measure.
fn values(count: usize) -> Vec<f32> {
    let mut state = 0x9E37_79B9_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as f32 / u32::MAX as f32
    };
    (0..count).map(|_| next()).collect()
}

fn percentile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
}

/// Times the search of the nearest row: at least `runs` times after two that do not count.
///
/// # Errors
/// No memory, or the device is lost.
pub fn search_time(
    device: &Device,
    (queries, rows, dim): (usize, usize, usize),
    runs: usize,
) -> Result<SearchTime, CudaError> {
    let all = values(queries.max(rows) * dim);
    let index = KnnIndex::new(device, &all[..rows * dim], dim)?;
    let on_gpu = device.upload(&all[..queries * dim])?;
    let mut neighbors = Neighbors::new(device, queries, 1, &index)?;
    let (start, end) = (device.event()?, device.event()?);
    let mut times = Vec::new();
    for run in 0..runs + 2 {
        device.record_event(&start, false)?;
        index.search(device, &on_gpu, queries, 1, &mut neighbors)?;
        device.record_event(&end, false)?;
        device.wait()?;
        if run >= 2 {
            times.push(f64::from(start.elapsed_ms(&end).map_err(CudaError::driver("reading a time"))?));
        }
    }
    times.sort_by(f64::total_cmp);
    let ms = percentile(&times, 0.5);
    let tflops = 2.0 * queries as f64 * rows as f64 * dim as f64 / (ms * 1e9);
    Ok(SearchTime { queries, rows, dim, ms, runs, tflops })
}

/// Times whole frames of the network's size through a PatchCore with a bank of `rows` random rows.
///
/// # Errors
/// The network's outputs do not fit, no memory, or the device is lost.
pub fn frame_time(
    device: Device,
    network: Box<dyn GpuBackbone>,
    backbone: &Backbone,
    rows: usize,
    runs: usize,
) -> Result<FrameTime, CudaError> {
    let Some(finest) = network.maps().first() else { return Err(CudaError::Shape("no feature maps".to_owned())) };
    let (height, width) = (finest.height, finest.width);
    let dim: usize = channels(network.as_ref());
    let scoring = Scoring { smoothing: 1.0, image: ImageScore::Max, min_area: 0 };
    let scorer = Scorer::new(scoring, width, height, &vec![true; width * height]);
    let (bank, weights) = (values(rows * dim), vec![1.0; rows]);
    let spec = PipelineSpec {
        input: &backbone.input,
        tiles: [1, 1],
        layers: &backbone.layers,
        bank: &bank,
        weights: &weights,
        scorer: &scorer,
    };
    let mut pipeline = GpuPipeline::new(device, network, &spec)?;
    let frames = pipeline.frames();
    let (w, h) = (backbone.input.width as usize, backbone.input.height as usize);
    let picture: Vec<u8> = values(w * h * 3).iter().map(|v| (v * 255.0) as u8).collect();
    let view = FrameView::new(PixelFormat::Rgb8, w, h, w * 3, &picture);
    let views = vec![view.ok_or_else(|| CudaError::Shape("an empty input".to_owned()))?; frames];
    let (mut times, mut stages) = (Vec::new(), Vec::new());
    for run in 0..runs + 5 {
        let start = Mono::now();
        pipeline.run(&views)?;
        if run >= 5 {
            times.push(Mono::now().since(start).as_secs_f64() * 1e3);
            let t = pipeline.times();
            stages.push([t.preprocess_ns, t.infer_ns, t.aggregate_ns, t.score_ns]);
        }
    }
    let total: f64 = times.iter().sum();
    times.sort_by(f64::total_cmp);
    let median = |i: usize| {
        let mut of: Vec<f64> = stages.iter().map(|s| s[i] as f64 / 1e3).collect();
        of.sort_by(f64::total_cmp);
        percentile(&of, 0.5)
    };
    Ok(FrameTime {
        network: backbone.name.clone(),
        frames,
        p50_ms: percentile(&times, 0.5),
        p99_ms: percentile(&times, 0.99),
        frames_per_second: (frames * runs) as f64 / (total / 1e3),
        stages_us: [median(0), median(1), median(2), median(3)],
        graph: pipeline.is_captured(),
        runs,
    })
}
