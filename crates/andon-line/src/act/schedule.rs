//! The reject schedule of one lane: every part is armed at its trigger on every ejector; only a PASS takes it off in time.
//!
//! ```text
//!  trigger ──► armed on every ejector ──PASS──────────────────────────► forgotten
//!                 │  REJECT, ERROR, UNINSPECTED                            ▲
//!                 ▼                                                        │
//!              armed on the ejectors that act on it ──belt at the window──► output on ──window over──► fired, told
//!                                                └──window went by without the output──► missed, told
//! ```
//! The window moves with the belt: it begins `delay_on` before the part is there at the speed of now, so a belt that slows
//! down, stops or runs back takes the window with it. A part whose outcome is unknown at its window is ejected.

use std::collections::VecDeque;
use std::time::Duration;

use super::ejector::{Coil, EjectorSpec, Guard, PulseShape};
use andon_core::{Belt, Detail, Ejection, EventKind, LineEvent, Mono, Outcome, Part, Reason, Seq, Subject, Ticks};

/// What has to be done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ActuatorAction {
    /// Switch the output of an ejector.
    Set {
        /// Its number.
        ejector: u8,
        /// On or off.
        on: bool,
    },
    /// A part's window at an ejector is over.
    Ejection(Ejection),
    /// Something odd.
    Event(LineEvent),
}

/// Parts between their trigger and the last ejector.
#[derive(Debug)]
pub struct Schedule {
    ejectors: Vec<Ejector>,
    /// In the order of their numbers, without gaps.
    orders: VecDeque<Order>,
}

#[derive(Debug)]
struct Ejector {
    spec: EjectorSpec,
    coil: Coil,
    /// Parts in front of it, and parts that its sensor has to see.
    active: VecDeque<Active>,
    unconfirmed: VecDeque<(Seq, Mono)>,
}

#[derive(Clone, Copy, Debug)]
struct Active {
    seq: Seq,
    on: Mono,
    late_ns: u64,
    /// A guard switched the output off under it.
    cut: bool,
}

#[derive(Clone, Copy, Debug)]
struct Order {
    seq: Seq,
    ticks: Ticks,
    /// Ejectors that have still to act, one bit each.
    armed: u16,
}

/// Who is told.
pub type Emit<'a> = &'a mut dyn FnMut(ActuatorAction);

impl Schedule {
    /// Parts between their trigger and the last ejector at most.
    pub const CAPACITY: usize = 1024;

    /// A schedule for up to 16 ejectors.
    pub fn new(ejectors: impl IntoIterator<Item = EjectorSpec>) -> Schedule {
        let reserve = |spec| Ejector {
            coil: Coil::new(&spec),
            spec,
            active: VecDeque::with_capacity(64),
            unconfirmed: VecDeque::with_capacity(64),
        };
        Schedule {
            ejectors: ejectors.into_iter().take(16).map(reserve).collect(),
            orders: VecDeque::with_capacity(Self::CAPACITY),
        }
    }

    /// Ticks from a trigger to where the first ejector has to act; `None` without ejectors.
    pub fn commit(&self) -> Option<i64> {
        self.ejectors.iter().map(|e| e.spec.commit()).min()
    }

    /// The longest delay of an actuator.
    pub fn lead(&self) -> Duration {
        self.ejectors.iter().map(|e| e.spec.delay_on).max().unwrap_or_default()
    }

    /// A part was offered: it will be ejected unless it passes.
    pub fn arm(&mut self, part: &Part) {
        if self.ejectors.is_empty() {
            return;
        }
        if self.orders.len() == Self::CAPACITY {
            self.orders.pop_front();
        }
        let armed = ((1u32 << self.ejectors.len()) - 1) as u16;
        self.orders.push_back(Order { seq: part.seq, ticks: part.ticks, armed });
    }

    /// The part's outcome. A PASS takes it off every ejector; anything else leaves it on those that act on it.
    pub fn settle(&mut self, seq: Seq, outcome: &Outcome, reason: Reason) {
        let keep = |e: &Ejector| e.spec.causes.has(outcome, reason);
        let mask = self.ejectors.iter().enumerate().fold(0u16, |m, (n, e)| if keep(e) { m | 1 << n } else { m });
        if let Some(order) = self.order(seq) {
            order.armed &= mask;
        }
        self.retire();
    }

