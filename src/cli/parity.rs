//! `andon parity`: a network that was brought in beside the program that it was trained by.

use std::path::PathBuf;

use clap::Args;

use super::exit::{Exit, Failure};
use super::output;
use super::setup::{self, EngineArgs};
use andon_vision::import::parity::{Compared, DIFFERS, compare};

/// `andon parity`.
#[derive(Debug, Args)]
pub(super) struct Parity {
    /// The model file, of `andon import`.
    model: PathBuf,
    /// Folder with `reference.json`, pictures and arrays that the training side wrote; docs/methods.md has a program that writes them.
    #[arg(long, value_name = "DIR")]
    reference: PathBuf,
    /// The steps as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

impl Parity {
    pub fn run(self) -> Result<Exit, Failure> {
        let bundle = setup::bundle(&self.model)?;
        let Compared { steps, missing, judged_by } = compare(&bundle, &self.reference, &self.engine.options())?;
        let first = steps.iter().find(|step| step.off > step.allowed);
        if self.json {
            output::json(
                &serde_json::json!({"steps": steps, "agrees": first.is_none(), "allowed": DIFFERS, "not_in_the_model": missing, "judged_by": judged_by}),
            )?;
        } else {
            for step in &steps {
                let verdict = if step.off > step.allowed { "differs" } else { "agrees" };
                output::line(&format!(
                    "  {verdict:<8} {:<28} {:.2e} of the largest value, at {}",
                    step.what, step.off, step.picture
                ))?;
                if let Some(perhaps) = &step.perhaps {
                    output::line(&format!("           {perhaps}"))?;
                }
            }
            if !missing.is_empty() {
                output::line(&format!(
                    "  not compared {}: not in the model, which judges by {} and keeps what leads to it",
                    missing.join(", "),
                    judged_by.join(", ")
                ))?;
            }
        }
        match first {
            None if steps.is_empty() => {
                Err(anyhow::anyhow!("the reference holds nothing that could be compared").into())
            }
            None => Ok(Exit::Ok),
            Some(step) => {
                Err(anyhow::anyhow!("the first step that differs is {}; those after it cannot agree", step.what).into())
            }
        }
    }
}
