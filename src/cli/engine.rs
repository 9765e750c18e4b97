//! `andon engine`: engines for this machine's NVIDIA card.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::Ordering::Relaxed;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::output;
use super::setup::{self, EngineArgs};
use crate::assemble::gpu::GpuContext;
use andon_gpu::tensorrt::{Cache, EnginePlan, Entry};
use andon_vision::model::graph::{ActivationRanges, Precision};

/// The line in `andon --help`.
pub(super) const ABOUT: &str = "Engines for this machine's NVIDIA card";

/// `andon engine`.
#[derive(Debug, Args)]
pub(super) struct EngineCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Build a model's engine for this machine's card, compare its scores with the reference, keep it.
    Build(Build),
    /// The engines that are kept.
    List(List),
}

#[derive(Debug, Args)]
struct Build {
    /// The model file.
    model: PathBuf,
    /// Frames that are judged together, at most.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    frames: u16,
    /// For int8: a folder of good pictures that show the ranges of values; a hundred are enough.
    #[arg(long, value_name = "DIR")]
    calibrate: Option<PathBuf>,
    /// Build it also if it is kept already.
    #[arg(long)]
    again: bool,
    /// The result as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

#[derive(Debug, Args)]
struct List {
    /// As JSON.
    #[arg(long)]
    json: bool,
    /// Where built engines are kept, in place of ~/.cache/andon/engines.
    #[arg(long, value_name = "DIR", env = "ANDON__ENGINE__CACHE")]
    engine_cache: Option<PathBuf>,
}

impl EngineCommand {
    pub fn run(self, log: Option<&str>) -> Result<Exit, Failure> {
        let _log = setup::logging(log, "warn", false)?;
        match self.action {
            Action::Build(build) => build.run(),
            Action::List(list) => list.run(),
        }
    }
}

impl Build {
    fn run(self) -> Result<Exit, Failure> {
        let bundle = setup::bundle(&self.model)?;
        let options = self.engine.options();
        let (precision, frames) = (options.gpu.precision, usize::from(self.frames));
        if precision == Precision::Int8 && self.calibrate.is_none() {
            let why = "int8 needs good pictures to see the ranges of values: --calibrate DIR";
            return Err(Failure::new(Exit::Usage, anyhow::anyhow!(why)));
        }
        let card = GpuContext::open(&options.gpu)?;
        let backbone = bundle.network();
        let plan = EnginePlan { backbone: &backbone, part: &bundle.manifest.name, precision, frames };
        let fingerprint = plan.fingerprint(&card.library, &card.device)?;
        if !self.again {
            match card.cache.load(&fingerprint) {
                Ok(Some((entry, _))) => {
                    output::note("it is kept already; --again builds it anew");
                    return Ok(self.tell(&card.cache, &entry)?);
                }
                Ok(None) => {
                    if let Some(why) = card.cache.refused(&fingerprint, &bundle.blake3) {
                        return Err(Failure::from(anyhow::anyhow!("it was refused: {why}; --again builds it anew")));
                    }
                }
                Err(e) => output::note(&format!("note: {e}")),
            }
        }
        let ranges = match precision {
            Precision::Int8 => setup::ranges(&bundle, self.calibrate.as_deref(), &options)?,
            _ => ActivationRanges::new(),
        };
        let stop = setup::stop_flag()?;
        let bar = super::progress::Progress::new();
        let shown = Mutex::new((bar.clone(), String::new()));
        let progress = |phase: &str, step: u32, steps: u32| {
            if let Ok(mut shown) = shown.lock() {
                if shown.1 != phase {
                    shown.1 = phase.to_owned();
                    shown.0.set_message(phase.chars().take(22).collect::<String>());
                    shown.0.set_length(u64::from(steps));
                }
                shown.0.set_position(u64::from(step));
            }
            !stop.load(Relaxed)
        };
        let built = card.build(&bundle, precision, frames, &ranges, &progress);
        bar.finish_and_clear();
        match built {
            Err(_) if stop.load(Relaxed) => {
                let why = "stopped; what was measured is kept, and the next build goes on from there";
                Err(Failure::from(anyhow::anyhow!(why)))
            }
            Err(e) => Err(e.into()),
            Ok((_, entry)) => Ok(self.tell(&card.cache, &entry)?),
        }
    }

    fn tell(&self, cache: &Cache, entry: &Entry) -> std::io::Result<Exit> {
        match self.json {
            true => output::json(&Kept::new(cache, entry))?,
            false => output::line(&words(entry))?,
        }
        Ok(Exit::Ok)
    }
}

#[derive(Serialize)]
struct Kept<'a> {
    file: PathBuf,
    #[serde(flatten)]
    entry: &'a Entry,
}

impl<'a> Kept<'a> {
    fn new(cache: &Cache, entry: &'a Entry) -> Kept<'a> {
        Kept { file: cache.folder().join(format!("{}.engine", entry.fingerprint)), entry }
    }
}

fn words(e: &Entry) -> String {
    format!(
        "{}  {} for {} images of {}, {} on {}: scores within {:.2e} of the reference (allowed {:.0e}); built {} in {:.0} s",
        &e.fingerprint[..e.fingerprint.len().min(8)],
        e.precision.as_str(),
        e.images,
        e.part,
        e.library,
        e.card,
        e.parity.0,
        e.parity.1,
        e.built,
        e.seconds
    )
}

impl List {
    fn run(self) -> Result<Exit, Failure> {
        let cache = Cache::new(self.engine_cache.as_deref())?;
        let found = cache.list()?;
        let mut exit = Exit::Ok;
        for (file, entry) in &found {
            match (entry, self.json) {
                (Ok(entry), true) => output::json(&Kept::new(&cache, entry))?,
                (Ok(entry), false) => output::line(&words(entry))?,
                (Err(why), _) => {
                    exit = Exit::Failed;
                    output::note(&format!("{}: {why}", file.display()));
                }
            }
        }
        if found.is_empty() && !self.json {
            output::note(&format!("no engines in {}", cache.folder().display()));
        }
        Ok(exit)
    }
}
