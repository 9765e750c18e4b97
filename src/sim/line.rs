//! A whole line in one deterministic clock: belt, encoder, photo eye, camera, inspector, ejector and a PLC that stops the belt
//! when it is asked to. Drives the real ledger, the real encoder track and the real schedule, and looks at what becomes of each
//! part physically. The same specification gives the same result, byte for byte.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;

use super::noise::Dice;
use super::score::{Ejections, slices};
use crate::act::{Act, AlarmSpec, Alarms, Causes, EjectorSpec, Schedule, Shape};
use crate::decide::{FrameSeen, Ledger, Matching, Now, Observed, Rule, Told, Trigger};
use crate::field::BeltTrack;
use crate::types::{Belt, Counts, Fault, FrameNo, Mono, NoticeKind, Outcome, Seq, Threshold};

/// A line and what goes wrong on it. Rates are shares of the parts, 0 to 1, unless said otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct SimLine {
    /// Makes the same run again.
    pub seed: u64,
    /// Parts that are laid on the belt.
    pub parts: u64,
    /// Millimetres a second.
    pub speed: f64,
    /// Millimetres from one part to the next on average; varies by a tenth.
    pub pitch: f64,
    /// Length of a part in millimetres.
    pub part: f64,
    /// From the photo eye to the ejector, in millimetres.
    pub reject_at: f64,
    /// Counts a millimetre, and how often the counter is read; `None`: the clock is the belt.
    pub encoder: Option<(f64, Duration)>,
    /// From the picture to the result: median.
    pub latency: Duration,
    /// And the time that one result in a hundred takes.
    pub latency_p99: Duration,
    /// Delay of the ejector, on and off.
    pub delay: Duration,
    /// Defective parts.
    pub defects: f32,
    /// Frames that never arrive.
    pub lost_frames: f32,
    /// Results that never come, or say that the engine failed.
    pub lost_results: f32,
    /// Triggers that come twice.
    pub double_triggers: f32,
    /// Parts that the photo eye does not see.
    pub missed_triggers: f32,
    /// Stops of the belt a minute, up to two seconds each.
    pub stops: f32,
    /// Runs backwards a minute, up to a tenth of the pitch each.
    pub reversals: f32,
    /// Times a minute that the encoder starts again at zero.
    pub encoder_resets: f32,
    /// Share of the way that the encoder's wheel slips.
    pub slip: f64,
    /// Share by which the speed varies.
    pub unsteady: f64,
}

impl Default for SimLine {
    fn default() -> Self {
        SimLine {
            seed: 1,
            parts: 1000,
            speed: 800.0,
            pitch: 80.0,
            part: 40.0,
            reject_at: 450.0,
            encoder: Some((10.0, Duration::from_millis(1))),
            latency: Duration::from_millis(15),
            latency_p99: Duration::from_millis(40),
            delay: Duration::from_millis(8),
            defects: 0.1,
            lost_frames: 0.0,
            lost_results: 0.0,
            double_triggers: 0.0,
            missed_triggers: 0.0,
            stops: 0.0,
            reversals: 0.0,
            encoder_resets: 0.0,
            slip: 0.0,
            unsteady: 0.0,
        }
    }
}

/// What became of a run.
#[derive(Clone, Debug, Serialize)]
pub struct SimReport {
    /// The ledger's counts.
    pub counts: Counts,
    /// What became of the parts physically.
    pub ejections: Ejections,
    /// Defective parts that stayed on the belt.
    pub defects_through: u64,
    /// Oddities by kind, those that happened.
    pub notices: Vec<(&'static str, u64)>,
    /// Time that was left until the deadline, milliseconds: smallest, median.
    pub margin_ms: [f64; 2],
    /// Simulated seconds.
    pub seconds: f64,
}

/// The clock's first moment.
const START: Mono = Mono(1_000_000_000);
/// Time that a part has in any case; on a line with an ejector the way there is shorter.
const BUDGET: Duration = Duration::from_secs(30);
/// Step of the clock.
const STEP: Duration = Duration::from_micros(250);
/// The PLC lets the belt run again after this.
const PLC_PAUSE: Duration = Duration::from_secs(1);
/// Millimetres behind the trigger where the camera takes its picture.
const CAMERA: f64 = 20.0;

struct Laid {
    /// Position of its leading edge when the belt is at 0.
    at: f64,
    defective: bool,
    announced: Option<Seq>,
    may_stay: Option<bool>,
    seen: bool,
    pictured: bool,
    hit: u32,
}

struct Run<'a> {
    spec: &'a SimLine,
    dice: Dice,
    now: Mono,
    /// Belt position, and what the encoder's wheel has counted, in millimetres.
    belt: f64,
    wheel: f64,
    /// Count at which the encoder was set to zero.
    zero: i64,
    track: BeltTrack,
    read_at: Mono,
    ledger: Ledger,
    schedule: Schedule,
    alarms: Alarms,
    /// Speed as a share of the nominal one, until when.
    gait: (f64, Mono),
    stopped_until: Mono,
    laid: VecDeque<Laid>,
    /// Results on their way: when, which frame, what.
    results: Vec<(Mono, FrameNo, Result<f32, Fault>)>,
    /// Orders to the valve that have not taken effect.
    valve: VecDeque<(Mono, bool)>,
    jet: bool,
    frames: u64,
    notices: [u64; NoticeKind::ALL.len()],
    margins: Vec<u64>,
    ejections: Ejections,
    defects_through: u64,
}

