//! What several commands need to get from a model file to a running detector.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Args;
use clap::builder::{EnumValueParser, TypedValueParser};

use super::exit::Failure;
use super::{limits, output, units};
use crate::config::FrameSize;
use crate::fit::{list_images, parity_check, parity_tolerance, read_in_range};
use crate::model::bundle::Bundle;
use crate::model::detector::{PatchCore, PatchEmbedder};
#[cfg(not(feature = "tensorrt"))]
use crate::model::engine::EngineError;
use crate::model::engine::{CardOptions, EngineChoice, EngineOptions, processors};
use crate::model::graph::{Calibrator, Precision, Ranges};
use crate::model::{Accept, Backbone, Detector, heatmap};
use crate::publish::Render;
use crate::runtime::{Made, MakeDetector};
use crate::telemetry::{LogGuard, LogOptions, init_logging};
use crate::types::ModelTag;

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
    card: CardArgs,
}

/// The engines by name; one that was not compiled in is a usage error.
fn built_in() -> impl TypedValueParser<Value = EngineChoice> {
    EnumValueParser::<EngineChoice>::new().try_map(|choice| {
        let lacking = match choice {
            EngineChoice::TensorRt if !cfg!(feature = "tensorrt") => "tensorrt",
            EngineChoice::Ort if !cfg!(feature = "ort") => "ort",
            EngineChoice::Rten if !cfg!(feature = "rten") => "rten",
            _ => return Ok(choice),
        };
        Err(units::not_built(lacking, lacking))
    })
}

/// How an NVIDIA card is used, from the command line.
#[derive(Clone, Debug, Args)]
pub(super) struct CardArgs {
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

impl CardArgs {
    pub fn options(&self) -> CardOptions {
        let (tensorrt, cache) = (self.tensorrt.clone(), self.engine_cache.clone());
        CardOptions { precision: self.precision, tensorrt, cache, max_wait: Duration::ZERO }
    }
}

impl EngineArgs {
    pub fn options(&self) -> EngineOptions {
        let threads = if self.threads == 0 { processors() } else { self.threads };
        EngineOptions { choice: self.engine, threads, ort_library: self.ort_library.clone(), card: self.card.options() }
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
    pub detector: Box<dyn Detector>,
    pub degraded: Option<String>,
    /// There is a card, and no engine for it yet.
    pub build: bool,
    /// Largest relative difference of a parity score.
    pub parity: f32,
}

/// The frames that are judged: those of the kind that was learned.
pub(super) fn required(size: FrameSize, bundle: &Bundle) -> Accept {
    Accept::learned(&bundle.manifest, size == FrameSize::Any)
}

/// Opens the bundle's network with an engine, compares its scores with the reference, warms it up.
pub(super) fn ready(bundle: &Arc<Bundle>, options: &EngineOptions, size: FrameSize) -> anyhow::Result<Ready> {
    #[cfg(feature = "tensorrt")]
    let card = {
        use super::card::{self, FromCard};
        match card::ready(bundle, options.choice, &options.card, 1)? {
            FromCard::Ready(on_card) => {
                let card::OnCard { mut detector, parity } = *on_card;
                detector.require(required(size, bundle));
                match detector.warm_up() {
                    Ok(()) => return Ok(Ready { detector: Box::new(detector), degraded: None, build: false, parity }),
                    // No memory for frames of this size, perhaps.
                    Err(fault) if options.choice == EngineChoice::Auto => {
                        Some((format!("its first frame failed: {fault}"), false))
                    }
                    Err(fault) => return Err(fault.into()),
                }
            }
            FromCard::Cpu => None,
            FromCard::Degraded { why, build } => Some((why, build)),
        }
    };
    #[cfg(not(feature = "tensorrt"))]
    let card = match options.choice {
        EngineChoice::TensorRt => return Err(EngineError::NotBuilt { name: "tensorrt" }.into()),
        _ => None::<(String, bool)>,
    };
    let on_cpu = on_cpu(bundle, &bundle.network(), options, size)?;
    Ok(match card {
        Some((why, build)) => Ready { degraded: Some(format!("the CPU instead of the card: {why}")), build, ..on_cpu },
        None => on_cpu,
    })
}

/// The same on the CPU, with this network for the bundle's.
pub(super) fn on_cpu(
    bundle: &Arc<Bundle>,
    network: &Backbone,
    options: &EngineOptions,
    size: FrameSize,
) -> anyhow::Result<Ready> {
    let (embedder, degraded) = PatchEmbedder::open(network, options)?;
    let degraded = degraded.map(|why| format!("the compiled-in engine rten instead of ONNX Runtime: {why}"));
    let mut detector = PatchCore::new(embedder, bundle.clone(), options.threads.max(1))?;
    let changed = network.onnx != bundle.backbone;
    // A network that was changed on purpose has scores of its own.
    let allowed = if changed { f32::INFINITY } else { parity_tolerance(bundle, Precision::Fp32) };
    let parity = parity_check(bundle, &mut detector, allowed)?;
    tracing::debug!("parity scores within {parity:e}");
    detector.require(required(size, bundle));
    detector.warm_up()?;
    Ok(Ready { detector: Box::new(detector), degraded, build: false, parity })
}

/// The ranges of values in a bundle's network, seen on these good pictures; without a folder, on the bundle's parity pictures.
pub(super) fn ranges(bundle: &Bundle, folder: Option<&Path>, options: &EngineOptions) -> anyhow::Result<Ranges> {
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

/// Hands the first detector out once and makes new ones after that: on the card if that works, else on the CPU.
pub(super) fn make_detector(
    first: Ready,
    bundle: Arc<Bundle>,
    options: EngineOptions,
    size: FrameSize,
) -> MakeDetector {
    let mut first = Some(first);
    Box::new(move || {
        let ready = match first.take() {
            Some(ready) => ready,
            None => again(&bundle, &options, size).map_err(|e| format!("{e:#}"))?,
        };
        Ok(Made { detector: ready.detector, degraded: ready.degraded.is_some() })
    })
}

/// After a fault. A card that was lost stays lost for a process, so what asked for the card alone gets the CPU too: parts are worth more.
fn again(bundle: &Arc<Bundle>, options: &EngineOptions, size: FrameSize) -> anyhow::Result<Ready> {
    let made = ready(bundle, options, size);
    match (made, options.choice) {
        (Err(why), EngineChoice::TensorRt) => {
            tracing::error!("the card is lost, the CPU takes over: {why:#}");
            let on_cpu = EngineOptions { choice: EngineChoice::Auto, ..options.clone() };
            let made = self::on_cpu(bundle, &bundle.network(), &on_cpu, size)?;
            Ok(Ready { degraded: Some("the CPU instead of the card, which is lost".to_owned()), ..made })
        }
        (made, _) => made,
    }
}

/// Provenance for verdicts.
pub(super) fn tag(bundle: &Bundle, engine: &str) -> Arc<ModelTag> {
    let m = &bundle.manifest;
    Arc::new(ModelTag {
        name: m.name.clone(),
        blake3: bundle.blake3.clone(),
        engine: engine.to_owned(),
        threshold: m.threshold,
        sources: m.training.sources.clone(),
    })
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
