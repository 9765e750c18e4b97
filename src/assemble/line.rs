//! The one way from a configuration to a running line.
//!
//! A line is built in three steps: its parts are opened (cameras, lanes, the guard process), what watches it is set up around them
//! (status, metrics endpoint, control, sinks), and its threads start. `andon run` opens what the configuration names;
//! `andon demo` and `examples/line.rs` hand in cameras and lanes of their own and share everything else.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use ulid::Ulid;

use super::cameras::{self, CameraParts, WaitingCamera};
use super::detector::maker;
use super::error::BuildError;
use super::fieldio::{self, LaneParts};
use super::gpu_background;
use super::guard::Guard;
use super::health::health;
use super::page::{self, Page, RunningPage};
use super::pictures::{self, Pictures};
use super::sinks;
use crate::config::{self, Config, Loaded, Recipe, TriggerKind};
use andon_core::{Control, HardwareHealth, Mono, Sink};
use andon_io::ThermalMonitor;
use andon_io::sinks::wire::StationInfo;
use andon_line::runtime::{
    Active, CameraSpec, DetectorSwap, Line, LineControl, LineError, LineReport, LineSpec, Status,
};
use andon_line::telemetry::Metrics;
use andon_service::Server;
use andon_vision::model::bundle::Bundle;

/// The engine's builder stops at its next step, which takes a second or two.
const BUILDER_STOPS: Duration = Duration::from_secs(10);
/// Temperatures and clocks are read this often.
const HARDWARE: Duration = Duration::from_secs(1);

/// Makes a sink once the names of the line are known.
type MakeSink<'a> = Box<dyn FnOnce(&StationInfo) -> std::io::Result<Box<dyn Sink>> + 'a>;

/// A line that does not run yet. Its outputs are at their safe levels from the moment they are opened.
pub struct LineBuilder<'a> {
    // Dropped in this order: outputs before the guard that watches over them.
    cameras: Vec<CameraParts>,
    lanes: Vec<LaneParts>,
    guard: Option<Guard>,
    config: &'a Config,
    config_json: String,
    takes_triggers: bool,
    simulated: bool,
    metrics_may_fail: bool,
    /// Tables of the sinks to start; all that are enabled if `None`.
    tables: Option<&'a [&'a str]>,
    own_sinks: Vec<MakeSink<'a>>,
    page: Option<Page>,
    recipe: Option<String>,
    stop: Arc<AtomicBool>,
}

impl<'a> LineBuilder<'a> {
    /// Nothing opened yet. Names, engines, the metrics endpoint and the sinks are those of the configuration.
    ///
    /// # Errors
    /// [`BuildError::Json`].
    pub fn new(loaded: &'a Loaded, stop: Arc<AtomicBool>) -> Result<LineBuilder<'a>, BuildError> {
        Ok(LineBuilder {
            cameras: Vec::new(),
            lanes: Vec::new(),
            guard: None,
            config: &loaded.config,
            config_json: config::masked(&loaded.raw)?.to_string(),
            takes_triggers: false,
            simulated: false,
            metrics_may_fail: false,
            tables: None,
            own_sinks: Vec::new(),
            page: None,
            recipe: None,
            stop,
        })
    }

    /// Opens what the configuration names: detectors and pipelines, then the guard process, then inputs, outputs and encoder. `models` are in the
    /// order of the cameras, as [`super::precheck::load`] returns them. `andon` is the `andon` program, started a second time as the guard that
    /// makes the outputs safe when this process is killed.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn open_configured(mut self, models: Vec<Arc<Bundle>>, andon: &Path) -> Result<LineBuilder<'a>, BuildError> {
        let c = self.config;
        self.cameras.extend(cameras::open_all(c, models)?);
        self.guard = Guard::start(&c.parts, andon);
        self.lanes.extend(fieldio::lanes(c)?);
        self.takes_triggers = c.parts.trigger == TriggerKind::Message;
        Ok(self)
    }

