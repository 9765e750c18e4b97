use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::setup::{self, EngineArgs};
use super::{limits, output};
use crate::config::FrameSize;
use crate::telemetry::LatencyHistogram;
use crate::types::{Detection, Fault, FrameView, LatencySummary, Mono, PixelFormat};

/// `andon bench`.
#[derive(Debug, Args)]
pub(super) struct Bench {
    /// The model file.
    model: PathBuf,
    /// How long to measure, after two seconds of warm-up.
    #[arg(long, default_value_t = 10, value_parser = limits::seconds)]
    seconds: u64,
    /// The figures as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub engine: &'static str,
    threads: usize,
    input: [u32; 2],
    bank_rows: usize,
    dim: u32,
    parity: f32,
    frames: u64,
    frames_per_second: f64,
    #[serde(skip)]
    pub total: LatencySummary,
    stages: Vec<StageReport>,
}

#[derive(Debug, Serialize)]
struct StageReport {
    stage: &'static str,
    latency: LatencySummary,
}

/// Runs a model over its own parity pictures for so many seconds, after a warm-up.
pub(super) fn measure(model: &Path, engine: &EngineArgs, seconds: u64) -> anyhow::Result<Report> {
    let bundle = setup::bundle(model)?;
    let options = engine.options();
    let ready = setup::ready(&bundle, &options, FrameSize::Any)?;
    setup::say_degraded(ready.degraded.as_deref());
    let mut detector = ready.detector;
    let m = &bundle.manifest;
    let (w, h) = (m.input.width as usize, m.input.height as usize);
    let pictures: Vec<FrameView<'_>> = bundle
        .parity_input
        .chunks_exact(m.input.len())
        .filter_map(|rgb| FrameView::new(PixelFormat::Rgb8, w, h, w * 3, rgb))
        .collect();
    let mut out = Detection::default();
    let mut histograms: [LatencyHistogram; 5] = std::array::from_fn(|_| LatencyHistogram::new());
    let mut pass = |seconds: u64, count: bool| -> Result<(u64, f64), Fault> {
        let start = Mono::now();
        let mut frames = 0;
        while Mono::now().since(start) < Duration::from_secs(seconds) {
            for picture in &pictures {
                let before = Mono::now();
                detector.detect(picture, &mut out)?;
                let total = Mono::now().0 - before.0;
                let t = out.times;
                if count {
                    let all = [t.preprocess_ns, t.infer_ns, t.aggregate_ns, t.score_ns, total];
                    histograms.iter_mut().zip(all).for_each(|(h, ns)| h.record_ns(ns));
                }
                frames += 1;
            }
        }
        Ok((frames, Mono::now().since(start).as_secs_f64()))
    };
    pass(2, false)?;
    let (frames, seconds) = pass(seconds.max(1), true)?;
    let names = ["preprocess", "infer", "aggregate", "score", "total"];
    let stages = names.iter().zip(&histograms).map(|(stage, h)| StageReport { stage, latency: h.summary() });
    Ok(Report {
        engine: detector.engine_name(),
        threads: options.threads,
        input: [m.input.width, m.input.height],
        bank_rows: bundle.rows(),
        dim: m.dim,
        parity: ready.parity,
        frames,
        frames_per_second: frames as f64 / seconds,
        total: histograms[4].summary(),
        stages: stages.collect(),
    })
}

impl Bench {
    pub fn run(self, log: Option<&str>) -> Result<Exit, Failure> {
        let _log = setup::logging(log, "warn", false)?;
        let report = measure(&self.model, &self.engine, self.seconds)?;
        if self.json {
            output::json(&report)?;
        } else {
            print(&report)?;
        }
        Ok(Exit::Ok)
    }
}

fn print(r: &Report) -> std::io::Result<()> {
    output::line(&format!(
        "{} on {} threads, {}x{}, memory bank {} x {}; scores within {:.1e} of the reference",
        r.engine, r.threads, r.input[0], r.input[1], r.bank_rows, r.dim, r.parity
    ))?;
    output::line(&format!("{:.1} frames/s over {} frames; milliseconds:", r.frames_per_second, r.frames))?;
    output::line(&format!("{:<12}{:>9}{:>9}{:>9}{:>9}", "", "p50", "p99", "p99.9", "max"))?;
    for s in &r.stages {
        let ms = |us: u64| format!("{:>9.3}", us as f64 / 1000.0);
        let l = s.latency;
        output::line(&format!("{:<12}{}{}{}{}", s.stage, ms(l.p50_us), ms(l.p99_us), ms(l.p999_us), ms(l.max_us)))?;
    }
    Ok(())
}
