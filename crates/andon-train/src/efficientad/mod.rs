//! EfficientAD: a student learns to say of good pictures what a fixed teacher says of them, and an autoencoder what the teacher says of the whole;
//! where they do not agree, something is there that was not learned. Source: Batzner, Heckler and König, "EfficientAD: Accurate Visual Anomaly
//! Detection at Millisecond-Level Latencies", WACV 2024.
//!
//! ```text
//!  good pictures ─┬─ learned from ─► passes ─► trainer ─► weights ─┐
//!                 │                                                 ├─► one network (ONNX) ─┐
//!                 └─ held out ─► quantiles of the two maps ─────────┘                       ├─► bundle
//!                       └───────────────────────────────────────► threshold, claim ─────────┘
//! ```

mod error;
mod learn;
mod maps;
mod natural;
mod passes;
mod pictures;
mod quality;
mod run;
#[cfg(test)]
mod tests;

pub use error::LearnError;
pub use learn::{Job, bytes, learn, map_size};
pub use maps::{Scale, detector};
pub use natural::Penalty;
pub use passes::{Form, Networks, passes};
pub use run::{Effort, Stage, Standing};
