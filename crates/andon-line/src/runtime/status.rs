//! The line's shared state, which monitoring, control and sinks read: atomics only, so the hot path can write them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};

use arc_swap::{ArcSwap, ArcSwapOption};

use super::faults::LaneFaults;
use super::replace::ActiveModel;
use super::wiring::PartEvent;
use crate::controller::Active;
use andon_core::CameraState;
use andon_core::ModelTag;
use andon_core::{ParkedReceiver, RefuseNewest};

/// One camera's state.
#[derive(Debug)]
pub struct CameraStatus {
    /// Its name in the configuration.
    pub name: String,
    /// What judges now.
    pub active: ArcSwap<Active>,
    /// What judged before the last change of the model: parts that are still on their way were judged by it.
    before: ArcSwapOption<Active>,
    state: AtomicU8,
    /// Rebuilds of the pipeline.
    pub camera_restarts: AtomicU64,
    /// Rebuilds of the detector.
    pub detector_restarts: AtomicU64,
}

impl CameraStatus {
    /// A camera that is starting.
    pub fn new(name: String, active: Active) -> CameraStatus {
        CameraStatus {
            name,
            active: ArcSwap::from_pointee(active),
            before: ArcSwapOption::empty(),
            state: AtomicU8::new(0),
            camera_restarts: AtomicU64::new(0),
            detector_restarts: AtomicU64::new(0),
        }
    }

    /// What judged under that number; what judges now without one, or if it is long gone: between two changes lies the time in which a
    /// model is loaded, and no part is under way that long.
    pub(super) fn judged_by(&self, number: Option<u16>) -> Arc<Active> {
        let active = self.active.load_full();
        match number.filter(|n| *n != active.number) {
            Some(n) => self.before.load_full().filter(|before| before.number == n).unwrap_or(active),
            None => active,
        }
    }

    /// From now on, another model judges, by this engine.
    pub(super) fn judges_by(&self, model: ActiveModel, engine: &str, degraded: bool) {
        let ActiveModel { threshold, model, recipe } = model;
        let model = match model.engine == engine {
            true => model,
            false => Arc::new(ModelTag { engine: engine.to_owned(), ..ModelTag::clone(&model) }),
        };
        let before = self.active.load_full();
        let number = before.number.wrapping_add(1);
        self.before.store(Some(before));
        // Another threshold may be set in this very moment.
        self.active.rcu(|active| {
            let threshold = threshold.unwrap_or(active.threshold);
            Active { threshold, model: model.clone(), degraded, number, recipe }
        });
    }

    /// From now on, another engine judges.
    pub(super) fn runs_on(&self, engine: &str, degraded: bool) {
        self.active.rcu(|active| {
            let mut active = Active { degraded, ..Active::clone(active) };
            if active.model.engine != engine {
                active.model = Arc::new(ModelTag { engine: engine.to_owned(), ..ModelTag::clone(&active.model) });
            }
            active
        });
    }

    /// How the camera is.
    pub fn state(&self) -> CameraState {
        match self.state.load(Relaxed) {
            0 => CameraState::Starting,
            1 => CameraState::Running,
            2 => CameraState::Down,
            _ => CameraState::Ended,
        }
    }

    pub(super) fn set_state(&self, state: CameraState) {
        let code = match state {
            CameraState::Starting => 0,
            CameraState::Running => 1,
            CameraState::Down => 2,
            CameraState::Ended => 3,
        };
        self.state.store(code, Relaxed);
    }
}

/// One lane's state.
#[derive(Debug)]
pub struct LaneStatus {
    /// Its name: the camera's in free run, else `belt`.
    pub name: String,
    /// The line is asked to stop.
    pub stopped: AtomicBool,
    /// Its wires.
    pub faults: LaneFaults,
}

/// What full channels refused, by edge of the wiring table.
#[derive(Debug, Default)]
pub struct Shed {
    /// Events to decide.
    pub parts: AtomicU64,
    /// Records to the sinks.
    pub records: AtomicU64,
    /// Anomaly maps.
    pub maps: AtomicU64,
}

/// The line's shared state.
#[derive(Debug)]
pub struct Status {
    /// By camera id.
    pub cameras: Vec<CameraStatus>,
    /// In the order of their numbers.
    pub lanes: Vec<LaneStatus>,
    /// Refusals.
    pub shed: Shed,
    /// Set by the sinks: somebody looks at maps.
    pub maps_wanted: AtomicBool,
    /// Where events from outside are sent to.
    pub(super) parts: RefuseNewest<PartEvent>,
}

/// The decide stage's end of the channel that a [`Status`] and the stages send to. There is one, so a line is started once.
#[derive(Debug)]
pub struct LineInbox(pub(super) ParkedReceiver<PartEvent>);

impl Status {
    /// The shared state of a line with these cameras and these lanes, and the inbox that the line is started with.
    pub fn new(
        cameras: impl IntoIterator<Item = (String, Active)>,
        lanes: impl IntoIterator<Item = String>,
    ) -> (Arc<Status>, LineInbox) {
        let (parts, inbox) = super::wiring::parts();
        let lane = |name| LaneStatus { name, stopped: AtomicBool::new(false), faults: LaneFaults::default() };
        let status = Status {
            cameras: cameras.into_iter().map(|(name, active)| CameraStatus::new(name, active)).collect(),
            lanes: lanes.into_iter().map(lane).collect(),
            shed: Shed::default(),
            maps_wanted: AtomicBool::new(false),
            parts,
        };
        (Arc::new(status), LineInbox(inbox))
    }
}
