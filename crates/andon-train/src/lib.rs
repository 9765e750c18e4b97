//! Networks that are learned on the box. A training step is built here as plain ONNX graphs of ordinary operators, forward, backward and update,
//! and run by the engines that are there anyway; nothing else is needed, and the line does not load this crate.
//!
//! ```text
//!  networks ─► tape ─► passes (ONNX) ─► trainer ─► engine session (ort, rten)
//! ```

pub mod checkpoint;
pub mod distill;
pub mod efficientad;
mod files;
pub mod networks;
pub mod optimiser;
pub mod pictures;
pub mod tape;
pub mod teacher;
pub mod trainer;

#[cfg(test)]
mod tests;
