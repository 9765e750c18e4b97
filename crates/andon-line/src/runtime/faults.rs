//! What is wrong with a lane now. The hot lane and the input threads write it with atomics; only a scrape reads it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};

use super::lane_spec::LaneSpec;
use super::status::{LaneStatus, Status};
use crate::telemetry::{JudgeState, LineState};
use andon_core::CameraState;
use andon_core::{Detail, EventKind, LineEvent, Subject};

/// A flag for each of up to 256 wires.
#[derive(Debug, Default)]
struct Flags([AtomicU64; 4]);

impl Flags {
    fn set(&self, n: u8, on: bool) {
        let (word, bit) = (&self.0[usize::from(n / 64)], 1 << (n % 64));
        if on {
            word.fetch_or(bit, Relaxed)
        } else {
            word.fetch_and(!bit, Relaxed)
        };
    }

    fn get(&self, n: usize) -> bool {
        self.0.get(n / 64).is_some_and(|word| word.load(Relaxed) & 1 << (n % 64) != 0)
    }
}

/// A wire's name in the configuration, and what it is there for.
#[derive(Debug)]
struct Wire {
    name: String,
    purpose: String,
}

/// A lane's outputs and inputs in the order of their numbers.
#[derive(Debug, Default)]
struct Wires {
    outputs: Vec<Wire>,
    inputs: Vec<Wire>,
}

/// A lane's faults that last.
#[derive(Debug, Default)]
pub struct LaneFaults {
    outputs: Flags,
    inputs: Flags,
    encoder_lost: AtomicBool,
    encoder_silent: AtomicBool,
    /// Why the line is stopped: place of the kind of notice in its table, plus 1.
    cause: AtomicU8,
    wires: OnceLock<Wires>,
}

impl LaneFaults {
    /// The names of the lane's wires; the first call counts.
    pub(super) fn name(&self, spec: &LaneSpec) {
        let wires =
            |named: Vec<(String, String)>| named.into_iter().map(|(name, purpose)| Wire { name, purpose }).collect();
        let (outputs, inputs) = (wires(spec.outputs()), wires(spec.inputs()));
        self.wires.get_or_init(|| Wires { outputs, inputs });
    }

    /// Whether the encoder can be read.
    pub(super) fn encoder(&self, works: bool) {
        self.encoder_lost.store(!works, Relaxed);
    }

    fn wires<'a>(wires: Option<&'a Vec<Wire>>, flags: &'a Flags) -> impl Iterator<Item = (&'a Wire, bool)> {
        wires.into_iter().flatten().enumerate().map(|(n, wire)| (wire, flags.get(n)))
    }

    fn outputs(&self) -> impl Iterator<Item = (&Wire, bool)> {
        Self::wires(self.wires.get().map(|w| &w.outputs), &self.outputs)
    }

    fn inputs(&self) -> impl Iterator<Item = (&Wire, bool)> {
        Self::wires(self.wires.get().map(|w| &w.inputs), &self.inputs)
    }
}

impl LaneStatus {
    /// A notice of this lane: faults begin and end with some. Comes before the lane acts on it.
    pub(super) fn heard(&self, notice: &LineEvent) {
        let faults = &self.faults;
        match (notice.kind, notice.subject) {
            (EventKind::OutputFault, Subject::Output(n)) => faults.outputs.set(n, true),
            (EventKind::OutputBack, Subject::Output(n)) => faults.outputs.set(n, false),
            (EventKind::InputFault, Subject::Input(n)) => faults.inputs.set(n, true),
            (EventKind::InputBack, Subject::Input(n)) => faults.inputs.set(n, false),
            (EventKind::EncoderSilent, _) => faults.encoder_silent.store(true, Relaxed),
            // One that can be read again may still stand still.
            (EventKind::EncoderBack, _) if notice.detail == Detail::Cause(EventKind::EncoderSilent) => {
                faults.encoder_silent.store(false, Relaxed);
            }
            _ => {}
        }
        if notice.kind.stops_line() && !self.stopped.load(Relaxed) {
            let place = EventKind::ALL.iter().position(|k| *k == notice.kind);
            faults.cause.store(place.map_or(0, |n| n as u8 + 1), Relaxed);
        }
    }

    /// What the line was stopped for last.
    fn cause(&self) -> Option<EventKind> {
        let place = usize::from(self.faults.cause.load(Relaxed)).checked_sub(1)?;
        EventKind::ALL.get(place).copied()
    }
}

impl Status {
    /// What is wrong now, one sentence each, beginning with the code of the event that told it; empty while all is well.
    pub fn troubles(&self) -> Vec<String> {
        let mut troubles = Vec::new();
        for c in &self.cameras {
            let state = c.state();
            if !matches!(state, CameraState::Running | CameraState::Ended) {
                troubles.push(format!("camera {} is {}", c.name, state.as_str()));
            }
        }
        for lane in &self.lanes {
            if lane.stopped.load(Relaxed) {
                let cause = lane.cause().map_or(String::new(), |kind| format!(" because of {}", kind.as_str()));
                troubles
                    .push(format!("line_stop: lane {} asks the line to stop{cause}, until it is released", lane.name));
            }
            for (wire, _) in lane.faults.outputs().filter(|(_, faulty)| *faulty) {
                let Wire { name, purpose } = wire;
                troubles.push(format!("output_fault: output `{name}` ({purpose}) does not do what it is told"));
            }
            for (wire, _) in lane.faults.inputs().filter(|(_, faulty)| *faulty) {
                let Wire { name, purpose } = wire;
                troubles.push(format!("input_fault: input `{name}` ({purpose}) cannot be read"));
            }
            if lane.faults.encoder_lost.load(Relaxed) {
                troubles.push(format!("encoder_lost: the encoder of lane {} cannot be read", lane.name));
            }
            if lane.faults.encoder_silent.load(Relaxed) {
                troubles.push(format!("encoder_silent: parts come and the encoder of lane {} stands still", lane.name));
            }
        }
        troubles
    }

