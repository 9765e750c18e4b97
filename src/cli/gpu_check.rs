//! `andon doctor --gpu`: every kernel beside its reference, then how long the card takes, beside PyTorch where that is there.

use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::exit::{Exit, Failure};
use super::output;
use andon_gpu::{Device, FrameTime, KernelBinary, KernelCheck, SearchTime, search_time, self_test};
use andon_vision::model::engine::GpuOptions;

/// Random shapes for each kernel.
const CASES: usize = 50;
/// Runs of each size.
const RUNS: usize = 20;
/// Patches of one and of eight pictures of 256x256 at stride 8, banks, and lengths of features.
const QUERIES: [usize; 2] = [1024, 8192];
const ROWS: [usize; 3] = [4096, 16_384, 65_536];
const DIMS: [usize; 4] = [152, 384, 1024, 1536];

/// The same searches by `torch.cdist` and `min`, and the rate of fp16 matrix products by cuBLAS.
const TORCH: &str = include_str!("torch_peer.py");

#[derive(Serialize)]
struct Report {
    card: String,
    capability: String,
    driver: String,
    kernels: KernelBinary,
    free_bytes: usize,
    total_bytes: usize,
    checks: Vec<KernelCheck>,
    searches: Vec<SearchTime>,
    torch: Option<Torch>,
    frames: Vec<FrameTime>,
    /// Why there are no frames.
    no_frames: Option<String>,
}

/// What PyTorch measured.
#[derive(Serialize, Deserialize)]
struct Torch {
    version: String,
    /// Best rate of an fp16 matrix product, 10^12 a second.
    matrix_tflops: f64,
    /// In the order of our sizes; nothing where memory ran out.
    cdist_ms: Vec<Option<f64>>,
}

fn sizes() -> impl Iterator<Item = (usize, usize, usize)> {
    QUERIES.into_iter().flat_map(|q| ROWS.into_iter().flat_map(move |n| DIMS.map(|d| (q, n, d))))
}

pub(super) fn run(options: &GpuOptions, quick: bool, json: bool) -> Result<Exit, Failure> {
    let device = Device::open(0)?;
    let (free_bytes, total_bytes) = device.memory()?;
    let (major, minor) = device.capability();
    let mut report = Report {
        card: device.name().to_owned(),
        capability: format!("{major}.{minor}"),
        driver: device.driver().to_owned(),
        kernels: device.kernel_binary(),
        free_bytes,
        total_bytes,
        checks: self_test(&device, CASES, 1)?,
        searches: Vec::new(),
        torch: None,
        frames: Vec::new(),
        no_frames: None,
    };
    let holds = report.checks.iter().all(KernelCheck::holds);
    // Times of kernels that compute something else would be no use.
    if holds && !quick {
        let bar = super::progress::Progress::new();
        bar.set_message("searches");
        bar.set_length(sizes().count() as u64);
        for size in sizes() {
            report.searches.push(search_time(&device, size, RUNS)?);
            bar.inc(1);
        }
        bar.set_message("PyTorch");
        report.torch = torch();
        bar.set_message("frames");
        match frames(options) {
            Ok(frames) => report.frames = frames,
            Err(why) => report.no_frames = Some(format!("{why:#}")),
        }
        bar.finish_and_clear();
    }
    match json {
        true => output::json(&report)?,
        false => print(&report)?,
    }
    Ok(if holds { Exit::Ok } else { Exit::Failed })
}

/// `None` where there is no Python, no PyTorch, or no card for it.
fn torch() -> Option<Torch> {
    let sizes: Vec<_> = sizes().collect();
    let mut python = Command::new("python3");
    python.args(["-c", TORCH]).arg(serde_json::to_string(&sizes).ok()?);
    let said = python.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    serde_json::from_slice(&said.stdout).ok()
}

