//! The part ledger of one lane: a slot for each part from its trigger to its outcome, and the frames on their way to them.
//!
//! ```text
//!             trigger (or, in free run, the frame itself)
//!  (nothing) ─────────────────────────────────────────────► open, every camera pending
//!      ▲  nearer to the last than two parts can lie              │
//!      └── duplicate, named and ignored                          │  each camera by itself:
//!                                                                ▼
//!   frame ──► matches an open part? ──yes──► bound ──result in time───────► PASS | REJECT | ERROR
//!     │no                                      ├── evicted ───────────────► UNINSPECTED overflow
//!     ▼                                        └── deadline or ejector ──► UNINSPECTED late
//!   held until its trigger comes             no frame until then ────────► UNINSPECTED frame missing
//!     │ nobody comes for it
//!     └──► named as a frame without a part          every camera ended ──► settled: the part's one outcome
//! ```
//! A part is too late when its time is over or when it is about to reach the first ejector that may have to fire for it,
//! whichever comes first. What arrives after that is counted and changes nothing. Storage is reserved once.

use std::collections::VecDeque;
use std::time::Duration;

use super::gate::Gate;
use super::messages::{CameraEnding, FrameSeen, LaneRules, LedgerEvent, Matching, Moment, Observed, Trigger};
use andon_core::{
    Counts, Detail, EventKind, FrameNo, LineEvent, Mono, Outcome, Part, PartVerdict, Reason, Seq, Subject, Ticks, judge,
};

/// Parts in flight of one lane and the count of all that ended.
#[derive(Debug)]
pub struct Ledger {
    rule: LaneRules,
    /// Oldest first; the front is the oldest part that may still be open.
    slots: VecDeque<Slot>,
    next: Seq,
    cameras: Vec<Camera>,
    gate: Gate,
}

#[derive(Debug)]
struct Slot {
    part: Part,
    /// Cameras that have not spoken, one bit each.
    pending: u16,
    /// Cameras whose frame was found.
    framed: u16,
    /// The worst that was said.
    worst: Option<(Outcome, Reason)>,
    /// The recipe by which its first camera judged.
    recipe: Option<u16>,
}

#[derive(Debug)]
struct Camera {
    counts: Counts,
    /// Frames that are being inspected, or wait for their trigger; oldest first.
    frames: VecDeque<Held>,
}

#[derive(Debug)]
struct Held {
    seen: FrameSeen,
    /// The part that it belongs to.
    part: Option<Seq>,
    /// What came before the part was known.
    early: Option<Early>,
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "lies in a ring that is reserved once; boxing would allocate per frame")]
enum Early {
    Observed(Observed),
    Evicted,
}

/// Who is told.
pub type Emit<'a> = &'a mut dyn FnMut(LedgerEvent);

impl Ledger {
    /// Parts in flight at most; the oldest ends when one more comes.
    pub const CAPACITY: usize = 1024;
    /// Frames of a camera that are inspected or wait for their trigger, at most.
    pub const FRAMES: usize = 64;

    /// An empty ledger for `rule.cameras` cameras, 1 to 16; a free run has one.
    pub fn new(rule: LaneRules) -> Ledger {
        let camera = || Camera { counts: Counts::default(), frames: VecDeque::with_capacity(Self::FRAMES) };
        Ledger {
            slots: VecDeque::with_capacity(Self::CAPACITY),
            next: Seq(0),
            cameras: (0..rule.cameras.clamp(1, 16)).map(|_| camera()).collect(),
            gate: Gate::default(),
            rule,
        }
    }

    /// Parts by outcome as `camera` sees them; always adds up.
    pub fn counts(&self, camera: usize) -> Counts {
        self.cameras[camera].counts
    }

