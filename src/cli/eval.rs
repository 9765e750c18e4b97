//! `andon eval`: measures a model on pictures whose truth is known.

use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::{Exit, Failure};
use super::setup::{self, EngineArgs};
use super::{limits, output};
use crate::assemble;
use crate::config::FrameSize;
use andon_core::Interval;
use andon_core::Threshold;
use andon_vision::eval::{
    Aim, Comparison, Dataset, Evaluation, OperatingPoint, Sample, Summary, compare, evaluate, load, write_report,
};
use andon_vision::model::Backbone;
use andon_vision::model::graph::{ActivationRanges, OnnxGraph, Precision};

/// `andon eval`.
#[derive(Debug, Args)]
pub(super) struct Eval {
    /// The model file.
    model: PathBuf,
    /// Pictures with their truth: MVTec AD, AD 2, LOCO or BTAD folders, a VisA table (.csv), or a folder with `good` and a folder for each
    /// defect. Masks are found by their names, in ground_truth or masks, or beside the pictures.
    dataset: PathBuf,
    /// Another model to set beside the first: which pictures change their outcome?
    #[arg(long, value_name = "MODEL")]
    against: Option<PathBuf>,
    /// Judge with the model's network in this precision, as TensorRT would have it, but on the CPU (ONNX Runtime): what would it
    /// cost? --against takes its model as it is.
    #[arg(long = "as", value_name = "PRECISION", value_enum)]
    judged_as: Option<Precision>,
    /// For --as int8: a folder of good pictures that show the ranges of values; without it, the model's few parity pictures.
    #[arg(long, value_name = "DIR", requires = "judged_as")]
    calibrate: Option<PathBuf>,
    /// Which object of a VisA table.
    #[arg(long, value_name = "NAME")]
    category: Option<String>,
    /// Replaces the models' thresholds.
    #[arg(long, allow_negative_numbers = true)]
    threshold: Option<f32>,
    /// Print the figures of research papers too: AUROC, AP, F1, pixel metrics.
    #[arg(long)]
    metrics: bool,
    /// Only image metrics: quicker, and no memory for pixels.
    #[arg(long)]
    no_pixels: bool,
    /// Write one self-contained page, report.html, into this folder.
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Everything as one JSON object, with the scores of all pictures.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

impl Eval {
    pub fn run(self, log: Option<&str>) -> Result<Exit, Failure> {
        let _log = setup::logging(log, "warn", false)?;
        let mut data = load(&self.dataset, self.category.as_deref())?;
        if self.no_pixels {
            data.samples.iter_mut().for_each(|s| s.masks.clear());
        } else {
            data.notes.iter().for_each(|note| output::note(note));
            room_for_pixels(&data)?;
        }
        if let Some(dir) = &self.report {
            std::fs::create_dir_all(dir).map_err(|e| anyhow::anyhow!("cannot make {}: {e}", dir.display()))?;
            output::writable(&dir.join("report.html"))?;
        }
        let first = self.evaluate(&self.model, self.judged_as, &data)?;
        let second = self.against.as_ref().map(|m| self.evaluate(m, None, &data)).transpose()?;
        let comparison = second.as_ref().map(|s| compare(&first, s));
        let both: Vec<&Evaluation> = std::iter::once(&first).chain(&second).collect();
        let report = match &self.report {
            Some(dir) => {
                let written = write_report(dir, &self.dataset.display().to_string(), &both, comparison.as_ref());
                Some(written.map_err(|e| anyhow::anyhow!("cannot write the report into {}: {e}", dir.display()))?)
            }
            None => None,
        };
        if self.json {
            let each = |model: &Path, e: &Evaluation| serde_json::json!({"model": model, "name": e.name, "summary": e.summary, "images": e.images});
            let models = [Some(&self.model), self.against.as_ref()];
            let evaluations: Vec<_> = models.iter().flatten().zip(&both).map(|(m, e)| each(m, e)).collect();
            output::json(&serde_json::json!({
                "dataset": self.dataset, "layout": data.layout, "evaluations": evaluations, "comparison": comparison,
                "report": report,
            }))?;
        } else {
            let files: Vec<&Path> = std::iter::once(&self.model).chain(&self.against).map(PathBuf::as_path).collect();
            print(&both, &files, comparison.as_ref(), &data)?;
            if self.metrics {
                print_metrics(&both, &data)?;
            }
            if let Some(path) = report {
                output::line(&format!("report: {}", path.display()))?;
            }
        }
        Ok(if both.iter().any(|e| e.images.iter().any(|i| i.error.is_some())) { Exit::Failed } else { Exit::Ok })
    }

