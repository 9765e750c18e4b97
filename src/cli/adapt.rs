//! `andon adapt`: teaches a finished model more good pictures, or makes it forget some.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::exit::{Exit, Failure};
use super::output;
use super::setup::{self, EngineArgs};
use andon_core::Fault;
use andon_vision::fit::read_raw;
use andon_vision::methods::{self, Adapted, add, remove};
use andon_vision::model::Accept;
use andon_vision::model::bundle::Bundle;
use andon_vision::model::embedder::PatchEmbedder;

/// `andon adapt`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
pub(super) struct Adapt {
    /// The model file.
    model: PathBuf,
    /// Good pictures to learn, in addition to those that the model knows.
    #[arg(long, value_name = "PICTURE", num_args = 1.., group = "change")]
    add: Vec<PathBuf>,
    /// Pictures to forget, by the file name that they were learned under.
    #[arg(long, value_name = "NAME", num_args = 1.., group = "change")]
    remove: Vec<String>,
    /// The model file to write; without it, the model itself is replaced.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show what would change and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// The result as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

impl Adapt {
    pub fn run(self, log: Option<&str>) -> Result<Exit, Failure> {
        let _log = setup::logging(log, "warn", false)?;
        let mut bundle = Arc::unwrap_or_clone(setup::bundle(&self.model)?);
        if !self.dry_run {
            output::writable(self.output.as_ref().unwrap_or(&self.model))?;
        }
        let options = self.engine.options();
        let (mut embedder, degraded) = PatchEmbedder::open(&bundle.network(), &options)?;
        setup::note_degraded(degraded.as_deref());
        let old = (rows(&bundle), bundle.manifest.threshold);
        let removed = match self.remove.as_slice() {
            [] => Vec::new(),
            names => remove(&mut bundle, names, &mut embedder, options.threads)?,
        };
        let accept = Accept::learned(&bundle.manifest, false);
        let mut pictures = Vec::new();
        for path in &self.add {
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            let picture = read_raw(path)?;
            let fits = picture.view().ok_or(Fault::BadFrame).and_then(|v| accept.check(&v));
            fits.map_err(|fault| anyhow::anyhow!("{}: {fault}", path.display()))?;
            pictures.push((name, picture.into_8_bit(bundle.manifest.input.range)));
        }
        let added = match pictures.as_slice() {
            [] => Vec::new(),
            pictures => add(&mut bundle, pictures, &mut embedder, options.threads)?,
        };
        // The threshold stays when pictures are added.
        let limit = bundle.manifest.threshold;
        for a in added.iter().filter(|a| a.before < limit) {
            output::note(&format!(
                "note: {} already passed, at {:.0} % of the threshold; what is wrong with it, if anything, is now learned as good \
                 (`--remove {}` forgets it)",
                a.name,
                a.before / limit * 100.0,
                a.name
            ));
        }
        let target = self.output.as_ref().unwrap_or(&self.model);
        // Also gives it its digest.
        bundle.to_bytes()?;
        if !self.dry_run {
            bundle.write(target)?;
        }
        let m = &bundle.manifest;
        if self.json {
            let each = |a: &Adapted| {
                let after = a.after.is_finite().then_some(a.after);
                let passed = a.before < m.threshold;
                serde_json::json!({"image": a.name, "before": a.before, "passed_before": passed, "after": after, "rows": a.rows})
            };
            output::json(&serde_json::json!({
                "model": target, "written": !self.dry_run, "blake3": bundle.blake3,
                "bank": {"before": old.0, "after": rows(&bundle)},
                "threshold": {"before": old.1, "after": m.threshold},
                "added": added.iter().map(each).collect::<Vec<_>>(),
                "removed": removed.iter().map(each).collect::<Vec<_>>(),
            }))?;
            return Ok(Exit::Ok);
        }
        let verdict = |score: f32| if score < m.threshold { "PASS" } else { "REJECT" };
        for a in &removed {
            output::line(&format!("  forgot   {} ({} patches)", a.name, a.rows))?;
        }
        for a in &added {
            output::line(&format!(
                "  learned  {}: {:.4} {} before, {:.4} {} now ({} patches)",
                a.name,
                a.before,
                verdict(a.before),
                a.after,
                verdict(a.after),
                a.rows
            ))?;
        }
        output::line(&format!("  bank     {} patches before, {} now", old.0.unwrap_or(0), rows(&bundle).unwrap_or(0)))?;
        output::line(&format!("  threshold {:.4} before, {:.4} now", old.1, m.threshold))?;
        output::line(&match self.dry_run {
            true => "nothing was written (--dry-run)".to_owned(),
            false => format!("{}: written", target.display()),
        })?;
        Ok(Exit::Ok)
    }
}

/// Rows of the memory bank.
fn rows(bundle: &Bundle) -> Option<usize> {
    methods::of(bundle).and_then(|method| method.facts(bundle)).ok()?.bank_rows
}
