//! The `infer-N` stage: one detector, one frame at a time. A panic or a fault of the engine costs that part (ERROR) and
//! rebuilds the detector; too many of them in a minute stop the line.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use thiserror::Error;

use super::pictures::PictureTap;
use super::replace::{BuildFault, DetectorFactory, DetectorSwap};
use super::status::Status;
use super::wiring::{JudgedBy, PartEvent};
use andon_core::Detector;
use andon_core::RefuseNewest;
use andon_core::{AnomalyMap, CameraId, Detection, Fault, Frame, FrameView, Mono, Pool, Regions};

/// Why a camera has no detector (any more).
#[derive(Debug, Error)]
pub enum DetectorError {
    /// At the start.
    #[error(transparent)]
    NotBuilt(BuildFault),
    /// After a fault.
    #[error("{fault}; the detector could not be rebuilt: {source}")]
    NotRebuilt {
        /// What made it necessary.
        fault: Fault,
        /// What came of it.
        source: BuildFault,
    },
    /// No passing fault: it comes back again and again.
    #[error("{0}; the detector was rebuilt {RESTARTS} times within a minute, giving up")]
    KeepsFailing(Fault),
}

/// More rebuilds than this within [`WINDOW`] are no passing fault.
const RESTARTS: usize = 5;
/// One minute, after the usual supervisor intensity.
const WINDOW: Duration = Duration::from_secs(60);

/// In the place of a detector that is being made anew.
struct PlaceholderDetector;

impl Detector for PlaceholderDetector {
    fn warm_up(&mut self) -> Result<(), Fault> {
        Err(Fault::Engine("gone"))
    }

    fn detect(&mut self, _: &FrameView<'_>, _: &mut Detection) -> Result<(), Fault> {
        Err(Fault::Engine("gone"))
    }

    fn explain(&mut self, _: &Detection, _: f32) -> Regions {
        Regions::default()
    }

    fn engine_name(&self) -> &'static str {
        "gone"
    }
}

/// How often an inspector without frames looks whether its model is to be changed.
const IDLE: Duration = Duration::from_millis(100);

/// Between two messages about frames that cannot be judged.
const QUIET: Duration = Duration::from_secs(60);

/// Frames that cannot be judged are named at once, and then counted.
#[derive(Default)]
struct Said {
    last: Option<(Fault, Mono)>,
    untold: u64,
}

impl Said {
    fn say(&mut self, camera: &str, fault: Fault, now: Mono) {
        let same = |f: &Fault| std::mem::discriminant(f) == std::mem::discriminant(&fault);
        if self.last.as_ref().is_some_and(|(f, at)| same(f) && now.since(*at) < QUIET) {
            self.untold += 1;
            return;
        }
        let untold = std::mem::take(&mut self.untold);
        tracing::error!(camera, untold, "a part ends as ERROR: {fault}");
        self.last = Some((fault, now));
    }
}

pub(super) struct Infer {
    pub camera: CameraId,
    pub make: DetectorFactory,
    pub detector: Box<dyn Detector>,
    pub replacement: Option<Arc<DetectorSwap>>,
    pub frames: Receiver<Frame>,
    pub parts: RefuseNewest<PartEvent>,
    pub maps: Pool<AnomalyMap>,
    pub pictures: PictureTap,
    pub status: Arc<Status>,
}

impl Infer {
    /// Runs until the capture stage is gone and its queue is empty.
    pub fn run(mut self) -> Result<(), DetectorError> {
        let mut out = Detection::default();
        let mut rebuilt = VecDeque::with_capacity(RESTARTS + 1);
        let mut said = Said::default();
        while let Some(frame) = self.next() {
            let taken = Mono::now();
            let number = frame.number;
            let queue_ns = taken.0.saturating_sub(frame.t_capture.0);
            self.replace();
            let judged_by = {
                let active = self.status.cameras[self.camera.index()].active.load();
                JudgedBy { threshold: active.threshold, model: active.number, recipe: active.recipe }
            };
            let result = self.detect(&frame, judged_by.threshold.get(), &mut out);
            let map = match result {
                Ok(_) if self.status.maps_wanted.load(Relaxed) => self.map_of(&out),
                _ => None,
            };
            let (times, regions) = (out.times, result.map_or(Regions::default(), |(_, regions)| regions));
            let result = result.map(|(score, _)| score);
            let wanted = self.pictures.wanted(frame.view());
            // If this is refused, the part ends at its deadline; nothing can pass by that.
            self.tell(PartEvent::Observed {
                camera: self.camera,
                frame: number,
                result,
                judged_by,
                queue_ns,
                times,
                regions,
                map,
                picture_follows: wanted.is_some(),
            });
            // A picture takes as long to copy as memory does, so that the result is out before.
            if let Some(view) = wanted {
                let picture = self.pictures.copy(&view, result.is_ok().then_some(&out.map));
                self.tell(PartEvent::Picture { camera: self.camera, frame: number, picture });
            }
            drop(frame);
            match result {
                Ok(_) => {}
                Err(fault @ (Fault::Engine(_) | Fault::Panic)) => self.rebuild(fault, &mut rebuilt)?,
                Err(fault) => said.say(self.name(), fault, taken),
            }
        }
        Ok(())
    }

