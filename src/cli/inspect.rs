use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Args;
use image::ImageEncoder;
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::output;
use super::setup::{self, EngineArgs};
use crate::config::FrameSize;
use crate::decide::judge;
use crate::fit::{Picture, list_images, read_raw};
use crate::model::bundle::Bundle;
use crate::model::heatmap;
use crate::publish::wire::RegionRecord;
use crate::types::{Detection, Fault, Outcome, Regions, Threshold};

/// `andon inspect`.
#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// The model file.
    model: PathBuf,
    /// Pictures, or folders of pictures.
    #[arg(required = true)]
    images: Vec<PathBuf>,
    /// Write each picture with its heatmap into this folder.
    #[arg(long, value_name = "DIR")]
    heatmaps: Option<PathBuf>,
    /// Exit with 3 if any picture does not pass.
    #[arg(long)]
    fail_on_reject: bool,
    /// Replaces the model's threshold.
    #[arg(long, allow_negative_numbers = true)]
    threshold: Option<f32>,
    /// Take pictures of other sizes than the training pictures too.
    #[arg(long)]
    any_size: bool,
    /// One JSON object a picture, also on a terminal.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

/// One picture's line.
#[derive(Debug, Serialize)]
struct Line<'a> {
    image: &'a Path,
    result: &'static str,
    reason: &'static str,
    score: Option<f32>,
    threshold: f32,
    margin: Option<f32>,
    /// Why there is no score.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    regions: Vec<RegionRecord<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heatmap: Option<PathBuf>,
}

impl Inspect {
    pub fn run(self, log: Option<&str>) -> Result<Exit, Failure> {
        let _log = setup::logging(log, "warn", false)?;
        let bundle = setup::bundle(&self.model)?;
        let threshold = Threshold::new(self.threshold.unwrap_or(bundle.manifest.threshold))
            .ok_or_else(|| Failure::new(Exit::Usage, anyhow::anyhow!("--threshold must be a finite number above 0")))?;
        let files = self.files()?;
        if let Some(dir) = &self.heatmaps {
            std::fs::create_dir_all(dir).map_err(|e| anyhow::anyhow!("cannot make {}: {e}", dir.display()))?;
        }
        let size = if self.any_size { FrameSize::Any } else { FrameSize::AsTrained };
        let ready = setup::ready(&bundle, &self.engine.options(), size)?;
        setup::say_degraded(ready.degraded.as_deref());
        let mut detector = ready.detector;
        let people = !self.json && std::io::stdout().is_terminal();
        let mut out = Detection::default();
        let (mut failed, mut rejected) = (0usize, 0usize);
        for file in &files {
            let picture = read_raw(file);
            let result = match &picture {
                Ok(p) => {
                    p.view().ok_or(Fault::BadFrame).and_then(|v| detector.detect(&v, &mut out)).map(|()| out.score)
                }
                Err(_) => Err(Fault::BadFrame),
            };
            let judged = judge(result, threshold);
            let score = judged.score.map(|s| s.get());
            let regions = match judged.outcome {
                Outcome::Reject => detector.explain(&out, threshold.get()),
                _ => Regions::default(),
            };
            let sources = &bundle.manifest.training.sources;
            let error = match (&picture, result) {
                (Err(e), _) => Some(e.to_string()),
                (_, Err(fault)) => Some(fault.to_string()),
                _ => None,
            };
            failed += usize::from(matches!(judged.outcome, Outcome::Error));
            rejected += usize::from(!matches!(judged.outcome, Outcome::Pass(_)));
            let heatmap = match (&self.heatmaps, picture, score) {
                (Some(dir), Ok(picture), Some(_)) => {
                    let picture = picture.into_8_bit(bundle.manifest.input.range);
                    Some(write_heatmap(dir, file, &picture, &bundle, &out, threshold)?)
                }
                _ => None,
            };
            let line = Line {
                image: file,
                result: judged.outcome.as_str(),
                reason: judged.reason.as_str(),
                score,
                threshold: threshold.get(),
                margin: score.map(|s| s / threshold.get()),
                error,
                regions: regions.as_slice().iter().map(|r| RegionRecord::new(r, sources)).collect(),
                heatmap,
            };
            print(&line, people)?;
        }
        Ok(match (failed, rejected) {
            (1.., _) => Exit::Failed,
            (_, 1..) if self.fail_on_reject => Exit::Rejected,
            _ => Exit::Ok,
        })
    }

    fn files(&self) -> Result<Vec<PathBuf>, Failure> {
        let mut files = Vec::new();
        for path in &self.images {
            match path.is_dir() {
                true => {
                    let listing = list_images(path)?;
                    if let Some(note) = listing.note(path) {
                        output::note(&note);
                    }
                    files.extend(listing.pictures);
                }
                false => files.push(path.clone()),
            }
        }
        Ok(files)
    }
}

fn print(line: &Line<'_>, people: bool) -> std::io::Result<()> {
    if !people {
        return output::json(line);
    }
    let figures = match (line.score, line.margin, &line.error) {
        (Some(score), Some(margin), _) => format!("{score:8.4}  {:5.1} %", margin * 100.0),
        (_, _, Some(error)) => error.clone(),
        _ => line.reason.to_owned(),
    };
    output::line(&format!("{:<7} {figures}  {}", line.result, line.image.display()))
}

/// The picture at its own size, in grey, with the heat over it.
fn write_heatmap(
    dir: &Path,
    file: &Path,
    picture: &Picture,
    bundle: &Bundle,
    out: &Detection,
    threshold: Threshold,
) -> Result<PathBuf, Failure> {
    let m = &bundle.manifest;
    let (w, h) = (picture.width as usize, picture.height as usize);
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    heatmap::render_into(&out.map, w, h, &mut values);
    heatmap::to_u8(&values, m.typical, threshold.get(), &mut levels);
    let rgb = heatmap::overlay(&picture.rgb, &levels);
    let mut bytes = Vec::new();
    image::codecs::png::PngEncoder::new(&mut bytes).write_image(
        &rgb,
        picture.width,
        picture.height,
        image::ExtendedColorType::Rgb8,
    )?;
    // The folder's name too, so that pictures of one name from several folders do not overwrite each other.
    let folder =
        file.parent().and_then(Path::file_name).map(|n| format!("{}_", n.to_string_lossy())).unwrap_or_default();
    let stem = file.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let path = dir.join(format!("{folder}{stem}.png"));
    std::fs::write(&path, bytes).map_err(|e| anyhow::anyhow!("cannot write {}: {e}", path.display()))?;
    Ok(path)
}
