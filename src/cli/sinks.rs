//! Who gets the records besides Zenoh: standard output, the log, the terminal view.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};

use super::setup::renderer;
use andon_core::{Control, Offer, Record, Sink};
use andon_core::{Fired, Mono, NoticeKind, PartEnd, ScoreMap, Seq, Stats, Verdict};
use andon_core::{Joined, spawn};
use andon_io::sinks::ZenohOptions;
use andon_io::sinks::wire::{self, Names};
use andon_vision::model::bundle::Bundle;

/// Zenoh, if wanted and built in.
#[cfg(feature = "zenoh")]
pub(super) fn zenoh(
    options: &ZenohOptions,
    names: &Names,
    control: Arc<dyn Control>,
    bundles: Vec<Arc<Bundle>>,
) -> std::io::Result<Option<Box<dyn Sink>>> {
    if !options.enabled {
        return Ok(None);
    }
    let sink = andon_io::sinks::ZenohSink::start(options.clone(), names.clone(), control, renderer(bundles))?;
    Ok(Some(Box::new(sink)))
}

/// Without the feature: says so once and goes on.
#[cfg(not(feature = "zenoh"))]
pub(super) fn zenoh(
    options: &ZenohOptions,
    _: &Names,
    _: Arc<dyn Control>,
    bundles: Vec<Arc<Bundle>>,
) -> std::io::Result<Option<Box<dyn Sink>>> {
    drop(renderer(bundles));
    if options.enabled {
        tracing::warn!("zenoh is not in this build (feature `zenoh`); verdicts stay on this box");
    }
    Ok(None)
}

/// Verdicts, parts, ejections and oddities as JSON lines on standard output, written by a thread of its own: a reader that stops reading holds up nobody
/// else, and what does not fit is left out there and counted.
pub(super) struct JsonLines {
    names: Names,
    to: Option<Sender<Vec<u8>>>,
    writer: Option<Joined>,
    stuck: Arc<AtomicBool>,
}

impl JsonLines {
    /// `stuck` becomes true when the reader has not taken everything two seconds after the end.
    pub fn start(names: Names, stuck: Arc<AtomicBool>) -> std::io::Result<JsonLines> {
        // 17 s at 60 parts/s.
        let (to, lines) = bounded::<Vec<u8>>(1024);
        let writer = spawn("stdout", move || {
            for line in lines {
                if std::io::stdout().lock().write_all(&line).is_err() {
                    return;
                }
            }
        })?;
        Ok(JsonLines { names, to: Some(to), writer: Some(writer), stuck })
    }
}

impl Sink for JsonLines {
    fn name(&self) -> &'static str {
        "json"
    }

    fn offer(&mut self, record: &Record) -> Offer {
        let (false, Some(to)) = (matches!(record, Record::Stats(_)), &self.to) else { return Offer::Ignored };
        let Some((_, mut line)) = wire::json(&self.names, record) else { return Offer::Ignored };
        line.push(b'\n');
        if to.try_send(line).is_ok() { Offer::Taken } else { Offer::Shed }
    }

    fn close(&mut self) {
        self.to = None;
        if let Some(writer) = self.writer.take() {
            self.stuck.store(!writer.join_within(Duration::from_secs(2)), Relaxed);
        }
    }
}

/// One line in the log for each camera every ten seconds, when a camera's state changes, and for each oddity.
pub(super) struct LogStats {
    names: Names,
    last: Vec<(Mono, &'static str)>,
    /// What is held back, as it was told last.
    slowed: Vec<String>,
}

impl LogStats {
    pub fn new(names: Names) -> LogStats {
        let last = names.cameras.iter().map(|_| (Mono::now(), "")).collect();
        LogStats { names, last, slowed: Vec::new() }
    }

    /// Tells when something begins to be held back or is free again, beside the time that parts have left.
    fn tell_slowed(&mut self, s: &Stats) {
        let states = self.names.machine.states();
        let (p99_ms, margin_p1_ms) = (s.latency.p99_us as f64 / 1000.0, s.margin.p1_us as f64 / 1000.0);
        for state in &states {
            let told = self.slowed.iter().position(|what| *what == state.what);
            let what = state.what.as_str();
            match (&state.slowed, told) {
                (Some(why), None) => {
                    let (celsius, mhz, full_mhz) = (state.celsius, state.mhz, state.full_mhz);
                    tracing::warn!(what, why, celsius, mhz, full_mhz, p99_ms, margin_p1_ms, "held back");
                    self.slowed.push(state.what.clone());
                }
                (None, Some(at)) => {
                    tracing::info!(what, p99_ms, margin_p1_ms, "no longer held back");
                    self.slowed.remove(at);
                }
                _ => {}
            }
        }
    }
}

impl Sink for LogStats {
    fn name(&self) -> &'static str {
        "log"
    }

    fn offer(&mut self, record: &Record) -> Offer {
        if let Record::Notice(lane, n) = record {
            let (event, text) = (n.kind.as_str(), wire::text(&self.names, *lane, n));
            match n.kind {
                NoticeKind::OutputBack
                | NoticeKind::InputBack
                | NoticeKind::EncoderBack
                | NoticeKind::CameraBack
                | NoticeKind::LineReleased => tracing::info!(event, "{text}"),
                _ => tracing::warn!(event, "{text}"),
            }
            return Offer::Taken;
        }
        let Record::Stats(s) = record else { return Offer::Ignored };
        self.tell_slowed(s);
        let Some((at, state)) = self.last.get_mut(s.camera.index()) else { return Offer::Ignored };
        if s.t.since(*at).as_secs() < 10 && *state == s.camera_state {
            return Offer::Ignored;
        }
        (*at, *state) = (s.t, s.camera_state);
        let (c, ms) = (s.counts, |us: u64| us as f64 / 1000.0);
        tracing::info!(
            camera = self.names.camera(s.camera),
            state = s.camera_state,
            offered = c.offered,
            pass = c.pass,
            reject = c.reject,
            uninspected = c.uninspected,
            error = c.error,
            p50_ms = ms(s.latency.p50_us),
            p99_ms = ms(s.latency.p99_us),
            margin_p1_ms = ms(s.margin.p1_us),
            "parts"
        );
        Offer::Taken
    }
}

/// What the view is told.
#[allow(clippy::large_enum_variant, reason = "a few a second, through one queue")]
pub(super) enum ViewEvent {
    Verdict(Verdict),
    Stats(Stats),
    Map(Seq, ScoreMap, f32),
    Part(PartEnd),
    Fired(Fired),
    /// Something odd, in words.
    Notice(String),
}

/// Passes records on to the thread that draws; what it cannot take is left out there.
pub(super) struct ToView {
    pub names: Names,
    pub to: Sender<ViewEvent>,
    pub maps: bool,
}

impl Sink for ToView {
    fn name(&self) -> &'static str {
        "view"
    }

    fn offer(&mut self, record: &Record) -> Offer {
        let event = match record {
            Record::Verdict(v) => ViewEvent::Verdict(v.clone()),
            Record::Stats(s) => ViewEvent::Stats(*s),
            Record::Map(m) => ViewEvent::Map(m.seq, ScoreMap::clone(&m.map), m.threshold),
            Record::Part(_, end) => ViewEvent::Part(*end),
            Record::Fired(_, fired) => ViewEvent::Fired(*fired),
            Record::Notice(lane, notice) => ViewEvent::Notice(wire::text(&self.names, *lane, notice)),
        };
        if self.to.try_send(event).is_ok() { Offer::Taken } else { Offer::Shed }
    }

    fn wants_maps(&self) -> bool {
        self.maps
    }
}
