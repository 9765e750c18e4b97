//! A picture on its way from the inspector to whoever keeps or shows it, and the rules by which it is wanted.

use crate::{AnomalyMap, CameraVerdict, Outcome, OwnedFrame, Pooled};

/// A frame with the anomaly map that was made of it. Lent from a pool, so that the line allocates nothing for it.
#[derive(Clone, Debug, Default)]
pub struct PictureBuffer {
    /// The pixels.
    pub frame: OwnedFrame,
    /// The anomaly map; without cells where the frame was not inspected.
    pub map: AnomalyMap,
}

/// Why a picture is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptFor {
    /// Its part did not pass.
    NotPassed,
    /// Its part passed with a score near the threshold.
    NearMiss,
    /// Its part passed and is one in so many.
    NthPass,
}

impl KeptFor {
    /// The word in files and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            KeptFor::NotPassed => "not_passed",
            KeptFor::NearMiss => "near_miss",
            KeptFor::NthPass => "nth_pass",
        }
    }
}

/// Which pictures are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PictureRules {
    /// Those of all parts that did not pass.
    pub not_passed: bool,
    /// Those of parts that passed with a score at or over this share of the threshold.
    pub near_miss: Option<f32>,
    /// That of every so many-th part that passed, by camera; 0 for none.
    pub every_nth_pass: u64,
}

impl PictureRules {
    /// Why the picture of a verdict is kept, if it is. `passes` counts the parts of its camera that passed, this one included.
    pub fn kept_for(&self, verdict: &CameraVerdict, passes: u64) -> Option<KeptFor> {
        let Outcome::Pass(token) = verdict.outcome else {
            return self.not_passed.then_some(KeptFor::NotPassed);
        };
        if self.near_miss.is_some_and(|share| token.score().get() >= share * verdict.threshold) {
            return Some(KeptFor::NearMiss);
        }
        (self.every_nth_pass > 0 && passes.is_multiple_of(self.every_nth_pass)).then_some(KeptFor::NthPass)
    }
}

/// A picture with the verdict on its part: what the decide stage hands to the `pictures` thread.
#[derive(Debug)]
pub struct PictureRecord {
    /// The verdict, as every sink gets it.
    pub verdict: CameraVerdict,
    /// The picture.
    pub picture: Pooled<PictureBuffer>,
    /// Why it is kept in the ring, if it is.
    pub kept_for: Option<KeptFor>,
    /// Somebody watches the camera, or looks through the last parts that did not pass.
    pub shown: bool,
    /// It is one of those that are collected to learn from.
    pub collected: bool,
}

/// What takes pictures. Called by the `pictures` thread alone, which may be as slow as disks are; it cannot fail the line.
pub trait PictureSink: Send {
    /// Takes a picture; the buffer goes back to its camera's pool when the record is dropped.
    fn take(&mut self, record: PictureRecord);
    /// Called about once a second, also while no picture comes.
    fn tick(&mut self) {}
    /// Called when the line stops, after the last picture.
    fn close(&mut self) {}
}