    fn tell(&self, event: PartEvent) {
        if self.parts.try_send(event).is_err() {
            self.status.shed.parts.fetch_add(1, Relaxed);
        }
    }

    fn name(&self) -> &str {
        &self.status.cameras[self.camera.index()].name
    }

    /// The next frame; `None` once the capture stage is gone and its queue is empty. A model is changed without one, too.
    fn next(&mut self) -> Option<Frame> {
        loop {
            match self.frames.recv_timeout(IDLE) {
                Ok(frame) => return Some(frame),
                Err(RecvTimeoutError::Timeout) => self.replace(),
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// The score, and the regions at or above the threshold. Advisory: the lane controller judges.
    fn detect(&mut self, frame: &Frame, threshold: f32, out: &mut Detection) -> Result<(f32, Regions), Fault> {
        let view = frame.view().ok_or(Fault::BadFrame)?;
        out.score = f32::NAN;
        out.times = Default::default();
        let detector = &mut self.detector;
        // The detector is thrown away after a panic, so its broken invariants are never seen.
        let work = AssertUnwindSafe(|| {
            detector.detect(&view, out)?;
            let above = out.score >= threshold;
            Ok((out.score, if above { detector.explain(out, threshold) } else { Regions::default() }))
        });
        catch_unwind(work).unwrap_or(Err(Fault::Panic))
    }

    fn map_of(&self, out: &Detection) -> Option<andon_core::Pooled<AnomalyMap>> {
        let loan = self.maps.take();
        match loan {
            Some(mut map) => {
                map.copy_from(&out.map);
                Some(map)
            }
            None => {
                self.status.shed.maps.fetch_add(1, Relaxed);
                None
            }
        }
    }

    fn rebuild(&mut self, fault: Fault, rebuilt: &mut VecDeque<Mono>) -> Result<(), DetectorError> {
        let now = Mono::now();
        rebuilt.retain(|t| now.since(*t) < WINDOW);
        if rebuilt.len() >= RESTARTS {
            return Err(DetectorError::KeepsFailing(fault));
        }
        rebuilt.push_back(now);
        self.status.cameras[self.camera.index()].detector_restarts.fetch_add(1, Relaxed);
        tracing::error!(camera = self.name(), %fault, "rebuilding the detector");
        // The old one goes first: a small card has no memory for two.
        self.detector = Box::new(PlaceholderDetector);
        let made = (self.make)().map_err(|source| DetectorError::NotRebuilt { fault, source })?;
        self.detector = made.detector;
        self.status.cameras[self.camera.index()].runs_on(self.detector.engine_name(), made.degraded);
        Ok(())
    }

    /// Takes another detector, if one was made meanwhile.
    fn replace(&mut self) {
        let Some(replacement) = &self.replacement else { return };
        let Some(taken) = replacement.exchange(&mut self.detector, &mut self.make) else { return };
        let (engine, camera) = (self.detector.engine_name(), &self.status.cameras[self.camera.index()]);
        match taken.model {
            Some(model) => {
                let name = model.model.clone();
                camera.judges_by(model, engine, taken.degraded);
                tracing::info!(camera = camera.name, model = name.name, engine, "another model judges from now on");
            }
            None => {
                camera.runs_on(engine, taken.degraded);
                tracing::info!(camera = camera.name, engine, "another engine inspects from now on");
            }
        }
    }
}
