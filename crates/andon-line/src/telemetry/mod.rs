//! What monitoring sees of the line. The hot lane only touches atomics and preallocated histograms here.

mod delivery;
mod latency;
mod metrics;
mod plain;
mod state;

pub use latency::LatencyHistogram;
pub use metrics::Metrics;
pub use state::{JudgeState, LineState};
