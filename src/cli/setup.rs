//! What several commands take from their flags, and how they begin.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Args;
use clap::builder::{EnumValueParser, TypedValueParser};

use super::exit::Failure;
use super::{limits, output};
use crate::assemble::lacks_feature;
use crate::logging::{LogGuard, LogOptions, init_logging};
use andon_io::NotBuilt;
use andon_vision::fit::{list_images, read_in_range};
use andon_vision::model::bundle::Bundle;
use andon_vision::model::engine::{EngineChoice, EngineOptions, GpuOptions, processors};
use andon_vision::model::graph::{ActivationRanges, Calibrator, Precision};

/// Which engine, from the command line.
#[derive(Clone, Debug, Args)]
pub(super) struct EngineArgs {
    /// Engine: auto takes an engine that was built for this machine's NVIDIA card, else ONNX Runtime when its library is found,
    /// else the compiled-in rten.
    #[arg(long, default_value = "auto", value_parser = built_in())]
    engine: EngineChoice,
    /// Threads, four a processor at most; 0 takes every processor.
    #[arg(long, default_value_t = 0, value_parser = limits::threads_arg)]
    threads: usize,
    /// Where libonnxruntime.so is, when it is in an unusual place.
    #[arg(long, value_name = "FILE", env = "ANDON__ENGINE__ORT_LIBRARY")]
    ort_library: Option<PathBuf>,
    #[command(flatten)]
    gpu: GpuArgs,
}

/// The engines by name; one that was not compiled in is a usage error.
fn built_in() -> impl TypedValueParser<Value = EngineChoice> {
    EnumValueParser::<EngineChoice>::new().try_map(|choice| match lacks_feature(choice) {
        Some(feature) => Err(NotBuilt::new(feature, feature).to_string()),
        None => Ok(choice),
    })
}

/// How an NVIDIA card is used, from the command line.
#[derive(Clone, Debug, Args)]
pub(super) struct GpuArgs {
    /// Arithmetic on an NVIDIA card.
    #[arg(long, value_enum, default_value_t = Precision::Fp16, env = "ANDON__ENGINE__PRECISION")]
    pub precision: Precision,
    /// The folder of TensorRT's libraries, when the system's loader does not know it.
    #[arg(long, value_name = "DIR", env = "ANDON__ENGINE__TENSORRT")]
    tensorrt: Option<PathBuf>,
    /// Where built engines are kept, in place of ~/.cache/andon/engines.
    #[arg(long, value_name = "DIR", env = "ANDON__ENGINE__CACHE")]
    engine_cache: Option<PathBuf>,
}

impl GpuArgs {
    pub fn options(&self) -> GpuOptions {
        let (tensorrt, cache) = (self.tensorrt.clone(), self.engine_cache.clone());
        GpuOptions { precision: self.precision, tensorrt, cache, max_wait: Duration::ZERO }
    }
}

impl EngineArgs {
    pub fn options(&self) -> EngineOptions {
        let threads = if self.threads == 0 { processors() } else { self.threads };
        EngineOptions { choice: self.engine, threads, ort_library: self.ort_library.clone(), gpu: self.gpu.options() }
    }
}

/// Messages go to standard error as long as the guard lives; `level` wins over `default`.
pub(super) fn logging(level: Option<&str>, default: &str, json: bool) -> Result<LogGuard, Failure> {
    let level = level.unwrap_or(default).to_owned();
    let refused = |e| Failure::config(anyhow::anyhow!("log level `{level}`: {e}"));
    init_logging(&LogOptions { level: crate::config::targets_of(&level), json }).map_err(refused)
}

/// The ranges of values in a bundle's network, seen on these good pictures; without a folder, on the bundle's parity pictures.
pub(super) fn ranges(
    bundle: &Bundle,
    folder: Option<&Path>,
    options: &EngineOptions,
) -> anyhow::Result<ActivationRanges> {
    let cpu = match options.choice {
        EngineChoice::TensorRt => EngineChoice::Auto,
        other => other,
    };
    let network = bundle.network();
    let mut calibrator = Calibrator::open(&network, &EngineOptions { choice: cpu, ..options.clone() })?;
    match folder {
        Some(folder) => {
            let files = list_images(folder)?.pictures;
            let bar = super::progress::Progress::new();
            bar.set_message("ranges of values");
            bar.set_length(files.len() as u64);
            for file in files {
                let picture = read_in_range(&file, bundle.manifest.input.range)?;
                if let Some(view) = picture.view() {
                    calibrator.see(&view)?;
                }
                bar.inc(1);
            }
            bar.finish_and_clear();
        }
        None => {
            for view in bundle.parity_frames() {
                calibrator.see(&view)?;
            }
        }
    }
    Ok(calibrator.ranges())
}

/// Opens a bundle for a command.
pub(super) fn bundle(path: &Path) -> anyhow::Result<Arc<Bundle>> {
    Ok(Arc::new(Bundle::open(path)?))
}

/// Says once why the engine is not the fastest.
pub(super) fn note_degraded(degraded: Option<&str>) {
    if let Some(why) = degraded {
        output::note(&format!("note: using {why}"));
    }
}

/// Set by SIGINT, SIGTERM and SIGHUP; a second signal ends the program at once. Commands call this when they have something to end in
/// order; until then a signal ends them at once, and leaves nothing half-written.
pub(super) fn stop_flag() -> std::io::Result<Arc<AtomicBool>> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let stop = Arc::new(AtomicBool::new(false));
    // `nohup` wants the line to outlive its terminal.
    let hangup = (!is_ignored(SIGHUP)).then_some(SIGHUP);
    for signal in [SIGINT, SIGTERM].into_iter().chain(hangup) {
        signal_hook::flag::register_conditional_shutdown(signal, 1, stop.clone())?;
        signal_hook::flag::register(signal, stop.clone())?;
    }
    Ok(stop)
}

/// Whether this process was started with a signal ignored.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|l| u64::from_str_radix(l.strip_prefix("SigIgn:")?.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}
