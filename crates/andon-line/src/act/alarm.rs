//! Alarms over many parts, and the request to stop the line.

use std::collections::VecDeque;

use andon_core::{Detail, EventKind, LineEvent, Mono, Outcome};

/// When many rejects are one fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlarmSpec {
    /// So many parts in a row that did not pass; 0 for never.
    pub consecutive: u32,
    /// So many that did not pass ...
    pub share_n: u32,
    /// ... among the last so many; 0 for never.
    pub share_of: u32,
}

/// Counts outcomes; latches the line-stop request until somebody releases it.
#[derive(Debug)]
pub struct Alarms {
    spec: AlarmSpec,
    row: u32,
    last: VecDeque<bool>,
    bad: u32,
    stopped: bool,
}

impl Alarms {
    /// Nothing counted yet.
    pub fn new(spec: AlarmSpec) -> Alarms {
        Alarms { spec, row: 0, last: VecDeque::with_capacity(spec.share_of as usize + 1), bad: 0, stopped: false }
    }

    /// Whether the line is asked to stop.
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    /// A part ended. The alarm, if this part raises one; each is raised once and starts counting anew.
    pub fn ended(&mut self, outcome: &Outcome, at: Mono) -> Option<LineEvent> {
        let bad = !matches!(outcome, Outcome::Pass(_));
        self.row = if bad { self.row + 1 } else { 0 };
        if self.spec.share_of > 0 {
            self.last.push_back(bad);
            self.bad += u32::from(bad);
            if self.last.len() > self.spec.share_of as usize
                && let Some(old) = self.last.pop_front()
            {
                self.bad -= u32::from(old);
            }
        }
        if self.spec.consecutive > 0 && self.row >= self.spec.consecutive {
            let value = u64::from(std::mem::take(&mut self.row));
            return Some(LineEvent::new(EventKind::ConsecutiveRejects, at).with(Detail::Count(value)));
        }
        if bad && self.spec.share_of > 0 && self.spec.share_n > 0 && self.bad >= self.spec.share_n {
            let value = u64::from(std::mem::take(&mut self.bad));
            self.last.clear();
            return Some(LineEvent::new(EventKind::RejectShare, at).with(Detail::Count(value)));
        }
        None
    }

    /// Whether a notice asks the line to stop that was not asked before.
    pub fn heard(&mut self, notice: &LineEvent) -> bool {
        let new = notice.kind.stops_line() && !self.stopped;
        self.stopped |= new;
        new
    }

    /// Somebody releases the line; whether it was stopped.
    pub fn release(&mut self) -> bool {
        std::mem::take(&mut self.stopped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_in_a_row_and_among_many_are_told_once() {
        let mut alarms = Alarms::new(AlarmSpec { consecutive: 3, share_n: 5, share_of: 10 });
        let told = |alarms: &mut Alarms, bad: bool| {
            let pass = andon_core::judge(Ok(0.5), andon_core::Threshold::new(1.0).unwrap()).outcome;
            alarms.ended(if bad { &Outcome::Reject } else { &pass }, Mono(0)).map(|n| (n.kind, n.detail))
        };
        let row = [true, true, false, true, true, true, false];
        let said: Vec<_> = row.iter().map(|bad| told(&mut alarms, *bad)).collect();
        assert_eq!(said[5], Some((EventKind::ConsecutiveRejects, Detail::Count(3))));
        assert!(said[..5].iter().all(Option::is_none));
        assert_eq!(told(&mut alarms, true), Some((EventKind::RejectShare, Detail::Count(6))));
        assert_eq!(told(&mut alarms, true), None);
        let stop = LineEvent::new(EventKind::ConsecutiveRejects, Mono(0));
        assert!(alarms.heard(&stop) && !alarms.heard(&stop) && alarms.stopped());
        assert!(alarms.release() && !alarms.stopped() && !alarms.release());
    }
}
