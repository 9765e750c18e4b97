//! What andon reads and drives: cameras ([`capture`]), inputs, outputs and encoders of the machine ([`fieldio`]), and the sinks
//! that records go out by ([`sinks`]). Each implements a contract of `andon_core`; none knows the line.

pub mod capture;
pub mod fieldio;
pub mod sinks;

mod thermal;

pub use thermal::Heat;
