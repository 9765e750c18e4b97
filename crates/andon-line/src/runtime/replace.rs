//! A better detector for a camera that runs already: made beside the line, taken by the inspection stage between two parts.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use andon_core::Detector;

/// A fresh, warmed-up detector.
pub struct BuiltDetector {
    /// The detector.
    pub detector: Box<dyn Detector>,
    /// It works with less than was asked for.
    pub degraded: bool,
}

/// One place for a detector that is to replace a camera's. Who makes it also drops the old one, for that can take a while.
#[derive(Default)]
pub struct DetectorSwap {
    offered: AtomicBool,
    slot: Mutex<Slot>,
}

#[derive(Default)]
enum Slot {
    #[default]
    Empty,
    Offered(BuiltDetector),
    Retired(Box<dyn Detector>),
}

impl DetectorSwap {
    /// Offers a detector that is warmed up. One that was offered before and not taken is dropped.
    pub fn offer(&self, made: BuiltDetector) {
        let mut slot = self.slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let old = std::mem::replace(&mut *slot, Slot::Offered(made));
        drop(slot);
        drop(old);
        self.offered.store(true, Ordering::Release);
    }

    /// The detector that was replaced, once the offer was taken.
    pub fn retired(&self) -> Option<Box<dyn Detector>> {
        let mut slot = self.slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match std::mem::take(&mut *slot) {
            Slot::Retired(old) => Some(old),
            other => {
                *slot = other;
                None
            }
        }
    }

    /// Takes the offer, if there is one, in exchange for the detector of now. Never waits: who offers may hold the place for a moment.
    pub(super) fn exchange(&self, detector: &mut Box<dyn Detector>) -> Option<bool> {
        if !self.offered.load(Ordering::Acquire) {
            return None;
        }
        let mut slot = self.slot.try_lock().ok()?;
        match std::mem::take(&mut *slot) {
            Slot::Offered(made) => {
                self.offered.store(false, Ordering::Relaxed);
                *slot = Slot::Retired(std::mem::replace(detector, made.detector));
                Some(made.degraded)
            }
            other => {
                *slot = other;
                None
            }
        }
    }
}
