//! A station without hardware: the simulated conveyor's camera and lane, and a model learned from its good parts. `andon demo` and
//! `examples/line.rs` run it through the same builder as a real line.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::cameras::CameraParts;
use super::fieldio::LaneParts;
use super::{OpenError, fit_defaults, open};
use crate::config::FrameSize;
use andon_core::{CameraId, Mono, Recorder, Source, Threshold};
use andon_io::capture::{self, CaptureError, GstOptions, PipelineSpec};
use andon_line::runtime::{EjectorLine, LaneSpec};
use andon_sim::{Conveyor, ConveyorPainter, LiveBelt, LiveEye};
use andon_vision::fit::{FitError, FitJob, FitOptions, Phase, Picture};
use andon_vision::methods::fit;
use andon_vision::model::bundle::{Bundle, BundleError};
use andon_vision::model::embedder::PatchEmbedder;
use andon_vision::model::engine::{EngineError, EngineOptions};
use andon_vision::model::{Backbone, Colour, Embed, Learned};

/// A part has its verdict before it reaches the simulated ejector, 300 ms behind the camera.
pub const DEADLINE: Duration = Duration::from_millis(250);
/// From the line's start to the first part, so that part 0 comes when everything is up.
const LEAD: Duration = Duration::from_millis(300);

/// Why the simulated station has no model, or cannot use it.
#[derive(Debug, Error)]
pub enum SimulatedError {
    /// The engine that makes features.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Learning.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// The learned model cannot be written down.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The detector.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The threshold is not above 0.
    #[error("the learned threshold cannot be used")]
    NoThreshold,
    /// The camera, such as in a build without GStreamer.
    #[error(transparent)]
    Camera(#[from] CaptureError),
}

/// Learns a model from good parts of the conveyor.
pub struct Learner {
    backbone: Backbone,
    embedder: PatchEmbedder,
    threads: usize,
}

impl Learner {
    /// Opens the compiled-in network.
    ///
    /// # Errors
    /// [`SimulatedError::Engine`].
    pub fn open(options: &EngineOptions) -> Result<Learner, SimulatedError> {
        let backbone = fit_defaults::backbone();
        let (embedder, _) = PatchEmbedder::open(&backbone, options)?;
        Ok(Learner { backbone, embedder, threads: options.threads })
    }

    /// Memory that so many pictures take: features, and the coreset's distances, of every patch; the bank and its copies are small
    /// beside them.
    pub fn bytes(&self, pictures: u64) -> u64 {
        let (columns, rows) = self.embedder.grid();
        pictures * (columns * rows * (4 * self.embedder.dim() + 24)) as u64
    }

    /// Learns from so many good parts; `progress` hears of each step.
    ///
    /// # Errors
    /// [`SimulatedError::Fit`].
    pub fn learn(
        mut self,
        conveyor: &Conveyor,
        pictures: u64,
        seed: u64,
        progress: &mut dyn FnMut(Phase, usize, usize),
    ) -> Result<Bundle, SimulatedError> {
        let side = conveyor.spec().side;
        let mut good = (0..pictures as usize).map(|k| {
            let mut rgb = Vec::new();
            conveyor.paint_good(k as u64, &mut rgb);
            Ok((format!("good_{k:04}"), Picture { width: side, height: side, rgb }))
        });
        let learned = Learned { any_size: false, colour: Colour::Colour };
        let options = FitOptions {
            seed,
            threads: self.threads,
            ..fit_defaults::options("flange", self.embedder.engine_name(), learned)
        };
        let mut fitted = fit(FitJob {
            pictures: &mut good,
            skip_bad: false,
            embedder: &mut self.embedder,
            backbone: &self.backbone,
            options: &options,
            progress,
        })?;
        // Gives it its digest.
        fitted.bundle.to_bytes()?;
        Ok(fitted.bundle)
    }
}

/// The simulated station, ready for [`super::LineBuilder`].
pub struct Station {
    /// Its camera with the detector.
    pub camera: CameraParts,
    /// Its belt with encoder, photo eye and ejector.
    pub lane: LaneParts,
    /// Where the belt is, and what the ejector hit.
    pub belt: LiveBelt,
    /// The edges of the ejector's valve.
    pub valve: Recorder,
}

/// What judges the parts of the simulated station.
pub struct Judge {
    bundle: Arc<Bundle>,
    engine: EngineOptions,
    detector: super::OpenedDetector,
}

impl Judge {
    /// Opens the detector of a model.
    ///
    /// # Errors
    /// [`SimulatedError::Open`].
    pub fn open(bundle: Arc<Bundle>, engine: EngineOptions) -> Result<Judge, SimulatedError> {
        let detector = open(&bundle, &engine, FrameSize::AsTrained)?;
        Ok(Judge { bundle, engine, detector })
    }

    /// Name of the engine.
    pub fn engine_name(&self) -> &'static str {
        self.detector.detector.engine_name()
    }

    /// Why it is not on the fastest engine, if so.
    pub fn degraded(&self) -> Option<&str> {
        self.detector.degraded.as_deref()
    }
}

/// The station with a belt that brings `rate` parts a second, `limit` of them or without end. Its first part comes 300 ms from now.
///
/// # Errors
/// [`SimulatedError`]: the threshold, the camera.
pub fn station(conveyor: &Conveyor, judge: Judge, rate: f64, limit: Option<u64>) -> Result<Station, SimulatedError> {
    let Judge { bundle, engine, detector } = judge;
    let threshold = Threshold::new(bundle.manifest.threshold).ok_or(SimulatedError::NoThreshold)?;
    let belt = LiveBelt { start: Mono::now() + LEAD, rate };
    let valve = Recorder::new("valve");
    let camera = CameraParts {
        name: "sim".to_owned(),
        source: source(conveyor.clone(), belt, limit)?,
        model: None,
        bundle,
        detector,
        engine,
        frame_size: FrameSize::AsTrained,
        threshold,
        threshold_configured: false,
        threshold_unsafe: false,
        deadline: DEADLINE,
        presence: None,
    };
    let lane = LaneParts { name: "belt".to_owned(), spec: lane(belt, limit, &valve) };
    Ok(Station { camera, lane, belt, valve })
}

/// The conveyor's camera: real GStreamer, pictures from the program.
fn source(conveyor: Conveyor, belt: LiveBelt, limit: Option<u64>) -> Result<Box<dyn Source>, CaptureError> {
    let spec = PipelineSpec::load("simulator", &BTreeMap::new())?;
    let options = GstOptions { name: "flange".to_owned(), end_at_eos: true, ..GstOptions::default() };
    let painter = ConveyorPainter { conveyor, rate: belt.rate, limit };
    capture::open_painted(spec, options, Box::new(painter), belt.start)
}

/// The belt with its photo eye and its valve.
fn lane(belt: LiveBelt, limit: Option<u64>, valve: &Recorder) -> LaneSpec {
    let mut lane = LaneSpec::free(CameraId(0), DEADLINE);
    lane.matching = belt.matching();
    lane.min_pitch = belt.min_pitch();
    lane.margin = Duration::from_millis(5);
    lane.belt = Arc::new(belt);
    lane.has_encoder = true;
    lane.triggers.push(Box::new(LiveEye { belt, limit, next: 0 }));
    lane.ejectors.push(EjectorLine {
        name: "blow".to_owned(),
        spec: belt.ejector(),
        output: Box::new(valve.clone()),
        confirm: None,
    });
    lane
}
