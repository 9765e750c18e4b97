//! `andon bench`: latency percentiles and throughput of a model on this machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::setup::{self, EngineArgs};
use super::{fit_args, limits, output};
use crate::assemble;
use crate::config::FrameSize;
use andon_core::{Detection, Detector, Fault, FrameView, LatencySummary, Mono, PixelFormat};
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
    /// Measure frames of this size too, as a camera gives them, as 1920x1080: with what it takes to bring them to the network's size. The pictures are the
    /// model's own, enlarged.
    #[arg(long, value_name = "WxH")]
    frame: Option<fit_args::Size>,
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
    /// The same for frames of a camera's size.
    frame: Option<FrameReport>,
}

/// What frames of a camera's size take.
#[derive(Debug, Serialize)]
struct FrameReport {
    /// Width and height.
    size: [u32; 2],
    frames: u64,
    frames_per_second: f64,
    /// Median over the median of pictures of the network's size.
    ratio: f64,
    stages: Vec<StageReport>,
}

#[derive(Debug, Serialize)]
struct StageReport {
    stage: &'static str,
    latency: LatencySummary,
}

/// Runs a model over its own parity pictures for so many seconds, after a warm-up, and then over the same as frames of a camera's size.
pub(super) fn measure(
    model: &Path,
    engine: &EngineArgs,
    seconds: u64,
    frame: Option<[u32; 2]>,
) -> anyhow::Result<Report> {
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
    let measured = time(detector.as_mut(), &pictures, seconds)?;
    let frame = match frame {
        Some(size) => {
            let frames = pictures.iter().map(|picture| enlarged(picture, size)).collect::<Option<Vec<_>>>();
            let frames = frames.context("the model's pictures cannot be enlarged")?;
            let views = frames.iter().map(|rgb| {
                let [width, height] = size.map(|side| side as usize);
                FrameView::new(PixelFormat::Rgb8, width, height, 3 * width, rgb)
            });
            let views = views.collect::<Option<Vec<_>>>().context("the model's pictures cannot be enlarged")?;
            let whole = time(detector.as_mut(), &views, seconds)?;
            Some(FrameReport {
                size,
                frames: whole.frames,
                frames_per_second: whole.per_second(),
                ratio: whole.total().p50_us as f64 / measured.total().p50_us.max(1) as f64,
                stages: whole.stages(),
            })
        }
        None => None,
    };
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
        frames: measured.frames,
        frames_per_second: measured.per_second(),
        total: measured.total(),
        stages: measured.stages(),
        scores: measured.scores,
        frame,
    })
}

/// A picture at a camera's size.
fn enlarged(picture: &FrameView<'_>, [width, height]: [u32; 2]) -> Option<Vec<u8>> {
    let rows = (0..picture.height).flat_map(|y| &picture.row(y)[..3 * picture.width]).copied().collect();
    let rgb = image::RgbImage::from_raw(picture.width as u32, picture.height as u32, rows)?;
    Some(image::imageops::resize(&rgb, width, height, image::imageops::FilterType::Triangle).into_raw())
}

/// What pictures took.
struct Measured {
    scores: Vec<f32>,
    frames: u64,
    seconds: f64,
    /// The four stages, and all together.
    histograms: [LatencyHistogram; 5],
}

impl Measured {
    fn total(&self) -> LatencySummary {
        self.histograms[4].summary()
    }

    fn per_second(&self) -> f64 {
        self.frames as f64 / self.seconds
    }

    fn stages(&self) -> Vec<StageReport> {
        let names = ["preprocess", "infer", "aggregate", "score", "total"];
        names.iter().zip(&self.histograms).map(|(stage, h)| StageReport { stage, latency: h.summary() }).collect()
    }
}

/// Judges pictures over and over for so many seconds, after two of warm-up.
fn time(detector: &mut dyn Detector, pictures: &[FrameView<'_>], seconds: u64) -> Result<Measured, Fault> {
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
    Ok(Measured { scores, frames, seconds, histograms })
}

impl Bench {
    pub fn run(self, log: Option<&str>) -> Result<Exit, Failure> {
        let _log = setup::logging(log, "warn", false)?;
        let report = measure(&self.model, &self.engine, self.seconds, self.frame.map(fit_args::Size::sides))?;
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
    table(&r.stages)?;
    let Some(frame) = &r.frame else { return Ok(()) };
    let [width, height] = frame.size;
    output::line(&format!(
        "frames of {width}x{height}: {:.1} a second over {}, {:.2} times the median above; milliseconds:",
        frame.frames_per_second, frame.frames, frame.ratio
    ))?;
    table(&frame.stages)
}

fn table(stages: &[StageReport]) -> std::io::Result<()> {
    output::line(&format!("{:<12}{:>9}{:>9}{:>9}{:>9}", "", "p50", "p99", "p99.9", "max"))?;
    for s in stages {
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
