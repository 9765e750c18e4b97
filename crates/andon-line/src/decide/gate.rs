//! Tells the triggers of parts from bounces, from parts that come back, and from a dead encoder.

use std::time::Duration;

use super::messages::{LaneRules, Trigger};
use andon_core::{EventKind, Mono, Ticks};

/// What the last triggers were.
#[derive(Debug, Default)]
pub(super) struct Gate {
    last: Option<Last>,
    /// A dead encoder was named and has not moved since.
    silent: bool,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    /// Farthest position at which a part was opened.
    opened: Ticks,
    /// Position and time of the last edge, duplicates included.
    seen: Ticks,
    at: Mono,
    /// Edges in a row between which the belt stood still.
    standing: u32,
}

/// Triggers in a row without any movement of the belt that make its encoder a dead one.
const SILENT_AFTER: u32 = 2;
/// Contacts bounce within this; a part that comes later while the belt stood is another matter.
const BOUNCE: Duration = Duration::from_millis(5);

impl Gate {
    /// Why a trigger opens no part, if so.
    pub fn doubts(&mut self, rule: &LaneRules, t: &Trigger) -> Option<EventKind> {
        let Some(last) = &mut self.last else {
            self.last = Some(Last { opened: t.ticks, seen: t.ticks, at: t.at, standing: 0 });
            return None;
        };
        let bounce = t.at.since(last.at) < BOUNCE;
        let stood = (t.ticks - last.seen).abs() * 4 < rule.min_pitch;
        last.standing = if !stood { 0 } else { last.standing + u32::from(!bounce) };
        (last.seen, last.at) = (t.ticks, t.at);
        if t.ticks - last.opened >= rule.min_pitch {
            last.opened = t.ticks;
            return None;
        }
        let silent = rule.encoder && last.standing == SILENT_AFTER;
        self.silent |= silent;
        Some(if silent { EventKind::EncoderSilent } else { EventKind::DuplicateTrigger })
    }

    /// Whether an encoder that was named as dead moves again; asked after a trigger that opens a part, and said once.
    pub fn moves_again(&mut self) -> bool {
        std::mem::take(&mut self.silent)
    }
}
