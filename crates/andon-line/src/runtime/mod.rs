//! Puts the stages on threads and wires them. Owns every channel, the stop order and the restart budgets; knows nothing of
//! pixels or protocols.
//!
//! ```text
//! camera → [cap-N] ──frames(2)──► [infer-N] ──┐
//! sensor → [in-N]    └──────── parts(256) ────┴──► [decide] ──records(1024)──► [pub] → sinks
//! encoder → [encoder-N] ────── position ─────────────^ │ │ └──maps(1, latest)────────^
//!                                                      │ └──pictures(32)──► [pictures] → ring of files, live pictures
//!                                                      └──► valves, line stop, heartbeat
//! ```
//! Threads stop in the order of the flow; what is then still in flight gets its outcome from decide: nothing is forgotten.

mod cap;
mod control;
mod decide;
mod faults;
mod infer;
mod inputs;
mod lane;
mod lane_spec;
mod line;
mod pictures;
mod presence;
mod publish;
mod repeats;
mod replace;
mod status;
mod tape;
pub mod wiring;

pub use crate::controller::Active;
pub use control::LineControl;
pub use faults::LaneFaults;
pub use infer::DetectorError;
pub use lane_spec::{EjectorLine, LaneSpec};
pub use line::{CameraSpec, Line, LineError, LineReport, LineSpec};
pub use pictures::PictureSpec;
pub use presence::Presence;
pub use replace::{ActiveModel, BuildFault, BuiltDetector, DetectorFactory, DetectorSwap, ModelChange};
pub use status::{CameraStatus, LaneStatus, LineInbox, Shed, Status};
pub use tape::Tape;
