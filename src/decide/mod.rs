//! What becomes of a part. Pure: no threads, no clock; `now` is passed in. Called by the `decide` stage alone.
//!
//! [`judge`] turns a raw score into an outcome and is the only caller of `PassToken::grant`. [`Ledger`] holds one slot for
//! each part in flight and gives each exactly one outcome, whatever arrives, late or never.

mod gate;
mod judge;
mod ledger;
mod words;

pub use judge::{Judgement, judge};
pub use ledger::{Ledger, Tell};
pub use words::{Ending, FrameSeen, Matching, Now, Observed, Rule, Told, Trigger};
