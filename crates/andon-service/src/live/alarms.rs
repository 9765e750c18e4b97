//! Alarms: what is wrong now, or was and nobody has said that he saw it.
//!
//! ```text
//!            event                       its end
//! (none) ─────────► standing, unseen ─────────────► over, unseen
//!                        │ acknowledge                  │ acknowledge
//!                        ▼            its end           ▼
//!                   standing, seen ──────────────────► (none)
//! ```
//! An event that has no end (a part that was not ejected) is over at once. Acknowledging releases nothing.

use thiserror::Error;

use andon_core::{EventKind, LineEvent, Subject};

/// Alarms that are kept at most; beyond, the mildest that are over go first.
const MOST: usize = 100;

/// How bad an alarm is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Has to be looked at some time.
    Notice,
    /// Parts end as UNINSPECTED, or rejects may not leave the belt.
    Fault,
    /// The line is asked to stop.
    Stop,
}

/// Who saw an alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// The user.
    pub user: String,
    /// When, milliseconds since 1970.
    pub at_ms: u64,
}

/// Something that is wrong, or was.
#[derive(Clone, Debug)]
pub struct Alarm {
    /// Number of the alarm since the start.
    pub id: u64,
    /// The lane.
    pub lane: u8,
    /// The event that raised it last.
    pub event: LineEvent,
    /// When it began, milliseconds since 1970.
    pub since_ms: u64,
    /// When it happened last.
    pub last_ms: u64,
    /// How often it happened.
    pub count: u64,
    /// It has not ended.
    pub standing: bool,
    /// Who saw it.
    pub seen: Option<Acknowledged>,
}

impl Alarm {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        match self.event.kind {
            EventKind::LineStop => Severity::Stop,
            EventKind::CameraDown | EventKind::ChallengeOverdue => Severity::Fault,
            kind if kind.stops_line() => Severity::Fault,
            _ => Severity::Notice,
        }
    }
}

/// Why an alarm was not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AlarmError {
    /// It ended and was acknowledged, or never was.
    #[error("there is no such alarm any more")]
    NoAlarm,
}

/// The kinds that an event ends.
fn ends(kind: EventKind) -> &'static [EventKind] {
    match kind {
        EventKind::EncoderBack => &[EventKind::EncoderLost, EventKind::EncoderSilent],
        EventKind::CameraBack => &[EventKind::CameraDown],
        EventKind::OutputBack => &[EventKind::OutputFault],
        EventKind::InputBack => &[EventKind::InputFault],
        EventKind::LineReleased => &[EventKind::LineStop],
        EventKind::ChallengePassed => &[EventKind::ChallengeFailed, EventKind::ChallengeOverdue],
        _ => &[],
    }
}

/// Whether an event of this kind lasts until another one ends it.
fn lasts(kind: EventKind) -> bool {
    EventKind::ALL.into_iter().any(|end| ends(end).contains(&kind))
}

/// All alarms.
#[derive(Clone, Debug, Default)]
pub(super) struct Alarms {
    next: u64,
    all: Vec<Alarm>,
}

impl Alarms {
    pub fn take(&mut self, lane: u8, event: LineEvent, at_ms: u64) {
        let ended = ends(event.kind);
        if !ended.is_empty() {
            let whole_lane = event.subject == Subject::Lane;
            for alarm in &mut self.all {
                let same = alarm.lane == lane && (whole_lane || alarm.event.subject == event.subject);
                if same && ended.contains(&alarm.event.kind) {
                    alarm.standing = false;
                }
            }
            self.tidy();
            return;
        }
        let same = |a: &&mut Alarm| a.lane == lane && a.event.kind == event.kind && a.event.subject == event.subject;
        match self.all.iter_mut().find(same) {
            Some(alarm) => {
                alarm.event = event;
                alarm.last_ms = at_ms;
                alarm.count += event.times;
                alarm.standing = lasts(event.kind);
                alarm.seen = None;
            }
            None => {
                self.next += 1;
                self.all.push(Alarm {
                    id: self.next,
                    lane,
                    event,
                    since_ms: at_ms,
                    last_ms: at_ms,
                    count: event.times,
                    standing: lasts(event.kind),
                    seen: None,
                });
            }
        }
        self.tidy();
    }

    pub fn acknowledge(&mut self, id: u64, by: Acknowledged) -> Result<Alarm, AlarmError> {
        let alarm = self.all.iter_mut().find(|a| a.id == id).ok_or(AlarmError::NoAlarm)?;
        alarm.seen = Some(by);
        let seen = alarm.clone();
        self.tidy();
        Ok(seen)
    }

    /// Worst first: unseen before seen, then by severity, then what stands, then the newest.
    pub fn sorted(&self) -> Vec<Alarm> {
        let mut all = self.all.clone();
        all.sort_by_key(|a| std::cmp::Reverse((a.seen.is_none(), a.severity(), a.standing, a.last_ms, a.id)));
        all
    }

    fn tidy(&mut self) {
        self.all.retain(|a| a.standing || a.seen.is_none());
        while self.all.len() > MOST {
            let mildest = self.all.iter().enumerate().min_by_key(|(_, a)| (a.standing, a.severity(), a.last_ms));
            let Some((n, _)) = mildest else { return };
            self.all.remove(n);
        }
    }
}
