//! The `decide` stage: one ledger a camera. Waits for events and for the earliest deadline, so that silence becomes
//! UNINSPECTED even when an inspector hangs.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::queue::LatestOnly;
use super::status::Status;
use super::wiring::PartEvent;
use crate::capture::CameraState;
use crate::decide::{Admitted, Ending, Ledger, Observed};
use crate::publish::{MapRecord, Record};
use crate::telemetry::{LatencyHistogram, Metrics};
use crate::types::{CameraId, Counts, LatencySummary, Mono, Outcome, Regions, StageTimes, Stats, Threshold, Verdict};

/// How often each camera reports.
const REPORT: Duration = Duration::from_secs(1);

pub(super) struct Decide {
    pub parts: Receiver<PartEvent>,
    pub records: Sender<Record>,
    pub maps: LatestOnly<MapRecord>,
    pub ledgers: Vec<Ledger>,
    pub latency: Vec<LatencyHistogram>,
    pub status: Arc<Status>,
    pub metrics: Arc<Metrics>,
}

/// What the inspector says of a part besides its score; nothing for parts that it did not see.
#[derive(Clone, Copy, Default)]
struct Work {
    queue_ns: u64,
    times: StageTimes,
    regions: Regions,
}

impl Decide {
    /// Runs until it is told to close (or every other stage is gone), then ends what is still open. Returns the final figures.
    pub fn run(mut self) -> Vec<(Counts, LatencySummary)> {
        let mut report_at = Mono::now() + REPORT;
        loop {
            let due = self.ledgers.iter().filter_map(Ledger::next_deadline).min();
            let wake = due.map_or(report_at, |d| report_at.min(d + Duration::from_nanos(1)));
            match self.parts.recv_timeout(wake.since(Mono::now())) {
                Ok(PartEvent::Close) => break,
                Ok(event) => self.take(event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let now = Mono::now();
            if due.is_some_and(|d| now > d) {
                self.each_camera(|ledger, end| ledger.expire(now, end));
            }
            if now >= report_at {
                self.report(now);
                report_at = now + REPORT;
            }
        }
        let now = Mono::now();
        self.each_camera(|ledger, end| ledger.stop(now, end));
        self.report(now);
        self.ledgers.iter().zip(&self.latency).map(|(l, h)| (l.counts(), h.summary())).collect()
    }

    fn take(&mut self, event: PartEvent) {
        let now = Mono::now();
        match event {
            PartEvent::Admitted { camera, seq, t_capture, source_index } => {
                self.metrics.offered(camera, 1);
                let part = Admitted { seq, t_capture, source_index };
                self.with(camera, Work::default(), |ledger, _, end| ledger.admit(part, now, end));
            }
            PartEvent::Missing { camera, count, at } => {
                self.metrics.offered(camera, count);
                self.with(camera, Work::default(), |ledger, _, end| ledger.missing(count, at, now, end));
            }
            PartEvent::Evicted { camera, seq } => {
                self.with(camera, Work::default(), |ledger, _, end| ledger.evicted(seq, now, end));
            }
            PartEvent::Observed { camera, seq, result, queue_ns, times, regions, map } => {
                let mut judged = None;
                self.with(camera, Work { queue_ns, times, regions }, |ledger, threshold, end| {
                    ledger.observed(Observed { seq, result }, threshold, now, &mut |e: Ending| {
                        judged = e.score.map(|_| (e.part.t_capture, threshold));
                        end(e);
                    });
                });
                if let (Some(map), Some((t_capture, threshold))) = (map, judged) {
                    let record = MapRecord { camera, seq, t_capture, map, threshold: threshold.get() };
                    if self.maps.set(record) {
                        self.status.shed.maps.fetch_add(1, Relaxed);
                    }
                }
            }
            PartEvent::Close => {}
        }
    }

    fn each_camera(&mut self, mut work: impl FnMut(&mut Ledger, &mut dyn FnMut(Ending))) {
        for n in 0..self.ledgers.len() {
            let camera = CameraId(n as u8);
            self.with(camera, Work::default(), |ledger, _, end| work(ledger, &mut *end));
        }
    }

    /// Lends one ledger out and sends a verdict for every part that ends meanwhile. The threshold is read once, so that the
    /// verdict names the one that it was judged by.
    fn with(
        &mut self,
        camera: CameraId,
        done: Work,
        work: impl FnOnce(&mut Ledger, Threshold, &mut dyn FnMut(Ending)),
    ) {
        let Decide { ledgers, latency, status, metrics, records, .. } = self;
        let active = status.cameras[camera.index()].active.load();
        let histogram = &mut latency[camera.index()];
        let mut end = |e: Ending| {
            let verdict = Verdict {
                camera,
                seq: e.part.seq,
                source_index: e.part.source_index,
                outcome: e.outcome,
                reason: e.reason,
                score: e.score,
                threshold: active.threshold.get(),
                t_capture: e.part.t_capture,
                t_verdict: e.at,
                deadline: e.deadline,
                regions: if matches!(e.outcome, Outcome::Reject) { done.regions } else { Regions::default() },
                queue_ns: done.queue_ns,
                times: done.times,
                model: active.model.clone(),
                degraded: active.degraded,
            };
            metrics.ended(camera, &verdict);
            if e.score.is_some() {
                histogram.record_ns(verdict.latency_ns());
            }
            if records.try_send(Record::Verdict(verdict)).is_err() {
                status.shed.records.fetch_add(1, Relaxed);
            }
        };
        work(&mut ledgers[camera.index()], active.threshold, &mut end);
    }

    fn report(&mut self, now: Mono) {
        for (n, (ledger, latency)) in self.ledgers.iter().zip(&self.latency).enumerate() {
            let (camera, shed) = (&self.status.cameras[n], &self.status.shed);
            let (state, id) = (camera.state(), CameraId(n as u8));
            let camera_restarts = camera.camera_restarts.load(Relaxed);
            let detector_restarts = camera.detector_restarts.load(Relaxed);
            self.metrics.camera(id, state == CameraState::Running, camera_restarts, detector_restarts);
            let stats = Stats {
                camera: id,
                t: now,
                counts: ledger.counts(),
                latency: latency.summary(),
                camera_state: state.as_str(),
                camera_restarts,
                detector_restarts,
                shed: [&shed.parts, &shed.records, &shed.maps].map(|n| n.load(Relaxed)),
            };
            if self.records.try_send(Record::Stats(stats)).is_err() {
                self.status.shed.records.fetch_add(1, Relaxed);
            }
        }
    }
}
