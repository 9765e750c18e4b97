//! Another detector for a camera that runs already: a better engine for the same model, or another model. It is made beside the line, and
//! the inspection stage takes it between two parts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use andon_core::{Detector, ModelTag, Threshold};

/// Why a factory made no detector: whatever the detector's own crate has for an error.
pub type BuildFault = Box<dyn std::error::Error + Send + Sync>;

/// Makes a detector; called at start and after a fault.
pub type DetectorFactory = Box<dyn FnMut() -> Result<BuiltDetector, BuildFault> + Send>;

/// A fresh, warmed-up detector.
pub struct BuiltDetector {
    /// The detector.
    pub detector: Box<dyn Detector>,
    /// It works with less than was asked for.
    pub degraded: bool,
}

/// What parts are judged by from a change of the model on.
#[derive(Clone, Debug, PartialEq)]
pub struct ActiveModel {
    /// Scores at or over it are rejects; `None` keeps what is in force when the model is taken, which somebody may have set meanwhile.
    pub threshold: Option<Threshold>,
    /// Provenance for verdicts.
    pub model: Arc<ModelTag>,
    /// Which recipe it belongs to, counted since the start of the line: a part whose cameras judge by different ones is not inspected.
    pub recipe: u16,
}

/// Another model for a camera.
pub struct ModelChange {
    /// Its detector.
    pub detector: BuiltDetector,
    /// Makes its detector anew after a fault.
    pub make: DetectorFactory,
    /// What its scores are judged by.
    pub active: ActiveModel,
}

/// One place for a detector that is to replace a camera's. Who makes it also drops the old one, for that can take a while.
#[derive(Default)]
pub struct DetectorSwap {
    offered: AtomicBool,
    place: Mutex<Place>,
}

#[derive(Default)]
struct Place {
    slot: Slot,
    /// The model was changed: engines that were built for the first one fit no more.
    other_model: bool,
}

#[derive(Default)]
enum Slot {
    #[default]
    Empty,
    Engine(BuiltDetector),
    Model(ModelChange),
    Retired(Box<dyn Detector>, Option<DetectorFactory>),
}

/// What the inspection stage took.
pub(super) struct Taken {
    pub degraded: bool,
    /// Set if it is another model.
    pub model: Option<ActiveModel>,
}

impl DetectorSwap {
    /// Offers another engine for the camera's first model, warmed up. One that was offered before and not taken is dropped; where the
    /// model was changed meanwhile, or is about to be, this one is.
    pub fn offer(&self, made: BuiltDetector) {
        let mut place = self.place();
        let unused = match place.other_model || matches!(place.slot, Slot::Model(_)) {
            true => Slot::Engine(made),
            false => std::mem::replace(&mut place.slot, Slot::Engine(made)),
        };
        self.offered.store(!place.slot.is_free(), Ordering::Release);
        drop(place);
        drop(unused);
    }

    /// Offers another model. One that was offered before and not taken is dropped.
    pub fn change(&self, change: ModelChange) {
        let mut place = self.place();
        let unused = std::mem::replace(&mut place.slot, Slot::Model(change));
        self.offered.store(true, Ordering::Release);
        drop(place);
        drop(unused);
    }

    /// Takes back what was offered and not taken; false if it was taken already.
    pub fn withdraw(&self) -> bool {
        let mut place = self.place();
        if place.slot.is_free() {
            return false;
        }
        let unused = std::mem::take(&mut place.slot);
        self.offered.store(false, Ordering::Release);
        drop(place);
        drop(unused);
        true
    }

    /// The detector that was replaced, once the offer was taken.
    pub fn retired(&self) -> Option<Box<dyn Detector>> {
        let mut place = self.place();
        match std::mem::take(&mut place.slot) {
            Slot::Retired(old, make) => {
                drop(place);
                // It may hold the old model.
                drop(make);
                Some(old)
            }
            other => {
                place.slot = other;
                None
            }
        }
    }

    /// Takes the offer, if there is one, in exchange for the detector of now. Never waits: who offers may hold the place for a moment.
    pub(super) fn exchange(&self, detector: &mut Box<dyn Detector>, make: &mut DetectorFactory) -> Option<Taken> {
        if !self.offered.load(Ordering::Acquire) {
            return None;
        }
        let mut place = self.place.try_lock().ok()?;
        let (taken, retired) = match std::mem::take(&mut place.slot) {
            Slot::Engine(made) => {
                let taken = Taken { degraded: made.degraded, model: None };
                (taken, Slot::Retired(std::mem::replace(detector, made.detector), None))
            }
            Slot::Model(change) => {
                place.other_model = true;
                let taken = Taken { degraded: change.detector.degraded, model: Some(change.active) };
                let old = std::mem::replace(detector, change.detector.detector);
                (taken, Slot::Retired(old, Some(std::mem::replace(make, change.make))))
            }
            other => {
                place.slot = other;
                return None;
            }
        };
        self.offered.store(false, Ordering::Relaxed);
        place.slot = retired;
        Some(taken)
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Nothing waits in it to be taken.
    fn is_free(&self) -> bool {
        matches!(self, Slot::Empty | Slot::Retired(..))
    }
}
