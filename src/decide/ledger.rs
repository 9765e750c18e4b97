//! The part ledger: one slot from admission to outcome, for one camera.
//!
//! ```text
//!              admit                    detected in time
//!   (nothing) ───────► open ───────────────────────────────► ended: PASS | REJECT | ERROR
//!       │               │  evicted | deadline | stop
//!       │               └──────────────────────────────────► ended: UNINSPECTED
//!       └─ missing ────────────────────────────────────────► ended: UNINSPECTED
//!                                        anything after that: counted as a late result, ignored
//! ```
//! Slots lie in a ring that never grows, so a steady line allocates nothing here.

use std::time::Duration;

use super::judge::judge;
use crate::types::{Counts, Fault, Mono, Outcome, Reason, Score, Seq, Threshold};

/// A part that was offered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Admitted {
    /// Its number; the ledger's next.
    pub seq: Seq,
    /// When the picture was taken.
    pub t_capture: Mono,
    /// The source's own frame counter.
    pub source_index: Option<u64>,
}

/// What the inspector says of a part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observed {
    /// The part.
    pub seq: Seq,
    /// Raw score, or why there is none.
    pub result: Result<f32, Fault>,
}

/// A part that has its outcome.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ending {
    /// The part as it was offered.
    pub part: Admitted,
    /// What became of it.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// The finite score, if there was one in time.
    pub score: Option<Score>,
    /// When it ended.
    pub at: Mono,
    /// Until when it had to.
    pub deadline: Mono,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    part: Admitted,
    deadline: Mono,
    open: bool,
}

/// Parts in flight of one camera and the count of all that ended.
#[derive(Debug)]
pub struct Ledger {
    ring: Vec<Slot>,
    /// The oldest part that may still be open; `base..next` are in the ring.
    base: Seq,
    next: Seq,
    budget: Duration,
    counts: Counts,
}

impl Ledger {
    /// Parts in flight at most. A camera would need 4,000 frames/s to fill it within a deadline of 250 ms.
    pub const CAPACITY: usize = 1024;

    /// An empty ledger; a part must end within `budget` after its capture.
    pub fn new(budget: Duration) -> Ledger {
        Ledger {
            ring: Vec::with_capacity(Self::CAPACITY),
            base: Seq(0),
            next: Seq(0),
            budget,
            counts: Counts::default(),
        }
    }

    /// Opens a slot. Parts come in the order of their numbers; numbers that were skipped end as `FrameMissing`.
    pub fn admit(&mut self, part: Admitted, now: Mono, end: &mut dyn FnMut(Ending)) {
        if part.seq < self.next {
            // A number twice would be a bug of the capture stage; the first part keeps it.
            self.counts.late_results += 1;
            return;
        }
        if part.seq > self.next {
            self.missing(part.seq.0 - self.next.0, part.t_capture, now, end);
        }
        self.push(part, true, now, end);
    }

    /// `count` parts whose frames never arrived: each gets a number and ends at once.
    pub fn missing(&mut self, count: u64, seen: Mono, now: Mono, end: &mut dyn FnMut(Ending)) {
        for _ in 0..count {
            let part = Admitted { seq: self.next, t_capture: seen, source_index: None };
            self.push(part, false, now, end);
            let deadline = seen + self.budget;
            self.finish(part, deadline, Outcome::Uninspected, Reason::FrameMissing, None, now, end);
        }
    }

    /// The queue pushed the part out before it was inspected.
    pub fn evicted(&mut self, seq: Seq, now: Mono, end: &mut dyn FnMut(Ending)) {
        self.close(seq, Outcome::Uninspected, Reason::Overflow, now, end);
    }

