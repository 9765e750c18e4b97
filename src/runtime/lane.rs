//! One lane of parts: its ledger, its ejectors, its alarms; and the desk that turns their words into records and switches.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::queue::Refuse;
use super::status::Status;
use crate::act::{Act, AlarmSpec, Alarms, EjectorSpec, Schedule};
use crate::decide::{Ending, Ledger, Matching, Now, Rule, Told};
use crate::field::{BeltSource, Encoder, Input, Output, TimeBelt, Track, Trouble};
use crate::publish::Record;
use crate::telemetry::{LatencyHistogram, Metrics};
use crate::types::{CameraId, Mono, Notice, NoticeKind, Outcome, Verdict};

/// An ejector with its wires.
pub struct EjectorLine {
    /// Name in the configuration.
    pub name: String,
    /// When it acts.
    pub spec: EjectorSpec,
    /// What switches it.
    pub output: Box<dyn Output>,
    /// The sensor that sees what it ejected.
    pub confirm: Option<Box<dyn Input>>,
}

/// A lane: the cameras that look at each of its parts, what announces the parts, and what is done about them.
pub struct LaneSpec {
    /// Its cameras, at least one.
    pub cameras: Vec<CameraId>,
    /// How frames find their parts.
    pub matching: Matching,
    /// Trigger to outcome at most.
    pub budget: Duration,
    /// Ticks between two parts at least.
    pub min_pitch: i64,
    /// A PASS has to be there so long before the first ejector has to act.
    pub margin: Duration,
    /// Where the belt is.
    pub belt: Arc<dyn BeltSource>,
    /// What reads the belt's encoder into its track, if it has one.
    pub encoder: Option<(Box<dyn Encoder>, Arc<Track>)>,
    /// The belt's ticks are counts, not time.
    pub has_encoder: bool,
    /// What announces parts besides messages.
    pub triggers: Vec<Box<dyn Input>>,
    /// In the order of their names.
    pub ejectors: Vec<EjectorLine>,
    /// On while the line is asked to stop.
    pub line_stop: Option<Box<dyn Output>>,
    /// Toggles while this program decides.
    pub heartbeat: Option<Box<dyn Output>>,
    /// When many rejects are one fault.
    pub alarms: AlarmSpec,
    /// Notices that do not ask the line to stop although they would.
    pub tolerated: Vec<NoticeKind>,
}

impl LaneSpec {
    /// A camera by itself: every frame is a part, and nothing is ejected here.
    pub fn free(camera: CameraId, budget: Duration) -> LaneSpec {
        LaneSpec {
            cameras: vec![camera],
            matching: Matching::Free,
            budget,
            min_pitch: 1,
            margin: Duration::ZERO,
            belt: Arc::new(TimeBelt),
            encoder: None,
            has_encoder: false,
            triggers: Vec::new(),
            ejectors: Vec::new(),
            line_stop: None,
            heartbeat: None,
            alarms: AlarmSpec::default(),
            tolerated: Vec::new(),
        }
    }
}

/// What every lane's desk shares.
pub(super) struct Office {
    pub records: Refuse<Record>,
    pub status: Arc<Status>,
    pub metrics: Arc<Metrics>,
    /// By camera.
    pub latency: Vec<LatencyHistogram>,
}

/// A lane at work.
pub(super) struct Lane {
    pub ledger: Ledger,
    pub belt: Arc<dyn BeltSource>,
    pub desk: Desk,
    lead: Duration,
}

/// Turns what the ledger and the schedule say into records, switches and alarms.
pub(super) struct Desk {
    lane: u8,
    cameras: Vec<CameraId>,
    has_encoder: bool,
    /// A camera by itself that ejects nothing says all in its verdicts.
    tells_parts: bool,
    schedule: Schedule,
    alarms: Alarms,
    tolerated: Vec<NoticeKind>,
    /// Ejectors by number, then line stop and heartbeat, as far as there are any.
    outputs: Vec<Box<dyn Output>>,
    line_stop: Option<usize>,
    heartbeat: Option<(usize, Mono, bool)>,
    faulty: Vec<bool>,
    health_due: Mono,
    pub margins: LatencyHistogram,
}

/// How often outputs are asked how they are.
const HEALTH: Duration = Duration::from_millis(10);
/// Half a period of the heartbeat: 2.5 Hz.
const BEAT: Duration = Duration::from_millis(200);
/// With an encoder, the belt is looked at this often while a part is under way: its speed may change any time.
const LOOK: Duration = Duration::from_millis(2);