    fn evaluate(&self, model: &Path, precision: Option<Precision>, data: &Dataset) -> Result<Evaluation, Failure> {
        let bundle = setup::bundle(model)?;
        let limit = self.threshold.unwrap_or(bundle.manifest.threshold);
        let threshold = Threshold::new(limit)
            .ok_or_else(|| Failure::new(Exit::Usage, anyhow::anyhow!("--threshold must be a finite number above 0")))?;
        // Test sets may have pictures of many sizes where the training set had one.
        let options = self.engine.options();
        let ready = match precision {
            None => assemble::open(&bundle, &options, FrameSize::Any)?,
            Some(precision) => {
                let ranges = match precision {
                    Precision::Int8 => setup::ranges(&bundle, self.calibrate.as_deref(), &options)?,
                    _ => ActivationRanges::new(),
                };
                let network = bundle.network();
                let onnx = OnnxGraph::read(&network.onnx)?.in_precision(precision, &ranges)?.write();
                let changed = Backbone { onnx: onnx.into(), ..network };
                assemble::open_on_cpu(&bundle, &changed, &options, FrameSize::Any)?
            }
        };
        setup::note_degraded(ready.degraded.as_deref());
        let mut detector = ready.detector;
        detector.warm_up()?;
        let bar = super::progress::Progress::new();
        bar.set_message(bundle.manifest.name.clone());
        bar.set_length(data.samples.len() as u64);
        let mut progress = |done: usize| bar.set_position(done as u64);
        let mut evaluation =
            evaluate(&bundle, detector.as_mut(), threshold, &data.samples, data.saturation.as_deref(), &mut progress);
        bar.finish_and_clear();
        if let Some(precision) = precision {
            evaluation.name = format!("{} as {}", evaluation.name, precision.as_str());
        }
        for failed in evaluation.images.iter().filter(|r| r.error.is_some()) {
            output::note(&format!("{}: {}", failed.path.display(), failed.error.as_deref().unwrap_or_default()));
        }
        Ok(evaluation)
    }
}

/// Refuses before the work what would not fit into the memory: every pixel of a set with masks is ranked, in 8 bytes, and sorted;
/// twice where defects have saturation areas.
fn room_for_pixels(data: &Dataset) -> anyhow::Result<()> {
    if data.samples.iter().all(|s| s.masks.is_empty()) {
        return Ok(());
    }
    let pixels = |s: &Sample| image::image_dimensions(&s.path).map_or(0, |(w, h)| u64::from(w) * u64::from(h));
    let bytes = data.samples.iter().map(pixels).sum::<u64>() * if data.saturation.is_some() { 16 } else { 8 };
    limits::memory(bytes, "ranking every pixel of this set")
        .map_err(|why| anyhow::anyhow!("{why}; --no-pixels does without"))
}

/// One row of figures, or two side by side.
fn print(
    both: &[&Evaluation],
    files: &[&Path],
    comparison: Option<&Comparison>,
    data: &Dataset,
) -> std::io::Result<()> {
    let bad = data.samples.iter().filter(|s| s.bad).count();
    output::line(&format!("{} good and {bad} defective pictures ({})", data.samples.len() - bad, data.layout))?;
    if both.len() > 1 {
        let names: Vec<String> = files.iter().map(|f| format!("{:>34}", f.display())).collect();
        output::line(&format!("{:24}{}", "", names.concat()))?;
    }
    let share = |i: &Interval| {
        format!("{:.2} % ({} of {}; {:.2}..{:.2} %)", i.share * 100.0, i.count, i.of, i.low * 100.0, i.high * 100.0)
    };
    print_rows(
        both,
        &[
            ("good parts rejected", &|s| share(&s.rates.false_reject)),
            ("defects that pass", &|s| share(&s.rates.miss)),
            ("threshold", &|s| format!("{:.4}", s.rates.threshold)),
            ("time p50 / p95 / p99", &|s| {
                format!("{:.1} / {:.1} / {:.1} ms", s.latency.p50_ms, s.latency.p95_ms, s.latency.p99_ms)
            }),
            ("image AUROC", &|s| figure(s.image.auroc)),
        ],
    )?;
    for (kind, _) in both.first().map(|e| &e.summary.kinds).into_iter().flatten() {
        let cell = |e: &&Evaluation| {
            let (auroc, missed) = e.summary.kinds.get(kind).map_or((None, 0), |k| (k.0, k.1.count));
            format!("{:>34}", format!("{missed} pass, AUROC {}", figure(auroc)))
        };
        output::line(&format!("  {kind:22}{}", both.iter().map(cell).collect::<String>()))?;
    }
    for (e, file) in both.iter().zip(files) {
        print_operating(&e.summary.operating, file)?;
    }
    let Some(c) = comparison else { return Ok(()) };
    output::line(&format!(
        "{} pictures change their outcome: {} better, {} worse (p = {:.3}, exact McNemar test)",
        c.flipped.len(),
        c.better,
        c.worse,
        c.p_value
    ))?;
    for f in c.flipped.iter().take(20) {
        let (now, how) =
            (if f.second_passed { "PASS" } else { "REJECT" }, if f.second_right { "better" } else { "worse" });
        output::line(&format!("  {how:7} now {now:7} {}", f.path.display()))?;
    }
    if c.flipped.len() > 20 {
        output::line(&format!("  and {} more (--json lists all)", c.flipped.len() - 20))?;
    }
    Ok(())
}

/// One figure, or none.
fn figure(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |v| format!("{v:.4}"))
}