    /// The inspector's word. In time it is judged; too late, it changes nothing.
    pub fn observed(&mut self, seen: Observed, threshold: Threshold, now: Mono, end: &mut dyn FnMut(Ending)) {
        let Some(slot) = self.open_slot(seen.seq) else {
            self.counts.late_results += 1;
            return;
        };
        let (part, deadline) = (slot.part, slot.deadline);
        slot.open = false;
        if now > deadline {
            self.counts.late_results += 1;
            self.finish(part, deadline, Outcome::Uninspected, Reason::Late, None, now, end);
        } else {
            let j = judge(seen.result, threshold);
            self.finish(part, deadline, j.outcome, j.reason, j.score, now, end);
        }
    }

    /// Ends every part whose deadline has passed.
    pub fn expire(&mut self, now: Mono, end: &mut dyn FnMut(Ending)) {
        self.close_all(|slot| slot.deadline < now, Reason::Late, now, end);
    }

    /// Ends every part that is still open because the line stops.
    pub fn stop(&mut self, now: Mono, end: &mut dyn FnMut(Ending)) {
        self.close_all(|_| true, Reason::Stopped, now, end);
    }

    /// When to call [`Ledger::expire`] next; `None` while nothing is open.
    pub fn next_deadline(&self) -> Option<Mono> {
        (self.base.0..self.next.0).map(|n| &self.ring[Self::index(Seq(n))]).filter(|s| s.open).map(|s| s.deadline).min()
    }

    /// Parts by outcome; always adds up.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn index(seq: Seq) -> usize {
        (seq.0 % Self::CAPACITY as u64) as usize
    }

    fn open_slot(&mut self, seq: Seq) -> Option<&mut Slot> {
        if seq < self.base || seq >= self.next {
            return None;
        }
        Some(&mut self.ring[Self::index(seq)]).filter(|slot| slot.open)
    }

    fn push(&mut self, part: Admitted, open: bool, now: Mono, end: &mut dyn FnMut(Ending)) {
        self.retire();
        if self.next.0 - self.base.0 == Self::CAPACITY as u64 {
            let oldest = self.base;
            self.close(oldest, Outcome::Uninspected, Reason::Overflow, now, end);
            self.retire();
        }
        let slot = Slot { part, deadline: part.t_capture + self.budget, open };
        let at = Self::index(part.seq);
        if at < self.ring.len() {
            self.ring[at] = slot;
        } else {
            self.ring.push(slot);
        }
        self.next = part.seq.next();
        self.counts.offered += 1;
        self.counts.in_flight += 1;
    }

    /// Forgets ended parts at the old end.
    fn retire(&mut self) {
        while self.base < self.next && !self.ring[Self::index(self.base)].open {
            self.base = self.base.next();
        }
    }

    fn close(&mut self, seq: Seq, outcome: Outcome, reason: Reason, now: Mono, end: &mut dyn FnMut(Ending)) {
        if let Some(slot) = self.open_slot(seq) {
            let (part, deadline) = (slot.part, slot.deadline);
            slot.open = false;
            self.finish(part, deadline, outcome, reason, None, now, end);
        }
    }

    fn close_all(&mut self, due: impl Fn(&Slot) -> bool, reason: Reason, now: Mono, end: &mut dyn FnMut(Ending)) {
        for n in self.base.0..self.next.0 {
            let slot = &self.ring[Self::index(Seq(n))];
            if slot.open && due(slot) {
                self.close(Seq(n), Outcome::Uninspected, reason, now, end);
            }
        }
        self.retire();
    }

    #[allow(clippy::too_many_arguments, reason = "the one place where a part ends; every field of the ending is named")]
    fn finish(
        &mut self,
        part: Admitted,
        deadline: Mono,
        outcome: Outcome,
        reason: Reason,
        score: Option<Score>,
        at: Mono,
        end: &mut dyn FnMut(Ending),
    ) {
        self.counts.in_flight -= 1;
        match outcome {
            Outcome::Pass(_) => self.counts.pass += 1,
            Outcome::Reject => self.counts.reject += 1,
            Outcome::Uninspected => self.counts.uninspected += 1,
            Outcome::Error => self.counts.error += 1,
        }
        end(Ending { part, outcome, reason, score, at, deadline });
    }
}

#[cfg(test)]
mod tests;
