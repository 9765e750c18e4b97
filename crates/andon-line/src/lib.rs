//! What becomes of a part: its verdict and its place in the ledger ([`decide`]), what is done about it ([`act`]), both together as a
//! pure state machine ([`controller`]), what monitoring sees ([`telemetry`]), and the threads that run a line ([`runtime`]). Knows no
//! protocol, no file and no pixel.

pub mod decide;
pub mod act;
pub mod controller;
pub mod telemetry;
pub mod runtime;
