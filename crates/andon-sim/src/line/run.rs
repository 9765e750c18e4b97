//! The steps of the simulated line.

use std::collections::VecDeque;
use std::time::Duration;

use super::super::noise::Dice;
use super::super::score::{Ejections, slices};
use super::{SimLine, SimReport};
use andon_core::EncoderTracker;
use andon_core::{Belt, CameraId, EncoderFault, EventKind, Fault, FrameNo, Mono, Outcome, Seq, Threshold};
use andon_line::controller::{LaneAction, LaneController, LaneInput, LaneSetup};
use andon_line::decide::{FrameSeen, Matching, Observed, Trigger};

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

pub(super) struct Run<'a> {
    spec: &'a SimLine,
    dice: Dice,
    now: Mono,
    /// Belt position, and what the encoder's wheel has counted, in millimetres.
    belt: f64,
    wheel: f64,
    /// Count at which the encoder was set to zero.
    zero: i64,
    track: EncoderTracker,
    read_at: Mono,
    lane: LaneController,
    /// What the lane decided and nobody has carried out yet; kept for its storage.
    actions: Vec<LaneAction>,
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
    notices: [u64; EventKind::ALL.len()],
    margins: Vec<u64>,
    ejections: Ejections,
    defects_through: u64,
}

impl<'a> Run<'a> {
    pub fn new(spec: &'a SimLine) -> Run<'a> {
        let ticks = |mm: f64| (mm * spec.ticks_per_mm()).round() as i64;
        let setup = LaneSetup {
            cameras: vec![CameraId(0)],
            continuous: Vec::new(),
            matching: Matching::Range { from: ticks(CAMERA - 5.0), to: ticks(CAMERA + 10.0) },
            budget: BUDGET,
            review: None,
            min_pitch: ticks(spec.pitch / 2.0),
            margin: Duration::from_millis(2),
            has_encoder: spec.encoder.is_some(),
            ejectors: vec![spec.ejector()],
            line_stop: false,
            heartbeat: false,
            alarms: spec.alarms,
            tolerated: Vec::new(),
        };
        let max_rate = spec.speed * 1.5 * spec.ticks_per_mm();
        Run {
            spec,
            dice: Dice::new(spec.seed, 1 << 50),
            now: START,
            belt: 0.0,
            wheel: 0.0,
            zero: 0,
            track: EncoderTracker::new(1 << 16, max_rate, ticks(spec.speed * 0.01).max(1)),
            read_at: Mono(0),
            lane: LaneController::new(setup),
            actions: Vec::new(),
            gait: (1.0, Mono(0)),
            stopped_until: Mono(0),
            laid: VecDeque::new(),
            results: Vec::new(),
            valve: VecDeque::new(),
            jet: false,
            frames: 0,
            notices: [0; EventKind::ALL.len()],
            margins: Vec::new(),
            ejections: Ejections::default(),
            defects_through: 0,
        }
    }

    /// Lays the parts and runs until the last one has left the line.
    pub fn finish(mut self) -> SimReport {
        let mut last = 0.0f64;
        for n in 0..self.spec.parts {
            let apart = self.spec.pitch * f64::from(self.dice.between(0.9, 1.1));
            last -= if n == 0 { 10.0 } else { apart };
            let defective = self.dice.unit() < self.spec.defects;
            let laid =
                Laid { at: last, defective, announced: None, may_stay: None, seen: false, pictured: false, hit: 0 };
            self.laid.push_back(laid);
        }
        while !self.laid.is_empty() {
            self.step();
        }
        let seconds = self.now.since(START).as_secs_f64();
        // The line stands; what still waits for a trigger is given up.
        self.now = self.now + 2 * BUDGET;
        self.feed(LaneInput::Step);
        self.carry_out();
        self.report(seconds)
    }

    fn belt_now(&self) -> Belt {
        if self.spec.encoder.is_some() { self.track.at(self.now) } else { Belt::of_time(self.now) }
    }

    fn feed(&mut self, input: LaneInput) {
        let belt = self.belt_now();
        let Run { lane, actions, now, .. } = self;
        lane.handle(input, *now, belt, &mut |action| actions.push(action));
    }

    fn step(&mut self) {
        self.now = self.now + STEP;
        let moved = self.move_belt();
        self.encoder();
        self.eye();
        self.camera();
        self.inspector();
        self.feed(LaneInput::Step);
        self.carry_out();
        self.eject(moved);
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
        if !stopped && self.lane.stopped() {
            self.feed(LaneInput::Release);
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
        if self.track.push(raw, self.now) == andon_core::ReadingKind::Reset {
            self.feed(LaneInput::Encoder(EncoderFault::Reset));
        }
    }

    /// Triggers for the parts whose leading edge has reached the photo eye.
    fn eye(&mut self) {
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
            for _ in 0..1 + u8::from(twice) {
                let trigger = Trigger { at: self.now, ticks: self.belt_now().ticks, id: None };
                let before = self.actions.len();
                self.feed(LaneInput::Trigger(trigger));
                let offered = self.actions[before..].iter().find_map(|action| match action {
                    LaneAction::Offered(part) => Some(part.seq),
                    _ => None,
                });
                if offered.is_some() {
                    self.laid[n].announced = offered;
                }
            }
        }
    }

    /// A picture of each part that is in front of the camera, and its result later.
    fn camera(&mut self) {
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
            let ticks = self.belt_now().ticks;
            let seen = FrameSeen { frame, t_capture: self.now, ticks, source_index: None };
            self.feed(LaneInput::Frame { place: 0, seen });
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

    fn inspector(&mut self) {
        let Some(threshold) = Threshold::new(1.0) else { return };
        let at = self.now;
        let ready: Vec<_> = self.results.extract_if(.., |r| r.0 <= at).collect();
        for (_, frame, result) in ready {
            let (times, regions) = Default::default();
            let seen = Observed { frame, result, threshold, model: 0, recipe: 0, queue_ns: 0, times, regions };
            self.feed(LaneInput::Observed { place: 0, seen });
        }
    }

    /// Orders to the valve, the fate of parts, and the PLC's answer to a request to stop.
    fn carry_out(&mut self) {
        let mut actions = std::mem::take(&mut self.actions);
        for action in actions.drain(..) {
            match action {
                LaneAction::Settled { end, .. } => {
                    if matches!(end.outcome, Outcome::Pass(_) | Outcome::Reject) {
                        self.margins.push(end.slack_ns);
                    }
                    let stays = matches!(end.outcome, Outcome::Pass(_));
                    if let Some(laid) = self.laid.iter_mut().find(|l| l.announced == Some(end.part.seq)) {
                        laid.may_stay = Some(stays);
                    }
                }
                LaneAction::Set { on, .. } => self.valve.push_back((self.now + self.spec.delay, on)),
                // The belt runs again because the simulated PLC says so, not because anybody looked.
                LaneAction::Event(notice) if notice.kind == EventKind::LineReleased => {}
                LaneAction::Event(notice) => self.note(notice.kind),
                LaneAction::Counted(kind) => self.note(kind),
                LaneAction::LineStop(true) => self.stopped_until = self.now + PLC_PAUSE,
                LaneAction::LineStop(false)
                | LaneAction::Offered(_)
                | LaneAction::Ended(_)
                | LaneAction::Ejection(_) => {}
            }
        }
        self.actions = actions;
    }

    /// Lets the valve's air hit the parts, and takes those that are past it off the belt.
    fn eject(&mut self, moved: f64) {
        let at = self.now;
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

    fn note(&mut self, kind: EventKind) {
        if let Some(n) = EventKind::ALL.iter().position(|k| *k == kind) {
            self.notices[n] += 1;
        }
    }

    fn report(mut self, seconds: f64) -> SimReport {
        self.margins.sort_unstable();
        let ms = |n: Option<&u64>| n.map_or(0.0, |n| *n as f64 / 1e6);
        let notices = EventKind::ALL.iter().zip(self.notices).filter(|(_, n)| *n > 0);
        SimReport {
            counts: self.lane.counts(0),
            ejections: self.ejections,
            defects_through: self.defects_through,
            notices: notices.map(|(k, n)| (k.as_str(), n)).collect(),
            margin_ms: [ms(self.margins.first()), ms(self.margins.get(self.margins.len() / 2))],
            seconds,
        }
    }
}