    /// The same and what judges now, for the metrics.
    pub fn line_state(&self) -> LineState {
        let judge = |c: &super::CameraStatus| {
            let active = c.active.load();
            JudgeState {
                camera: c.name.clone(),
                model: active.model.name.clone(),
                blake3: active.model.blake3.clone(),
                engine: active.model.engine.clone(),
                threshold: active.threshold.get(),
                own_threshold: active.model.threshold,
                degraded: active.degraded,
            }
        };
        let mut state = LineState {
            judges: self.cameras.iter().map(judge).collect(),
            line_stop: self.lanes.iter().any(|l| l.stopped.load(Relaxed)),
            encoder_lost: self.lanes.iter().any(|l| l.faults.encoder_lost.load(Relaxed)),
            ..LineState::default()
        };
        for lane in &self.lanes {
            for (wire, faulty) in lane.faults.outputs() {
                *state.outputs.entry(wire.name.clone()).or_default() |= faulty;
            }
            for (wire, faulty) in lane.faults.inputs() {
                *state.inputs.entry(wire.name.clone()).or_default() |= faulty;
            }
        }
        let shed = &self.shed;
        state.shed = vec![
            ("parts", shed.parts.load(Relaxed)),
            ("records", shed.records.load(Relaxed)),
            ("maps", shed.maps.load(Relaxed)),
        ];
        state
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::act::{EjectOn, EjectorSpec, PulseShape};
    use crate::runtime::EjectorLine;
    use andon_core::Recorder;
    use andon_core::{CameraId, Mono};

    fn status() -> std::sync::Arc<Status> {
        let (status, _) = Status::new([], ["belt".to_owned()]);
        let mut spec = LaneSpec::free(CameraId(0), Duration::from_millis(100));
        spec.ejectors.push(EjectorLine {
            name: "blow".into(),
            spec: EjectorSpec {
                distance: 100,
                length: 40,
                before: 0,
                after: 0,
                shape: PulseShape::Window,
                delay_on: Duration::ZERO,
                delay_off: Duration::ZERO,
                min_on: Duration::ZERO,
                min_gap: Duration::ZERO,
                max_on: Duration::from_secs(1),
                max_duty: 1.0,
                causes: EjectOn::default(),
                confirm_within: None,
            },
            output: Box::new(Recorder::new("valve")),
            confirm: None,
        });
        spec.line_stop = Some(Box::new(Recorder::new("stop")));
        status.lanes[0].faults.name(&spec);
        status
    }

    #[test]
    fn faults_are_named_while_they_last_and_no_longer() {
        let status = status();
        let lane = &status.lanes[0];
        let heard = |kind, subject| lane.heard(&LineEvent::new(kind, Mono(0)).about(subject));
        assert!(status.troubles().is_empty());
        heard(EventKind::OutputFault, Subject::Output(0));
        lane.stopped.store(true, Relaxed);
        heard(EventKind::StuckOn, Subject::Ejector(0));
        lane.faults.encoder(false);
        assert_eq!(
            status.troubles(),
            [
                "line_stop: lane belt asks the line to stop because of output_fault, until it is released",
                "output_fault: output `valve` (ejector `blow`) does not do what it is told",
                "encoder_lost: the encoder of lane belt cannot be read",
            ]
        );
        let state = status.line_state();
        assert!(state.line_stop && state.encoder_lost);
        assert_eq!(state.outputs, [("stop".to_owned(), false), ("valve".to_owned(), true)].into());
        heard(EventKind::OutputBack, Subject::Output(0));
        lane.faults.encoder(true);
        lane.stopped.store(false, Relaxed);
        assert!(status.troubles().is_empty());
        // A dead encoder is named until it moves; that it can be read again does not end that.
        let back =
            |cause| LineEvent::new(EventKind::EncoderBack, Mono(0)).about(Subject::Encoder).with(Detail::Cause(cause));
        heard(EventKind::EncoderSilent, Subject::Encoder);
        lane.heard(&back(EventKind::EncoderLost));
        assert_eq!(status.troubles(), ["encoder_silent: parts come and the encoder of lane belt stands still"]);
        lane.heard(&back(EventKind::EncoderSilent));
        assert!(status.troubles().is_empty());
    }

    #[test]
    fn an_input_is_one_of_256() {
        let flags = Flags::default();
        flags.set(255, true);
        flags.set(3, true);
        flags.set(3, false);
        assert_eq!((0..300).filter(|n| flags.get(*n)).collect::<Vec<_>>(), [255]);
    }
}
