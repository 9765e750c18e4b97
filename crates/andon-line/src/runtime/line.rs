//! A whole line: cameras, inspectors, decide, publish. Starts them, watches them, stops them in the order of the flow.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use thiserror::Error;

use super::cap::Cap;
use super::decide::Decide;
use super::infer::{DetectorError, Infer};
use super::inputs;
use super::lane::{Lane, LaneContext};
use super::lane_spec::LaneSpec;
use super::pictures::{self, PictureMatcher, PictureSpec, PictureTap};
use super::presence::Presence;
use super::publish::Publish;
use super::replace::{DetectorFactory, DetectorSwap};
use super::status::{LineInbox, Status};
use super::tape::Tape;
use super::wiring::{self, PartEvent};
use crate::controller::Active;
use crate::telemetry::{LatencyHistogram, Metrics};
use andon_core::Sink;
use andon_core::{CameraId, Counts, LatencySummary};
use andon_core::{NamedThread, spawn};
use andon_core::{PictureWants, RefuseNewest};
use andon_core::{Source, SourceError};

/// One camera with what inspects its frames.
pub struct CameraSpec {
    /// Name in the configuration; unique.
    pub name: String,
    /// Where frames come from.
    pub source: Box<dyn Source>,
    /// Makes the detector, now and after a fault.
    pub make_detector: DetectorFactory,
    /// Where a better one may come from while the line runs.
    pub replacement: Option<Arc<DetectorSwap>>,
    /// What judges at start.
    pub active: Active,
    /// Capture to outcome at most in free run; a later result does not count.
    pub deadline: Duration,
    /// Tells frames with a part from those without; every frame counts otherwise.
    pub presence: Option<Presence>,
}

/// What a line is made of.
pub struct LineSpec {
    /// Cameras in the order of their ids; at least one, at most [`CameraId::MAX`].
    pub cameras: Vec<CameraSpec>,
    /// How cameras and parts belong together; empty for a free run of every camera by itself. Every camera is on one lane.
    pub lanes: Vec<LaneSpec>,
    /// Who gets the records.
    pub sinks: Vec<Box<dyn Sink>>,
    /// Who gets pictures of parts, if anybody does.
    pub pictures: Option<PictureSpec>,
    /// Counters for the metrics endpoint.
    pub metrics: Arc<Metrics>,
    /// Shared state, made by [`Status::new`] or [`Line::status_of`].
    pub status: Arc<Status>,
    /// The inbox that was made with it.
    pub inbox: LineInbox,
}

/// Why a line did not start, or stopped by itself.
#[derive(Debug, Error)]
pub enum LineError {
    /// Nothing to watch, or more than one box can.
    #[error("{got} cameras configured; a line has 1 to {max}", max = CameraId::MAX)]
    Cameras {
        /// How many were given.
        got: usize,
    },
    /// A camera on no lane or on two.
    #[error("every camera has to be on exactly one lane, and the shared state has to know every lane")]
    Lanes,
    /// The detector could not be made, or not be kept going.
    #[error("camera `{camera}`: {source}")]
    Detector {
        /// Camera.
        camera: String,
        /// Reason and remedy.
        source: DetectorError,
    },
    /// The capture stage met what no retry can mend.
    #[error("camera `{camera}`: {source}")]
    Capture {
        /// Camera.
        camera: String,
        /// Reason and remedy.
        source: SourceError,
    },
    /// The system has no room for another thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
    /// A stage ended that should not have.
    #[error("stage `{0}` ended unexpectedly; this is a bug, the log names the panic")]
    StageLost(&'static str),
}

/// The final figures.
#[derive(Clone, Debug)]
pub struct LineReport {
    /// By camera id: name, parts by outcome, latency of inspected parts.
    pub cameras: Vec<(String, Counts, LatencySummary)>,
}

/// A running line.
pub struct Line {
    stop: Arc<AtomicBool>,
    status: Arc<Status>,
    failures: Receiver<LineError>,
    totals: Receiver<Vec<(Counts, LatencySummary)>>,
    parts: RefuseNewest<PartEvent>,
    inputs: Vec<NamedThread>,
    cap: Vec<NamedThread>,
    infer: Vec<NamedThread>,
    decide: Option<NamedThread>,
    publish: Option<NamedThread>,
    pictures: Option<NamedThread>,
    picture_wants: Arc<PictureWants>,
}

/// Real-time priority for the thread that decides and switches; the log says so, or why not.
fn real_time() {
    match andon_core::real_time(40) {
        Ok(()) => tracing::info!("ejectors are timed with real-time priority"),
        Err(e) => tracing::warn!("no real-time priority for the ejectors' timing ({e}): under load, edges come later"),
    }
}

impl Line {
    /// The shared state for these cameras in free run, and the line's inbox; made before the line so that sinks can hold the state.
    pub fn status_of(cameras: impl IntoIterator<Item = (String, Active)>) -> (Arc<Status>, LineInbox) {
        let cameras: Vec<_> = cameras.into_iter().collect();
        let lanes: Vec<String> = cameras.iter().map(|(name, _)| name.clone()).collect();
        Status::new(cameras, lanes)
    }

