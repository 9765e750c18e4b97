//! Cameras: for each its source of frames and the detector that judges them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::describe;
use super::detector::{OpenedDetector, model_tag, open};
use super::error::BuildError;
use super::gpu_background;
use crate::config::{Camera, Config, FrameSize, OnEos};
use andon_core::{Source, Threshold};
use andon_io::capture::{self, CaptureError, GstOptions, PipelineSpec};
use andon_line::runtime::{Active, DetectorSwap, Presence};
use andon_vision::model::bundle::Bundle;
use andon_vision::model::engine::EngineOptions;

/// A camera that is ready to run.
pub struct CameraParts {
    /// Name in the configuration; unique.
    pub name: String,
    /// Where its frames come from.
    pub source: Box<dyn Source>,
    /// The file that its model was read from; none if it was made in memory, and then nothing can be changed about it.
    pub model: Option<PathBuf>,
    /// The model.
    pub bundle: Arc<Bundle>,
    /// What judges its frames.
    pub detector: OpenedDetector,
    /// How the detector is made anew after a fault.
    pub engine: EngineOptions,
    /// Which frame sizes are accepted.
    pub frame_size: FrameSize,
    /// Scores at or over it are rejects.
    pub threshold: Threshold,
    /// The configuration named it; otherwise it is the model's own.
    pub threshold_configured: bool,
    /// It may be set far above the model's own while the line runs.
    pub threshold_unsafe: bool,
    /// Capture to outcome at most, in free run.
    pub deadline: Duration,
    /// Tells frames with a part from those without; every frame counts otherwise.
    pub presence: Option<Presence>,
}

impl CameraParts {
    /// What its parts are judged by at the start of the line.
    pub(super) fn active(&self, recipe: Option<&str>) -> Active {
        Active {
            threshold: self.threshold,
            model: model_tag(&self.bundle, self.detector.detector.engine_name(), recipe),
            degraded: self.detector.degraded.is_some(),
            number: 0,
            recipe: 0,
        }
    }
}

/// A camera that runs on the CPU until an engine is built for the card.
#[derive(Clone)]
#[cfg_attr(not(feature = "tensorrt"), allow(dead_code, reason = "only a build with cards builds engines"))]
pub(super) struct WaitingCamera {
    pub name: String,
    pub bundle: Arc<Bundle>,
    pub frame_size: FrameSize,
    /// Where the detector on the card goes.
    pub replacement: Arc<DetectorSwap>,
}

/// Opens every camera of a configuration; `models` are in the order of the cameras. Each camera's model and engine go to the log.
///
/// # Errors
/// [`BuildError`]: a detector, a threshold, a pipeline.
pub(super) fn open_all(c: &Config, models: Vec<Arc<Bundle>>) -> Result<Vec<CameraParts>, BuildError> {
    let mut shared = gpu_background::shared(c, &models).map_err(BuildError::SharedDetector)?;
    let cameras = c.cameras.iter().zip(models).enumerate();
    cameras.map(|(n, (camera, bundle))| open_one(c, camera, bundle, shared.remove(&n))).collect()
}

fn open_one(
    c: &Config,
    camera: &Camera,
    bundle: Arc<Bundle>,
    shared: Option<OpenedDetector>,
) -> Result<CameraParts, BuildError> {
    let detector = match shared {
        Some(opened) => opened,
        None => open(&bundle, &c.engine, camera.frame_size)
            .map_err(|source| BuildError::Detector { camera: camera.name.clone(), source })?,
    };
    if let Some(why) = &detector.degraded {
        tracing::warn!(camera = camera.name, "degraded: {why}");
    }
    let own = Threshold::new(bundle.manifest.threshold);
    let threshold = camera.threshold.or(own).ok_or_else(|| BuildError::NoThreshold { camera: camera.name.clone() })?;
    match describe::camera_line(camera, &bundle, detector.detector.engine_name()) {
        (line, true) => tracing::warn!("{line}"),
        (line, false) => tracing::info!("{line}"),
    }
    let source = open_source(camera, &c.allow_elements)
        .map_err(|source| BuildError::Camera { camera: camera.name.clone(), source })?;
    Ok(CameraParts {
        name: camera.name.clone(),
        source,
        model: Some(camera.model.clone()),
        bundle,
        detector,
        engine: c.engine.clone(),
        frame_size: camera.frame_size,
        threshold,
        threshold_configured: camera.threshold.is_some(),
        threshold_unsafe: camera.threshold_unsafe,
        deadline: camera.deadline,
        presence: camera.presence,
    })
}

/// The source of a camera of the configuration: its pipeline is parsed, and nothing of it starts.
///
/// # Errors
/// [`CaptureError`]: what is wrong with the pipeline, or what this machine lacks.
pub fn open_source(camera: &Camera, allow_elements: &[String]) -> Result<Box<dyn Source>, CaptureError> {
    let spec = PipelineSpec::load(&camera.pipeline, &camera.vars)?;
    let options = GstOptions {
        allow_elements: allow_elements.to_vec(),
        name: camera.name.clone(),
        end_at_eos: camera.on_eos == OnEos::End,
        silence: camera.silence,
        first_frame: camera.start_timeout,
        ..GstOptions::default()
    };
    capture::open(spec, options)
}

/// All that is wrong with a camera's pipeline and its variables. A build without GStreamer looks at the text and the variables alone.
pub(super) fn faults(camera: &Camera, allow_elements: &[String]) -> Vec<String> {
    if let Err(faults) = PipelineSpec::load_all(&camera.pipeline, &camera.vars) {
        return faults.iter().map(ToString::to_string).collect();
    }
    match open_source(camera, allow_elements) {
        Ok(_) | Err(CaptureError::NotBuilt) => Vec::new(),
        Err(e) => vec![e.to_string()],
    }
}
