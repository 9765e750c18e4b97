//! `andon bench`: latency percentiles and throughput of a model on this machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::setup::{self, EngineArgs};
use super::{limits, output};
use crate::assemble;
use crate::config::FrameSize;
use andon_core::{Detection, Fault, FrameView, LatencySummary, Mono};
use andon_line::telemetry::LatencyHistogram;
use andon_vision::methods;

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
    /// Width and height of the network's input.
    input: [u32; 2],
    /// Columns and rows of tiles that a picture is cut into.
    tiles: [u32; 2],
    /// Width and height of the pictures that were measured.
    picture: [u32; 2],
    /// How many different ones.
    pictures: usize,
    /// What the model holds.
    model: String,
    bank_rows: Option<usize>,
    dim: usize,
    /// Largest difference of a score from the reference's, relative to it or to the threshold, whichever is larger.
    parity: f32,
    /// Scores of the pictures, in their order, from the last time that each was measured.
    scores: Vec<f32>,
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
    let ready = assemble::open(&bundle, &options, FrameSize::Any)?;
    setup::note_degraded(ready.degraded.as_deref());
    let mut detector = ready.detector;
    let m = &bundle.manifest;
    let facts = methods::of(&bundle).and_then(|method| method.facts(&bundle)).map_err(anyhow::Error::msg)?;
    let pictures: Vec<FrameView<'_>> = bundle.parity_frames().collect();
    if pictures.is_empty() {
        anyhow::bail!("{} holds no parity pictures to measure with; learn it anew with `andon fit`", model.display());
    }
    let mut scores = vec![0.0; pictures.len()];
    let mut out = Detection::default();
    let mut histograms: [LatencyHistogram; 5] = std::array::from_fn(|_| LatencyHistogram::new());
    let mut pass = |seconds: u64, count: bool| -> Result<(u64, f64), Fault> {
        let start = Mono::now();
        let mut frames = 0;
        while Mono::now().since(start) < Duration::from_secs(seconds) {
            for (picture, score) in pictures.iter().zip(&mut scores) {
                let before = Mono::now();
                detector.detect(picture, &mut out)?;
                let total = Mono::now().0 - before.0;
                let t = out.times;
                *score = out.score;
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
        tiles: m.tiles,
        picture: bundle.network().picture_size(),
        pictures: pictures.len(),
        model: format!("{}: {}", facts.label, facts.text),
        bank_rows: facts.bank_rows,
        dim: facts.dim,
        parity: ready.parity,
        scores,
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
        "{} on {} threads, pictures of {}x{}{}, {}",
        r.engine,
        r.threads,
        r.picture[0],
        r.picture[1],
        tiles(r),
        r.model
    ))?;
    output::line(&agreement(r.parity))?;
    output::line(&format!("{:.1} frames/s over {} frames; milliseconds:", r.frames_per_second, r.frames))?;
    output::line(&format!("{:<12}{:>9}{:>9}{:>9}{:>9}", "", "p50", "p99", "p99.9", "max"))?;
    for s in &r.stages {
        let ms = |us: u64| format!("{:>9.3}", us as f64 / 1000.0);
        let l = s.latency;
        output::line(&format!("{:<12}{}{}{}{}", s.stage, ms(l.p50_us), ms(l.p99_us), ms(l.p999_us), ms(l.max_us)))?;
    }
    Ok(())
}

/// How a picture is cut, if it is.
fn tiles(r: &Report) -> String {
    match r.tiles {
        [1, 1] => String::new(),
        [columns, rows] => format!(" in {columns}x{rows} tiles of {}x{}", r.input[0], r.input[1]),
    }
}

/// How far this engine's scores are from those that the model was learned with.
fn agreement(parity: f32) -> String {
    match f64::from(parity) * 100.0 {
        0.0 => "the scores are exactly those of the engine that the model was learned with".to_owned(),
        percent if percent < 0.001 => "the scores differ from the reference's by less than 0.001 %".to_owned(),
        percent => format!("the scores differ from the reference's by {percent:.3} % at most"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreement_with_the_reference_is_said_in_percent() {
        assert!(agreement(0.0).contains("exactly"));
        assert!(agreement(3e-7).ends_with("less than 0.001 %"));
        assert!(agreement(4.2e-4).ends_with("0.042 % at most"));
    }
}
