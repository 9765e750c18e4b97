//! What a PLC reads and writes: a block of registers for each camera, after the handshake of Cognex's Modbus map
//! (TriggerReady, TriggerAck, ResultsValid, ResultsAck, overrun, job pass). Pure: the server only carries it.
//!
//! ```text
//!  result ──► shown, ResultsValid = 1 ──PLC writes ResultsAck = 1──► ResultsValid = 0 ──ResultsAck = 0──► next one shown
//!     └─ one is still shown: waits (BufferResults) or replaces it; what is lost that way sets ResultsOverrun
//! ```

use std::collections::VecDeque;

use andon_core::{ChallengeState, RecipeState};

/// Version of the map; grows when a register changes its meaning.
pub const MAP_VERSION: u16 = 1;
/// Registers of a block; block `n` begins at `n * BLOCK`.
pub const BLOCK: u16 = 100;
/// Where the control register of a block is; its bits are also the coils from `n * 16` on.
pub const CONTROL: u16 = 40;
/// Where the register of a block is to which the number of a recipe is written: the line is changed over to it.
pub const RECIPE: u16 = 41;
/// Results that wait for the PLC.
const WAITING: usize = 64;

/// One register or pair of registers, for the server, the documentation and the generated PLC code alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    /// Offset in the block.
    pub offset: u16,
    /// 1, or 2 with the high word first.
    pub words: u16,
    /// Name.
    pub name: &'static str,
    /// What it says.
    pub about: &'static str,
}

const fn reg(offset: u16, words: u16, name: &'static str, about: &'static str) -> Register {
    Register { offset, words, name, about }
}

/// The status registers, read-only: by function 4, and by function 3 for PLCs that know no other.
pub const STATUS: [Register; 21] = [
    reg(0, 1, "Status", "bits, see below"),
    reg(1, 1, "MapVersion", "1; a program should stop on another"),
    reg(2, 1, "Heartbeat", "grows ten times a second while the program lives"),
    reg(3, 1, "ResultCode", "0 none, 1 PASS, 2 REJECT, 3 UNINSPECTED, 4 ERROR"),
    reg(4, 1, "ReasonCode", "why; see the table of reasons"),
    reg(5, 2, "PartNumber", "of the shown result, from 0"),
    reg(7, 2, "TriggerId", "number that came with the trigger; 0 if none"),
    reg(9, 2, "Score", "signed, in 0.0001: 12345 is 1.2345; -1 if there is none"),
    reg(11, 2, "Threshold", "in 0.0001"),
    reg(13, 1, "Latency", "trigger to outcome, in 0.1 ms: 143 is 14.3 ms; 65535 is 6.5 s or more"),
    reg(14, 1, "Margin", "left until the deadline, in 0.1 ms; 0 if late"),
    reg(15, 1, "Waiting", "results behind the shown one"),
    reg(16, 2, "Offered", "parts since the start"),
    reg(18, 2, "Pass", ""),
    reg(20, 2, "Reject", ""),
    reg(22, 2, "Uninspected", ""),
    reg(24, 2, "Error", ""),
    reg(26, 2, "LateResults", "came after their part had ended; ignored"),
    reg(28, 2, "Lost", "results that the PLC did not fetch in time"),
    reg(30, 1, "RecipeNumber", "of the recipe in force; 0 if it has none"),
    reg(31, 1, "ChallengeState", "of the last challenge: 0 none, 1 running, 2 passed, 3 failed, 4 given up"),
];

/// Bits of the status register.
pub const STATUS_BITS: [(&str, &str); 12] = [
    ("Online", "the camera gives frames"),
    ("TriggerReady", "a trigger will be taken"),
    ("TriggerAck", "the trigger was taken; falls with Trigger"),
    ("Busy", "parts are in flight"),
    ("ResultsValid", "the result registers hold a new result; falls with ResultsAck"),
    ("ResultsOverrun", "a result was lost because nobody fetched it; ClearError resets"),
    ("InspectionCompleted", "changes with each result"),
    ("JobPass", "the shown result is PASS; 0 whenever ResultsValid is 0"),
    ("Error", "camera down or line fault"),
    ("LineStop", "the line is asked to stop; ClearError releases it"),
    ("CommandFailed", "the last command was refused; ClearError resets"),
    ("RecipeChanging", "models are being changed"),
];

/// Bits of the control register, and coils.
pub const CONTROL_BITS: [(&str, &str); 6] = [
    ("Trigger", "rising: a part is announced (parts.trigger = \"message\")"),
    ("TriggerEnable", "triggers are taken while it is 1"),
    ("ResultsAck", "the shown result was fetched"),
    ("BufferResults", "results wait for their turn; else a new one replaces the shown one"),
    ("ClearError", "rising: resets ResultsOverrun and CommandFailed, releases LineStop"),
    ("StartChallenge", "rising: the next parts are known bad ones, page.challenge_parts of them; see ChallengeState"),
];

/// A result as the registers show it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PlcResult {
    /// See the register `ResultCode`.
    pub code: u16,
    /// Place of the reason in its table, from 0.
    pub reason: u16,
    /// Part.
    pub part: u64,
    /// Trigger's number.
    pub trigger_id: u64,
    /// Raw score.
    pub score: Option<f32>,
    /// Threshold.
    pub threshold: f32,
    /// Trigger to outcome, nanoseconds.
    pub latency_ns: u64,
    /// Left until the deadline, nanoseconds.
    pub margin_ns: u64,
}

/// What a write asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Announce a part.
    Trigger,
    /// Release the line.
    Release,
    /// Change over to a recipe by its number.
    Recipe(u16),
    /// The next parts are known to be bad.
    Challenge,
}

