//! One lane of a running line: drives its [`LaneController`] with the clock, the belt and the outputs of the machine, and turns its actions
//! into records, switches and metrics. Owned by the `decide` thread.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::lane_spec::LaneSpec;
use super::pictures::PictureMatcher;
use super::status::Status;
use super::tape::Tape;
use crate::controller::{LaneAction, LaneController, LaneInput, LaneSetup, RecordMaker, TapeEntry};
use crate::telemetry::{LatencyHistogram, Metrics};
use andon_core::{BeltSource, Encoder, Input, Output, SharedEncoder};
use andon_core::{CameraId, Mono, Outcome, Record, RefuseNewest, Ticks};

/// What every lane shares.
pub(super) struct LaneContext {
    pub records: RefuseNewest<Record>,
    pub status: Arc<Status>,
    pub metrics: Arc<Metrics>,
    /// By camera.
    pub latency: Vec<LatencyHistogram>,
    /// Pictures that wait for the verdicts on their parts.
    pub pictures: PictureMatcher,
    /// Where a recording of what the lanes are fed goes, if one is made.
    pub tape: Option<Tape>,
}

/// A lane at work.
pub(super) struct Lane {
    controller: LaneController,
    belt: Arc<dyn BeltSource>,
    effects: Effects,
    health_due: Mono,
}

/// What a lane acts on.
struct Effects {
    number: u8,
    records: RecordMaker,
    /// Ejectors by number, then line stop and heartbeat, as far as there are any.
    outputs: Vec<Box<dyn Output>>,
    faulty: Vec<bool>,
    /// Time that was left when parts were settled.
    slack: LatencyHistogram,
}

/// How often outputs are asked how they are.
const HEALTH: Duration = Duration::from_millis(10);

/// What waits for the outside world.
pub(super) struct LaneInputs {
    pub triggers: Vec<Box<dyn Input>>,
    pub confirms: Vec<(u8, Box<dyn Input>)>,
    pub encoder: Option<(Box<dyn Encoder>, Arc<SharedEncoder>)>,
}

impl Lane {
    /// Wires a lane; what announces its parts is returned for the threads that wait for it.
    pub fn new(number: u8, spec: LaneSpec) -> (Lane, LaneInputs) {
        let setup = spec.setup();
        let (mut outputs, mut confirms) = (Vec::new(), Vec::new());
        for (n, ejector) in spec.ejectors.into_iter().enumerate() {
            outputs.push(ejector.output);
            confirms.extend(ejector.confirm.map(|input| (n as u8, input)));
        }
        outputs.extend(spec.line_stop);
        outputs.extend(spec.heartbeat);
        let records = RecordMaker { lane: number, cameras: spec.cameras, has_encoder: spec.has_encoder };
        let lane = Lane {
            controller: LaneController::new(setup),
            belt: spec.belt,
            effects: Effects {
                number,
                records,
                faulty: vec![false; outputs.len()],
                outputs,
                slack: LatencyHistogram::new(),
            },
            health_due: Mono(0),
        };
        let inputs = LaneInputs { triggers: spec.triggers, confirms, encoder: spec.encoder };
        (lane, inputs)
    }

    /// What it decides.
    pub fn controller(&self) -> &LaneController {
        &self.controller
    }

    /// Time that was left when parts were settled.
    pub fn slack(&self) -> &LatencyHistogram {
        &self.effects.slack
    }

    /// Whether it drives any output.
    pub fn acts(&self) -> bool {
        !self.effects.outputs.is_empty()
    }

    /// The camera's place in this lane.
    pub fn place(&self, camera: CameraId) -> Option<usize> {
        self.controller.cameras().iter().position(|c| *c == camera)
    }

    /// Where the belt was, or will be, at a time.
    pub fn ticks_at(&self, at: Mono) -> Ticks {
        self.belt.at(at).ticks
    }

    /// Something happened now.
    pub fn handle(&mut self, input: LaneInput, at: Mono, context: &mut LaneContext) {
        self.handle_and(input, at, context, &mut |_| {});
    }

    /// The same; `also` sees every action before it is carried out.
    pub fn handle_and(
        &mut self,
        input: LaneInput,
        at: Mono,
        context: &mut LaneContext,
        also: &mut dyn FnMut(&LaneAction),
    ) {
        let belt = self.belt.at(at);
        if let Some(tape) = &context.tape {
            tape.record(TapeEntry { lane: self.effects.number, at, belt, input });
        }
        let effects = &mut self.effects;
        self.controller.handle(input, at, belt, &mut |action| {
            also(&action);
            effects.carry_out(action, context);
        });
    }

