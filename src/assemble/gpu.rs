//! Detectors on an NVIDIA card: engines that were built for it, compared with the reference before each use.

use std::sync::Arc;
use std::time::Instant;

use thiserror::Error;

use super::detector::{GpuOffer, OpenError, OpenedDetector};
use crate::config::FrameSize;
use andon_core::{Detector, Fault};
use andon_gpu::tensorrt::{
    Cache, CacheError, Engine, EnginePlan, Entry, LibrarySearch, TensorRt, TensorRtBackbone, TensorRtError,
};
use andon_gpu::{CudaError, Device, GpuPatchDetector};
use andon_vision::fit::{ParityError, parity_check, parity_tolerance};
use andon_vision::methods;
use andon_vision::model::bundle::Bundle;
use andon_vision::model::engine::{EngineChoice, EngineOptions, GpuOptions};
use andon_vision::model::graph::{ActivationRanges, Precision};

/// Scratch memory of the builder.
const WORKSPACE: usize = 512 << 20;

/// Why the card does not judge.
#[derive(Debug, Error)]
pub enum GpuError {
    /// The card itself.
    #[error(transparent)]
    Cuda(#[from] CudaError),
    /// TensorRT.
    #[error(transparent)]
    TensorRt(#[from] TensorRtError),
    /// The folder of built engines.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// An engine's scores are not those of the reference.
    #[error(transparent)]
    Parity(#[from] ParityError),
    /// An engine was built before and its scores were not those of the reference.
    #[error("the engine that was built for it was refused: {why}; `andon engine build --again` tries anew")]
    Refused {
        /// What was wrong with it.
        why: String,
    },
    /// None was built yet.
    #[error(
        "no {precision} engine{together} was built for this card; `andon engine build MODEL --precision {precision}{flag}` does"
    )]
    NoEngine {
        /// The arithmetic that was asked for.
        precision: &'static str,
        /// For how many frames at a time, in words; empty for one.
        together: String,
        /// The same as a flag.
        flag: String,
    },
    /// The model takes frames that the card cannot prepare.
    #[error("frames of 16 bits are prepared on the CPU only; use the engine ort or rten")]
    SixteenBits,
    /// The model's method has no kernels.
    #[error("{0}; use the engine ort or rten for it")]
    NoKernels(String),
    /// The first frames failed.
    #[error("the first frames on the card: {0}")]
    FirstFrames(#[from] Fault),
    /// An engine for fewer frames than there are cameras.
    #[error("the engine takes fewer frames than there are cameras")]
    TooFewFrames,
}

/// A card and a TensorRT to use it with.
pub struct GpuContext {
    /// The first one.
    pub device: Device,
    /// What runs engines on it.
    pub library: Arc<TensorRt>,
    /// The engines that were built.
    pub cache: Cache,
}

/// Whether there is one.
pub enum GpuProbe {
    /// One that works.
    Available(Box<GpuContext>),
    /// No driver, or no TensorRT: this is a machine without, and its engines are those of the CPU.
    Absent(GpuError),
    /// There is one that does not work.
    Faulty(GpuError),
}

impl GpuContext {
    /// What there is.
    pub fn probe(options: &GpuOptions) -> GpuProbe {
        let device = match Device::open(0) {
            Ok(device) => device,
            Err(e @ CudaError::NoDriver) => return GpuProbe::Absent(e.into()),
            Err(e) => return GpuProbe::Faulty(e.into()),
        };
        let library = match TensorRt::open(&LibrarySearch { folder: options.tensorrt.clone() }) {
            Ok(library) => library,
            Err(e) => return GpuProbe::Absent(e.into()),
        };
        match Cache::new(options.cache.as_deref()) {
            Ok(cache) => GpuProbe::Available(Box::new(GpuContext { device, library, cache })),
            Err(e) => GpuProbe::Faulty(e.into()),
        }
    }

    /// The card, which has to be there.
    ///
    /// # Errors
    /// [`GpuError`].
    pub fn open(options: &GpuOptions) -> Result<GpuContext, GpuError> {
        match GpuContext::probe(options) {
            GpuProbe::Available(card) => Ok(*card),
            GpuProbe::Absent(e) | GpuProbe::Faulty(e) => Err(e),
        }
    }

    /// The detector on an engine that was built before; `None` if there is none for this card, library and precision. An error if one was
    /// built and refused.
    ///
    /// # Errors
    /// [`GpuError`].
    pub fn ready(
        &self,
        bundle: &Arc<Bundle>,
        precision: Precision,
        frames: usize,
    ) -> Result<Option<ReadyGpu>, GpuError> {
        has_kernels(bundle)?;
        let backbone = bundle.network();
        let plan = EnginePlan { backbone: &backbone, part: &bundle.manifest.name, precision, frames };
        let fingerprint = plan.fingerprint(&self.library, &self.device)?;
        let Some((_, engine)) = self.cache.load(&fingerprint)? else {
            return match self.cache.refused(&fingerprint, &bundle.blake3) {
                Some(why) => Err(GpuError::Refused { why }),
                None => Ok(None),
            };
        };
        self.compared(bundle, &plan, &engine).map(Some)
    }

    /// A detector whose scores are those of the reference.
    fn compared(&self, bundle: &Arc<Bundle>, plan: &EnginePlan<'_>, engine: &[u8]) -> Result<ReadyGpu, GpuError> {
        // A stream of its own: cameras do not wait for each other.
        let device = Device::open(0)?;
        let engine = Arc::new(Engine::load(self.library.clone(), &device, engine)?);
        let backbone = TensorRtBackbone::new(&device, engine, &plan.backbone.outputs, plan.images())?;
        let mut detector = GpuPatchDetector::new(device, Box::new(backbone), bundle.clone())?;
        let parity = parity_check(bundle, &mut detector, parity_tolerance(bundle, plan.precision))?;
        Ok(ReadyGpu { detector, parity })
    }

    /// Builds an engine, compares it with the reference and keeps it. `progress` as [`TensorRt::build`] has it.
    ///
    /// # Errors
    /// [`GpuError`].
    pub fn build(
        &self,
        bundle: &Arc<Bundle>,
        precision: Precision,
        frames: usize,
        ranges: &ActivationRanges,
        progress: &(dyn Fn(&str, u32, u32) -> bool + Sync),
    ) -> Result<(ReadyGpu, Entry), GpuError> {
        has_kernels(bundle)?;
        let backbone = bundle.network();
        let plan = EnginePlan { backbone: &backbone, part: &bundle.manifest.name, precision, frames };
        let (library, card, kind) = (self.library.name(), self.device.name(), self.device.kind()?);
        let start = Instant::now();
        self.device.bind()?;
        let mut timings = self.cache.timings(&library, &kind);
        let built = plan.build(&self.library, ranges, WORKSPACE, &mut timings, progress);
        self.cache.store_timings(&library, &kind, &timings)?;
        let engine = built?;
        let seconds = start.elapsed().as_secs_f64();
        let fingerprint = plan.fingerprint(&self.library, &self.device)?;
        let compared = self.compared(bundle, &plan, &engine);
        let differs = |e: &&GpuError| matches!(e, GpuError::Parity(ParityError::Differs { .. }));
        let why = compared.as_ref().err().filter(differs).map(ToString::to_string);
        self.cache.refuse(&fingerprint, &bundle.blake3, why.as_deref())?;
        let on_card = compared?;
        let mut entry = Entry {
            fingerprint,
            library,
            card: card.to_owned(),
            precision,
            images: plan.images(),
            part: bundle.manifest.name.clone(),
            parity: (on_card.parity, parity_tolerance(bundle, precision)),
            built: jiff::Timestamp::now().to_string(),
            seconds,
            blake3: String::new(),
        };
        self.cache.store(&mut entry, &engine)?;
        Ok((on_card, entry))
    }
}

/// Whether the card can compute what the model's method does: asked before an engine is built for nothing.
fn has_kernels(bundle: &Bundle) -> Result<(), GpuError> {
    let model = methods::of(bundle).and_then(|method| method.patch_model(bundle)).map_err(CudaError::Shape)?;
    match model.is_some_and(|model| model.op().is_some()) {
        true => Ok(()),
        false => Err(GpuError::NoKernels(methods::cpu_only(bundle))),
    }
}

/// A detector that was compared with the reference.
pub struct ReadyGpu {
    /// Not warmed up yet.
    pub detector: GpuPatchDetector,
    /// Largest relative difference of a parity score.
    pub parity: f32,
}

/// What a camera gets from the card.
pub enum GpuChoice {
    /// An engine was there.
    Ready(Box<ReadyGpu>),
    /// The CPU is what there is.
    Cpu,
    /// The CPU, although there is a card: why, and whether an engine can be built.
    Degraded {
        /// In words.
        why: String,
        /// One can be built.
        build: bool,
    },
}

/// The detector for what was asked, for `frames` at a time.
///
/// # Errors
/// [`GpuError`] where the card was asked for by name.
pub fn ready(
    bundle: &Arc<Bundle>,
    choice: EngineChoice,
    options: &GpuOptions,
    frames: usize,
) -> Result<GpuChoice, GpuError> {
    let none = || {
        let several = frames > 1;
        GpuError::NoEngine {
            precision: options.precision.as_str(),
            together: if several { format!(" for {frames} frames at a time") } else { String::new() },
            flag: if several { format!(" --frames {frames}") } else { String::new() },
        }
    };
    let try_card = |card: &GpuContext| card.ready(bundle, options.precision, frames);
    if bundle.manifest.input.range.is_some() && choice != EngineChoice::Ort && choice != EngineChoice::Rten {
        return match choice {
            EngineChoice::TensorRt => Err(GpuError::SixteenBits),
            _ => Ok(GpuChoice::Degraded {
                why: "frames of 16 bits are prepared on the CPU only".to_owned(),
                build: false,
            }),
        };
    }
    match choice {
        EngineChoice::Ort | EngineChoice::Rten => Ok(GpuChoice::Cpu),
        EngineChoice::TensorRt => {
            let card = GpuContext::open(options)?;
            Ok(GpuChoice::Ready(Box::new(try_card(&card)?.ok_or_else(none)?)))
        }
        EngineChoice::Auto => match GpuContext::probe(options) {
            GpuProbe::Absent(why) => {
                tracing::debug!("no card: {why}");
                Ok(GpuChoice::Cpu)
            }
            GpuProbe::Faulty(why) => Ok(GpuChoice::Degraded { why: why.to_string(), build: false }),
            GpuProbe::Available(card) => Ok(match try_card(&card) {
                Ok(Some(on_card)) => GpuChoice::Ready(Box::new(on_card)),
                Ok(None) => {
                    GpuChoice::Degraded { why: none().to_string(), build: options.precision != Precision::Int8 }
                }
                Err(why) => GpuChoice::Degraded { why: why.to_string(), build: false },
            }),
        },
    }
}

/// The detector for one camera, warmed up; where the engine is chosen by itself, a card whose first frame fails is passed over.
pub(super) fn offer(bundle: &Arc<Bundle>, options: &EngineOptions, size: FrameSize) -> Result<GpuOffer, OpenError> {
    let on_card = match ready(bundle, options.choice, &options.gpu, 1)? {
        GpuChoice::Ready(on_card) => on_card,
        GpuChoice::Cpu => return Ok(GpuOffer::Cpu),
        GpuChoice::Degraded { why, build } => return Ok(GpuOffer::Degraded { why, build }),
    };
    let ReadyGpu { mut detector, parity } = *on_card;
    detector.require(size.accepted(&bundle.manifest));
    match detector.warm_up() {
        Ok(()) => Ok(GpuOffer::Detector(OpenedDetector {
            detector: Box::new(detector),
            degraded: None,
            build: false,
            parity,
        })),
        // No memory for frames of this size, perhaps.
        Err(fault) if options.choice == EngineChoice::Auto => {
            Ok(GpuOffer::Degraded { why: format!("its first frame failed: {fault}"), build: false })
        }
        Err(fault) => Err(fault.into()),
    }
}
