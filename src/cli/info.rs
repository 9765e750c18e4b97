//! `andon info`: what a model file says of itself.

use std::path::PathBuf;

use clap::Args;

use super::exit::{Exit, Failure};
use super::{claim, output, setup};
use andon_vision::methods;

/// `andon info`.
#[derive(Debug, Args)]
pub(super) struct Info {
    /// The model file.
    model: PathBuf,
    /// The manifest as JSON, with the file's digest.
    #[arg(long)]
    json: bool,
}

impl Info {
    pub fn run(self) -> Result<Exit, Failure> {
        let bundle = setup::bundle(&self.model)?;
        let m = &bundle.manifest;
        let method = methods::of(&bundle).map_err(anyhow::Error::msg)?;
        let facts = method.facts(&bundle).map_err(anyhow::Error::msg)?;
        if self.json {
            output::json(&serde_json::json!({
                "model": self.model, "blake3": bundle.blake3, "manifest": m, "bank": facts.bank_rows,
                "train_scores": bundle.train_scores,
            }))?;
            return Ok(Exit::Ok);
        }
        let bytes = std::fs::metadata(&self.model)?.len();
        let [w, h] = bundle.network().picture_size();
        let added = match m.training.added {
            0 => String::new(),
            n => format!(", {n} of them added later"),
        };
        let size = m.frame_size.map_or("any size".to_owned(), |[w, h]| format!("{w}x{h} pixels"));
        let hidden = bundle.mask.iter().filter(|judged| **judged == 0).count();
        let hidden = match hidden {
            0 => String::new(),
            n => format!(", {n} of {} patches masked", bundle.mask.len()),
        };
        output::line(&format!("{}: {}, learned {}", self.model.display(), m.name, m.created))?;
        for (name, text) in [
            ("method", m.method.id.clone()),
            (facts.label, facts.text),
            ("pictures", format!("{} good ones{added}, {size}", m.training.images())),
            ("seen at", format!("{w}x{h}, {}x{} patches{hidden}", m.grid[0], m.grid[1])),
            (
                "network",
                format!("{} ({}), features by {}", m.backbone.name, m.backbone.outputs.join(", "), m.training.engine),
            ),
            ("file", format!("{} MB, {}", claim::figures(bytes as f64 / 1e6), bundle.blake3)),
            ("threshold", format!("{:.4}", m.threshold)),
        ] {
            output::line(&format!("  {name:<13} {text}"))?;
        }
        claim::print(m)?;
        Ok(Exit::Ok)
    }
}
