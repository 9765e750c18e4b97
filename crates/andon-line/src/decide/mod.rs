//! What becomes of a part. Pure: no threads, no clock; `now` is passed in. Called by the `decide` stage alone.
//!
//! [`andon_core::judge`] turns a raw score into an outcome. [`Ledger`] holds one slot for
//! each part in flight and gives each exactly one outcome, whatever arrives, late or never.

mod gate;
mod ledger;
mod words;

pub use ledger::{Ledger, Tell};
pub use words::{Ending, FrameSeen, Matching, Now, Observed, Rule, Told, Trigger};
