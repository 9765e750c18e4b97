//! `andon inspect`: judges pictures, one line each.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Serialize, Serializer};

use super::exit::{Exit, Failure};
use super::heatmaps::Heatmaps;
use super::output;
use super::setup::{self, EngineArgs};
use crate::assemble;
use crate::config::FrameSize;
use andon_core::judge;
use andon_core::{Detection, Fault, Outcome, Regions, Threshold};
use andon_io::sinks::wire::RegionRecord;
use andon_vision::fit::{ImageError, Picture, list_images, read_raw};
use andon_vision::model::bundle::Bundle;
use andon_vision::model::heatmap;

/// `andon inspect`.
#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// The model file.
    model: PathBuf,
    /// Pictures, or folders of pictures.
    #[arg(required = true)]
    images: Vec<PathBuf>,
    /// Write each picture with its heatmap into this folder, as FOLDER_NAME.png. Pictures that share that name keep their endings in it
    /// (FOLDER_NAME.jpg.png) or get a number. Heatmaps of an earlier run are replaced, any other file is not.
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
    /// One JSON object a picture, also on a terminal. The summary at the end goes to standard error.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

/// One picture's line.
#[derive(Debug, Serialize)]
struct Line<'a> {
    #[serde(serialize_with = "as_text")]
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
    heatmap: Option<String>,
}

/// Names that are not UTF-8 are written with a sign for each byte that is none, because JSON has no other way.
fn as_text<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&path.to_string_lossy())
}

/// How many pictures came out how.
#[derive(Debug, Default)]
struct Tally {
    pass: usize,
    reject: usize,
    error: usize,
    /// Files and folders that were in the folders and are no pictures.
    left_out: usize,
}

impl Tally {
    fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Pass(_) => self.pass += 1,
            Outcome::Reject => self.reject += 1,
            // Nothing comes too late here, so what was not inspected is a fault.
            Outcome::Uninspected | Outcome::Error => self.error += 1,
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Tally { pass, reject, error, left_out } = self;
        let all = pass + reject + error;
        let plural = if all == 1 { "" } else { "s" };
        write!(f, "{all} picture{plural}: {pass} PASS, {reject} REJECT, {error} ERROR")?;
        if *left_out > 0 { write!(f, "; {left_out} left out") } else { Ok(()) }
    }
}

impl Inspect {
    pub fn run(self, log: Option<&str>) -> Result<Exit, Failure> {
        let _log = setup::logging(log, "warn", false)?;
        let bundle = setup::bundle(&self.model)?;
        let threshold = Threshold::new(self.threshold.unwrap_or(bundle.manifest.threshold))
            .ok_or_else(|| Failure::new(Exit::Usage, anyhow::anyhow!("--threshold must be a finite number above 0")))?;
        let mut tally = Tally::default();
        let files = self.files(&mut tally)?;
        let heatmaps = self.heatmaps.as_ref().map(|dir| Heatmaps::open(dir, &files)).transpose()?;
        let size = if self.any_size { FrameSize::Any } else { FrameSize::AsTrained };
        let ready = assemble::open(&bundle, &self.engine.options(), size)?;
        setup::note_degraded(ready.degraded.as_deref());
        let mut detector = ready.detector;
        let people = !self.json && std::io::stdout().is_terminal();
        let mut out = Detection::default();
        for (n, file) in files.iter().enumerate() {
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
            tally.count(judged.outcome);
            let heatmap = match (&heatmaps, picture, score) {
                (Some(files), Ok(picture), Some(_)) => {
                    let picture = picture.into_8_bit(bundle.manifest.input.range);
                    let file = write_heatmap(files, n, &picture, &bundle, &out, threshold)?;
                    Some(file.to_string_lossy().into_owned())
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
        output::note(&tally.to_string());
        Ok(match (tally.error, tally.reject) {
            (1.., _) => Exit::Failed,
            (_, 1..) if self.fail_on_reject => Exit::Rejected,
            _ => Exit::Ok,
        })
    }

    /// The pictures that were named and those in the folders that were named; says what of these is left out.
    fn files(&self, tally: &mut Tally) -> Result<Vec<PathBuf>, Failure> {
        let mut files = Vec::new();
        for path in &self.images {
            match path.is_dir() {
                true => {
                    let inside = subfolders_with_pictures(path);
                    let listing = match (list_images(path), &inside) {
                        (Err(ImageError::NoImages { .. }), Some(inside)) => {
                            let why = "no pictures lie in it, and subfolders are not searched";
                            let remedy = format!("name those that hold pictures: {inside}");
                            return Err(anyhow::anyhow!("{}: {why}; {remedy}", path.display()).into());
                        }
                        (listing, _) => listing?,
                    };
                    tally.left_out += listing.left_out.len();
                    if let Some(note) = listing.note(path) {
                        output::note(&note);
                    }
                    if let Some(inside) = inside {
                        output::note(&format!("subfolders of {} that hold pictures: {inside}", path.display()));
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

/// The picture at its own size, in grey with the heat over it, as file `n`.
fn write_heatmap(
    files: &Heatmaps,
    n: usize,
    picture: &Picture,
    bundle: &Bundle,
    out: &Detection,
    threshold: Threshold,
) -> anyhow::Result<PathBuf> {
    let (w, h) = (picture.width as usize, picture.height as usize);
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    heatmap::render_into(&out.map, w, h, &mut values);
    heatmap::to_u8(&values, bundle.manifest.baseline, threshold.get(), &mut levels);
    files.write(n, &heatmap::overlay(&picture.rgb, &levels), picture.width, picture.height)
}

/// The subfolders that hold pictures, with how many; `None` if there are none.
fn subfolders_with_pictures(folder: &Path) -> Option<String> {
    let mut found: Vec<(String, usize)> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_name()?.to_string_lossy().into_owned();
            let pictures = list_images(&path).ok()?.pictures.len();
            (!name.starts_with('.')).then_some((name, pictures))
        })
        .collect();
    found.sort();
    let words: Vec<String> = found.iter().take(8).map(|(name, n)| format!("{name} ({n})")).collect();
    let more = if found.len() > 8 { format!(" and {} more", found.len() - 8) } else { String::new() };
    (!found.is_empty()).then(|| format!("{}{more}", words.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_says_every_outcome_and_what_was_left_out() {
        let mut tally = Tally { left_out: 2, ..Tally::default() };
        assert_eq!(tally.to_string(), "0 pictures: 0 PASS, 0 REJECT, 0 ERROR; 2 left out");
        tally.count(Outcome::Reject);
        tally.count(Outcome::Error);
        tally.left_out = 0;
        assert_eq!(tally.to_string(), "2 pictures: 0 PASS, 1 REJECT, 1 ERROR");
    }
}
