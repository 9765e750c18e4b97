//! Detectors on an NVIDIA card: engines that were built for it, compared with the reference before each use.

use std::sync::Arc;
use std::time::Instant;

use anyhow::anyhow;

use crate::cuda::tensorrt::{Cache, Engine, EnginePlan, Entry, Search, TensorRt, TensorRtTrunk};
use crate::cuda::{CudaError, Device, DevicePatchCore};
use crate::fit::{ParityError, parity_check, parity_tolerance};
use crate::model::bundle::Bundle;
use crate::model::engine::{CardOptions, EngineChoice};
use crate::model::graph::{Precision, Ranges};

/// Scratch memory of the builder.
const WORKSPACE: usize = 512 << 20;

/// A card and a TensorRT to use it with.
pub(super) struct Card {
    pub device: Device,
    pub library: Arc<TensorRt>,
    pub cache: Cache,
}

/// Whether there is one.
pub(super) enum Look {
    Here(Box<Card>),
    /// No driver, or no TensorRT: this is a machine without, and its engines are those of the CPU.
    None(anyhow::Error),
    /// There is one that does not work.
    Broken(anyhow::Error),
}

impl Card {
    pub fn look(options: &CardOptions) -> Look {
        let device = match Device::open(0) {
            Ok(device) => device,
            Err(e @ CudaError::NoDriver) => return Look::None(e.into()),
            Err(e) => return Look::Broken(e.into()),
        };
        let library = match TensorRt::open(&Search { folder: options.tensorrt.clone() }) {
            Ok(library) => library,
            Err(e) => return Look::None(e.into()),
        };
        match Cache::new(options.cache.as_deref()) {
            Ok(cache) => Look::Here(Box::new(Card { device, library, cache })),
            Err(e) => Look::Broken(e.into()),
        }
    }

    pub fn open(options: &CardOptions) -> anyhow::Result<Card> {
        match Card::look(options) {
            Look::Here(card) => Ok(*card),
            Look::None(e) | Look::Broken(e) => Err(e),
        }
    }

    /// The detector on an engine that was built before; `None` if there is none for this card, library and precision. An error if one was
    /// built and refused.
    pub fn ready(&self, bundle: &Arc<Bundle>, precision: Precision, frames: usize) -> anyhow::Result<Option<OnCard>> {
        let backbone = bundle.network();
        let plan = EnginePlan { backbone: &backbone, part: &bundle.manifest.name, precision, frames };
        let fingerprint = plan.fingerprint(&self.library, &self.device)?;
        let Some((_, engine)) = self.cache.load(&fingerprint)? else {
            return match self.cache.refused(&fingerprint, &bundle.blake3) {
                Some(why) => Err(anyhow!(
                    "the engine that was built for it was refused: {why}; `andon engine build --again` tries anew"
                )),
                None => Ok(None),
            };
        };
        self.compared(bundle, &plan, &engine).map(Some)
    }

    /// A detector whose scores are those of the reference.
    fn compared(&self, bundle: &Arc<Bundle>, plan: &EnginePlan<'_>, engine: &[u8]) -> anyhow::Result<OnCard> {
        // A stream of its own: cameras do not wait for each other.
        let device = Device::open(0)?;
        let engine = Arc::new(Engine::load(self.library.clone(), &device, engine)?);
        let trunk = TensorRtTrunk::new(&device, engine, &plan.backbone.outputs, plan.images())?;
        let mut detector = DevicePatchCore::new(device, Box::new(trunk), bundle.clone())?;
        let parity = parity_check(bundle, &mut detector, parity_tolerance(bundle, plan.precision))?;
        Ok(OnCard { detector, parity })
    }

    /// Builds an engine, compares it with the reference and keeps it. `progress` as [`TensorRt::build`] has it.
    pub fn build(
        &self,
        bundle: &Arc<Bundle>,
        precision: Precision,
        frames: usize,
        ranges: &Ranges,
        progress: &(dyn Fn(&str, u32, u32) -> bool + Sync),
    ) -> anyhow::Result<(OnCard, Entry)> {
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
        let why = compared.as_ref().err().filter(|e| matches!(e.downcast_ref(), Some(ParityError::Differs { .. })));
        self.cache.refuse(&fingerprint, &bundle.blake3, why.map(|e| format!("{e:#}")).as_deref())?;
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

/// A detector that was compared with the reference.
pub(super) struct OnCard {
    pub detector: DevicePatchCore,
    /// Largest relative difference of a parity score.
    pub parity: f32,
}

/// What a camera gets from the card.
pub(super) enum FromCard {
    Ready(Box<OnCard>),
    /// The CPU is what there is.
    Cpu,
    /// The CPU, although there is a card: why, and whether an engine can be built.
    Degraded {
        why: String,
        build: bool,
    },
}

/// The detector for what was asked, for `frames` at a time.
pub(super) fn ready(
    bundle: &Arc<Bundle>,
    choice: EngineChoice,
    options: &CardOptions,
    frames: usize,
) -> anyhow::Result<FromCard> {
    let none = || {
        let precision = options.precision.as_str();
        let together = if frames > 1 { format!(" --frames {frames}") } else { String::new() };
        format!(
            "no {precision} engine{} was built for this card; `andon engine build MODEL --precision {precision}{together}` does",
            if frames > 1 { format!(" for {frames} frames at a time") } else { String::new() }
        )
    };
    let try_card = |card: &Card| card.ready(bundle, options.precision, frames);
    if bundle.manifest.input.range.is_some() && choice != EngineChoice::Ort && choice != EngineChoice::Rten {
        let why = "frames of 16 bits are prepared on the CPU only";
        return match choice {
            EngineChoice::TensorRt => Err(anyhow!("{why}; use the engine ort or rten")),
            _ => Ok(FromCard::Degraded { why: why.to_owned(), build: false }),
        };
    }
    match choice {
        EngineChoice::Ort | EngineChoice::Rten => Ok(FromCard::Cpu),
        EngineChoice::TensorRt => {
            let card = Card::open(options)?;
            Ok(FromCard::Ready(Box::new(try_card(&card)?.ok_or_else(|| anyhow!(none()))?)))
        }
        EngineChoice::Auto => match Card::look(options) {
            Look::None(why) => {
                tracing::debug!("no card: {why:#}");
                Ok(FromCard::Cpu)
            }
            Look::Broken(why) => Ok(FromCard::Degraded { why: format!("{why:#}"), build: false }),
            Look::Here(card) => Ok(match try_card(&card) {
                Ok(Some(on_card)) => FromCard::Ready(Box::new(on_card)),
                Ok(None) => FromCard::Degraded { why: none(), build: options.precision != Precision::Int8 },
                Err(why) => FromCard::Degraded { why: format!("{why:#}"), build: false },
            }),
        },
    }
}
