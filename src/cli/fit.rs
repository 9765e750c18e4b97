use std::path::PathBuf;

use clap::Args;

use super::exit::{Exit, Failure};
use super::output;
use super::setup::{self, EngineArgs};
use crate::fit::{FitOptions, Stage, fit, images_for_claim, list_images, read_image};
use crate::model::Backbone;
use crate::model::detector::PatchEmbedder;

/// `andon fit`.
#[derive(Debug, Args)]
pub(super) struct FitCommand {
    /// Folder with pictures of good parts (png, jpg, bmp, tiff); 30 or more.
    good_dir: PathBuf,
    /// The model file to write.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Name of the part; without it, the output file's name.
    #[arg(long)]
    name: Option<String>,
    /// Patches in the memory bank: more are slower and finer.
    #[arg(long, default_value_t = 4000)]
    bank: usize,
    /// Seed of the choice of patches; the same seed and pictures give the same model.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Threshold = this x the largest score of a good picture that the model did not learn from.
    #[arg(long, default_value_t = DEFAULT_MARGIN)]
    margin: f32,
    /// Leave out pictures that cannot be read instead of refusing all.
    #[arg(long)]
    skip_bad: bool,
    /// Time stamp to write instead of now (RFC 3339), to make the same file again.
    #[arg(long, value_name = "TIME")]
    created: Option<String>,
    /// The result as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

/// The largest of n good scores is exceeded by the next good part at most once in n + 1 times, and less often in fact: leaving a
/// picture's own patches out makes its score higher than a new part's. A factor on top buys few false rejects for many
/// misses (`docs/accuracy.md`).
pub(super) const DEFAULT_MARGIN: f32 = 1.0;

impl FitCommand {
    pub fn run(self, log: Option<&str>) -> Result<Exit, Failure> {
        let _log = setup::logging(log, "warn", false)?;
        let files = list_images(&self.good_dir)?;
        let options = self.engine.options();
        let backbone = Backbone::embedded();
        let (mut embedder, degraded) = PatchEmbedder::open(&backbone, &options)?;
        setup::say_degraded(degraded.as_deref());
        let stem = self.output.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        let fit_options = FitOptions {
            name: self.name.unwrap_or(stem),
            bank: self.bank,
            seed: self.seed,
            margin: self.margin,
            threads: options.threads,
            created: self.created,
            engine: embedder.engine_name().to_owned(),
        };
        let bar = output::progress_bar();
        let mut stage = None;
        let mut progress = |now: Stage, done: usize, total: usize| {
            if stage != Some(now) {
                stage = Some(now);
                bar.reset();
                bar.set_message(now.as_str());
            }
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        };
        let pictures = files.iter().map(|path| {
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            read_image(path).map(|picture| (name, picture))
        });
        let (mut bundle, left_out) =
            fit(pictures, self.skip_bad, &mut embedder, &backbone, &fit_options, &mut progress)?;
        bar.finish_and_clear();
        for line in &left_out {
            output::note(&format!("left out: {line}"));
        }
        bundle.write(&self.output)?;
        let m = &bundle.manifest;
        if self.json {
            output::json(&serde_json::json!({
                "model": self.output, "blake3": bundle.blake3, "images": m.claim.images, "bank": bundle.rows(),
                "threshold": m.threshold, "claim": m.claim, "left_out": left_out, "train_scores": bundle.train_scores,
            }))?;
            return Ok(Exit::Ok);
        }
        let claim = m.claim;
        output::line(&format!("{}: learned from {} pictures", self.output.display(), claim.images))?;
        output::line(&format!(
            "  memory bank   {} of {} patches, {} values each",
            bundle.rows(),
            m.training.patches,
            m.dim
        ))?;
        output::line(&format!(
            "  threshold     {:.4} ({} x the largest leave-one-out score)",
            m.threshold, m.training.margin
        ))?;
        output::line(&format!(
            "  claim         with {:.0} % confidence, at most {:.2} % of good parts like these are rejected",
            claim.confidence * 100.0,
            claim.max_false_reject * 100.0
        ))?;
        output::line(&format!(
            "                ({} good pictures would support 1 %, {} would support 0.1 %)",
            images_for_claim(0.01),
            images_for_claim(0.001)
        ))?;
        Ok(Exit::Ok)
    }
}