impl SimLine {
    /// The ejector's times and distances in ticks.
    pub fn ejector(&self) -> EjectorSpec {
        let ticks = |mm: f64| (mm * self.ticks_per_mm()).round() as i64;
        EjectorSpec {
            distance: ticks(self.reject_at),
            length: ticks(self.part),
            before: ticks(2.0),
            after: ticks(2.0),
            shape: Shape::Window,
            delay_on: self.delay,
            delay_off: self.delay,
            min_on: Duration::from_millis(5),
            min_gap: Duration::from_millis(5),
            max_on: Duration::from_secs(5),
            max_duty: 1.0,
            causes: Causes::ALL,
            confirm_within: None,
        }
    }

    /// Counts, or microseconds at the nominal speed, for a millimetre.
    fn ticks_per_mm(&self) -> f64 {
        self.encoder.map_or(1e6 / self.speed, |(counts, _)| counts)
    }

    /// Runs it until the last part has left the line.
    pub fn run(&self) -> SimReport {
        let mut run = Run::new(self);
        let mut last = 0.0f64;
        for n in 0..self.parts {
            let apart = self.pitch * f64::from(run.dice.between(0.9, 1.1));
            last -= if n == 0 { 10.0 } else { apart };
            let defective = run.dice.unit() < self.defects;
            let laid =
                Laid { at: last, defective, announced: None, may_stay: None, seen: false, pictured: false, hit: 0 };
            run.laid.push_back(laid);
        }
        while !run.laid.is_empty() {
            run.step();
        }
        let seconds = run.now.since(START).as_secs_f64();
        // The line stands; what still waits for a trigger is given up.
        run.now = run.now + 2 * BUDGET;
        let (now, mut told) = (run.now(), Vec::new());
        run.ledger.expire(&now, &mut |t| told.push(t));
        run.told(told);
        run.report(seconds)
    }
}