    /// Builds every detector (so that the first frame pays for nothing), then starts the threads from the sinks upward.
    ///
    /// # Errors
    /// See [`LineError`]; nothing is left running then.
    pub fn start(spec: LineSpec) -> Result<Line, LineError> {
        Line::start_with(spec, None)
    }

    /// The same, and what the lanes are fed is left on the tape for a [`crate::controller::Replay`].
    ///
    /// # Errors
    /// See [`LineError`]; nothing is left running then.
    pub fn start_recorded(spec: LineSpec, tape: Tape) -> Result<Line, LineError> {
        Line::start_with(spec, Some(tape))
    }

    fn start_with(spec: LineSpec, tape: Option<Tape>) -> Result<Line, LineError> {
        let LineSpec { cameras, lanes, sinks, pictures, metrics, status, inbox } = spec;
        if cameras.is_empty() || cameras.len() > CameraId::MAX || cameras.len() != status.cameras.len() {
            return Err(LineError::Cameras { got: cameras.len() });
        }
        let lanes = if lanes.is_empty() {
            let each = cameras.iter().enumerate();
            each.map(|(n, c)| LaneSpec::free(CameraId(n as u8), c.deadline)).collect()
        } else {
            lanes
        };
        let mut on_lanes: Vec<CameraId> = lanes.iter().flat_map(|l| l.cameras.iter().copied()).collect();
        on_lanes.sort_unstable();
        if !on_lanes.iter().map(|c| c.index()).eq(0..cameras.len()) || lanes.len() != status.lanes.len() {
            return Err(LineError::Lanes);
        }
        let (parts_tx, LineInbox(parts_rx)) = (status.parts.clone(), inbox);
        let (records_tx, records_rx) = wiring::records();
        let (maps_tx, maps_rx) = wiring::maps();
        let (fail_tx, failures) = bounded(2 * CameraId::MAX);
        let (totals_tx, totals) = bounded(1);
        let stop = Arc::new(AtomicBool::new(false));

        let mut ready = Vec::with_capacity(cameras.len());
        for mut camera in cameras {
            let made = (camera.make_detector)().map_err(|source| {
                let source = DetectorError::NotBuilt(source);
                LineError::Detector { camera: camera.name.clone(), source }
            })?;
            ready.push((camera, made.detector));
        }

        let publish = Publish::new(records_rx, maps_rx, sinks, status.clone(), &metrics.delivery);
        let publish = spawn("pub", move || publish.run())?;
        let latency = ready.iter().map(|_| LatencyHistogram::new()).collect();
        let (rules, picture_wants, picture_sink) = match pictures {
            Some(spec) => (spec.rules, spec.wants, Some(spec.sink)),
            None => Default::default(),
        };
        let (pictures_tx, pictures_rx) = wiring::pictures();
        let pictures_tx = picture_sink.is_some().then_some(pictures_tx);
        let start_pictures = |sink| spawn("pictures", move || pictures::run(&pictures_rx, sink));
        let pictures = picture_sink.map(start_pictures).transpose()?;
        let wants = picture_wants.clone();
        let matcher = PictureMatcher::new(rules, wants, pictures_tx, metrics.delivery.clone(), ready.len());
        let context =
            LaneContext { records: records_tx, status: status.clone(), metrics, latency, pictures: matcher, tape };
        let (mut running, mut inputs) = (Vec::new(), Vec::new());
        for (n, lane) in lanes.into_iter().enumerate() {
            status.lanes[n].faults.name(&lane);
            let (lane, its) = Lane::new(n as u8, lane);
            running.push(lane);
            inputs.push(its);
        }
        let acts = running.iter().any(Lane::acts);
        let decide = Decide { parts: parts_rx, maps: maps_tx, lanes: running, context, down: Vec::new() };
        // The receiver may be gone when the line was dropped without `finish`; the figures are then nobody's.
        let decide = spawn("decide", move || {
            if acts {
                real_time();
            }
            drop(totals_tx.send(decide.run()));
        })?;

        let mut line = Line {
            stop,
            status,
            failures,
            totals,
            parts: parts_tx,
            inputs: Vec::new(),
            cap: Vec::new(),
            infer: Vec::new(),
            decide: Some(decide),
            publish: Some(publish),
            pictures,
            picture_wants,
        };
        for (n, its) in inputs.into_iter().enumerate() {
            line.inputs.extend(inputs::start(n as u8, its, &line.status, &line.stop)?);
        }
        for (n, (camera, detector)) in ready.into_iter().enumerate() {
            line.start_camera(n, camera, detector, &fail_tx)?;
        }
        Ok(line)
    }

