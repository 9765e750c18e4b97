//! Puts the stages on threads and wires them. Owns every channel, the stop order and the restart budgets; knows nothing of
//! pixels or protocols.
//!
//! ```text
//! camera → [cap-N] ──frames(2)──► [infer-N] ──┐
//!             └──────── parts(256) ───────────┴──► [decide] ──records(1024)──► [pub] → sinks
//!                                                      └──maps(1, latest)────────^
//! ```
//! Threads stop in the order of the flow; what is then still in flight gets its outcome from decide: nothing is forgotten.

mod cap;
mod control;
mod decide;
mod infer;
mod line;
mod publish;
mod queue;
mod status;
mod threads;
pub mod wiring;

pub use control::LineControl;
pub use infer::MakeDetector;
pub use line::{CameraSpec, Line, LineError, LineReport, LineSpec};
pub use queue::{EvictOldest, LatestOnly};
pub use status::{Active, CameraStatus, Shed, Status};
pub use threads::{Joined, spawn};
