//! `andon run`: the service.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use clap::Args;

use super::exit::{Exit, Failure};
use super::{output, setup};
use crate::assemble::start_recipe::{Wanted, start_with};
use crate::assemble::{LineBuilder, Page, precheck};
use andon_io::sinks::json_lines::JsonLines;
use andon_io::sinks::log::LogStats;
use andon_line::runtime::LineReport;

/// `andon run`.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// The configuration; `config/andon.toml` in the repository explains every key.
    #[arg(short, long, value_name = "FILE", default_value = "andon.toml")]
    config: PathBuf,
    /// Sets one key over file and environment: --set cameras.top.deadline_ms=100
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Starts with this recipe, by name or number, and not with the one that was in force when the line stopped.
    #[arg(long, value_name = "NAME")]
    recipe: Option<String>,
    /// Starts with the models of the cameras, whatever recipe was in force when the line stopped.
    #[arg(long, conflicts_with = "recipe")]
    no_recipe: bool,
    /// Verdicts as JSON lines on standard output too, and the final figures as the last line. A reader that does not keep up
    /// loses lines, never the line its verdicts.
    #[arg(long)]
    json: bool,
}

impl Run {
    pub fn run(self, log: Option<&str>) -> Result<Exit, Failure> {
        let flags = self.set.iter().map(|pair| pair.split_once('=').map(|(k, v)| (k, v.to_owned())));
        let flags = flags.collect::<Option<Vec<_>>>().ok_or_else(|| {
            Failure::new(Exit::Usage, anyhow::anyhow!("--set takes KEY=VALUE, such as engine.threads=2"))
        })?;
        let mut checked = precheck::load(Some(&self.config), &flags, false).map_err(Failure::config)?;
        let _log = setup::logging(log, &checked.loaded.config.log_level, checked.loaded.config.log_json)?;
        let page = Page::configured(&checked.loaded, &self.config).map_err(Failure::build)?;
        let wanted = match &self.recipe {
            Some(name) => Wanted::Named(name),
            None if self.no_recipe => Wanted::Cameras,
            None => Wanted::Last,
        };
        let recipe = start_with(&mut checked, page.as_ref(), wanted).map_err(Failure::build)?;
        let precheck::Checked { loaded, models } = checked;
        let c = &loaded.config;
        for note in precheck::notes(c, &models) {
            tracing::warn!("{note}");
        }
        let stop = setup::stop_flag()?;
        let stuck = Arc::new(AtomicBool::new(false));
        let program = std::env::current_exe()?;
        let mut builder = LineBuilder::new(&loaded, stop)
            .and_then(|builder| builder.open_configured(models, &program))
            .map_err(Failure::build)?
            .recipe(recipe)
            .page(page.map(|page| page.teaching(c, &program)))
            .sink(|station| Ok(Box::new(LogStats::new(station.clone()))));
        if self.json {
            builder = builder.sink(|station| Ok(Box::new(JsonLines::start(station.clone(), stuck.clone())?)));
        }
        let line = builder.start().map_err(Failure::build)?;
        if let Some(url) = line.page_url() {
            tracing::info!("the page is at {url}");
        }
        tracing::info!(version = env!("CARGO_PKG_VERSION"), cameras = c.cameras.len(), "the line runs");
        let ended = line.wait();
        let report = line.finish()?;
        if !stuck.load(Relaxed) {
            print_report(&report, self.json)?;
        }
        ended?;
        Ok(Exit::Ok)
    }
}

/// The final figures, a line for each camera.
fn print_report(report: &LineReport, json: bool) -> std::io::Result<()> {
    for (camera, counts, latency) in &report.cameras {
        if json {
            let summary = serde_json::json!({
                "schema": "andon.summary.v1", "camera": camera, "counts": counts,
                "adds_up": counts.adds_up(), "latency_us": latency,
            });
            output::json(&summary)?;
        } else {
            output::note(&format!(
                "{camera}: {} parts: {} PASS, {} REJECT, {} UNINSPECTED, {} ERROR; p50 {:.1} ms, p99 {:.1} ms",
                counts.offered,
                counts.pass,
                counts.reject,
                counts.uninspected,
                counts.error,
                latency.p50_us as f64 / 1000.0,
                latency.p99_us as f64 / 1000.0
            ));
        }
    }
    Ok(())
}