    /// A part is announced.
    pub fn trigger(&mut self, trigger: Trigger, now: &Moment, tell: Emit<'_>) {
        if let Some(kind) = self.gate.doubts(&self.rule, &trigger) {
            tell(LedgerEvent::Event(LineEvent::new(EventKind::DuplicateTrigger, trigger.at)));
            if kind == EventKind::EncoderSilent {
                tell(LedgerEvent::Event(LineEvent::new(kind, trigger.at).about(Subject::Encoder)));
            }
            return;
        }
        if self.gate.moves_again() {
            let ends = Detail::Cause(EventKind::EncoderSilent);
            tell(LedgerEvent::Event(
                LineEvent::new(EventKind::EncoderBack, trigger.at).about(Subject::Encoder).with(ends),
            ));
        }
        let part = Part { seq: self.next, at: trigger.at, ticks: trigger.ticks, id: trigger.id };
        self.open(part, now, tell);
        for camera in 0..self.cameras.len() {
            let early = self.cameras[camera].frames.iter().position(|h| h.part.is_none() && self.fits(&part, &h.seen));
            if let Some(at) = early {
                self.bind(camera, at, part.seq, now, tell);
            }
        }
    }

    /// A camera has taken a frame and handed it to its inspector.
    pub fn frame(&mut self, camera: usize, seen: FrameSeen, now: &Moment, tell: Emit<'_>) {
        if self.rule.matching == Matching::Free {
            if seen.frame.0 < self.next.0 {
                // A number twice would be a bug of the capture stage; the first part keeps it.
                self.cameras[camera].counts.late_results += 1;
                return;
            }
            if seen.frame.0 > self.next.0 {
                self.gap(camera, seen.frame.0 - self.next.0, seen.t_capture, seen.ticks, now, tell);
            }
            let part = Part { seq: self.next, at: seen.t_capture, ticks: seen.ticks, id: seen.source_index };
            self.open(part, now, tell);
            self.hold(camera, seen, tell);
            let newest = self.cameras[camera].frames.len() - 1;
            self.bind(camera, newest, part.seq, now, tell);
            return;
        }
        let bit = 1 << camera;
        let fits = |s: &&Slot| s.pending & bit != 0 && s.framed & bit == 0 && self.fits(&s.part, &seen);
        let part = self.slots.iter().find(fits).map(|s| s.part.seq);
        self.hold(camera, seen, tell);
        if let Some(seq) = part {
            let newest = self.cameras[camera].frames.len() - 1;
            self.bind(camera, newest, seq, now, tell);
        }
    }

    /// The camera numbered `count` frames that never arrived. In free run each was a part; else the parts that they belonged
    /// to end when their time is over.
    pub fn gap(&mut self, camera: usize, count: u64, at: Mono, ticks: Ticks, now: &Moment, tell: Emit<'_>) {
        if self.rule.matching != Matching::Free {
            return;
        }
        for _ in 0..count {
            let part = Part { seq: self.next, at, ticks, id: None };
            self.open(part, now, tell);
            self.uninspected(part.seq, camera, Reason::FrameMissing, now, tell);
        }
    }

    /// The queue pushed a frame out before it was inspected.
    pub fn evicted(&mut self, camera: usize, frame: FrameNo, now: &Moment, tell: Emit<'_>) {
        let frames = &mut self.cameras[camera].frames;
        let Some(at) = frames.iter().position(|h| h.seen.frame == frame) else { return };
        match frames[at].part {
            Some(seq) => {
                self.uninspected(seq, camera, Reason::Overflow, now, tell);
                self.cameras[camera].frames.remove(at);
            }
            None => frames[at].early = Some(Early::Evicted),
        }
    }

    /// The inspector's word. In time it is judged; too late, it changes nothing.
    pub fn observed(&mut self, camera: usize, seen: Observed, now: &Moment, tell: Emit<'_>) {
        let frames = &mut self.cameras[camera].frames;
        match frames.iter().position(|h| h.seen.frame == seen.frame) {
            Some(at) => match frames[at].part {
                Some(seq) => {
                    self.judged(seq, camera, &seen, now, tell);
                    self.cameras[camera].frames.remove(at);
                }
                None => frames[at].early = Some(Early::Observed(seen)),
            },
            None => self.cameras[camera].counts.late_results += 1,
        }
    }

    /// Ends every part that is too late now, and names the frames that nobody came for.
    pub fn expire(&mut self, now: &Moment, tell: Emit<'_>) {
        self.end_all(|rule, part| now.is_late(rule, part), Reason::Late, now, tell);
        let hold = self.rule.budget;
        for (n, camera) in self.cameras.iter_mut().enumerate() {
            camera.frames.retain(|h| {
                let orphaned = h.part.is_none() && now.at.since(h.seen.t_capture) > hold;
                if orphaned {
                    tell(LedgerEvent::Orphan { camera: n, frame: h.seen.frame, at: now.at });
                }
                !orphaned
            });
        }
    }

