//! The demo's live view: the sink that hands records to the drawing thread, and what that thread makes of them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use super::output;
use super::view::{Live, Screen};
use andon_core::{Accepted, Record, Sink};
use andon_core::{AnomalyMap, CameraVerdict, Ejection, Mono, Outcome, PartVerdict, Seq, Stats};
use andon_io::sinks::wire::{self, StationInfo};
use andon_line::telemetry::LatencyHistogram;
use andon_sim::Conveyor;
use andon_vision::model::bundle::Bundle;

/// What the view is told.
#[allow(clippy::large_enum_variant, reason = "a few a second, through one queue")]
pub(super) enum ViewEvent {
    Verdict(CameraVerdict),
    Stats(Stats),
    Map(Seq, AnomalyMap, f32),
    Part(PartVerdict),
    Ejection(Ejection),
    /// Something odd, in words.
    LineEvent(String),
}

/// Passes records on to the thread that draws; what it cannot take is left out there.
pub(super) struct ToView {
    pub station: StationInfo,
    pub to: Sender<ViewEvent>,
    pub maps: bool,
}

impl Sink for ToView {
    fn name(&self) -> &'static str {
        "view"
    }

    fn offer(&mut self, record: &Record) -> Accepted {
        let event = match record {
            Record::Verdict(v) => ViewEvent::Verdict(v.clone()),
            Record::Stats(s) => ViewEvent::Stats(*s),
            Record::Map(m) => ViewEvent::Map(m.seq, AnomalyMap::clone(&m.map), m.threshold),
            Record::Part(_, end) => ViewEvent::Part(*end),
            Record::Ejection(_, fired) => ViewEvent::Ejection(*fired),
            Record::Event(lane, notice) => ViewEvent::LineEvent(wire::text(&self.station, *lane, notice)),
        };
        if self.to.try_send(event).is_ok() { Accepted::Taken } else { Accepted::Shed }
    }

    fn wants_maps(&self) -> bool {
        self.maps
    }
}

/// Feeds the view from the records and the truth of the belt.
pub(super) struct Show<'a> {
    pub live: Live,
    pub conveyor: &'a Conveyor,
    pub bundle: &'a Bundle,
    pub started: Mono,
    pub first: Option<Mono>,
    /// Maps whose verdict may still come, and the last rejected part whose map may.
    pub maps: VecDeque<(Seq, AnomalyMap, f32)>,
    pub rejected: Option<(Seq, u64)>,
    pub overhead: LatencyHistogram,
    /// For each part in its order whether it may stay on the belt; `None` until its outcome is known.
    pub may_stay: Vec<Option<bool>>,
    /// How late the ejector's output came.
    pub edges: LatencyHistogram,
}

impl Show<'_> {
    pub fn until(
        &mut self,
        over: impl Fn() -> bool,
        events: &Receiver<ViewEvent>,
        stop: &AtomicBool,
        screen: &mut Option<Screen>,
    ) -> std::io::Result<()> {
        let mut told = Mono::now();
        while !over() && !stop.load(Relaxed) {
            self.drain(events);
            self.live.elapsed = Mono::now().since(self.started).as_secs_f64();
            match screen {
                Some(screen) => {
                    screen.draw(&self.live)?;
                    if screen.asked_to_quit(Duration::from_millis(50))? {
                        return Ok(());
                    }
                }
                None => {
                    std::thread::sleep(Duration::from_millis(50));
                    if Mono::now().since(told).as_secs() >= 1 {
                        told = Mono::now();
                        self.plain();
                    }
                }
            }
        }
        Ok(())
    }

    fn plain(&self) {
        let t = &self.live.tally;
        let [pass, reject, uninspected, error] = t.outcomes;
        output::note(&format!(
            "{:>4.0} s  {} parts: {pass} PASS, {reject} REJECT, {uninspected} UNINSPECTED, {error} ERROR; missed {} of {}, false rejects {} of {}",
            self.live.elapsed,
            t.parts,
            t.missed(),
            t.bad(),
            t.good.1,
            t.good.0
        ));
    }

    pub fn drain(&mut self, events: &Receiver<ViewEvent>) {
        for event in events.try_iter() {
            match event {
                ViewEvent::Verdict(v) => {
                    self.first.get_or_insert(v.t_verdict);
                    if v.score.is_some() {
                        self.overhead.record_ns(v.overhead_ns());
                    }
                    let truth = v.source_index.map(|k| self.conveyor.defect(k).map(|kind| kind.as_str()));
                    self.live.verdict(&v, truth);
                    if let (Outcome::Reject, Some(k)) = (v.outcome, v.source_index) {
                        self.rejected = Some((v.seq, k));
                    }
                }
                ViewEvent::Part(end) => {
                    let n = end.part.seq.0 as usize;
                    if self.may_stay.len() <= n {
                        self.may_stay.resize(n + 1, None);
                    }
                    self.may_stay[n] = Some(matches!(end.outcome, Outcome::Pass(_)));
                }
                ViewEvent::Ejection(fired) => {
                    self.live.ejected += 1;
                    self.edges.record_ns(fired.late_ns);
                    self.edges.record_ns(fired.late_off_ns);
                }
                ViewEvent::LineEvent(text) => self.live.event(text),
                ViewEvent::Stats(s) => self.live.stats(s),
                ViewEvent::Map(seq, map, threshold) => {
                    if self.maps.len() == 8 {
                        self.maps.pop_front();
                    }
                    self.maps.push_back((seq, map, threshold));
                }
            }
        }
        let Some((seq, k)) = self.rejected else { return };
        let Some((_, map, threshold)) = self.maps.iter().find(|(s, ..)| *s == seq) else { return };
        let mut rgb = Vec::new();
        self.conveyor.paint(k, &mut rgb);
        let kind = self.conveyor.defect(k).map_or("good", |kind| kind.as_str());
        let scale = (self.bundle.manifest.baseline, *threshold);
        self.live.show(format!("part {seq}: {kind}"), &rgb, self.conveyor.spec().side as usize, map, scale);
        self.rejected = None;
    }
}