    /// One more camera; cameras are numbered in the order in which they come.
    pub fn camera(mut self, camera: CameraParts) -> LineBuilder<'a> {
        self.cameras.push(camera);
        self
    }

    /// One more lane. Every camera is on exactly one.
    pub fn lane(mut self, lane: LaneParts) -> LineBuilder<'a> {
        self.lanes.push(lane);
        self
    }

    /// Every record says that its pictures are simulated.
    pub fn simulated(mut self) -> LineBuilder<'a> {
        self.simulated = true;
        self
    }

    /// A metrics endpoint that cannot be opened, because another line has its port, does not matter.
    pub fn metrics_may_fail(mut self) -> LineBuilder<'a> {
        self.metrics_may_fail = true;
        self
    }

    /// Starts no sinks of the configuration but those of these tables, as far as they are enabled and built in; `pictures` is one of them.
    pub fn only_sinks(mut self, tables: &'a [&'a str]) -> LineBuilder<'a> {
        self.tables = Some(tables);
        self
    }

    /// One more sink, beside those of the configuration.
    pub fn sink(mut self, make: impl FnOnce(&StationInfo) -> std::io::Result<Box<dyn Sink>> + 'a) -> LineBuilder<'a> {
        self.own_sinks.push(Box::new(make));
        self
    }

    /// The recipe whose models the cameras have, by name. Without a word it is the first of the configuration that has the cameras' files.
    pub fn recipe(mut self, recipe: Option<String>) -> LineBuilder<'a> {
        self.recipe = recipe;
        self
    }

    /// Serves the operator's page; with it, every change of the line needs a role and stands in the audit, by whichever way it comes.
    pub fn page(mut self, page: Option<Page>) -> LineBuilder<'a> {
        self.page = page;
        self
    }

    /// Sets up what watches the line, and starts its threads.
    ///
    /// # Errors
    /// [`BuildError`]; nothing is left running then.
    pub fn start(self) -> Result<RunningLine, BuildError> {
        let files: Vec<Option<&PathBuf>> = self.cameras.iter().map(|c| c.model.as_ref()).collect();
        let of_files = || Recipe::of_files(&self.config.recipes, &files).map(|recipe| recipe.name.clone());
        let recipe = self.recipe.clone().or_else(of_files);
        let recipe = recipe.as_deref();
        let actives: Vec<(String, Active)> = self.cameras.iter().map(|c| (c.name.clone(), c.active(recipe))).collect();
        let (status, inbox) = Status::new(actives.clone(), self.lanes.iter().map(|lane| lane.name.clone()));
        let mut station = self.station();
        let metrics = Metrics::new(&station.cameras);
        station.machine = metrics.machine.clone();
        station.delivery = metrics.delivery.clone();
        let watched = status.clone();
        metrics.watch(move || watched.line_state());
        watch_hardware(station.machine.clone(), self.stop.clone())?;
        let server = serve(self.config.metrics, self.metrics_may_fail, &metrics, &status)?;
        let mut control: Arc<dyn Control> = Arc::new(LineControl {
            status: status.clone(),
            takes_triggers: self.takes_triggers,
            threshold_unsafe: self.cameras.iter().map(|c| c.threshold_unsafe).collect(),
            config_json: self.config_json,
        });
        let frames: Vec<Option<[u32; 2]>> = self.cameras.iter().map(|c| c.bundle.manifest.frame_size).collect();
        let keeps = self.tables.is_none_or(|tables| tables.contains(&"pictures"));
        let (spec, pictures) = pictures::open(self.config, keeps, &station)?;
        let swaps: Vec<Arc<DetectorSwap>> = self.cameras.iter().map(|_| Arc::default()).collect();
        let of_page = page::Beside {
            station: &station,
            frames: &frames,
            pictures: &pictures,
            status: &status,
            cameras: &self.cameras,
            swaps: &swaps,
            recipes: &self.config.recipes,
            recipe,
        };
        let served = self.page.map(|page| page::serve(page, of_page, control.clone())).transpose()?;
        let (mut page, mut own) = (None, Vec::new());
        if let Some(served) = served {
            control = served.control;
            own.extend(served.sink);
            page = served.server;
        }
        let (specs, waiting) = camera_specs(self.cameras, actives, swaps);
        let builder = gpu_background::build_missing(waiting, &self.config.engine.gpu, &self.stop)?;
        let context = sinks::Context { station: &station, control: &control, takes_triggers: self.takes_triggers };
        let mut all = sinks::start(self.config, self.tables, context)?;
        all.extend(own);
        for make in self.own_sinks {
            all.push(make(&station)?);
        }
        let lanes = self.lanes.into_iter().map(|lane| lane.spec).collect();
        let line =
            Line::start(LineSpec { cameras: specs, lanes, sinks: all, pictures: Some(spec), metrics, status, inbox })?;
        Ok(RunningLine { line, station, pictures, stop: self.stop, builder, page, _server: server, _guard: self.guard })
    }

    /// The box and everything that hangs on it, by name.
    fn station(&self) -> StationInfo {
        let c = self.config;
        let only_names = |points: Vec<(String, String)>| points.into_iter().map(|(name, _)| name).collect();
        StationInfo {
            site: c.site.clone(),
            line: c.line.clone(),
            station: c.station.clone(),
            box_name: c.box_name.clone(),
            cameras: self.cameras.iter().map(|camera| camera.name.clone()).collect(),
            lanes: self.lanes.iter().map(|lane| lane.name.clone()).collect(),
            ejectors: self.lanes.iter().map(|l| l.spec.ejectors.iter().map(|e| e.name.clone()).collect()).collect(),
            outputs: self.lanes.iter().map(|lane| only_names(lane.spec.outputs())).collect(),
            inputs: self.lanes.iter().map(|lane| only_names(lane.spec.inputs())).collect(),
            simulated: self.simulated,
            boot: Ulid::generate(),
            shifts: c.shifts.clone(),
            ..StationInfo::default()
        }
    }
}