    /// Ends every part that is still open because the line stops.
    pub fn stop(&mut self, now: &Moment, tell: Emit<'_>) {
        self.end_all(|_, _| true, Reason::Stopped, now, tell);
    }

    /// How long until [`Ledger::expire`] has something to do, at the belt's speed of now; `None` while nothing is open.
    pub fn next_deadline(&self, now: &Moment) -> Option<Duration> {
        let parts = self.slots.iter().filter(|s| s.pending != 0).map(|s| now.left(&self.rule, &s.part));
        parts.min().map(|ns| Duration::from_nanos(ns.max(0) as u64))
    }

    fn fits(&self, part: &Part, frame: &FrameSeen) -> bool {
        match self.rule.matching {
            Matching::Free => false,
            Matching::Window { from_ns, to_ns } => {
                let after = i128::from(frame.t_capture.0) - i128::from(part.at.0);
                (i128::from(from_ns)..=i128::from(to_ns)).contains(&after)
            }
            Matching::Range { from, to } => (from..=to).contains(&(frame.ticks - part.ticks)),
            Matching::Id { offset } => match (part.id, frame.source_index) {
                (Some(id), Some(index)) => i128::from(index) == i128::from(id) + i128::from(offset),
                _ => false,
            },
        }
    }

    fn open(&mut self, part: Part, now: &Moment, tell: Emit<'_>) {
        self.retire();
        if self.slots.len() == Self::CAPACITY {
            let oldest = self.slots[0].part.seq;
            for camera in 0..self.cameras.len() {
                self.uninspected(oldest, camera, Reason::Overflow, now, tell);
            }
            self.retire();
        }
        let pending = ((1u32 << self.cameras.len()) - 1) as u16;
        self.slots.push_back(Slot { part, pending, framed: 0, worst: None, recipe: None });
        self.next = part.seq.next();
        for camera in &mut self.cameras {
            camera.counts.offered += 1;
            camera.counts.in_flight += 1;
        }
        tell(LedgerEvent::Offered(part));
    }

    fn hold(&mut self, camera: usize, seen: FrameSeen, tell: Emit<'_>) {
        let frames = &mut self.cameras[camera].frames;
        if frames.len() == Self::FRAMES
            && let Some(old) = frames.pop_front()
            && old.part.is_none()
        {
            tell(LedgerEvent::Orphan { camera, frame: old.seen.frame, at: seen.t_capture });
        }
        frames.push_back(Held { seen, part: None, early: None });
    }

    /// A frame has found its part; what was already said of it counts now.
    fn bind(&mut self, camera: usize, at: usize, seq: Seq, now: &Moment, tell: Emit<'_>) {
        let held = &mut self.cameras[camera].frames[at];
        held.part = Some(seq);
        let early = held.early.take();
        if let Some(slot) = self.slot(seq) {
            slot.framed |= 1 << camera;
        }
        match early {
            None => return,
            Some(Early::Observed(seen)) => self.judged(seq, camera, &seen, now, tell),
            Some(Early::Evicted) => self.uninspected(seq, camera, Reason::Overflow, now, tell),
        }
        self.cameras[camera].frames.remove(at);
    }

    fn slot(&mut self, seq: Seq) -> Option<&mut Slot> {
        let first = self.slots.front()?.part.seq;
        self.slots.get_mut(usize::try_from(seq.0.checked_sub(first.0)?).ok()?)
    }

    fn judged(&mut self, seq: Seq, camera: usize, seen: &Observed, now: &Moment, tell: Emit<'_>) {
        let rule = self.rule;
        let Some(slot) = self.slot(seq).filter(|s| s.pending & (1 << camera) != 0) else {
            self.cameras[camera].counts.late_results += 1;
            return;
        };
        if now.is_late(&rule, &slot.part) {
            self.cameras[camera].counts.late_results += 1;
            self.uninspected(seq, camera, Reason::Late, now, tell);
        } else if *slot.recipe.get_or_insert(seen.recipe) != seen.recipe {
            self.uninspected(seq, camera, Reason::RecipeChanged, now, tell);
        } else {
            let j = judge(seen.result, seen.threshold).with_review(rule.review);
            let ending = self.ending(seq, camera, j.outcome, j.reason, now).seen(seen, j.score);
            self.finish(ending, now, tell);
        }
    }

