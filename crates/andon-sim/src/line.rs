//! A whole line in one deterministic clock: belt, encoder, photo eye, camera, inspector, ejector and a PLC that stops the belt
//! when it is asked to. Drives the real ledger, the real encoder track and the real schedule, and looks at what becomes of each
//! part physically. The same specification gives the same result, byte for byte.

mod run;

use std::time::Duration;

use serde::Serialize;

use super::score::Ejections;
use andon_core::Counts;
use andon_line::act::{AlarmSpec, EjectOn, EjectorSpec, PulseShape};

/// A line and what goes wrong on it. Rates are shares of the parts, 0 to 1, unless said otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct SimLine {
    /// Makes the same run again.
    pub seed: u64,
    /// Parts that are laid on the belt.
    pub parts: u64,
    /// Millimetres a second.
    pub speed: f64,
    /// Millimetres from one part to the next on average; varies by a tenth.
    pub pitch: f64,
    /// Length of a part in millimetres.
    pub part: f64,
    /// From the photo eye to the ejector, in millimetres.
    pub reject_at: f64,
    /// Counts a millimetre, and how often the counter is read; `None`: the clock is the belt.
    pub encoder: Option<(f64, Duration)>,
    /// From the picture to the result: median.
    pub latency: Duration,
    /// And the time that one result in a hundred takes.
    pub latency_p99: Duration,
    /// Delay of the ejector, on and off.
    pub delay: Duration,
    /// Defective parts.
    pub defects: f32,
    /// Frames that never arrive.
    pub lost_frames: f32,
    /// Results that never come, or say that the engine failed.
    pub lost_results: f32,
    /// Triggers that come twice.
    pub double_triggers: f32,
    /// Parts that the photo eye does not see.
    pub missed_triggers: f32,
    /// Stops of the belt a minute, up to two seconds each.
    pub stops: f32,
    /// Runs backwards a minute, up to a tenth of the pitch each.
    pub reversals: f32,
    /// Times a minute that the encoder starts again at zero.
    pub encoder_resets: f32,
    /// Encoder slip, as a share of the distance.
    pub slip: f64,
    /// Share by which the speed varies.
    pub unsteady: f64,
    /// When many rejects are one fault, for which the line is asked to stop.
    pub alarms: AlarmSpec,
}

impl Default for SimLine {
    fn default() -> Self {
        SimLine {
            seed: 1,
            parts: 1000,
            speed: 800.0,
            pitch: 80.0,
            part: 40.0,
            reject_at: 450.0,
            encoder: Some((10.0, Duration::from_millis(1))),
            latency: Duration::from_millis(15),
            latency_p99: Duration::from_millis(40),
            delay: Duration::from_millis(8),
            defects: 0.1,
            lost_frames: 0.0,
            lost_results: 0.0,
            double_triggers: 0.0,
            missed_triggers: 0.0,
            stops: 0.0,
            reversals: 0.0,
            encoder_resets: 0.0,
            slip: 0.0,
            unsteady: 0.0,
            alarms: AlarmSpec::default(),
        }
    }
}

/// What became of a run.
#[derive(Clone, Debug, Serialize)]
pub struct SimReport {
    /// The ledger's counts.
    pub counts: Counts,
    /// What became of the parts physically.
    pub ejections: Ejections,
    /// Defective parts that stayed on the belt.
    pub defects_through: u64,
    /// Oddities by kind, those that happened.
    pub notices: Vec<(&'static str, u64)>,
    /// Time that was left until the deadline, milliseconds: smallest, median.
    pub margin_ms: [f64; 2],
    /// Simulated seconds.
    pub seconds: f64,
}

impl SimLine {
    /// The ejector's times and distances in ticks.
    pub fn ejector(&self) -> EjectorSpec {
        let ticks = |mm: f64| (mm * self.ticks_per_mm()).round() as i64;
        EjectorSpec {
            distance: ticks(self.reject_at),
            length: ticks(self.part),
            before: ticks(2.0),
            after: ticks(2.0),
            shape: PulseShape::Window,
            delay_on: self.delay,
            delay_off: self.delay,
            min_on: Duration::from_millis(5),
            min_gap: Duration::from_millis(5),
            max_on: Duration::from_secs(5),
            max_duty: 1.0,
            causes: EjectOn::ALL,
            confirm_within: None,
        }
    }

    /// Counts, or microseconds at the nominal speed, for a millimetre.
    fn ticks_per_mm(&self) -> f64 {
        self.encoder.map_or(1e6 / self.speed, |(counts, _)| counts)
    }

    /// Runs it until the last part has left the line.
    pub fn run(&self) -> SimReport {
        run::Run::new(self).finish()
    }
}

#[cfg(test)]
mod tests;
