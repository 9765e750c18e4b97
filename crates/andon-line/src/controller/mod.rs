//! One lane of parts as a pure state machine: its ledger, its ejectors' schedule, its alarms, and the policy between them. It takes what
//! happened, with the time and the belt's position, and says what has to be done; it knows no thread, no clock, no channel, no metric and
//! no wire. Allocates nothing in steady state.
//!
//! ```text
//!                   LaneInput + time + belt
//!                             │
//!                 ┌───────────▼────────────┐
//!                 │ ledger ──► LedgerEvent │        one outcome for every part
//!                 │              │         │
//!                 │   schedule ◄─┴─► alarms│        ejections; requests to stop the line
//!                 └───────────┬────────────┘
//!                             ▼
//!                        LaneAction                 records, switches, notices
//! ```
//!
//! Three drivers call it: the `decide` stage of a running line (`runtime`), the simulator (`andon_sim`), and [`Replay`], which feeds it a
//! recording of what another one was fed.

mod policy;
mod records;
mod tape;

use std::time::Duration;

use crate::act::{AlarmSpec, EjectorSpec, Schedule};
use crate::decide::{CameraEnding, FrameSeen, LaneRules, Ledger, Matching, Moment, Observed, Trigger};
use andon_core::{
    Belt, CameraId, ChallengeSign, Counts, Detail, Ejection, EncoderFault, EventKind, FrameNo, LineEvent, Mono, Part,
    PartVerdict, ReviewBand, Subject, Ticks,
};
use policy::Policy;

pub use records::{Active, RecordMaker};
pub use tape::{Replay, TapeEntry, TapeError};

/// What a lane is, without the wires and threads around it.
#[derive(Clone, Debug)]
pub struct LaneSetup {
    /// Its cameras, in the order of their places.
    pub cameras: Vec<CameraId>,
    /// Those of them that take pictures all the time, not only of parts: a frame without a part is counted there, and nobody is told.
    pub continuous: Vec<CameraId>,
    /// How frames find their parts.
    pub matching: Matching,
    /// Trigger to outcome at most.
    pub budget: Duration,
    /// The band below the threshold in which nothing passes.
    pub review: Option<ReviewBand>,
    /// Ticks between two parts at least.
    pub min_pitch: i64,
    /// A PASS has to be there so long before the first ejector has to act.
    pub margin: Duration,
    /// The belt's ticks are counts, not time.
    pub has_encoder: bool,
    /// The ejectors, in the order of their outputs.
    pub ejectors: Vec<EjectorSpec>,
    /// There is an output that is on while the line is asked to stop.
    pub line_stop: bool,
    /// There is an output that toggles while this program decides.
    pub heartbeat: bool,
    /// When many rejects are one fault.
    pub alarms: AlarmSpec,
    /// Notices that do not ask the line to stop although they would.
    pub tolerated: Vec<EventKind>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "moved on the stack; boxing would allocate per frame")]
pub enum LaneInput {
    /// A part is announced by a sensor or a message.
    Trigger(Trigger),
    /// A frame of the camera at this place was handed to the inspector.
    Frame {
        /// The camera's place in the lane.
        place: usize,
        /// The frame.
        seen: FrameSeen,
    },
    /// Frames of the camera at this place never came.
    Missing {
        /// The camera's place in the lane.
        place: usize,
        /// How many.
        count: u64,
        /// When that was seen.
        at: Mono,
        /// Where the belt was then.
        ticks: Ticks,
    },
    /// A frame was pushed out of the inspector's queue.
    Evicted {
        /// The camera's place in the lane.
        place: usize,
        /// Which.
        frame: FrameNo,
    },
    /// The inspector is done with a frame.
    Observed {
        /// The camera's place in the lane.
        place: usize,
        /// What it says.
        seen: Observed,
    },
    /// The sensor behind an ejector saw a part.
    Confirm {
        /// Ejector.
        ejector: u8,
        /// When.
        at: Mono,
    },
    /// An input cannot be read any more, or again.
    InputWorks {
        /// Its number on the lane.
        input: u8,
        /// Whether it can be read.
        works: bool,
    },
    /// An output failed, or works again.
    OutputWorks {
        /// Its number on the lane.
        output: u8,
        /// Whether it does.
        works: bool,
    },
    /// A camera gives no frames any more, or again.
    CameraWorks {
        /// The camera's place in the lane.
        place: usize,
        /// Whether it does.
        works: bool,
    },
    /// What became of a challenge with known bad parts.
    Challenge {
        /// The camera's place in the lane.
        place: usize,
        /// What.
        sign: ChallengeSign,
    },
    /// What the encoder's readings show.
    Encoder(EncoderFault),
    /// Somebody releases the line after a stop.
    Release,
    /// Time has passed: parts may be late, ejectors may have to switch.
    Step,
    /// The lane stops: what is open ends.
    Stop,
}

/// What has to be done about it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "moved on the stack; boxing would allocate per frame")]
pub enum LaneAction {
    /// A part was offered to the lane.
    Offered(Part),
    /// A part has its outcome from one camera.
    Ended(CameraEnding),
    /// A part has its outcome over all cameras; time was left, in nanoseconds, if it was inspected.
    Settled {
        /// The part.
        end: PartVerdict,
        /// Whether it is a record of its own. A lane in free run without ejectors has none: its verdicts say the same.
        record: bool,
    },
    /// An ejector switched on and off for a part.
    Ejection(Ejection),
    /// Something odd: a record for people.
    Event(LineEvent),
    /// Something odd that is only counted.
    Counted(EventKind),
    /// An output has to be switched: ejectors first, then line stop, then heartbeat, as far as there are any.
    Set {
        /// Its number.
        output: usize,
        /// The logical level.
        on: bool,
    },
    /// The line is asked to stop, or released.
    LineStop(bool),
}

