//! The card of a running line: cameras that judge their frames together, and engines that are built beside it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use super::cameras::WaitingCamera;
use super::detector::{OpenError, OpenedDetector};
use super::gpu::{GpuChoice, GpuContext, GpuError, ready};
use crate::config::{Config, FrameSize};
use andon_core::Detector;
use andon_gpu::{BatchedDetector, GpuPatchDetector};
use andon_line::runtime::BuiltDetector;
use andon_vision::model::bundle::Bundle;
use andon_vision::model::engine::{EngineChoice, GpuOptions};
use andon_vision::model::graph::ActivationRanges;

/// Cameras with the same model, by their places, if the configuration wants their frames judged together; each by itself if not.
fn groups(options: &GpuOptions, bundles: impl Iterator<Item = (usize, Arc<Bundle>)>) -> Vec<Vec<usize>> {
    let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
    for (n, bundle) in bundles {
        match groups.iter_mut().find(|(model, _)| !options.max_wait.is_zero() && *model == bundle.blake3) {
            Some((_, places)) => places.push(n),
            None => groups.push((bundle.blake3.clone(), vec![n])),
        }
    }
    groups.into_iter().map(|(_, places)| places).collect()
}

/// What cameras judge their frames with, by their places, where they do so together.
///
/// # Errors
/// [`OpenError::GpuContext`].
pub(super) fn shared(c: &Config, bundles: &[Arc<Bundle>]) -> Result<BTreeMap<usize, OpenedDetector>, OpenError> {
    let mut shared = BTreeMap::new();
    if !matches!(c.engine.choice, EngineChoice::Auto | EngineChoice::TensorRt) {
        return Ok(shared);
    }
    for places in groups(&c.engine.gpu, bundles.iter().cloned().enumerate()).into_iter().filter(|g| g.len() > 1) {
        let sizes: Vec<_> = places.iter().map(|n| c.cameras[*n].frame_size).collect();
        let opened = together(&bundles[places[0]], &sizes, &c.engine.gpu)?;
        shared.extend(places.into_iter().zip(opened.into_iter().flatten()));
    }
    Ok(shared)
}

/// Detectors for cameras that judge their frames together, one for each of these sizes; `None` where each has to judge by itself.
///
/// # Errors
/// [`GpuError`].
fn together(
    bundle: &Arc<Bundle>,
    sizes: &[FrameSize],
    options: &GpuOptions,
) -> Result<Option<Vec<OpenedDetector>>, GpuError> {
    match ready(bundle, EngineChoice::Auto, options, sizes.len())? {
        GpuChoice::Ready(on_card) => {
            let parity = on_card.parity;
            let members = match members(on_card.detector, bundle, sizes, options.max_wait) {
                Ok(members) => members,
                Err(why) => {
                    tracing::warn!(model = bundle.manifest.name, "frames are not judged together: {why}");
                    return Ok(None);
                }
            };
            let ready = |detector| OpenedDetector { detector, degraded: None, build: false, parity };
            Ok(Some(members.into_iter().map(ready).collect()))
        }
        GpuChoice::Cpu => Ok(None),
        GpuChoice::Degraded { why, .. } => {
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
) -> Result<Vec<Box<dyn Detector>>, GpuError> {
    let batch = BatchedDetector::new(detector, max_wait)?;
    let member = |size: &FrameSize| batch.slot(size.accepted(&bundle.manifest));
    let members = sizes.iter().map(|size| Some(Box::new(member(size)?) as Box<dyn Detector>));
    members.collect::<Option<_>>().ok_or(GpuError::TooFewFrames)
}

/// Builds the engines that cameras wait for, one after the other, beside the running line, and offers them the detectors. `None` if no
/// camera waits.
///
/// # Errors
/// No room for a thread.
pub(super) fn build_missing(
    cameras: Vec<WaitingCamera>,
    options: &GpuOptions,
    stop: &Arc<AtomicBool>,
) -> std::io::Result<Option<std::thread::JoinHandle<()>>> {
    if cameras.is_empty() {
        return Ok(None);
    }
    let groups = groups(options, cameras.iter().map(|camera| camera.bundle.clone()).enumerate());
    let of_group = |places: Vec<usize>| places.into_iter().map(|n| cameras[n].clone()).collect();
    let wanted: Vec<Vec<WaitingCamera>> = groups.into_iter().map(of_group).collect();
    let (options, stop) = (options.clone(), stop.clone());
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
                Ok(()) => old.extend(wanted.into_iter().map(|camera| camera.replacement)),
                Err(_) if stop.load(Relaxed) => return,
                Err(e) => {
                    for camera in &wanted {
                        tracing::warn!(camera = camera.name, "still on the CPU: {e}");
                    }
                }
            }
        }
        while !stop.load(Relaxed) && !old.is_empty() {
            old.retain(|r| r.retired().is_none());
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    std::thread::Builder::new().name("engine-build".to_owned()).spawn(build).map(Some)
}

/// One engine, for cameras with the same model.
fn offer(wanted: &[WaitingCamera], options: &GpuOptions, stop: &AtomicBool) -> Result<(), GpuError> {
    let [first, ..] = wanted else { return Ok(()) };
    let (bundle, frames) = (&first.bundle, wanted.len());
    let card = GpuContext::open(options)?;
    // The engine of a camera before may serve this one.
    let on_card = match card.ready(bundle, options.precision, frames)? {
        Some(on_card) => on_card,
        None => {
            tracing::info!(model = bundle.manifest.name, "building an engine for the card; the CPU inspects meanwhile");
            let going = |_: &str, _: u32, _: u32| !stop.load(Relaxed);
            card.build(bundle, options.precision, frames, &ActivationRanges::new(), &going)?.0
        }
    };
    let mut detector = on_card.detector;
    let detectors: Vec<Box<dyn Detector>> = match wanted {
        [only] => {
            detector.require(only.frame_size.accepted(&bundle.manifest));
            detector.warm_up()?;
            vec![Box::new(detector)]
        }
        cameras => {
            let sizes: Vec<FrameSize> = cameras.iter().map(|camera| camera.frame_size).collect();
            members(detector, bundle, &sizes, options.max_wait)?
        }
    };
    for (camera, detector) in wanted.iter().zip(detectors) {
        camera.replacement.offer(BuiltDetector { detector, degraded: false });
    }
    Ok(())
}
