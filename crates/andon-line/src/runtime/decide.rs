//! The `decide` stage: every lane's ledger, schedule and outputs on one thread, so that between a PASS and the ejector there
//! is no hand-over in which either could be late unseen. Waits for events, for the earliest deadline and for the next edge of
//! an output; silence becomes UNINSPECTED even when an inspector hangs.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;

use super::lane::{Lane, LaneContext};
use super::wiring::{JudgedBy, PartEvent};
use crate::controller::{LaneAction, LaneInput};
use crate::decide::{FrameSeen, Observed, Trigger};
use andon_core::CameraState;
use andon_core::{CameraId, Counts, LatencySummary, Mono, Stats};
use andon_core::{LatestOnly, ParkedReceiver};
use andon_core::{MapRecord, Record};

/// How often each camera reports.
const REPORT: Duration = Duration::from_secs(1);

pub(super) struct Decide {
    pub parts: ParkedReceiver<PartEvent>,
    pub maps: LatestOnly<MapRecord>,
    pub lanes: Vec<Lane>,
    pub context: LaneContext,
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
                lane.step(&mut self.context);
            }
            let now = Mono::now();
            if now >= report_at {
                self.report(now);
                report_at = now + REPORT;
            }
        }
        for lane in &mut self.lanes {
            lane.stop(&mut self.context);
        }
        self.context.pictures.close();
        self.report(Mono::now());
        let cameras = (0..self.context.latency.len()).map(|n| CameraId(n as u8));
        cameras.map(|c| (self.counts(c), self.context.latency[c.index()].summary())).collect()
    }

    fn take(&mut self, event: PartEvent) {
        let at = Mono::now();
        let Decide { lanes, context, maps, .. } = self;
        match event {
            PartEvent::Trigger { lane, at: when, id } => {
                let Some(lane) = lanes.get_mut(usize::from(lane)) else { return };
                let trigger = Trigger { at: when, ticks: lane.ticks_at(when), id };
                lane.handle(LaneInput::Trigger(trigger), at, context);
            }
            PartEvent::Frame { camera, frame, t_capture, source_index } => {
                let Some((lane, place)) = find(lanes, camera) else { return };
                let seen = FrameSeen { frame, t_capture, ticks: lane.ticks_at(t_capture), source_index };
                lane.handle(LaneInput::Frame { place, seen }, at, context);
            }
            PartEvent::Missing { camera, count, at: seen } => {
                let Some((lane, place)) = find(lanes, camera) else { return };
                let ticks = lane.ticks_at(seen);
                lane.handle(LaneInput::Missing { place, count, at: seen, ticks }, at, context);
            }
            PartEvent::Picture { camera, frame, picture } => context.pictures.arrived(camera, frame, picture),
            PartEvent::Evicted { camera, frame, picture_follows } => {
                context.pictures.expect(camera, frame, picture_follows);
                let Some((lane, place)) = find(lanes, camera) else { return };
                lane.handle(LaneInput::Evicted { place, frame }, at, context);
            }
            PartEvent::Observed {
                camera,
                frame,
                result,
                judged_by,
                queue_ns,
                times,
                regions,
                map,
                picture_follows,
            } => {
                context.pictures.expect(camera, frame, picture_follows);
                let Some((lane, place)) = find(lanes, camera) else { return };
                let JudgedBy { threshold, model, recipe } = judged_by;
                let seen = Observed { frame, result, threshold, model, recipe, queue_ns, times, regions };
                let mut judged = None;
                lane.handle_and(LaneInput::Observed { place, seen }, at, context, &mut |action| {
                    if let LaneAction::Ended(e) = action
                        && e.score.is_some()
                    {
                        judged = Some((e.part.seq, e.t_capture));
                    }
                });
                if let (Some(map), Some((seq, t_capture))) = (map, judged) {
                    let judge = context.status.cameras[camera.index()].judged_by(Some(model));
                    let model = judge.model.clone();
                    let record = MapRecord { camera, seq, t_capture, map, threshold: threshold.get(), model };
                    if maps.set(record) {
                        context.status.shed.maps.fetch_add(1, Relaxed);
                    }
                }
            }
            PartEvent::Confirm { lane, ejector, at: when } => {
                if let Some(lane) = lanes.get_mut(usize::from(lane)) {
                    lane.handle(LaneInput::Confirm { ejector, at: when }, at, context);
                }
            }
            PartEvent::Input { lane, who, works } => {
                if let Some(lane) = lanes.get_mut(usize::from(lane)) {
                    lane.handle(LaneInput::InputWorks { input: who, works }, at, context);
                }
            }
            PartEvent::Release => lanes.iter_mut().for_each(|lane| lane.handle(LaneInput::Release, at, context)),
            PartEvent::Challenge { camera, sign } => {
                let Some((lane, place)) = find(lanes, camera) else { return };
                lane.handle(LaneInput::Challenge { place, sign }, at, context);
            }
            PartEvent::Close => {}
        }
    }

    fn counts(&self, camera: CameraId) -> Counts {
        let lane = self.lanes.iter().find_map(|l| Some((l, l.place(camera)?)));
        lane.map_or(Counts::default(), |(lane, place)| lane.controller().counts(place))
    }

    /// Tells when a camera stops giving frames, and when it gives them again.
    fn cameras(&mut self, at: Mono) {
        let Decide { lanes, context, down, .. } = self;
        down.resize(context.status.cameras.len(), false);
        for lane in lanes {
            for place in 0..lane.controller().cameras().len() {
                let camera = lane.controller().cameras()[place];
                let is_down = &mut down[camera.index()];
                let works = match (context.status.cameras[camera.index()].state(), *is_down) {
                    (CameraState::Down, false) => false,
                    (CameraState::Running, true) => true,
                    _ => continue,
                };
                *is_down = !*is_down;
                lane.handle(LaneInput::CameraWorks { place, works }, at, context);
            }
        }
    }

    fn report(&mut self, now: Mono) {
        self.cameras(now);
        for lane in &self.lanes {
            for (place, id) in lane.controller().cameras().iter().enumerate() {
                let (camera, shed) = (&self.context.status.cameras[id.index()], &self.context.status.shed);
                let state = camera.state();
                let camera_restarts = camera.camera_restarts.load(Relaxed);
                let detector_restarts = camera.detector_restarts.load(Relaxed);
                let up = state == CameraState::Running;
                self.context.metrics.camera(*id, up, camera_restarts, detector_restarts);
                self.context.send(Record::Stats(Stats {
                    camera: *id,
                    t: now,
                    counts: lane.controller().counts(place),
                    latency: self.context.latency[id.index()].summary(),
                    margin: lane.slack().margins(),
                    line_stop: lane.controller().stopped(),
                    camera_state: state.as_str(),
                    camera_restarts,
                    detector_restarts,
                    frames_without_part: lane.controller().frames_without_part(place),
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