    /// Does what is due now.
    pub fn step(&mut self, now: Mono, belt: &Belt, tell: Emit<'_>) {
        for n in 0..self.ejectors.len() {
            let (want, soon) = self.demand(n, now, belt);
            let ejector = &mut self.ejectors[n];
            let (set, guard) = ejector.coil.step(&ejector.spec, want, soon, now);
            if let Some(guard) = guard {
                ejector.active.iter_mut().for_each(|a| a.cut = true);
                let kind = match guard {
                    Guard::StuckOn => EventKind::StuckOn,
                    Guard::OverDuty => EventKind::OverDuty,
                };
                tell(ActuatorAction::Event(LineEvent::new(kind, now).about(Subject::Ejector(n as u8))));
            }
            if let Some(on) = set {
                tell(ActuatorAction::Set { ejector: n as u8, on });
            }
            self.begin(n, now, belt);
            self.end(n, now, belt, tell);
            let ejector = &mut self.ejectors[n];
            while let Some((seq, _)) = ejector.unconfirmed.front().filter(|(_, until)| now > *until).copied() {
                ejector.unconfirmed.pop_front();
                let kind = EventKind::RejectUnconfirmed;
                tell(ActuatorAction::Event(
                    LineEvent::new(kind, now).about(Subject::Ejector(n as u8)).with(Detail::Part(seq)),
                ));
            }
        }
        self.retire();
    }

    /// The sensor behind an ejector saw a part.
    pub fn confirm(&mut self, ejector: u8, at: Mono, tell: Emit<'_>) {
        let Some(e) = self.ejectors.get_mut(usize::from(ejector)) else { return };
        if e.unconfirmed.pop_front().is_none() {
            let kind = EventKind::ConfirmUnexpected;
            tell(ActuatorAction::Event(LineEvent::new(kind, at).about(Subject::Ejector(ejector))));
        }
    }

    /// How long until [`Schedule::step`] has something to do, at the belt's speed of now.
    pub fn next(&self, now: Mono, belt: &Belt) -> Option<Duration> {
        let mut soonest: Option<Duration> = None;
        let mut sooner = |d: Duration| soonest = Some(soonest.map_or(d, |s| s.min(d)));
        for (n, e) in self.ejectors.iter().enumerate() {
            let mut want = false;
            for order in self.orders.iter().filter(|o| o.armed & (1 << n) != 0) {
                let (on, off) = window(&e.spec, order, belt);
                let begun = e.active.iter().find(|a| a.seq == order.seq);
                want |= wanted(&e.spec, begun, on, off, now, belt);
                if let (PulseShape::Pulse(width), Some(a)) = (e.spec.shape, begun) {
                    sooner((a.on + width).since(now));
                } else if belt.ticks < on {
                    travel(on - belt.ticks, belt).into_iter().for_each(&mut sooner);
                } else {
                    travel(off - belt.ticks, belt).into_iter().for_each(&mut sooner);
                }
            }
            e.coil.next(&e.spec, want).into_iter().for_each(|t| sooner(t.since(now)));
            e.unconfirmed.front().into_iter().for_each(|(_, until)| sooner(until.since(now) + Duration::from_nanos(1)));
        }
        soonest
    }

    /// Whether any part is still to be ejected or any output is on.
    pub fn is_idle(&self) -> bool {
        self.orders.is_empty() && self.ejectors.iter().all(|e| !e.coil.on)
    }

    /// Whether a part is in front of ejector `n`, and how long until the next one comes there.
    fn demand(&self, n: usize, now: Mono, belt: &Belt) -> (bool, Option<Duration>) {
        let e = &self.ejectors[n];
        let (mut want, mut soon) = (false, None::<Duration>);
        for order in self.orders.iter().filter(|o| o.armed & (1 << n) != 0) {
            let (on, off) = window(&e.spec, order, belt);
            let begun = e.active.iter().find(|a| a.seq == order.seq);
            want |= wanted(&e.spec, begun, on, off, now, belt);
            if let (true, Some(t)) = (belt.ticks < on, travel(on - belt.ticks, belt)) {
                soon = Some(soon.map_or(t, |s| s.min(t)));
            }
        }
        (want, soon)
    }