/// Takes actions as they are decided, in their order.
pub type Emit<'a> = &'a mut dyn FnMut(LaneAction);

/// A lane. See the module.
#[derive(Debug)]
pub struct LaneController {
    ledger: Ledger,
    policy: Policy,
    lead: Duration,
    has_encoder: bool,
}

/// With an encoder, the belt's position is asked for this often while a part is under way: its speed may change any time.
const BELT_PERIOD: Duration = Duration::from_millis(2);

impl LaneController {
    /// A lane on which nothing has happened.
    pub fn new(setup: LaneSetup) -> LaneController {
        let schedule = Schedule::new(setup.ejectors.iter().copied());
        let rule = LaneRules {
            cameras: setup.cameras.len(),
            matching: setup.matching,
            budget: setup.budget,
            commit: schedule.commit(),
            min_pitch: setup.min_pitch,
            encoder: setup.has_encoder,
            review: setup.review,
        };
        let lead = schedule.lead() + setup.margin;
        let records_parts = rule.commit.is_some() || rule.matching != Matching::Free;
        LaneController {
            ledger: Ledger::new(rule),
            lead,
            has_encoder: setup.has_encoder,
            policy: Policy::new(setup, schedule, records_parts),
        }
    }

    /// Takes what happened at `at`, with the belt as it was then, and hands out what has to be done. Times never go back.
    pub fn handle(&mut self, input: LaneInput, at: Mono, belt: Belt, act: Emit<'_>) {
        let now = Moment { at, belt, lead: self.lead };
        let LaneController { ledger, policy, .. } = self;
        match input {
            LaneInput::Trigger(trigger) => ledger.trigger(trigger, &now, &mut |event| policy.ledger(event, act)),
            LaneInput::Frame { place, seen } => {
                ledger.frame(place, seen, &now, &mut |event| policy.ledger(event, act));
            }
            LaneInput::Missing { place, count, at, ticks } => {
                ledger.gap(place, count, at, ticks, &now, &mut |event| policy.ledger(event, act));
            }
            LaneInput::Evicted { place, frame } => {
                ledger.evicted(place, frame, &now, &mut |event| policy.ledger(event, act));
            }
            LaneInput::Observed { place, seen } => {
                ledger.observed(place, seen, &now, &mut |event| policy.ledger(event, act));
            }
            LaneInput::Confirm { ejector, at } => policy.confirm(ejector, at, act),
            LaneInput::InputWorks { input, works } => {
                let kind = if works { EventKind::InputBack } else { EventKind::InputFault };
                policy.notice(LineEvent::new(kind, at).about(Subject::Input(input)), act);
            }
            LaneInput::OutputWorks { output, works } => {
                let kind = if works { EventKind::OutputBack } else { EventKind::OutputFault };
                policy.notice(LineEvent::new(kind, at).about(Subject::Output(output)), act);
            }
            LaneInput::CameraWorks { place, works } => policy.camera(place, works, at, act),
            LaneInput::Challenge { place, sign } => policy.challenge(place, sign, at, act),
            LaneInput::Encoder(trouble) => {
                let (kind, detail) = match trouble {
                    EncoderFault::Reset => (EventKind::EncoderReset, Detail::None),
                    EncoderFault::Lost => (EventKind::EncoderLost, Detail::None),
                    EncoderFault::Back => (EventKind::EncoderBack, Detail::Cause(EventKind::EncoderLost)),
                };
                policy.notice(LineEvent::new(kind, at).about(Subject::Encoder).with(detail), act);
            }
            LaneInput::Release => policy.release(at, act),
            LaneInput::Step => {
                ledger.expire(&now, &mut |event| policy.ledger(event, act));
                policy.step(&now, act);
            }
            LaneInput::Stop => ledger.stop(&now, &mut |event| policy.ledger(event, act)),
        }
    }

    /// How long until [`LaneInput::Step`] has something to do; a second at most.
    pub fn next(&self, at: Mono, belt: Belt) -> Duration {
        let now = Moment { at, belt, lead: self.lead };
        let deadline = self.ledger.next_deadline(&now).map(|d| d + Duration::from_nanos(1));
        let mut wait = self.policy.next(&now);
        if let Some(deadline) = deadline {
            wait = wait.min(deadline);
        }
        if self.has_encoder && !self.policy.is_idle() {
            wait = wait.min(BELT_PERIOD);
        }
        wait
    }

    /// The cameras, by their places.
    pub fn cameras(&self) -> &[CameraId] {
        self.policy.cameras()
    }

    /// Parts by outcome, of the camera at this place.
    pub fn counts(&self, place: usize) -> Counts {
        self.ledger.counts(place)
    }

    /// Frames of the camera at this place that belonged to no part.
    pub fn frames_without_part(&self, place: usize) -> u64 {
        self.policy.frames_without_part(place)
    }

    /// Whether the line is asked to stop.
    pub fn stopped(&self) -> bool {
        self.policy.stopped()
    }

    /// Whether the belt's ticks are an encoder's counts.
    pub fn has_encoder(&self) -> bool {
        self.has_encoder
    }

    /// How long before a part is at the first ejector its PASS has to be there.
    pub fn lead(&self) -> Duration {
        self.lead
    }
}

#[cfg(test)]
mod tests;
