//! One ejector's output: when it has to be on, and what protects its coil.

use std::time::Duration;

use andon_core::{Mono, Outcome, Reason};

/// Outcomes that an ejector acts on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EjectOn(u8);

impl EjectOn {
    /// REJECT, for whatever reason, ERROR and UNINSPECTED.
    pub const ALL: EjectOn = EjectOn(15);

    /// Those named; `reject` without those that are only borderline.
    pub fn new(reject: bool, error: bool, uninspected: bool) -> EjectOn {
        EjectOn(u8::from(reject) | u8::from(error) << 1 | u8::from(uninspected) << 2)
    }

    /// Also REJECT for being [`Reason::Borderline`], if `yes`.
    pub fn and_borderline(self, yes: bool) -> EjectOn {
        EjectOn(self.0 | u8::from(yes) << 3)
    }

    /// Whether it acts on a part that ended so; never on a PASS.
    pub fn has(self, outcome: &Outcome, reason: Reason) -> bool {
        let bit = match outcome {
            Outcome::Pass(_) => 0,
            Outcome::Reject if reason == Reason::Borderline => 8,
            Outcome::Reject => 1,
            Outcome::Error => 2,
            Outcome::Uninspected => 4,
        };
        self.0 & bit != 0
    }
}

/// How long the output is on for a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PulseShape {
    /// While the part is in front of the ejector: an air jet, a flap.
    Window,
    /// Once, so long, when the part's middle is there: a pusher.
    Pulse(Duration),
}

/// An ejector. Distances in ticks of the belt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EjectorSpec {
    /// From the trigger to where the part's leading edge is in front of the ejector.
    pub distance: i64,
    /// Length of the longest part.
    pub length: i64,
    /// Added before the leading edge and after the trailing one.
    pub before: i64,
    /// Added after the trailing edge.
    pub after: i64,
    /// How long the output is on.
    pub shape: PulseShape,
    /// From the output to the actuator's effect; the output goes on that much earlier.
    pub delay_on: Duration,
    /// From the output's end to the end of the effect; the output goes off that much earlier.
    pub delay_off: Duration,
    /// Shortest pulse.
    pub min_on: Duration,
    /// Shortest pause; pulses that come nearer are merged.
    pub min_gap: Duration,
    /// The stuck-on guard: no pulse is longer.
    pub max_on: Duration,
    /// Largest share of time that the output may be on, over ten seconds; 1 for no limit.
    pub max_duty: f32,
    /// What it acts on.
    pub causes: EjectOn,
    /// A sensor has to see the ejected part so soon after the output went on.
    pub confirm_within: Option<Duration>,
}

impl EjectorSpec {
    /// Ticks from the trigger to where it has to act, its own delay not counted.
    pub fn commit(&self) -> i64 {
        match self.shape {
            PulseShape::Window => self.distance - self.before,
            PulseShape::Pulse(_) => self.distance + self.length / 2,
        }
    }

    /// Ticks from the trigger to where it must no longer act.
    pub(super) fn end(&self) -> i64 {
        self.distance + self.length + self.after
    }
}

/// Why an output was switched off against the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    StuckOn,
    OverDuty,
}

/// The output's own state: pulse lengths, pauses and the coil's heat.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coil {
    pub on: bool,
    /// When it last changed.
    pub since: Mono,
    /// On-time that is left, in seconds: filled at the rate of the duty, spent while on.
    left: f64,
    last: Mono,
    /// Held off until nobody wants it any more.
    guarded: bool,
    /// Never switched yet: the pause before the first pulse is over.
    fresh: bool,
}

/// The duty is measured over this.
const DUTY_WINDOW: f64 = 10.0;

impl Coil {
    pub fn new(spec: &EjectorSpec) -> Coil {
        let left = DUTY_WINDOW * f64::from(spec.max_duty);
        Coil { on: false, since: Mono(0), left, last: Mono(0), guarded: false, fresh: true }
    }

    /// What the output does now. `want`: a part is there; `soon`: the time until the next one that may be ejected, if the
    /// belt moves on like this.
    pub fn step(
        &mut self,
        spec: &EjectorSpec,
        want: bool,
        soon: Option<Duration>,
        now: Mono,
    ) -> (Option<bool>, Option<Guard>) {
        let full = DUTY_WINDOW * f64::from(spec.max_duty);
        let passed = now.since(self.last).as_secs_f64();
        self.left = (self.left + passed * (f64::from(spec.max_duty) - f64::from(u8::from(self.on)))).min(full);
        self.last = now;
        if !want {
            self.guarded = false;
        }
        let held = now.since(self.since);
        if self.on {
            let guard = if held >= spec.max_on {
                Some(Guard::StuckOn)
            } else if spec.max_duty < 1.0 && self.left <= 0.0 {
                Some(Guard::OverDuty)
            } else {
                None
            };
            if guard.is_some() {
                self.guarded = want;
                return (self.set(false, now), guard);
            }
            let merged = soon.is_some_and(|s| s < spec.min_gap);
            if !want && held >= spec.min_on && !merged {
                return (self.set(false, now), None);
            }
        } else if want && !self.guarded && (self.fresh || held >= spec.min_gap) {
            if spec.max_duty < 1.0 && self.left < spec.min_on.as_secs_f64() {
                self.guarded = true;
                return (None, Some(Guard::OverDuty));
            }
            return (self.set(true, now), None);
        }
        (None, None)
    }

    fn set(&mut self, on: bool, now: Mono) -> Option<bool> {
        (self.on, self.since, self.fresh) = (on, now, false);
        Some(on)
    }

    /// When the coil itself has something to do next, whatever the belt does.
    pub fn next(&self, spec: &EjectorSpec, want: bool) -> Option<Mono> {
        match (self.on, want) {
            (true, false) => Some(self.since + spec.min_on.min(spec.max_on)),
            (true, true) => Some(self.since + spec.max_on),
            (false, true) if !self.guarded => Some(self.since + spec.min_gap),
            _ => None,
        }
    }
}
