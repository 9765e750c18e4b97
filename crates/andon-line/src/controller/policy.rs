//! What follows from the ledger's events: ejections are scheduled and cancelled, alarms are raised, the line is asked to stop.
//! [`super::LaneController`] calls it with every event; it answers with actions, and never touches a wire, a clock or a channel.

use std::time::Duration;

use super::{Emit, LaneAction, LaneSetup};
use crate::act::{self, Alarms, Schedule};
use crate::decide::{LedgerEvent, Moment};
use andon_core::{CameraId, ChallengeSign, Detail, EventKind, FrameNo, LineEvent, Mono, Subject};

/// Half a period of the heartbeat: 2.5 Hz.
const BEAT: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub(super) struct Policy {
    cameras: Vec<CameraId>,
    /// By the camera's place: whether it takes pictures all the time, and how many of them belonged to no part.
    without_part: Vec<(bool, u64)>,
    records_parts: bool,
    schedule: Schedule,
    alarms: Alarms,
    tolerated: Vec<EventKind>,
    line_stop: Option<usize>,
    heartbeat: Option<Heartbeat>,
    /// Notices of one step of the schedule; kept for its storage.
    notices: Vec<LineEvent>,
}

#[derive(Clone, Copy, Debug)]
struct Heartbeat {
    output: usize,
    due: Mono,
    level: bool,
}

impl Policy {
    pub fn new(setup: LaneSetup, schedule: Schedule, records_parts: bool) -> Policy {
        let mut outputs = setup.ejectors.len();
        let mut next = |there: bool| {
            let number = outputs;
            outputs += usize::from(there);
            there.then_some(number)
        };
        let line_stop = next(setup.line_stop);
        let heartbeat = next(setup.heartbeat).map(|output| Heartbeat { output, due: Mono(0), level: false });
        Policy {
            without_part: setup.cameras.iter().map(|c| (setup.continuous.contains(c), 0)).collect(),
            cameras: setup.cameras,
            records_parts,
            schedule,
            alarms: Alarms::new(setup.alarms),
            tolerated: setup.tolerated,
            line_stop,
            heartbeat,
            notices: Vec::with_capacity(64),
        }
    }

    pub fn cameras(&self) -> &[CameraId] {
        &self.cameras
    }

    pub fn stopped(&self) -> bool {
        self.alarms.stopped()
    }

    pub fn is_idle(&self) -> bool {
        self.schedule.is_idle()
    }

    pub fn frames_without_part(&self, place: usize) -> u64 {
        self.without_part.get(place).map_or(0, |(_, n)| *n)
    }

    /// An event of the ledger.
    pub fn ledger(&mut self, event: LedgerEvent, act: Emit<'_>) {
        match event {
            LedgerEvent::Offered(part) => {
                act(LaneAction::Offered(part));
                self.schedule.arm(&part);
            }
            LedgerEvent::Ended(ending) => act(LaneAction::Ended(ending)),
            LedgerEvent::Settled(end) => {
                self.schedule.settle(end.part.seq, &end.outcome, end.reason);
                if let Some(alarm) = self.alarms.ended(&end.outcome, end.at) {
                    self.notice(alarm, act);
                }
                act(LaneAction::Settled { end, record: self.records_parts });
            }
            LedgerEvent::Orphan { camera, frame, at } => self.frame_without_part(camera, frame, at, act),
            LedgerEvent::Event(notice) => self.notice(notice, act),
        }
    }

    /// That is how it is with a camera that takes pictures all the time: counted, and nobody is told.
    fn frame_without_part(&mut self, place: usize, frame: FrameNo, at: Mono, act: Emit<'_>) {
        let (Some(camera), Some((continuous, count))) = (self.cameras.get(place), self.without_part.get_mut(place))
        else {
            return;
        };
        *count += 1;
        let notice = LineEvent::new(EventKind::FrameWithoutPart, at).about(Subject::Camera(*camera));
        if *continuous {
            act(LaneAction::Counted(notice.kind));
        } else {
            self.notice(notice.with(Detail::Frame(frame)), act);
        }
    }

    /// A notice goes out, and asks the line to stop if its kind does.
    pub fn notice(&mut self, notice: LineEvent, act: Emit<'_>) {
        act(LaneAction::Event(notice));
        if self.tolerated.contains(&notice.kind) || !self.alarms.heard(&notice) {
            return;
        }
        act(LaneAction::LineStop(true));
        let stop = LineEvent { kind: EventKind::LineStop, detail: Detail::Cause(notice.kind), ..notice };
        act(LaneAction::Event(stop));
        if let Some(output) = self.line_stop {
            act(LaneAction::Set { output, on: true });
        }
    }

    pub fn camera(&mut self, place: usize, works: bool, at: Mono, act: Emit<'_>) {
        let Some(camera) = self.cameras.get(place).copied() else { return };
        let kind = if works { EventKind::CameraBack } else { EventKind::CameraDown };
        self.notice(LineEvent::new(kind, at).about(Subject::Camera(camera)), act);
    }

    pub fn challenge(&mut self, place: usize, sign: ChallengeSign, at: Mono, act: Emit<'_>) {
        let Some(camera) = self.cameras.get(place).copied() else { return };
        self.notice(LineEvent::new(sign.event(), at).about(Subject::Camera(camera)), act);
    }

    pub fn release(&mut self, at: Mono, act: Emit<'_>) {
        if !self.alarms.release() {
            return;
        }
        act(LaneAction::LineStop(false));
        if let Some(output) = self.line_stop {
            act(LaneAction::Set { output, on: false });
        }
        self.notice(LineEvent::new(EventKind::LineReleased, at), act);
    }

    pub fn confirm(&mut self, ejector: u8, at: Mono, act: Emit<'_>) {
        let mut odd = None;
        self.schedule.confirm(ejector, at, &mut |done| {
            if let act::ActuatorAction::Event(notice) = done {
                odd = Some(notice);
            }
        });
        if let Some(notice) = odd {
            self.notice(notice, act);
        }
    }

    /// Ejectors that have to switch now, and the heartbeat.
    pub fn step(&mut self, now: &Moment, act: Emit<'_>) {
        // Notices are handled when the schedule is free again.
        let mut notices = std::mem::take(&mut self.notices);
        self.schedule.step(now.at, &now.belt, &mut |done| match done {
            act::ActuatorAction::Set { ejector, on } => act(LaneAction::Set { output: usize::from(ejector), on }),
            act::ActuatorAction::Ejection(fired) => act(LaneAction::Ejection(fired)),
            act::ActuatorAction::Event(notice) => notices.push(notice),
        });
        for notice in notices.drain(..) {
            self.notice(notice, act);
        }
        self.notices = notices;
        if let Some(beat) = &mut self.heartbeat
            && now.at >= beat.due
        {
            beat.level = !beat.level;
            beat.due = now.at + BEAT;
            act(LaneAction::Set { output: beat.output, on: beat.level });
        }
    }

    /// How long until [`Policy::step`] has something to do; a second at most.
    pub fn next(&self, now: &Moment) -> Duration {
        let mut wait = Duration::from_secs(1);
        if let Some(due) = self.schedule.next(now.at, &now.belt) {
            wait = wait.min(due);
        }
        if let Some(beat) = self.heartbeat {
            wait = wait.min(beat.due.since(now.at));
        }
        wait
    }
}
