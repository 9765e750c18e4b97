//! What the page knows of the line: a sink's records, brought into the shape in which people look at them. A record costs the line's `pub`
//! thread one copy into a bounded channel; when that is full the newest is dropped and counted as shed. Nothing here is asked by the line.
//!
//! ```text
//! pub ──► PageSink ══ channel(512) ══► Board ──► views, server-sent events
//! ```

mod alarms;
mod board;
mod challenge;
mod figures;
mod history;
mod seen;
mod sink;
mod threshold_trial;

pub use alarms::{Acknowledged, Alarm, AlarmError, Severity};
pub use board::{Board, CameraBoard, Ended, Logged, Snapshot};
pub use challenge::{ChallengeError, MOST_PARTS, RunningChallenge, is_overdue};
pub use figures::Figures;
pub use history::{Recent, TrendPoint};
pub use seen::SeenPart;
pub use sink::{PageRecord, PageSink, page_sink};
pub use threshold_trial::{MOST_TRIAL_PARTS, ThresholdTrial, ThresholdTrialError, TrialStage};

#[cfg(test)]
pub(crate) mod tests;
