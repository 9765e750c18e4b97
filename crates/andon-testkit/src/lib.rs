//! What tests put in place of a camera, a network and a broker. Nothing here is part of the program: crates name it under
//! `[dev-dependencies]`, and a test sees to that.
//!
//! - [`ScriptedSource`] plays frames, gaps and pauses as written down.
//! - [`ObedientDetector`] does what the first pixel says: scores, NaN, faults, panics, delays.
//! - [`RecordingSink`] keeps every record that it is offered.
//! - [`bank_only`] is a PatchCore model without a network of its own.

#[cfg(feature = "vision")]
mod bundle;
mod detector;
mod sink;
mod source;

#[cfg(feature = "vision")]
pub use bundle::bank_only;
pub use detector::ObedientDetector;
pub use sink::RecordingSink;
pub use source::{ScriptedSource, Step, spaced};
