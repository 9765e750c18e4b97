//! The conveyor in real time: where its belt is, when its photo eye sees a part, and what its ejector hit. Everything is a
//! function of the clock, so that camera, encoder and ejector always agree.

use std::time::Duration;

use super::score::{Ejections, slices};
use andon_core::{Belt, Mono, Ticks};
use andon_core::{BeltSource, Edge, FieldError, Input, RecordedEdge};
use andon_line::decide::Matching;

/// A belt that brings a part to the camera at a steady rate. Distances in millimetres from the photo eye.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LiveBelt {
    /// When part 0 is in front of the camera.
    pub start: Mono,
    /// Parts a second.
    pub rate: f64,
}

/// From one part's leading edge to the next.
const PITCH: f64 = 80.0;
/// Length of a part.
const PART: f64 = 40.0;
/// Where the picture is taken.
const CAMERA: f64 = 20.0;
/// Counts of the encoder for a millimetre.
const COUNTS: f64 = 10.0;
/// From the camera to the ejector, in time.
const TRAVEL: f64 = 0.3;
/// From the valve's order to its air, and back.
const VALVE: Duration = Duration::from_millis(8);

impl LiveBelt {
    /// Millimetres a second.
    pub fn speed(&self) -> f64 {
        self.rate * PITCH
    }

    /// From the photo eye to the ejector, in millimetres.
    pub fn reject_at(&self) -> f64 {
        CAMERA + self.speed() * TRAVEL
    }

    /// The ejector, in counts.
    pub fn ejector(&self) -> andon_line::act::EjectorSpec {
        let pause = Duration::from_secs_f64(PITCH / 8.0 / self.speed());
        andon_line::act::EjectorSpec {
            distance: (self.reject_at() * COUNTS) as i64,
            length: (PART * COUNTS) as i64,
            before: (2.0 * COUNTS) as i64,
            after: (2.0 * COUNTS) as i64,
            shape: andon_line::act::PulseShape::Window,
            delay_on: VALVE,
            delay_off: VALVE,
            min_on: pause,
            min_gap: pause,
            max_on: Duration::from_secs(60),
            max_duty: 1.0,
            causes: andon_line::act::EjectOn::ALL,
            confirm_within: None,
        }
    }

    /// How frames find their part.
    pub fn matching(&self) -> Matching {
        let counts = |mm: f64| (mm * COUNTS) as i64;
        Matching::Range { from: counts(CAMERA - PITCH / 3.0), to: counts(CAMERA + PITCH / 3.0) }
    }

    /// Counts between two parts at least.
    pub fn min_pitch(&self) -> i64 {
        (PITCH / 2.0 * COUNTS) as i64
    }

    /// How long the last part is under way from the camera until it has left the ejector.
    pub fn tail(&self) -> Duration {
        Duration::from_secs_f64(TRAVEL + PITCH / self.speed()) + VALVE
    }

    /// What the edges of the ejector's output did to the parts; `may_stay` says for each part in its order whether it passed,
    /// `None` if nobody announced it.
    pub fn ejections(&self, edges: &[RecordedEdge], may_stay: impl IntoIterator<Item = Option<bool>>) -> Ejections {
        let pulses: Vec<(f64, f64)> = edges
            .chunk_by(|a, b| a.on && !b.on)
            .filter(|pair| pair[0].on)
            .map(|pair| (pair[0].at, pair.get(1).map_or(Mono(u64::MAX >> 1), |off| off.at)))
            .map(|(on, off)| (self.seconds(on + VALVE), self.seconds(off + VALVE)))
            .collect();
        let mut total = Ejections::default();
        let mut first = 0;
        for (k, may_stay) in may_stay.into_iter().enumerate() {
            // When the leading edge is in front of the ejector.
            let there = k as f64 / self.rate + TRAVEL;
            let gone = there + PART / self.speed();
            while pulses.get(first).is_some_and(|(_, off)| *off < there) {
                first += 1;
            }
            let mut hit = 0;
            for (on, off) in pulses[first..].iter().take_while(|(on, _)| *on <= gone) {
                let behind = |t: f64| (t - there) * self.speed();
                hit |= slices(behind(on.max(there)), behind(off.min(gone)), PART);
            }
            total.count(may_stay, hit);
        }
        total
    }

    fn seconds(&self, t: Mono) -> f64 {
        t.since(self.start).as_secs_f64()
    }
}

impl BeltSource for LiveBelt {
    fn at(&self, t: Mono) -> Belt {
        let seconds = (t.0 as f64 - self.start.0 as f64) / 1e9;
        Belt { at: t, ticks: Ticks((seconds * self.speed() * COUNTS).floor() as i64), rate: self.speed() * COUNTS }
    }
}

/// The photo eye in front of the camera.
#[derive(Clone, Copy, Debug)]
pub struct LiveEye {
    /// The belt.
    pub belt: LiveBelt,
    /// Parts in all; `None` runs for ever.
    pub limit: Option<u64>,
    /// The next part.
    pub next: u64,
}

impl Input for LiveEye {
    fn name(&self) -> &str {
        "eye"
    }

    fn next(&mut self, until: Mono) -> Result<Option<Edge>, FieldError> {
        let ahead = Duration::from_secs_f64(CAMERA / self.belt.speed());
        let due = self.belt.start + Duration::from_secs_f64(self.next as f64 / self.belt.rate) - ahead;
        if self.limit.is_some_and(|limit| self.next >= limit) || due > until {
            std::thread::sleep(until.since(Mono::now()));
            return Ok(None);
        }
        std::thread::sleep(due.since(Mono::now()));
        self.next += 1;
        Ok(Some(Edge { at: due, id: None }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pulses_are_laid_over_the_parts() {
        let belt = LiveBelt { start: Mono(1_000_000_000), rate: 10.0 };
        // 0.8 m/s: part k is at the ejector from 300 + 100 k ms on, for 50 ms; the valve needs 8 ms.
        let edge = |ms: u64, on: bool| RecordedEdge { at: belt.start + Duration::from_millis(ms) - VALVE, on };
        let edges = [edge(295, true), edge(355, false), edge(495, true), edge(520, false), edge(790, true)];
        let may_stay = [Some(false), Some(true), Some(false), Some(false), Some(true), None];
        let e = belt.ejections(&edges, may_stay);
        // 0 hit, 1 untouched, 2 hit over 20 of 50 ms, 3 not hit, 4 untouched; 5 is hit by the pulse that never ends.
        assert_eq!(e, Ejections { passed: 2, ejected: 1, wrong: 0, missed: 1, late: 1, unannounced: 1 });
        let half_second = belt.at(belt.start + Duration::from_millis(500));
        assert_eq!((half_second.ticks, half_second.rate), (Ticks(4000), 8000.0));
        assert_eq!(belt.ejector().distance, 2600);
    }
}