    /// Notes the parts whose window has begun with the output on.
    fn begin(&mut self, n: usize, now: Mono, belt: &Belt) {
        let Ejector { spec, coil, active, unconfirmed } = &mut self.ejectors[n];
        if !coil.on {
            return;
        }
        for order in self.orders.iter().filter(|o| o.armed & (1 << n) != 0) {
            let (on, off) = window(spec, order, belt);
            if belt.ticks < on || belt.ticks >= off || active.iter().any(|a| a.seq == order.seq) {
                continue;
            }
            let merged = coil.since < now;
            let late = travel(belt.ticks - on, belt).unwrap_or_default();
            let late_ns = if merged { 0 } else { late.as_nanos() as u64 };
            if active.len() == 64 {
                active.pop_front();
            }
            active.push_back(Active { seq: order.seq, on: now, late_ns, cut: false });
            if let Some(within) = spec.confirm_within {
                if unconfirmed.len() == 64 {
                    unconfirmed.pop_front();
                }
                unconfirmed.push_back((order.seq, now + within));
            }
        }
    }

    /// Tells of the parts whose window is over.
    fn end(&mut self, n: usize, now: Mono, belt: &Belt, tell: Emit<'_>) {
        let Ejector { spec, active, .. } = &mut self.ejectors[n];
        for order in self.orders.iter_mut().filter(|o| o.armed & (1 << n) != 0) {
            let (_, off) = window(spec, order, belt);
            let begun = active.iter().position(|a| a.seq == order.seq);
            let (over, late_off) = match (spec.shape, begun) {
                (PulseShape::Pulse(width), Some(at)) => {
                    let end = active[at].on + width;
                    (now >= end, now.since(end))
                }
                _ => (belt.ticks >= off, travel(belt.ticks - off, belt).unwrap_or_default()),
            };
            if !over {
                continue;
            }
            order.armed &= !(1 << n);
            match begun.and_then(|at| active.remove(at)) {
                Some(a) if !a.cut => {
                    let late_off_ns = late_off.as_nanos() as u64;
                    let Active { seq, on, late_ns, .. } = a;
                    tell(ActuatorAction::Ejection(Ejection {
                        ejector: n as u8,
                        seq,
                        on,
                        off: now,
                        late_ns,
                        late_off_ns,
                    }));
                }
                _ => {
                    let kind = EventKind::MissedEjection;
                    tell(ActuatorAction::Event(
                        LineEvent::new(kind, now).about(Subject::Ejector(n as u8)).with(Detail::Part(order.seq)),
                    ));
                }
            }
        }
    }

    fn order(&mut self, seq: Seq) -> Option<&mut Order> {
        let first = self.orders.front()?.seq;
        self.orders.get_mut(usize::try_from(seq.0.checked_sub(first.0)?).ok()?)
    }

    fn retire(&mut self) {
        while self.orders.front().is_some_and(|o| o.armed == 0) {
            self.orders.pop_front();
        }
    }
}

/// The positions of the belt at which the output has to go on and off for a part, at the speed of now.
fn window(spec: &EjectorSpec, order: &Order, belt: &Belt) -> (Ticks, Ticks) {
    let on = order.ticks + spec.commit() + -belt.ticks_in(spec.delay_on);
    let off = order.ticks + spec.end() + -belt.ticks_in(spec.delay_off);
    // A long delay and a short part at high speed: still at least one tick.
    (on, off.max(on + 1))
}

fn wanted(spec: &EjectorSpec, begun: Option<&Active>, on: Ticks, off: Ticks, now: Mono, belt: &Belt) -> bool {
    match (spec.shape, begun) {
        (PulseShape::Pulse(width), Some(a)) => now < a.on + width,
        _ => belt.ticks >= on && belt.ticks < off,
    }
}

/// Time for so many ticks at the speed of now; `None` if the belt does not get there.
fn travel(ticks: i64, belt: &Belt) -> Option<Duration> {
    (belt.rate > 0.0).then(|| Duration::from_secs_f64((ticks.max(0) as f64 / belt.rate).min(1e6)))
}

#[cfg(test)]
mod tests;