    /// What is due: parts that are late, outputs that have to switch, outputs that do not.
    pub fn step(&mut self, context: &mut LaneContext) {
        let at = Mono::now();
        self.handle(LaneInput::Step, at, context);
        if at >= self.health_due && self.acts() {
            self.health_due = at + HEALTH;
            self.health(at, context);
        }
        while let Some(trouble) = self.belt.trouble() {
            self.handle(LaneInput::Encoder(trouble), at, context);
        }
    }

    /// How long until [`Lane::step`] has something to do.
    pub fn next(&self) -> Duration {
        let at = Mono::now();
        let wait = self.controller.next(at, self.belt.at(at));
        if self.acts() { wait.min(self.health_due.since(at)) } else { wait }
    }

    /// Ends what is open and leaves every output at its safe level.
    pub fn stop(&mut self, context: &mut LaneContext) {
        self.handle(LaneInput::Stop, Mono::now(), context);
        self.effects.outputs.iter_mut().for_each(|o| o.make_safe());
    }

    fn health(&mut self, at: Mono, context: &mut LaneContext) {
        for n in 0..self.effects.outputs.len() {
            let output = &self.effects.outputs[n];
            let fault = output.fault();
            if fault.is_some() == self.effects.faulty[n] {
                continue;
            }
            if let Some(why) = &fault {
                tracing::error!(output = output.name(), "{why}");
            }
            self.effects.faulty[n] = fault.is_some();
            self.handle(LaneInput::OutputWorks { output: n as u8, works: fault.is_none() }, at, context);
        }
    }
}

impl Effects {
    fn carry_out(&mut self, action: LaneAction, context: &mut LaneContext) {
        let LaneContext { status, metrics, latency, pictures, .. } = context;
        match &action {
            LaneAction::Offered(_) => self.records.cameras.iter().for_each(|camera| metrics.offered(*camera, 1)),
            LaneAction::Settled { end, .. } => {
                if matches!(end.outcome, Outcome::Pass(_) | Outcome::Reject) {
                    self.slack.record_ns(end.slack_ns);
                }
            }
            LaneAction::Ejection(_) => metrics.ejected(),
            LaneAction::Event(notice) => {
                metrics.notice(notice.kind);
                status.lanes[usize::from(self.number)].heard(notice);
            }
            LaneAction::Counted(kind) => metrics.notice(*kind),
            LaneAction::Set { output, on } => {
                if let Some(output) = self.outputs.get_mut(*output) {
                    output.set(*on);
                }
            }
            LaneAction::LineStop(on) => status.lanes[usize::from(self.number)].stopped.store(*on, Relaxed),
            LaneAction::Ended(_) => {}
        }
        let active = |camera: CameraId, number| status.cameras[camera.index()].judged_by(number);
        let Some(record) = self.records.record(&action, &active) else { return };
        if let Record::Verdict(verdict) = &record {
            metrics.ended(verdict.camera, verdict);
            if verdict.score.is_some() {
                latency[verdict.camera.index()].record_ns(verdict.latency_ns());
            }
            if let LaneAction::Ended(e) = &action {
                pictures.judged(e.frame, verdict);
            }
        }
        context.send(record);
    }
}

impl LaneContext {
    pub fn send(&self, record: Record) {
        if self.records.try_send(record).is_err() {
            self.status.shed.records.fetch_add(1, Relaxed);
        }
    }
}

impl LaneSpec {
    /// What the lane is, without its wires.
    pub fn setup(&self) -> LaneSetup {
        LaneSetup {
            cameras: self.cameras.clone(),
            continuous: self.continuous.clone(),
            matching: self.matching,
            budget: self.budget,
            review: self.review,
            min_pitch: self.min_pitch,
            margin: self.margin,
            has_encoder: self.has_encoder,
            ejectors: self.ejectors.iter().map(|e| e.spec).collect(),
            line_stop: self.line_stop.is_some(),
            heartbeat: self.heartbeat.is_some(),
            alarms: self.alarms,
            tolerated: self.tolerated.clone(),
        }
    }
}
