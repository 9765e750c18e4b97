//! Statistics and events as messages in the log.

use super::wire::{self, StationInfo};
use andon_core::{Accepted, EventKind, Mono, Record, Sink, Stats};

/// One line in the log for each camera every ten seconds, when a camera's state changes, and for each event.
pub struct LogStats {
    names: StationInfo,
    last: Vec<(Mono, &'static str)>,
    /// What is held back, as it was told last.
    slowed: Vec<String>,
}

impl LogStats {
    /// Nothing said yet.
    pub fn new(names: StationInfo) -> LogStats {
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

    fn offer(&mut self, record: &Record) -> Accepted {
        if let Record::Event(lane, n) = record {
            let (event, text) = (n.kind.as_str(), wire::text(&self.names, *lane, n));
            match n.kind {
                EventKind::OutputBack
                | EventKind::InputBack
                | EventKind::EncoderBack
                | EventKind::CameraBack
                | EventKind::ChallengePassed
                | EventKind::LineReleased => tracing::info!(event, "{text}"),
                _ => tracing::warn!(event, "{text}"),
            }
            return Accepted::Taken;
        }
        let Record::Stats(s) = record else { return Accepted::Ignored };
        self.tell_slowed(s);
        let Some((at, state)) = self.last.get_mut(s.camera.index()) else { return Accepted::Ignored };
        if s.t.since(*at).as_secs() < 10 && *state == s.camera_state {
            return Accepted::Ignored;
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
        Accepted::Taken
    }
}
