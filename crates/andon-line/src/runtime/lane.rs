//! One lane of parts: its ledger, its ejectors, its alarms; and the desk that turns their words into records and switches.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::lane_spec::LaneSpec;
use super::status::Status;
use crate::act::{Act, Alarms, Schedule};
use crate::decide::{Ending, Ledger, Matching, Now, Rule, Told};
use crate::telemetry::{LatencyHistogram, Metrics};
use andon_core::Record;
use andon_core::Refuse;
use andon_core::{BeltSource, Encoder, Input, Output, Track, Trouble};
use andon_core::{CameraId, Detail, FrameNo, Mono, Notice, NoticeKind, Outcome, Subject, Verdict};

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
    /// By the camera's place: it takes pictures all the time, and how many of them belonged to no part.
    orphans: Vec<(bool, u64)>,
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
    /// What the schedule says while it is stepped; kept for its room.
    odd: Vec<Notice>,
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
            orphans: spec.cameras.iter().map(|c| (spec.continuous.contains(c), 0)).collect(),
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
            odd: Vec::with_capacity(64),
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
        while let Some(trouble) = belt.trouble() {
            let (kind, detail) = match trouble {
                Trouble::Reset => (NoticeKind::EncoderReset, Detail::None),
                Trouble::Lost => (NoticeKind::EncoderLost, Detail::None),
                Trouble::Back => (NoticeKind::EncoderBack, Detail::Cause(NoticeKind::EncoderLost)),
            };
            desk.notice(Notice::new(kind, at).about(Subject::Encoder).with(detail), office);
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
            Told::Orphan { camera, frame, at } => self.orphan(camera, frame, at, office),
            Told::Notice(notice) => self.notice(notice, office),
        }
    }

    /// A frame belongs to no part. That is how it is with a camera that takes pictures all the time: counted, not told.
    fn orphan(&mut self, place: usize, frame: FrameNo, at: Mono, office: &mut Office) {
        let (Some(camera), Some((continuous, count))) = (self.cameras.get(place), self.orphans.get_mut(place)) else {
            return;
        };
        *count += 1;
        let notice = Notice::new(NoticeKind::FrameWithoutPart, at).about(Subject::Camera(*camera));
        if *continuous {
            office.metrics.notice(notice.kind);
        } else {
            self.notice(notice.with(Detail::Frame(frame)), office);
        }
    }

    /// Frames of the camera at this place that belonged to no part.
    pub fn orphans(&self, place: usize) -> u64 {
        self.orphans.get(place).map_or(0, |(_, n)| *n)
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
        office.send(Record::Notice(
            self.lane,
            Notice { kind: NoticeKind::LineStop, detail: Detail::Cause(notice.kind), ..notice },
        ));
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
        self.notice(Notice::new(NoticeKind::LineReleased, at), office);
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
        // The notices go through the desk after the schedule is free again.
        let mut odd = std::mem::take(&mut self.odd);
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
            Act::Notice(notice) => odd.push(notice),
        });
        odd.drain(..).for_each(|n| self.notice(n, office));
        self.odd = odd;
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
            self.notice(Notice::new(kind, at).about(Subject::Output(n as u8)), office);
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