impl<'a> Run<'a> {
    fn new(spec: &'a SimLine) -> Run<'a> {
        let schedule = Schedule::new([spec.ejector()]);
        let ticks = |mm: f64| (mm * spec.ticks_per_mm()).round() as i64;
        let rule = Rule {
            cameras: 1,
            matching: Matching::Range { from: ticks(CAMERA - 5.0), to: ticks(CAMERA + 10.0) },
            budget: BUDGET,
            commit: schedule.commit(),
            min_pitch: ticks(spec.pitch / 2.0),
            encoder: spec.encoder.is_some(),
        };
        let max_rate = spec.speed * 1.5 * spec.ticks_per_mm();
        Run {
            spec,
            dice: Dice::new(spec.seed, 1 << 50),
            now: START,
            belt: 0.0,
            wheel: 0.0,
            zero: 0,
            track: BeltTrack::new(1 << 16, max_rate, ticks(spec.speed * 0.01).max(1)),
            read_at: Mono(0),
            ledger: Ledger::new(rule),
            schedule,
            alarms: Alarms::new(AlarmSpec::default()),
            gait: (1.0, Mono(0)),
            stopped_until: Mono(0),
            laid: VecDeque::new(),
            results: Vec::new(),
            valve: VecDeque::new(),
            jet: false,
            frames: 0,
            notices: [0; NoticeKind::ALL.len()],
            margins: Vec::new(),
            ejections: Ejections::default(),
            defects_through: 0,
        }
    }

    fn belt_now(&self) -> Belt {
        if self.spec.encoder.is_some() { self.track.at(self.now) } else { Belt::of_time(self.now) }
    }

    fn now(&self) -> Now {
        Now { at: self.now, belt: self.belt_now(), lead: self.schedule.lead() + Duration::from_millis(2) }
    }

    fn step(&mut self) {
        self.now = self.now + STEP;
        let moved = self.move_belt();
        self.encoder();
        let mut told = Vec::new();
        self.eye(&mut told);
        self.camera(&mut told);
        self.inspector(&mut told);
        let now = self.now();
        self.ledger.expire(&now, &mut |t| told.push(t));
        self.told(told);
        self.eject(now, moved);
    }

    /// Moves the belt; how far.
    fn move_belt(&mut self) -> f64 {
        let spec = self.spec;
        if self.now >= self.gait.1 {
            let minute = 60.0 / 0.2;
            let dice = self.dice.unit();
            let (stops, back) = (spec.stops / minute, (spec.stops + spec.reversals) / minute);
            let steady = 1.0 + spec.unsteady * f64::from(self.dice.between(-1.0, 1.0));
            self.gait = if dice < stops {
                (0.0, self.now + Duration::from_secs_f32(self.dice.between(0.1, 2.0)))
            } else if dice < back {
                let far = spec.pitch / 10.0 / (spec.speed * 0.2);
                (-0.2, self.now + Duration::from_secs_f64(far))
            } else {
                (steady, self.now + Duration::from_millis(200))
            };
        }
        let stopped = self.now < self.stopped_until;
        let share = if stopped { 0.0 } else { self.gait.0 };
        let moved = spec.speed * share * STEP.as_secs_f64();
        self.belt += moved;
        self.wheel += moved * (1.0 - spec.slip * f64::from(self.dice.unit()));
        if !stopped && self.alarms.stopped() {
            self.alarms.release();
        }
        moved
    }

    fn encoder(&mut self) {
        let Some((counts, poll)) = self.spec.encoder else { return };
        if self.now < self.read_at {
            return;
        }
        // A poll comes a little sooner or later each time.
        self.read_at = self.now + poll.mul_f32(self.dice.between(0.8, 1.2));
        let count = (self.wheel * counts).floor() as i64;
        let often = self.spec.encoder_resets / 60.0 * poll.as_secs_f32();
        if self.dice.unit() < often {
            self.zero = count;
        }
        let raw = (count - self.zero).rem_euclid(1 << 16) as u64;
        if self.track.push(raw, self.now) == crate::field::Pushed::Reset {
            self.note(NoticeKind::EncoderReset);
        }
    }

    /// Triggers for the parts whose leading edge has reached the photo eye.
    fn eye(&mut self, told: &mut Vec<Told>) {
        for n in 0..self.laid.len() {
            let there = self.laid[n].at + self.belt;
            if there < 0.0 {
                break;
            }
            if self.laid[n].seen || there > self.spec.part {
                continue;
            }
            self.laid[n].seen = true;
            if self.dice.unit() < self.spec.missed_triggers {
                continue;
            }
            let twice = self.dice.unit() < self.spec.double_triggers;
            let now = self.now();
            for _ in 0..1 + u8::from(twice) {
                let trigger = Trigger { at: self.now, ticks: now.belt.ticks, id: None };
                let before = told.len();
                self.ledger.trigger(trigger, &now, &mut |t| told.push(t));
                let offered = told[before..].iter().find_map(|t| match t {
                    Told::Offered(part) => Some(part.seq),
                    _ => None,
                });
                if offered.is_some() {
                    self.laid[n].announced = offered;
                }
            }
        }
    }

    /// A picture of each part that is in front of the camera, and its result later.
    fn camera(&mut self, told: &mut Vec<Told>) {
        let step = self.spec.speed * 2.0 * STEP.as_secs_f64();
        for n in 0..self.laid.len() {
            let there = self.laid[n].at + self.belt - CAMERA;
            if there < 0.0 {
                break;
            }
            if self.laid[n].pictured || there > step {
                continue;
            }
            self.laid[n].pictured = true;
            let frame = FrameNo(self.frames);
            self.frames += 1;
            if self.dice.unit() < self.spec.lost_frames {
                continue;
            }
            let now = self.now();
            let seen = FrameSeen { frame, t_capture: self.now, ticks: now.belt.ticks, source_index: None };
            self.ledger.frame(0, seen, &now, &mut |t| told.push(t));
            let score = if self.laid[n].defective { 2.0 } else { 0.5 };
            let lost = self.dice.unit();
            let result = match lost / self.spec.lost_results.max(f32::MIN_POSITIVE) {
                0.0..0.5 => continue,
                0.5..1.0 => Err(Fault::Engine("simulated")),
                _ => Ok(score),
            };
            let ready = self.now + self.latency();
            self.results.push((ready, frame, result));
        }
    }

    /// A skewed latency with the given median and 99th percentile: the eighth power of an even number is its tail.
    fn latency(&mut self) -> Duration {
        let eighth = |x: f64| (x * x * x * x) * (x * x * x * x);
        let (p50, p99) = (self.spec.latency.as_secs_f64(), self.spec.latency_p99.as_secs_f64());
        let tail = (p99 - p50).max(0.0) / (eighth(0.99) - eighth(0.5));
        let even = f64::from(self.dice.unit());
        Duration::from_secs_f64((p50 + tail * (eighth(even) - eighth(0.5))).max(0.0))
    }

    fn inspector(&mut self, told: &mut Vec<Told>) {
        let now = self.now();
        let Some(threshold) = Threshold::new(1.0) else { return };
        let at = self.now;
        for (_, frame, result) in self.results.extract_if(.., |r| r.0 <= at) {
            let (times, regions) = Default::default();
            let seen = Observed { frame, result, threshold, queue_ns: 0, times, regions };
            self.ledger.observed(0, seen, &now, &mut |t| told.push(t));
        }
    }

    fn told(&mut self, told: Vec<Told>) {
        for t in told {
            match t {
                Told::Offered(part) => self.schedule.arm(&part),
                Told::Ended(_) => {}
                Told::Settled(end) => {
                    self.schedule.settle(end.part.seq, &end.outcome);
                    let stays = matches!(end.outcome, Outcome::Pass(_));
                    if matches!(end.outcome, Outcome::Pass(_) | Outcome::Reject) {
                        self.margins.push(end.left_ns);
                    }
                    if let Some(laid) = self.laid.iter_mut().find(|l| l.announced == Some(end.part.seq)) {
                        laid.may_stay = Some(stays);
                    }
                }
                Told::Notice(n) => {
                    self.note(n.kind);
                    if self.alarms.heard(&n) {
                        self.stop_line();
                    }
                }
            }
        }
    }

    /// Switches the valve, lets its air hit the parts, and takes those that are past it off the belt.
    fn eject(&mut self, now: Now, moved: f64) {
        let (valve, delay, at) = (&mut self.valve, self.spec.delay, self.now);
        let mut odd = Vec::new();
        self.schedule.step(at, &now.belt, &mut |act| match act {
            Act::Set { on, .. } => valve.push_back((at + delay, on)),
            Act::Fired(_) => {}
            Act::Notice(n) => odd.push(n),
        });
        for n in odd {
            self.note(n.kind);
            if self.alarms.heard(&n) {
                self.stop_line();
            }
        }
        while let Some((_, on)) = self.valve.front().filter(|(t, _)| *t <= at) {
            self.jet = *on;
            self.valve.pop_front();
        }
        let nozzle = self.belt - self.spec.reject_at;
        for laid in self.laid.iter_mut().take_while(|l| l.at + nozzle >= 0.0) {
            let behind = laid.at + nozzle;
            if self.jet {
                laid.hit |= slices(behind - moved, behind, self.spec.part);
            }
        }
        // Far enough that a belt that runs back does not bring it again.
        let gone = self.spec.part + self.spec.pitch;
        while self.laid.front().is_some_and(|l| l.at + nozzle > gone) {
            let Some(laid) = self.laid.pop_front() else { return };
            let hit = laid.hit;
            let settled = laid.announced.map(|_| laid.may_stay.unwrap_or(false));
            self.ejections.count(settled, hit);
            self.defects_through += u64::from(laid.defective && hit == 0);
        }
    }

    /// The PLC stops the belt, and lets it run again a little later.
    fn stop_line(&mut self) {
        self.note(NoticeKind::LineStop);
        self.stopped_until = self.now + PLC_PAUSE;
    }

    fn note(&mut self, kind: NoticeKind) {
        if let Some(n) = NoticeKind::ALL.iter().position(|k| *k == kind) {
            self.notices[n] += 1;
        }
    }

    fn report(mut self, seconds: f64) -> SimReport {
        self.margins.sort_unstable();
        let ms = |n: Option<&u64>| n.map_or(0.0, |n| *n as f64 / 1e6);
        let notices = NoticeKind::ALL.iter().zip(self.notices).filter(|(_, n)| *n > 0);
        SimReport {
            counts: self.ledger.counts(0),
            ejections: self.ejections,
            defects_through: self.defects_through,
            notices: notices.map(|(k, n)| (k.as_str(), n)).collect(),
            margin_ms: [ms(self.margins.first()), ms(self.margins.get(self.margins.len() / 2))],
            seconds,
        }
    }
}

#[cfg(test)]
mod tests;