    fn start_camera(
        &mut self,
        n: usize,
        spec: CameraSpec,
        detector: Box<dyn andon_core::Detector>,
        failures: &Sender<LineError>,
    ) -> Result<(), LineError> {
        let camera = CameraId(n as u8);
        let (frames_tx, frames_rx) = wiring::frames();
        let pictures = PictureTap { camera, wants: self.picture_wants.clone(), pool: wiring::picture_pool() };
        let infer = Infer {
            camera,
            make: spec.make_detector,
            detector,
            replacement: spec.replacement,
            frames: frames_rx,
            parts: self.parts.clone(),
            maps: wiring::map_pool(),
            pictures: pictures.clone(),
            status: self.status.clone(),
        };
        let (name, fail) = (spec.name.clone(), failures.clone());
        self.infer.push(spawn(&format!("infer-{n}"), move || {
            if let Err(source) = infer.run() {
                // Room for one failure of each stage of each camera.
                drop(fail.try_send(LineError::Detector { camera: name, source }));
            }
        })?);
        let cap = Cap {
            camera,
            source: spec.source,
            frames: frames_tx,
            parts: self.parts.clone(),
            status: self.status.clone(),
            stop: self.stop.clone(),
            pictures,
            presence: spec.presence,
        };
        let (name, fail) = (spec.name, failures.clone());
        self.cap.push(spawn(&format!("cap-{n}"), move || {
            if let Err(source) = cap.run() {
                drop(fail.try_send(LineError::Capture { camera: name, source }));
            }
        })?);
        Ok(())
    }

    /// The shared state.
    pub fn status(&self) -> &Arc<Status> {
        &self.status
    }

    /// Waits until every source has ended, a stage failed, or `stop` is set; looks every 20 ms.
    ///
    /// # Errors
    /// The failure that ended the line. Call [`Line::finish`] in any case.
    pub fn wait(&self, stop: &AtomicBool) -> Result<(), LineError> {
        // A recording that breaks ends only itself: the others are played to their end.
        let mut broken = None;
        loop {
            match self.failures.recv_timeout(Duration::from_millis(20)) {
                Ok(failure @ LineError::Capture { source: SourceError::Broken { .. }, .. }) => {
                    broken.get_or_insert(failure);
                }
                Ok(failure) => return Err(failure),
                // Disconnected: every stage that could fail has ended well.
                Err(crossbeam_channel::RecvTimeoutError::Disconnected) => return broken.map_or(Ok(()), Err),
                Err(crossbeam_channel::RecvTimeoutError::Timeout) => {}
            }
            if stop.load(Relaxed) || self.cap.iter().all(NamedThread::is_done) {
                return self.failures.try_recv().ok().or(broken).map_or(Ok(()), Err);
            }
            for (stage, joined) in [("decide", &self.decide), ("pub", &self.publish)] {
                if joined.as_ref().is_some_and(NamedThread::is_done) && !self.cap.iter().all(NamedThread::is_done) {
                    return Err(LineError::StageLost(stage));
                }
            }
        }
    }

    /// Stops in the order of the flow and returns the figures of all parts.
    ///
    /// # Errors
    /// [`LineError::StageLost`] when decide did not hand over its figures.
    pub fn finish(mut self) -> Result<LineReport, LineError> {
        self.shut_down();
        let totals = self.totals.try_recv().map_err(|_| LineError::StageLost("decide"))?;
        let cameras =
            self.status.cameras.iter().zip(totals).map(|(c, (counts, latency))| (c.name.clone(), counts, latency));
        Ok(LineReport { cameras: cameras.collect() })
    }

    fn shut_down(&mut self) {
        self.stop.store(true, Relaxed);
        // A camera's driver may hang for its two seconds of teardown, an engine for one inference, the sinks for theirs.
        let limit = Duration::from_secs(5);
        for joined in self.cap.drain(..).chain(self.inputs.drain(..)).chain(self.infer.drain(..)) {
            joined.join_within(limit);
        }
        // Not by closing the channel: an inspector that hangs still holds its end.
        if self.decide.is_some() && self.parts.send_timeout(PartEvent::Close, limit).is_err() {
            tracing::error!("decide does not take the order to close");
        }
        for joined in self.decide.take().into_iter().chain(self.publish.take()).chain(self.pictures.take()) {
            joined.join_within(limit);
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.shut_down();
    }
}
