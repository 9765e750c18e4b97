//! Says what is repeated once, and then how often it came again: a bouncing contact or a loose plug must not push what matters
//! out of a history, or fill a broker. Time is passed in.

use std::time::Duration;

use andon_core::{EventKind, LineEvent, Mono, Subject};

/// What comes again within this is counted and told at its end.
const WINDOW: Duration = Duration::from_secs(10);
/// How often the beginning and the end of a fault are told within [`WINDOW`] before they are held back: whoever reads the
/// records has to know how things stand.
const STATES: u32 = 3;

/// Notices that were told a short while ago, and how often they came again.
#[derive(Debug, Default)]
pub struct Repeats {
    open: Vec<Open>,
}

#[derive(Debug)]
struct Open {
    lane: u8,
    kind: EventKind,
    subject: Subject,
    until: Mono,
    told: u32,
    /// The last one, with the number of those that were held back.
    held: Option<LineEvent>,
}

impl Repeats {
    /// Something odd on a lane: what is to be told at once, if anything.
    pub fn hear(&mut self, lane: u8, notice: LineEvent, now: Mono) -> Option<LineEvent> {
        let LineEvent { kind, subject, times, .. } = notice;
        let allowed = match kind {
            EventKind::LineStop | EventKind::LineReleased => return Some(notice),
            EventKind::OutputFault
            | EventKind::OutputBack
            | EventKind::InputFault
            | EventKind::InputBack
            | EventKind::EncoderLost
            | EventKind::EncoderBack
            | EventKind::CameraDown
            | EventKind::CameraBack => STATES,
            _ => 1,
        };
        let same = |o: &&mut Open| (o.lane, o.kind, o.subject) == (lane, kind, subject);
        let Some(open) = self.open.iter_mut().find(same) else {
            self.open.push(Open { lane, kind, subject, until: now + WINDOW, told: 1, held: None });
            return Some(notice);
        };
        if open.told < allowed {
            open.told += 1;
            return Some(notice);
        }
        let before = open.held.map_or(0, |h| h.times);
        open.held = Some(LineEvent { times: before + times, ..notice });
        None
    }

    /// What was held back until now, oldest first; asked until there is none. Asked with the end of time, all of it.
    pub fn due(&mut self, now: Mono) -> Option<(u8, LineEvent)> {
        self.open.retain(|o| o.until > now || o.held.is_some());
        let over = self.open.iter_mut().filter(|o| o.until <= now);
        let open = over.min_by_key(|o| o.held.map(|h| h.at))?;
        // What goes on is told once in each window.
        (open.until, open.told) = (now + WINDOW, STATES);
        let (lane, held) = (open.lane, open.held.take()?);
        Some((lane, held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::{CameraId, Detail, FrameNo};

    fn at(ms: u64) -> Mono {
        Mono(ms * 1_000_000)
    }

    fn orphan(camera: u8, n: u64) -> LineEvent {
        let notice = LineEvent::new(EventKind::FrameWithoutPart, at(33 * n)).about(Subject::Camera(CameraId(camera)));
        notice.with(Detail::Frame(FrameNo(n)))
    }

    #[test]
    fn what_goes_on_is_told_at_once_and_then_counted_every_ten_seconds() {
        let mut repeats = Repeats::default();
        let mut told = Vec::new();
        // A minute at 30 frames a second.
        for n in 0..1800 {
            let now = at(33 * n);
            told.extend(repeats.hear(0, orphan(0, n), now).map(|n| n.times));
            told.extend(std::iter::from_fn(|| repeats.due(now)).map(|(_, n)| n.times));
        }
        let rest = repeats.due(Mono(u64::MAX)).map(|(_, n)| n.times);
        assert_eq!(told.len(), 6, "{told:?}");
        assert_eq!(told.iter().sum::<u64>() + rest.unwrap_or(0), 1800, "none is lost");
        assert!(repeats.due(Mono(u64::MAX)).is_none());
    }

    #[test]
    fn other_subjects_kinds_and_lanes_are_told_for_themselves() {
        let mut repeats = Repeats::default();
        assert!(repeats.hear(0, orphan(0, 1), at(0)).is_some());
        assert!(repeats.hear(0, orphan(1, 1), at(1)).is_some());
        assert!(repeats.hear(1, orphan(0, 1), at(2)).is_some());
        assert!(repeats.hear(0, LineEvent::new(EventKind::DuplicateTrigger, at(3)), at(3)).is_some());
        assert!(repeats.hear(0, orphan(0, 2), at(4)).is_none());
        assert!(repeats.due(at(9_999)).is_none());
        let (lane, held) = repeats.due(at(10_000)).expect("the window is over");
        assert_eq!((lane, held.times, held.detail), (0, 1, Detail::Frame(FrameNo(2))));
        assert!(repeats.due(at(10_000)).is_none());
        assert!(repeats.due(at(40_000)).is_none() && repeats.open.is_empty(), "forgotten when it is over");
    }

    #[test]
    fn how_a_wire_is_in_the_end_is_the_last_that_is_told() {
        let mut repeats = Repeats::default();
        let (mut told, subject) = (Vec::new(), Subject::Output(0));
        for n in 0..20u64 {
            let kind = if n % 2 == 0 { EventKind::OutputFault } else { EventKind::OutputBack };
            told.extend(repeats.hear(0, LineEvent::new(kind, at(n)).about(subject), at(n)));
        }
        assert_eq!(told.len(), 6, "three changes at once");
        let rest: Vec<_> = std::iter::from_fn(|| repeats.due(at(20_000))).map(|(_, n)| (n.kind, n.times)).collect();
        assert_eq!(rest, [(EventKind::OutputFault, 7), (EventKind::OutputBack, 7)]);
        let stops = LineEvent::new(EventKind::LineStop, at(0));
        assert!((0..9).all(|_| repeats.hear(0, stops, at(0)).is_some()), "never held back");
    }
}
