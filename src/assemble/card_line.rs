//! The card of a running line: cameras that judge their frames together, and engines that are built beside it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use super::card::{Card, CardError, FromCard, ready};
use super::detector::{Opened, required};
use crate::config::FrameSize;
use andon_core::Detector;
use andon_gpu::{BatchedDetector, GpuPatchDetector};
use andon_line::runtime::{Made, Replacement};
use andon_vision::model::bundle::Bundle;
use andon_vision::model::engine::{CardOptions, EngineChoice};
use andon_vision::model::graph::Ranges;

/// Detectors for cameras that judge their frames together, one for each of these sizes; `None` where each has to judge by itself.
///
/// # Errors
/// [`CardError`].
pub fn together(
    bundle: &Arc<Bundle>,
    sizes: &[FrameSize],
    options: &CardOptions,
) -> Result<Option<Vec<Opened>>, CardError> {
    match ready(bundle, EngineChoice::Auto, options, sizes.len())? {
        FromCard::Ready(on_card) => {
            let parity = on_card.parity;
            let members = match members(on_card.detector, bundle, sizes, options.max_wait) {
                Ok(members) => members,
                Err(why) => {
                    tracing::warn!(model = bundle.manifest.name, "frames are not judged together: {why}");
                    return Ok(None);
                }
            };
            let ready = |detector| Opened { detector, degraded: None, build: false, parity };
            Ok(Some(members.into_iter().map(ready).collect()))
        }
        FromCard::Cpu => Ok(None),
        FromCard::Degraded { why, .. } => {
            tracing::warn!(model = bundle.manifest.name, "frames are not judged together: {why}");
            Ok(None)
        }
    }
}

/// Shares of a detector for cameras with frames of these sizes.
fn members(
    detector: GpuPatchDetector,
    bundle: &Arc<Bundle>,
    sizes: &[FrameSize],
    max_wait: Duration,
) -> Result<Vec<Box<dyn Detector>>, CardError> {
    let batch = BatchedDetector::new(detector, max_wait)?;
    let member = |size: &FrameSize| batch.slot(required(*size, bundle));
    let members = sizes.iter().map(|size| Some(Box::new(member(size)?) as Box<dyn Detector>));
    members.collect::<Option<_>>().ok_or(CardError::TooFewFrames)
}

/// Cameras that wait for one engine.
pub struct Wanted {
    /// Their model.
    pub bundle: Arc<Bundle>,
    /// Each camera's name, the size of its frames, and where its detector goes.
    pub cameras: Vec<(String, FrameSize, Arc<Replacement>)>,
}

/// Builds the engines that cameras wait for, one after the other, beside the running line, and offers them the detectors.
///
/// # Errors
/// No room for a thread.
pub fn build_beside(
    wanted: Vec<Wanted>,
    options: CardOptions,
    stop: Arc<AtomicBool>,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    let build = move || {
        // Whatever the line does comes first.
        andon_core::lowest_priority();
        let mut old = Vec::new();
        for wanted in wanted {
            // Once more: what other threads do on the card meanwhile can disturb a build.
            let offered = offer(&wanted, &options, &stop).or_else(|e| {
                tracing::info!("the engine is tried again: {e}");
                if stop.load(Relaxed) { Err(e) } else { offer(&wanted, &options, &stop) }
            });
            match offered {
                Ok(()) => old.extend(wanted.cameras.into_iter().map(|(_, _, replacement)| replacement)),
                Err(_) if stop.load(Relaxed) => return,
                Err(e) => {
                    for (camera, ..) in &wanted.cameras {
                        tracing::warn!(camera, "still on the CPU: {e}");
                    }
                }
            }
        }
        while !stop.load(Relaxed) && !old.is_empty() {
            old.retain(|r| r.retired().is_none());
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    std::thread::Builder::new().name("engine-build".to_owned()).spawn(build)
}

fn offer(wanted: &Wanted, options: &CardOptions, stop: &AtomicBool) -> Result<(), CardError> {
    let (bundle, frames) = (&wanted.bundle, wanted.cameras.len());
    let card = Card::open(options)?;
    // The engine of a camera before may serve this one.
    let on_card = match card.ready(bundle, options.precision, frames)? {
        Some(on_card) => on_card,
        None => {
            tracing::info!(model = bundle.manifest.name, "building an engine for the card; the CPU inspects meanwhile");
            let going = |_: &str, _: u32, _: u32| !stop.load(Relaxed);
            card.build(bundle, options.precision, frames, &Ranges::new(), &going)?.0
        }
    };
    let mut detector = on_card.detector;
    let detectors: Vec<Box<dyn Detector>> = match wanted.cameras.as_slice() {
        [(_, size, _)] => {
            detector.require(required(*size, bundle));
            detector.warm_up()?;
            vec![Box::new(detector)]
        }
        cameras => {
            let sizes: Vec<FrameSize> = cameras.iter().map(|(_, size, _)| *size).collect();
            members(detector, bundle, &sizes, options.max_wait)?
        }
    };
    for ((_, _, replacement), detector) in wanted.cameras.iter().zip(detectors) {
        replacement.offer(Made { detector, degraded: false });
    }
    Ok(())
}
