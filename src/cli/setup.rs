//! What several commands need to get from a model file to a running detector.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Args;

use super::exit::Failure;
use super::output;
use crate::config::FrameSize;
use crate::fit::parity_check;
use crate::model::bundle::Bundle;
use crate::model::detector::{PatchCore, PatchEmbedder};
use crate::model::engine::{EngineChoice, EngineOptions};
use crate::model::{Detector, heatmap};
use crate::publish::Render;
use crate::runtime::MakeDetector;
use crate::telemetry::{LogGuard, LogOptions, init_logging};
use crate::types::ModelTag;

/// Which engine, from the command line.
#[derive(Clone, Debug, Args)]
pub(super) struct EngineArgs {
    /// Engine: auto takes ONNX Runtime when its library is found, the compiled-in rten otherwise.
    #[arg(long, value_enum, default_value_t = EngineChoice::Auto)]
    engine: EngineChoice,
    /// Threads; 0 takes every processor.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Where libonnxruntime.so is, when it is in an unusual place.
    #[arg(long, value_name = "FILE", env = "ANDON__ENGINE__ORT_LIBRARY")]
    ort_library: Option<PathBuf>,
}

impl EngineArgs {
    pub fn options(&self) -> EngineOptions {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if self.threads == 0 { processors } else { self.threads };
        EngineOptions { choice: self.engine, threads, ort_library: self.ort_library.clone() }
    }
}

/// Messages go to standard error as long as the guard lives; `level` wins over `default`.
pub(super) fn logging(level: Option<&str>, default: &str, json: bool) -> Result<LogGuard, Failure> {
    let level = level.unwrap_or(default).to_owned();
    let refused = |e| Failure::config(anyhow::anyhow!("log level `{level}`: {e}"));
    init_logging(&LogOptions { level: level.clone(), json }).map_err(refused)
}

/// A detector that reproduces its bundle's parity set, and why it is not on the fastest engine, if so.
pub(super) struct Ready {
    pub detector: PatchCore,
    pub degraded: Option<String>,
    /// Largest relative difference of a parity score.
    pub parity: f32,
}

/// Opens the bundle's network with an engine, compares its scores with the reference, warms it up.
pub(super) fn ready(bundle: &Arc<Bundle>, options: &EngineOptions, size: FrameSize) -> anyhow::Result<Ready> {
    let (embedder, degraded) = PatchEmbedder::open(&bundle.network(), options)?;
    let mut detector = PatchCore::new(embedder, bundle.clone(), options.threads.max(1))?;
    let parity = parity_check(bundle, &mut detector)?;
    detector.require_frame_size(match size {
        FrameSize::AsTrained => bundle.manifest.frame_size,
        FrameSize::Any => None,
    });
    detector.warm_up()?;
    Ok(Ready { detector, degraded, parity })
}

/// Hands the first detector out once and makes new ones after that.
pub(super) fn make_detector(
    first: PatchCore,
    bundle: Arc<Bundle>,
    options: EngineOptions,
    size: FrameSize,
) -> MakeDetector {
    let mut first = Some(first);
    Box::new(move || match first.take() {
        Some(detector) => Ok(Box::new(detector) as Box<dyn Detector>),
        None => {
            ready(&bundle, &options, size).map(|r| Box::new(r.detector) as Box<dyn Detector>).map_err(|e| e.to_string())
        }
    })
}

/// Provenance for verdicts.
pub(super) fn tag(bundle: &Bundle, engine: &str) -> Arc<ModelTag> {
    let (name, blake3) = (bundle.manifest.name.clone(), bundle.blake3.clone());
    Arc::new(ModelTag { name, blake3, engine: engine.to_owned(), sources: bundle.manifest.training.sources.clone() })
}

/// Draws maps of these bundles, by camera id, at the size of the network's input.
pub(super) fn renderer(bundles: Vec<Arc<Bundle>>) -> Render {
    Box::new(move |camera, map, threshold, levels| {
        let Some(bundle) = bundles.get(camera.index()) else { return (0, 0, 0.0) };
        let m = &bundle.manifest;
        let [w, h] = bundle.network().picture_size();
        let mut values = Vec::new();
        heatmap::render_into(map, w as usize, h as usize, &mut values);
        heatmap::to_u8(&values, m.typical, threshold, levels);
        (w, h, m.typical)
    })
}

/// Opens a bundle for a command.
pub(super) fn bundle(path: &Path) -> anyhow::Result<Arc<Bundle>> {
    Ok(Arc::new(Bundle::open(path)?))
}

/// Says once why the engine is not the fastest.
pub(super) fn say_degraded(degraded: Option<&str>) {
    if let Some(why) = degraded {
        output::note(&format!("note: using the compiled-in engine rten: {why}"));
    }
}

/// Set by SIGINT and SIGTERM; a second signal ends the program at once.
pub(super) fn stop_flag() -> std::io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 1, stop.clone())?;
        signal_hook::flag::register(signal, stop.clone())?;
    }
    Ok(stop)
}