#[cfg(feature = "tensorrt")]
fn frames(options: &GpuOptions) -> anyhow::Result<Vec<FrameTime>> {
    use std::sync::Arc;

    use crate::assemble::gpu::GpuContext;
    use andon_gpu::tensorrt::{Engine, EnginePlan, TensorRtBackbone};
    use andon_vision::model::Backbone;
    use andon_vision::model::graph::{ActivationRanges, efficientad_s_shape, resnet18_shape};

    let card = GpuContext::open(options)?;
    let mut found = Vec::new();
    // The last has no bank: its map comes out of the network.
    for (backbone, rows) in [(Backbone::embedded(), 4000), (resnet18_shape(), 4000), (efficientad_s_shape(), 1)] {
        for frames in [1, 8, 32] {
            output::note(&format!("building {} for {frames} frames", backbone.name));
            let plan = EnginePlan { backbone: &backbone, part: "", precision: options.precision, frames };
            let engine =
                plan.build(&card.library, &ActivationRanges::new(), 512 << 20, &mut Vec::new(), &|_, _, _| true)?;
            let device = Device::open(0)?;
            let engine = Arc::new(Engine::load(card.library.clone(), &device, &engine)?);
            let trunk = TensorRtBackbone::new(&device, engine, &backbone.outputs, frames)?;
            let runs = 1000 / frames.min(10);
            found.push(andon_gpu::frame_time(device, Box::new(trunk), &backbone, rows, runs)?);
        }
    }
    Ok(found)
}

#[cfg(not(feature = "tensorrt"))]
fn frames(_: &GpuOptions) -> anyhow::Result<Vec<FrameTime>> {
    Err(anyhow::anyhow!("TensorRT is not in this build: needs --features tensorrt"))
}

fn print(r: &Report) -> std::io::Result<()> {
    let mib = |bytes: usize| bytes >> 20;
    output::line(&format!(
        "{} (compute capability {}), driver of {}, kernels compiled {}, {} of {} MiB free",
        r.card,
        r.capability,
        r.driver,
        match r.kernels {
            KernelBinary::Prebuilt => "beforehand",
            KernelBinary::DriverJit => "by the driver",
        },
        mib(r.free_bytes),
        mib(r.total_bytes)
    ))?;
    for c in &r.checks {
        let mark = if c.holds() { "ok" } else { "WRONG" };
        output::line(&format!(
            "{mark:<6} {:<15} {} cases beside {}: {:.2e}, allowed {:.0e} ({})",
            c.kernel, c.cases, c.reference, c.worst, c.bound, c.measure
        ))?;
    }
    if r.searches.is_empty() {
        return Ok(());
    }
    let rate = r.torch.as_ref().map(|t| t.matrix_tflops);
    match &r.torch {
        Some(t) => output::line(&format!(
            "\nnearest rows; PyTorch {} beside it; fp16 matrix products by cuBLAS reach {:.0} TFLOP/s",
            t.version, t.matrix_tflops
        ))?,
        None => output::line("\nnearest rows; no PyTorch with a card here to set beside it")?,
    }
    output::line(&format!(
        "{:>8}{:>8}{:>6}{:>11}{:>9}{:>8}{:>13}{:>8}",
        "queries", "rows", "dim", "ms", "TFLOP/s", "% rate", "cdist+min ms", "times"
    ))?;
    for (i, s) in r.searches.iter().enumerate() {
        let other = r.torch.as_ref().and_then(|t| t.cdist_ms.get(i).copied().flatten());
        let or = |v: Option<f64>, digits: usize| v.map_or("-".to_owned(), |v| format!("{v:.digits$}"));
        output::line(&format!(
            "{:>8}{:>8}{:>6}{:>11.4}{:>9.2}{:>8}{:>13}{:>8}",
            s.queries,
            s.rows,
            s.dim,
            s.ms,
            s.tflops,
            or(rate.map(|r| 100.0 * s.tflops / r), 1),
            or(other, 4),
            or(other.map(|o| o / s.ms), 1)
        ))?;
    }
    if let Some(why) = &r.no_frames {
        return output::line(&format!("\nno whole frames: {why}"));
    }
    output::line(&format!(
        "\nwhole frames\n{:<22}{:>7}{:>10}{:>10}{:>11}  on the card, us: prepare, network, aggregate, search and score",
        "network", "frames", "p50 ms", "p99 ms", "frames/s"
    ))?;
    for f in &r.frames {
        let [a, b, c, d] = f.stages_us;
        let graph = if f.graph { "" } else { " (no graph)" };
        output::line(&format!(
            "{:<22}{:>7}{:>10.3}{:>10.3}{:>11.1}  {a:.0}, {b:.0}, {c:.0}, {d:.0}{graph}",
            f.network, f.frames, f.p50_ms, f.p99_ms, f.frames_per_second
        ))?;
    }
    Ok(())
}