impl Lane {
    /// Wires a lane; what announces its parts is returned for the threads that wait for it.
    pub fn new(n: u8, spec: LaneSpec) -> (Lane, LaneInputs) {
        let schedule = Schedule::new(spec.ejectors.iter().map(|e| e.spec));
        let rule = Rule {
            cameras: spec.cameras.len(),
            matching: spec.matching,
            budget: spec.budget,
            commit: schedule.commit(),
            min_pitch: spec.min_pitch,
            encoder: spec.has_encoder,
        };
        let lead = schedule.lead() + spec.margin;
        let (mut outputs, mut confirms) = (Vec::new(), Vec::new());
        for (n, ejector) in spec.ejectors.into_iter().enumerate() {
            outputs.push(ejector.output);
            confirms.extend(ejector.confirm.map(|input| (n as u8, input)));
        }
        let mut add = |output: Option<Box<dyn Output>>| {
            output.map(|o| {
                outputs.push(o);
                outputs.len() - 1
            })
        };
        let line_stop = add(spec.line_stop);
        let heartbeat = add(spec.heartbeat).map(|n| (n, Mono(0), false));
        let tells_parts = schedule.commit().is_some() || rule.matching != Matching::Free;
        let desk = Desk {
            lane: n,
            tells_parts,
            cameras: spec.cameras,
            has_encoder: spec.has_encoder,
            schedule,
            alarms: Alarms::new(spec.alarms),
            tolerated: spec.tolerated,
            faulty: vec![false; outputs.len()],
            outputs,
            line_stop,
            heartbeat,
            health_due: Mono(0),
            margins: LatencyHistogram::new(),
        };
        let inputs = LaneInputs { triggers: spec.triggers, confirms, encoder: spec.encoder };
        (Lane { ledger: Ledger::new(rule), belt: spec.belt, desk, lead }, inputs)
    }

    /// Whether it drives any output.
    pub fn acts(&self) -> bool {
        !self.desk.outputs.is_empty()
    }

    /// The camera's place in this lane.
    pub fn place(&self, camera: CameraId) -> Option<usize> {
        self.desk.cameras.iter().position(|c| *c == camera)
    }

    pub fn now(&self, at: Mono) -> Now {
        Now { at, belt: self.belt.at(at), lead: self.lead }
    }

    /// What is due: parts that are late, outputs that have to switch, outputs that do not.
    pub fn step(&mut self, office: &mut Office) {
        let Lane { ledger, belt, desk, lead } = self;
        let at = Mono::now();
        let now = Now { at, belt: belt.at(at), lead: *lead };
        ledger.expire(&now, &mut |told| desk.told(told, office));
        desk.step(&now, office);
        if let Some(trouble) = belt.trouble() {
            let kind = match trouble {
                Trouble::Reset => NoticeKind::EncoderReset,
                Trouble::Lost => NoticeKind::EncoderLost,
            };
            desk.notice(Notice { kind, at, who: 0, value: 0 }, office);
        }
    }

    /// How long until [`Lane::step`] has something to do.
    pub fn next(&self) -> Duration {
        let now = self.now(Mono::now());
        let desk = &self.desk;
        let mut wait = Duration::from_secs(1);
        let deadline = self.ledger.next_deadline(&now).map(|d| d + Duration::from_nanos(1));
        wait = deadline.into_iter().chain(desk.schedule.next(now.at, &now.belt)).fold(wait, Duration::min);
        if desk.has_encoder && !desk.schedule.is_idle() {
            wait = wait.min(LOOK);
        }
        if !desk.outputs.is_empty() {
            wait = wait.min(desk.health_due.since(now.at));
        }
        if let Some((_, due, _)) = desk.heartbeat {
            wait = wait.min(due.since(now.at));
        }
        wait
    }

    /// Ends what is open and leaves every output at its safe level.
    pub fn stop(&mut self, office: &mut Office) {
        let now = self.now(Mono::now());
        let Lane { ledger, desk, .. } = self;
        ledger.stop(&now, &mut |told| desk.told(told, office));
        desk.outputs.iter_mut().for_each(|o| o.make_safe());
    }
}

/// What waits for the outside world.
pub(super) struct LaneInputs {
    pub triggers: Vec<Box<dyn Input>>,
    pub confirms: Vec<(u8, Box<dyn Input>)>,
    pub encoder: Option<(Box<dyn Encoder>, Arc<Track>)>,
}

impl Desk {
    pub fn cameras(&self) -> &[CameraId] {
        &self.cameras
    }

    pub fn stopped(&self) -> bool {
        self.alarms.stopped()
    }

    pub fn told(&mut self, told: Told, office: &mut Office) {
        match told {
            Told::Offered(part) => {
                for camera in &self.cameras {
                    office.metrics.offered(*camera, 1);
                }
                self.schedule.arm(&part);
            }
            Told::Ended(ending) => self.ended(&ending, office),
            Told::Settled(end) => {
                self.schedule.settle(end.part.seq, &end.outcome);
                if matches!(end.outcome, Outcome::Pass(_) | Outcome::Reject) {
                    self.margins.record_ns(end.left_ns);
                }
                if let Some(alarm) = self.alarms.ended(&end.outcome, end.at) {
                    self.notice(alarm, office);
                }
                if self.tells_parts {
                    office.send(Record::Part(self.lane, end));
                }
            }
            Told::Notice(notice) => self.notice(notice, office),
        }
    }

