//! What people and monitoring see of the program. The hot lane only touches atomics and preallocated histograms here.

mod delivery;
mod heat;
mod latency;
mod logging;
mod metrics;
mod plain;
mod state;

pub use heat::Heat;
pub use latency::LatencyHistogram;
pub use logging::{LogGuard, LogOptions, init_logging};
pub use metrics::Metrics;
pub use state::{JudgeState, LineState};