/// A row's name, and its cell for a model.
type Row<'a> = (&'a str, &'a dyn Fn(&Summary) -> String);

fn print_rows(both: &[&Evaluation], rows: &[Row<'_>]) -> std::io::Result<()> {
    for (name, cell) in rows {
        let cells: Vec<String> = both.iter().map(|e| format!("{:>34}", cell(&e.summary))).collect();
        output::line(&format!("{name:24}{}", cells.concat()))?;
    }
    Ok(())
}

/// What other thresholds would cost, and how one is set.
fn print_operating(points: &[OperatingPoint], model: &Path) -> std::io::Result<()> {
    let [_, others @ ..] = points else { return Ok(()) };
    if others.is_empty() {
        return Ok(());
    }
    output::line(&format!(
        "\nthresholds of {}, chosen and measured on these pictures (95 % intervals):",
        model.display()
    ))?;
    output::line(&format!("{:>12}  {:34}{:34}", "threshold", "good parts rejected", "defects that pass"))?;
    for same in points.chunk_by(|a, b| a.threshold == b.threshold) {
        let [p, ..] = same else { continue };
        let aim = same.iter().map(|p| match p.aim {
            Aim::Active => "now".to_owned(),
            Aim::FalseReject(share) => format!("{:.0} % of good", share * 100.0),
            Aim::BestF1 => "best F1".to_owned(),
        });
        let aim = aim.collect::<Vec<_>>().join(", ");
        let (good, bad) = (short(&p.false_reject), short(&p.miss));
        output::line(&format!("{:>12.4}  {good:34}{bad:34}{aim}", p.threshold))?;
    }
    output::line(&format!("to set one: andon threshold {} --set {:.4}", model.display(), others[0].threshold))
}

fn short(i: &Interval) -> String {
    format!("{:.1} % ({:.1}..{:.1} %)", i.share * 100.0, i.low * 100.0, i.high * 100.0)
}

/// What papers compare.
fn print_metrics(both: &[&Evaluation], data: &Dataset) -> std::io::Result<()> {
    output::line("\nhow well scores and heatmaps separate, at any threshold (docs/accuracy.md):")?;
    print_rows(
        both,
        &[
            ("image AP", &|s| figure(s.image.average_precision)),
            ("F1 at the threshold", &|s| figure(s.image.f1)),
            ("F1 max (best threshold)", &|s| figure(s.image.f1_max)),
            ("pixel AUROC", &|s| figure(s.pixel.as_ref().and_then(|p| p.auroc))),
            ("pixel AP", &|s| figure(s.pixel.as_ref().and_then(|p| p.average_precision))),
            ("AUPRO to 0.3", &|s| figure(s.pixel.as_ref().and_then(|p| p.aupro_30))),
            ("AUPRO to 0.05", &|s| figure(s.pixel.as_ref().and_then(|p| p.aupro_5))),
            ("AUPIMO", &|s| figure(s.pixel.as_ref().and_then(|p| p.aupimo))),
        ],
    )?;
    if data.saturation.is_none() {
        return Ok(());
    }
    print_rows(
        both,
        &[
            ("AU-sPRO to 0.3", &|s| figure(s.saturated.as_ref().map(|p| p.auspro_30))),
            ("AU-sPRO to 0.05", &|s| figure(s.saturated.as_ref().map(|p| p.auspro_5))),
        ],
    )
}
