//! From a model file to a detector that may judge: choice of the engine, comparison with the reference, first frame.

use std::sync::Arc;

use thiserror::Error;

use super::gpu::{self, GpuError};
use crate::config::FrameSize;
use andon_core::Detector;
use andon_core::{Fault, ModelTag};
use andon_line::runtime::{BuiltDetector, DetectorFactory};
use andon_vision::fit::{ParityError, parity_check, parity_tolerance};
use andon_vision::methods;
use andon_vision::model::bundle::Bundle;
use andon_vision::model::engine::{EngineChoice, EngineError, EngineOptions};
use andon_vision::model::graph::Precision;
use andon_vision::model::{Backbone, Restricted};

/// Why there is no detector.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The engine or its library.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Its scores are not those of the reference.
    #[error(transparent)]
    Parity(#[from] ParityError),
    /// The first frame failed.
    #[error(transparent)]
    FirstFrame(#[from] Fault),
    /// The card.
    #[error(transparent)]
    GpuContext(#[from] GpuError),
}

/// A detector that reproduces its bundle's parity set.
pub struct OpenedDetector {
    /// It was warmed up.
    pub detector: Box<dyn Detector>,
    /// Why it is not on the fastest engine, if so.
    pub degraded: Option<String>,
    /// There is a card, and no engine for it yet.
    pub build: bool,
    /// Largest relative difference of a parity score.
    pub parity: f32,
}

/// The feature of the program that an engine needs and this build lacks.
pub fn lacks_feature(choice: EngineChoice) -> Option<&'static str> {
    let (is_built, feature) = match choice {
        EngineChoice::Auto => return None,
        EngineChoice::TensorRt => (cfg!(feature = "tensorrt"), "tensorrt"),
        EngineChoice::Ort => (cfg!(feature = "ort"), "ort"),
        EngineChoice::Rten => (cfg!(feature = "rten"), "rten"),
    };
    (!is_built).then_some(feature)
}

/// What the card has for a camera.
#[cfg_attr(not(feature = "tensorrt"), allow(dead_code, reason = "a build without cards has the CPU alone"))]
pub(super) enum GpuOffer {
    /// A detector on the card.
    Detector(OpenedDetector),
    /// Nothing: the CPU is what there is, or what was asked for.
    Cpu,
    /// Nothing, although there is a card.
    Degraded {
        /// The reason, in words.
        why: String,
        /// An engine can be built.
        build: bool,
    },
}

/// Opens the bundle's network with an engine, compares its scores with the reference, warms it up.
///
/// # Errors
/// [`OpenError`]; an engine that was not asked for by name is replaced by the next slower one, which `degraded` says.
pub fn open(bundle: &Arc<Bundle>, options: &EngineOptions, size: FrameSize) -> Result<OpenedDetector, OpenError> {
    let (why, build) = match gpu::offer(bundle, options, size)? {
        GpuOffer::Detector(opened) => return Ok(opened),
        GpuOffer::Cpu => return open_on_cpu(bundle, &bundle.network(), options, size),
        GpuOffer::Degraded { why, build } => (why, build),
    };
    let on_cpu = open_on_cpu(bundle, &bundle.network(), options, size)?;
    Ok(OpenedDetector { degraded: Some(format!("the CPU instead of the card: {why}")), build, ..on_cpu })
}

/// The same on the CPU, with this network for the bundle's; one that was changed on purpose is not compared.
///
/// # Errors
/// [`OpenError`].
pub fn open_on_cpu(
    bundle: &Arc<Bundle>,
    network: &Backbone,
    options: &EngineOptions,
    size: FrameSize,
) -> Result<OpenedDetector, OpenError> {
    let unknown = |why| EngineError::Load { engine: "cpu", why };
    let method = methods::of(bundle).map_err(unknown)?;
    let (mut detector, degraded) = method.open(bundle, network, options)?;
    let degraded = degraded.map(|why| format!("the compiled-in engine rten instead of ONNX Runtime: {why}"));
    let changed = network.onnx != bundle.backbone;
    // A network that was changed on purpose has scores of its own.
    let allowed = if changed { f32::INFINITY } else { parity_tolerance(bundle, Precision::Fp32) };
    let parity = parity_check(bundle, detector.as_mut(), allowed)?;
    tracing::debug!("parity scores within {parity:e}");
    let mut detector = Restricted::new(detector, size.accepted(&bundle.manifest));
    detector.warm_up()?;
    Ok(OpenedDetector { detector: Box::new(detector), degraded, build: false, parity })
}

/// Hands the first detector out once and makes new ones after that: on the card if that works, else on the CPU.
pub fn maker(first: OpenedDetector, bundle: Arc<Bundle>, options: EngineOptions, size: FrameSize) -> DetectorFactory {
    let mut first = Some(BuiltDetector { detector: first.detector, degraded: first.degraded.is_some() });
    let mut remake = remaker(bundle, options, size);
    Box::new(move || first.take().map_or_else(&mut remake, Ok))
}

/// Makes detectors anew after faults: on the card if that works, else on the CPU.
pub(super) fn remaker(bundle: Arc<Bundle>, options: EngineOptions, size: FrameSize) -> DetectorFactory {
    Box::new(move || {
        let opened = rebuild_after_fault(&bundle, &options, size)?;
        Ok(BuiltDetector { detector: opened.detector, degraded: opened.degraded.is_some() })
    })
}

/// The detector after a fault. A card that was lost stays lost for a process, so what asked for the card alone gets the CPU too: parts are worth more.
fn rebuild_after_fault(
    bundle: &Arc<Bundle>,
    options: &EngineOptions,
    size: FrameSize,
) -> Result<OpenedDetector, OpenError> {
    let made = open(bundle, options, size);
    match (made, options.choice) {
        (Err(why), EngineChoice::TensorRt) => {
            tracing::error!("the card is lost, the CPU takes over: {why}");
            let on_cpu = EngineOptions { choice: EngineChoice::Auto, ..options.clone() };
            let made = open_on_cpu(bundle, &bundle.network(), &on_cpu, size)?;
            Ok(OpenedDetector { degraded: Some("the CPU instead of the card, which is lost".to_owned()), ..made })
        }
        (made, _) => made,
    }
}

/// Provenance for verdicts; `recipe` is the one that the model belongs to.
pub fn model_tag(bundle: &Bundle, engine: &str, recipe: Option<&str>) -> Arc<ModelTag> {
    let m = &bundle.manifest;
    Arc::new(ModelTag {
        name: m.name.clone(),
        blake3: bundle.blake3.clone(),
        engine: engine.to_owned(),
        threshold: m.threshold,
        baseline: m.baseline,
        picture_size: bundle.network().picture_size(),
        sources: m.training.sources.clone(),
        recipe: recipe.map(str::to_owned),
    })
}