/// What the registers say of the line beside the results.
#[derive(Clone, Debug, Default)]
pub struct LineSigns {
    /// Grows ten times a second.
    pub heartbeat: u16,
    /// Parts may be announced.
    pub takes_triggers: bool,
    /// The recipe in force.
    pub recipe: RecipeState,
    /// The challenge of the block's camera.
    pub challenge: ChallengeState,
}

/// One camera's block.
#[derive(Debug, Default)]
pub struct Block {
    control: u16,
    shown: Option<PlcResult>,
    /// The last result stays readable after its acknowledgement; `ResultsValid` tells whether it is new.
    last: PlcResult,
    waiting: VecDeque<PlcResult>,
    completed: bool,
    overrun: bool,
    failed: bool,
    trigger_ack: bool,
    lost: u64,
    /// Offered, pass, reject, uninspected, error, late.
    counts: [u64; 6],
    online: bool,
    busy: bool,
    line_stop: bool,
}

impl Block {
    /// A new result. `acknowledged`: the PLC can write, so results wait for it; else each replaces the one before.
    pub fn result(&mut self, result: PlcResult, acknowledged: bool) {
        self.completed = !self.completed;
        if let Some(count) = self.counts.get_mut(usize::from(result.code)).filter(|_| (1..5).contains(&result.code)) {
            *count += 1;
            self.counts[0] = self.counts[0].max(self.counts[1..5].iter().sum());
        }
        let buffered = self.bit(3);
        // ResultsAck is still 1: nothing is shown until it falls.
        let free = self.shown.is_none() && !self.bit(2);
        if !acknowledged || free {
            self.shown = Some(result);
            self.last = result;
        } else if buffered {
            if self.waiting.len() == WAITING {
                self.waiting.pop_front();
                self.lose();
            }
            self.waiting.push_back(result);
        } else if self.bit(2) {
            // Between two results: the newest one waits for the handshake to end.
            if self.waiting.pop_front().is_some() {
                self.lose();
            }
            self.waiting.push_back(result);
        } else {
            self.shown = Some(result);
            self.last = result;
            self.lose();
        }
    }

    /// Counters and states, once a second and with each result.
    pub fn state(&mut self, counts: [u64; 6], online: bool, busy: bool, line_stop: bool) {
        (self.counts, self.online, self.busy, self.line_stop) = (counts, online, busy, line_stop);
    }

    /// The PLC writes the control register; what has to be done.
    pub fn write(&mut self, control: u16) -> Vec<Command> {
        let before = std::mem::replace(&mut self.control, control);
        let (rising, falling) = (!before & control, before & !control);
        let mut commands = Vec::new();
        if rising & 1 != 0 {
            // Refused commands are told by the caller.
            if self.bit(1) { commands.push(Command::Trigger) } else { self.failed = true }
        }
        if falling & 1 != 0 {
            self.trigger_ack = false;
        }
        if rising & 1 << 2 != 0 {
            self.shown = None;
        }
        if falling & 1 << 2 != 0
            && let Some(next) = self.waiting.pop_front()
        {
            self.shown = Some(next);
            self.last = next;
        }
        if rising & 1 << 4 != 0 {
            (self.overrun, self.failed) = (false, false);
            commands.push(Command::Release);
        }
        if rising & 1 << 5 != 0 {
            commands.push(Command::Challenge);
        }
        commands
    }

    /// Whether a command was carried out.
    pub fn done(&mut self, command: Command, well: bool) {
        match command {
            Command::Trigger => {
                self.trigger_ack = well;
                self.failed |= !well;
            }
            Command::Release | Command::Recipe(_) | Command::Challenge => self.failed |= !well,
        }
    }

    /// The control register as it was written last.
    pub fn control(&self) -> u16 {
        self.control
    }

    /// All status registers from offset 0 on.
    pub fn registers(&self, line: &LineSigns) -> [u16; CONTROL as usize] {
        let mut all = [0u16; CONTROL as usize];
        let r = &self.last;
        let bits = [
            self.online,
            line.takes_triggers && self.bit(1),
            self.trigger_ack,
            self.busy,
            self.shown.is_some(),
            self.overrun,
            self.completed,
            self.shown.is_some_and(|r| r.code == 1),
            !self.online || self.line_stop,
            self.line_stop,
            self.failed,
            line.recipe.changing,
        ];
        all[0] = bits.iter().enumerate().fold(0, |word, (n, on)| word | u16::from(*on) << n);
        (all[1], all[2], all[3], all[4]) = (MAP_VERSION, line.heartbeat, r.code, r.reason);
        let tenth_ms = |ns: u64| u16::try_from(ns / 100_000).unwrap_or(u16::MAX);
        let scaled = |v: f32| (f64::from(v) * 10_000.0).clamp(-1.0, f64::from(i32::MAX)) as i32;
        let pairs = [
            (5, r.part as u32),
            (7, r.trigger_id as u32),
            (9, r.score.map_or(-1, scaled) as u32),
            (11, scaled(r.threshold) as u32),
            (28, self.lost as u32),
        ];
        let counts = self.counts.iter().enumerate().map(|(n, c)| (16 + 2 * n, *c as u32));
        for (at, value) in pairs.into_iter().chain(counts) {
            (all[at], all[at + 1]) = ((value >> 16) as u16, value as u16);
        }
        (all[13], all[14]) = (tenth_ms(r.latency_ns), tenth_ms(r.margin_ns));
        all[15] = self.waiting.len() as u16;
        (all[30], all[31]) = (line.recipe.number, line.challenge.code());
        all
    }

    fn lose(&mut self) {
        self.overrun = true;
        self.lost += 1;
    }

    fn bit(&self, n: u16) -> bool {
        self.control & 1 << n != 0
    }
}

#[cfg(test)]
mod tests;
