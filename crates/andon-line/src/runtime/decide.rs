//! The `decide` stage: every lane's ledger, schedule and outputs on one thread, so that between a PASS and the ejector there
//! is no hand-over in which either could be late unseen. Waits for events, for the earliest deadline and for the next edge of
//! an output; silence becomes UNINSPECTED even when an inspector hangs.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;

use super::lane::{Lane, Office};
use super::wiring::PartEvent;
use crate::decide::{FrameSeen, Observed, Told, Trigger};
use andon_core::CameraState;
use andon_core::{CameraId, Counts, LatencySummary, Mono, Notice, NoticeKind, Stats, Subject};
use andon_core::{LatestOnly, Woken};
use andon_core::{MapRecord, Record};

/// How often each camera reports.
const REPORT: Duration = Duration::from_secs(1);

pub(super) struct Decide {
    pub parts: Woken<PartEvent>,
    pub maps: LatestOnly<MapRecord>,
    pub lanes: Vec<Lane>,
    pub office: Office,
    /// By camera: it was told that it gives no frames.
    pub down: Vec<bool>,
}

impl Decide {
    /// Runs until it is told to close, then ends what is still open. Returns the final figures by camera.
    pub fn run(mut self) -> Vec<(Counts, LatencySummary)> {
        let mut report_at = Mono::now() + REPORT;
        loop {
            let due = self.lanes.iter().map(Lane::next).min().unwrap_or(REPORT);
            match self.parts.recv_timeout(due.min(report_at.since(Mono::now()))) {
                Ok(PartEvent::Close) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(event) => self.take(event),
                Err(RecvTimeoutError::Timeout) => {}
            }
            for lane in &mut self.lanes {
                lane.step(&mut self.office);
            }
            let now = Mono::now();
            if now >= report_at {
                self.report(now);
                report_at = now + REPORT;
            }
        }
        for lane in &mut self.lanes {
            lane.stop(&mut self.office);
        }
        self.report(Mono::now());
        let cameras = (0..self.office.latency.len()).map(|n| CameraId(n as u8));
        cameras.map(|c| (self.counts(c), self.office.latency[c.index()].summary())).collect()
    }

    fn take(&mut self, event: PartEvent) {
        let at = Mono::now();
        let Decide { lanes, office, maps, .. } = self;
        match event {
            PartEvent::Trigger { lane, at: when, id } => {
                let Some(lane) = lanes.get_mut(usize::from(lane)) else { return };
                let now = lane.now(at);
                let trigger = Trigger { at: when, ticks: lane.belt.at(when).ticks, id };
                lane.ledger.trigger(trigger, &now, &mut |told| lane.desk.told(told, office));
            }
            PartEvent::Frame { camera, frame, t_capture, source_index } => {
                let Some((lane, place)) = find(lanes, camera) else { return };
                let now = lane.now(at);
                let seen = FrameSeen { frame, t_capture, ticks: lane.belt.at(t_capture).ticks, source_index };
                lane.ledger.frame(place, seen, &now, &mut |told| lane.desk.told(told, office));
            }
            PartEvent::Missing { camera, count, at: seen } => {
                let Some((lane, place)) = find(lanes, camera) else { return };
                let now = lane.now(at);
                let ticks = lane.belt.at(seen).ticks;
                lane.ledger.gap(place, count, seen, ticks, &now, &mut |told| lane.desk.told(told, office));
            }
            PartEvent::Evicted { camera, frame } => {
                let Some((lane, place)) = find(lanes, camera) else { return };
                let now = lane.now(at);
                lane.ledger.evicted(place, frame, &now, &mut |told| lane.desk.told(told, office));
            }
            PartEvent::Observed { camera, frame, result, queue_ns, times, regions, map } => {
                let Some((lane, place)) = find(lanes, camera) else { return };
                let threshold = office.status.cameras[camera.index()].active.load().threshold;
                let seen = Observed { frame, result, threshold, queue_ns, times, regions };
                let now = lane.now(at);
                let mut judged = None;
                lane.ledger.observed(place, seen, &now, &mut |told| {
                    if let Told::Ended(e) = &told
                        && e.score.is_some()
                    {
                        judged = Some((e.part.seq, e.t_capture));
                    }
                    lane.desk.told(told, office);
                });
                if let (Some(map), Some((seq, t_capture))) = (map, judged) {
                    let record = MapRecord { camera, seq, t_capture, map, threshold: threshold.get() };
                    if maps.set(record) {
                        office.status.shed.maps.fetch_add(1, Relaxed);
                    }
                }
            }
            PartEvent::Confirm { lane, ejector, at: when } => {
                if let Some(lane) = lanes.get_mut(usize::from(lane)) {
                    lane.desk.confirm(ejector, when, office);
                }
            }
            PartEvent::Input { lane, who, works } => {
                if let Some(lane) = lanes.get_mut(usize::from(lane)) {
                    let kind = if works { NoticeKind::InputBack } else { NoticeKind::InputFault };
                    lane.desk.notice(Notice::new(kind, at).about(Subject::Input(who)), office);
                }
            }
            PartEvent::Release => lanes.iter_mut().for_each(|lane| lane.desk.release(at, office)),
            PartEvent::Close => {}
        }
    }

    fn counts(&self, camera: CameraId) -> Counts {
        let lane = self.lanes.iter().find_map(|l| Some((l, l.place(camera)?)));
        lane.map_or(Counts::default(), |(lane, place)| lane.ledger.counts(place))
    }

    /// Tells when a camera stops giving frames, and when it gives them again.
    fn cameras(&mut self, at: Mono) {
        let Decide { lanes, office, down, .. } = self;
        down.resize(office.status.cameras.len(), false);
        for lane in lanes {
            for n in 0..lane.desk.cameras().len() {
                let camera = lane.desk.cameras()[n];
                let told = &mut down[camera.index()];
                let kind = match (office.status.cameras[camera.index()].state(), *told) {
                    (CameraState::Down, false) => NoticeKind::CameraDown,
                    (CameraState::Running, true) => NoticeKind::CameraBack,
                    _ => continue,
                };
                *told = !*told;
                lane.desk.notice(Notice::new(kind, at).about(Subject::Camera(camera)), office);
            }
        }
    }

    fn report(&mut self, now: Mono) {
        self.cameras(now);
        for lane in &self.lanes {
            for (place, id) in lane.desk.cameras().iter().enumerate() {
                let (camera, shed) = (&self.office.status.cameras[id.index()], &self.office.status.shed);
                let state = camera.state();
                let camera_restarts = camera.camera_restarts.load(Relaxed);
                let detector_restarts = camera.detector_restarts.load(Relaxed);
                let up = state == CameraState::Running;
                self.office.metrics.camera(*id, up, camera_restarts, detector_restarts);
                self.office.send(Record::Stats(Stats {
                    camera: *id,
                    t: now,
                    counts: lane.ledger.counts(place),
                    latency: self.office.latency[id.index()].summary(),
                    margin: lane.desk.margins.margins(),
                    line_stop: lane.desk.stopped(),
                    camera_state: state.as_str(),
                    camera_restarts,
                    detector_restarts,
                    frames_without_part: lane.desk.orphans(place),
                    shed: [&shed.parts, &shed.records, &shed.maps].map(|n| n.load(Relaxed)),
                }));
            }
        }
    }
}

/// The lane that a camera looks at, and its place there.
fn find(lanes: &mut [Lane], camera: CameraId) -> Option<(&mut Lane, usize)> {
    lanes.iter_mut().find_map(|lane| {
        let place = lane.place(camera)?;
        Some((lane, place))
    })
}