    fn ended(&mut self, e: &Ending, office: &mut Office) {
        let Some(camera) = self.cameras.get(e.camera).copied() else { return };
        let active = office.status.cameras[camera.index()].active.load();
        let verdict = Verdict {
            camera,
            seq: e.part.seq,
            source_index: e.source_index,
            t_trigger: e.part.at,
            trigger_id: e.part.id,
            encoder: self.has_encoder.then_some(e.part.ticks.0),
            outcome: e.outcome,
            reason: e.reason,
            score: e.score,
            threshold: e.threshold.unwrap_or(active.threshold).get(),
            regions: e.regions,
            t_capture: e.t_capture,
            t_verdict: e.at,
            deadline: e.deadline,
            queue_ns: e.queue_ns,
            times: e.times,
            model: active.model.clone(),
            degraded: active.degraded,
        };
        office.metrics.ended(camera, &verdict);
        if e.score.is_some() {
            office.latency[camera.index()].record_ns(verdict.latency_ns());
        }
        office.send(Record::Verdict(verdict));
    }

    /// Records a notice; stops the line for it if it has to.
    pub fn notice(&mut self, notice: Notice, office: &mut Office) {
        office.metrics.notice(notice.kind);
        office.status.lanes[usize::from(self.lane)].heard(&notice);
        office.send(Record::Notice(self.lane, notice));
        if self.tolerated.contains(&notice.kind) || !self.alarms.heard(&notice) {
            return;
        }
        office.status.lanes[usize::from(self.lane)].stopped.store(true, Relaxed);
        office.metrics.notice(NoticeKind::LineStop);
        office.send(Record::Notice(self.lane, Notice { kind: NoticeKind::LineStop, value: 0, ..notice }));
        if let Some(n) = self.line_stop {
            self.outputs[n].set(true);
        }
    }

    /// Somebody releases the line.
    pub fn release(&mut self, at: Mono, office: &mut Office) {
        if !self.alarms.release() {
            return;
        }
        office.status.lanes[usize::from(self.lane)].stopped.store(false, Relaxed);
        if let Some(n) = self.line_stop {
            self.outputs[n].set(false);
        }
        self.notice(Notice { kind: NoticeKind::LineReleased, at, who: 0, value: 0 }, office);
    }

    pub fn confirm(&mut self, ejector: u8, at: Mono, office: &mut Office) {
        let mut odd = None;
        self.schedule.confirm(ejector, at, &mut |act| {
            if let Act::Notice(n) = act {
                odd = Some(n);
            }
        });
        odd.into_iter().for_each(|n| self.notice(n, office));
    }

    fn step(&mut self, now: &Now, office: &mut Office) {
        // At most a few words a step; the notices go through the desk after the schedule is free again.
        let mut odd: [Option<Notice>; 8] = [None; 8];
        let Desk { schedule, outputs, lane, .. } = self;
        schedule.step(now.at, &now.belt, &mut |act| match act {
            Act::Set { ejector, on } => {
                if let Some(output) = outputs.get_mut(usize::from(ejector)) {
                    output.set(on);
                }
            }
            Act::Fired(fired) => {
                office.metrics.ejected();
                office.send(Record::Fired(*lane, fired));
            }
            Act::Notice(notice) => match odd.iter_mut().find(|o| o.is_none()) {
                Some(free) => *free = Some(notice),
                None => office.metrics.notice(notice.kind),
            },
        });
        odd.into_iter().flatten().for_each(|n| self.notice(n, office));
        if let Some((n, due, level)) = &mut self.heartbeat
            && now.at >= *due
        {
            *level = !*level;
            *due = now.at + BEAT;
            self.outputs[*n].set(*level);
        }
        if now.at >= self.health_due && !self.outputs.is_empty() {
            self.health_due = now.at + HEALTH;
            self.health(now.at, office);
        }
    }

    fn health(&mut self, at: Mono, office: &mut Office) {
        for n in 0..self.outputs.len() {
            let fault = self.outputs[n].fault();
            if fault.is_some() == self.faulty[n] {
                continue;
            }
            self.faulty[n] = fault.is_some();
            let kind = match &fault {
                Some(why) => {
                    tracing::error!(output = self.outputs[n].name(), "{why}");
                    NoticeKind::OutputFault
                }
                None => NoticeKind::OutputBack,
            };
            self.notice(Notice { kind, at, who: n as u8, value: 0 }, office);
        }
    }
}

impl Office {
    pub fn send(&self, record: Record) {
        if self.records.try_send(record).is_err() {
            self.status.shed.records.fetch_add(1, Relaxed);
        }
    }
}
