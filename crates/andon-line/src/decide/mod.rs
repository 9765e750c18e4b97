//! What becomes of a part. Pure: no threads, no clock; `now` is passed in. Called by the `decide` stage alone.
//!
//! [`andon_core::judge`] turns a raw score into an outcome. [`Ledger`] holds one slot for
//! each part in flight and gives each exactly one outcome, whatever arrives, late or never.

mod gate;
mod ledger;
mod messages;

pub use ledger::{Emit, Ledger};
pub use messages::{CameraEnding, FrameSeen, LaneRules, LedgerEvent, Matching, Moment, Observed, Trigger};
