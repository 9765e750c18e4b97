//! andon watches a conveyor and stops bad parts.
//!
//! ```text
//!  camera ─► frame ─► inspect ─► decide ─► publish         hot lane: plain threads, bounded channels
//!            (no copy) (prepare,  (threshold,   │
//!                       engine,    deadline,    ├─► verdict   small, express, with recovery
//!                       detector)  ledger)      └─► heatmap   latest wins, sheds first
//! ```
//!
//! The modules below stand in the order in which a part meets them; a module uses only those above it.
//! `types` carries the words (its documentation is the glossary), `runtime::wiring` the table of every channel.

pub mod types;

pub mod field;
pub mod capture;
pub mod preprocess;
pub mod model;
#[cfg(feature = "cuda")]
pub mod cuda;
pub mod decide;
pub mod act;
pub mod publish;

pub mod fit;
pub mod eval;
pub mod sim;

pub mod config;
pub mod telemetry;

pub mod runtime;
pub mod assemble;

pub mod web;

pub mod cli;