    fn uninspected(&mut self, seq: Seq, camera: usize, reason: Reason, now: &Moment, tell: Emit<'_>) {
        if self.slot(seq).is_some_and(|s| s.pending & (1 << camera) != 0) {
            let ending = self.ending(seq, camera, Outcome::Uninspected, reason, now);
            self.finish(ending, now, tell);
        }
    }

    fn end_all(&mut self, due: impl Fn(&LaneRules, &Part) -> bool, reason: Reason, now: &Moment, tell: Emit<'_>) {
        for n in 0..self.slots.len() {
            let slot = &self.slots[n];
            if slot.pending == 0 || !due(&self.rule, &slot.part) {
                continue;
            }
            let (seq, framed) = (slot.part.seq, slot.framed);
            if framed == 0 && reason == Reason::Late {
                let kind = EventKind::TriggerWithoutFrame;
                tell(LedgerEvent::Event(LineEvent::new(kind, now.at).with(Detail::Part(seq))));
            }
            for camera in 0..self.cameras.len() {
                let seen = framed & (1 << camera) != 0;
                let reason = if seen || reason == Reason::Stopped { reason } else { Reason::FrameMissing };
                self.uninspected(seq, camera, reason, now, tell);
            }
        }
        self.retire();
    }

    fn ending(&mut self, seq: Seq, camera: usize, outcome: Outcome, reason: Reason, now: &Moment) -> CameraEnding {
        let frame = self.cameras[camera].frames.iter().find(|h| h.part == Some(seq)).map(|h| h.seen);
        let rule = self.rule;
        let part = self.slot(seq).map_or(Part { seq, at: now.at, ticks: now.belt.ticks, id: None }, |s| s.part);
        CameraEnding {
            camera,
            part,
            frame: frame.map(|f| f.frame),
            t_capture: frame.map_or(part.at, |f| f.t_capture),
            source_index: frame.and_then(|f| f.source_index),
            outcome,
            reason,
            score: None,
            threshold: None,
            model: None,
            at: now.at,
            deadline: now.deadline(&rule, &part),
            queue_ns: 0,
            times: Default::default(),
            regions: Default::default(),
        }
    }

    /// The one place where a part ends for a camera.
    fn finish(&mut self, ending: CameraEnding, now: &Moment, tell: Emit<'_>) {
        let rule = self.rule;
        let counts = &mut self.cameras[ending.camera].counts;
        counts.in_flight -= 1;
        match ending.outcome {
            Outcome::Pass(_) => counts.pass += 1,
            Outcome::Reject => counts.reject += 1,
            Outcome::Uninspected => counts.uninspected += 1,
            Outcome::Error => counts.error += 1,
        }
        tell(LedgerEvent::Ended(ending));
        let Some(slot) = self.slot(ending.part.seq) else { return };
        slot.pending &= !(1 << ending.camera);
        let weight = severity(&ending.outcome, ending.reason);
        if slot.worst.is_none_or(|(worst, reason)| weight > severity(&worst, reason)) {
            slot.worst = Some((ending.outcome, ending.reason));
        }
        if let (0, Some((outcome, reason))) = (slot.pending, slot.worst) {
            let slack_ns = now.left(&rule, &slot.part).max(0) as u64;
            tell(LedgerEvent::Settled(PartVerdict { part: slot.part, outcome, reason, at: now.at, slack_ns }));
        }
    }

    /// Forgets ended parts at the old end.
    fn retire(&mut self) {
        while self.slots.front().is_some_and(|s| s.pending == 0) {
            self.slots.pop_front();
        }
    }
}

/// A defect that one camera is sure of outweighs what another could not tell, and that outweighs what somebody shall look at.
fn severity(outcome: &Outcome, reason: Reason) -> u8 {
    match outcome {
        Outcome::Pass(_) => 0,
        Outcome::Reject if reason == Reason::Borderline => 1,
        Outcome::Uninspected => 2,
        Outcome::Error => 3,
        Outcome::Reject => 4,
    }
}

#[cfg(test)]
mod tests;
