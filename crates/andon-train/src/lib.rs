//! Networks that are learned on the box. A training step is built here as plain ONNX graphs of ordinary operators, forward, backward and update,
//! and run by the engines that are there anyway; nothing else is needed, and the line does not load this crate.
//!
//! ```text
//!  networks ─► tape ─► passes (ONNX) ─► trainer ─► engine session (ort, rten)
//! ```

mod files;
pub mod pictures;
pub mod optimiser;
pub mod tape;
pub mod trainer;
pub mod networks;
pub mod checkpoint;
pub mod teacher;
pub mod efficientad;
mod standard;
pub mod simplenet;
pub mod cfa;
pub mod distill;