/// The cameras for the line's threads, and those of them that wait for an engine on the card.
fn camera_specs(
    cameras: Vec<CameraParts>,
    actives: Vec<(String, Active)>,
    swaps: Vec<Arc<DetectorSwap>>,
) -> (Vec<CameraSpec>, Vec<WaitingCamera>) {
    let mut specs = Vec::new();
    let mut waiting = Vec::new();
    for ((camera, (_, active)), swap) in cameras.into_iter().zip(actives).zip(swaps) {
        let CameraParts { name, source, bundle, detector, engine, frame_size, deadline, presence, .. } = camera;
        if detector.build {
            let (name, bundle, replacement) = (name.clone(), bundle.clone(), swap.clone());
            waiting.push(WaitingCamera { name, bundle, frame_size, replacement });
        }
        let replacement = Some(swap);
        let make_detector = maker(detector, bundle, engine, frame_size);
        specs.push(CameraSpec { name, source, make_detector, replacement, active, deadline, presence });
    }
    (specs, waiting)
}

/// The metrics endpoint, if the configuration wants one.
fn serve(
    address: Option<SocketAddr>,
    may_fail: bool,
    metrics: &Arc<Metrics>,
    status: &Arc<Status>,
) -> Result<Option<Server>, BuildError> {
    let Some(address) = address else { return Ok(None) };
    match Server::start(address, metrics.clone(), health(status.clone(), metrics.delivery.clone())) {
        Err(_) if may_fail => Ok(None),
        other => Ok(Some(other?)),
    }
}

/// Reads temperatures and clocks on a thread of its own: files and the driver may take their time, and nothing waits for them.
fn watch_hardware(machine: HardwareHealth, stop: Arc<AtomicBool>) -> std::io::Result<()> {
    let watch = move || {
        let mut heat = ThermalMonitor::open();
        while !stop.load(Relaxed) {
            machine.set(heat.read());
            std::thread::sleep(HARDWARE);
        }
    };
    std::thread::Builder::new().name("heat".to_owned()).spawn(watch).map(drop)
}

/// A line that runs. Dropped without [`RunningLine::finish`], it stops all the same.
pub struct RunningLine {
    // Dropped in this order: the line puts its outputs to their safe levels before the guard is told to go.
    line: Line,
    station: StationInfo,
    pictures: Pictures,
    stop: Arc<AtomicBool>,
    builder: Option<JoinHandle<()>>,
    page: Option<RunningPage>,
    _server: Option<Server>,
    _guard: Option<Guard>,
}

impl RunningLine {
    /// The box and everything that hangs on it, as its records name them.
    pub fn station(&self) -> &StationInfo {
        &self.station
    }

    /// Where the pictures of its parts are found.
    pub fn pictures(&self) -> &Pictures {
        &self.pictures
    }

    /// Where a browser finds its page, if it has one.
    pub fn page_url(&self) -> Option<String> {
        self.page.as_ref().map(page::url)
    }

    /// Counters and states of its cameras and lanes.
    pub fn status(&self) -> &Arc<Status> {
        self.line.status()
    }

    /// Waits until it is told to stop, until every camera has ended, or until a stage failed.
    ///
    /// # Errors
    /// The failure. Call [`RunningLine::finish`] in any case.
    pub fn wait(&self) -> Result<(), LineError> {
        self.line.wait(&self.stop)
    }

    /// Stops in the order of the flow and returns the figures of all parts.
    ///
    /// # Errors
    /// [`LineError::StageLost`] when the figures are lost.
    pub fn finish(self) -> Result<LineReport, LineError> {
        let report = self.line.finish();
        // For the threads beside the line, if its cameras ended by themselves.
        self.stop.store(true, Relaxed);
        leave(self.builder);
        report
    }
}

/// Lets a builder, which was told to stop, leave the driver in good order: it stops at its next step, and keeps what it measured. Libraries that have no steps
/// (TensorRT 8) are left to the end of the process.
fn leave(builder: Option<JoinHandle<()>>) {
    let Some(builder) = builder else { return };
    let end = Mono::now() + BUILDER_STOPS;
    while !builder.is_finished() && Mono::now() < end {
        std::thread::sleep(Duration::from_millis(20));
    }
    if !builder.is_finished() {
        tracing::warn!("the engine's build does not stop within {} s; leaving it", BUILDER_STOPS.as_secs());
    }
}
