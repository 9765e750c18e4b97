//! andon watches a conveyor and stops bad parts.
//!
//! ```text
//!  camera ─► frame ─► inspect ─► decide ─► publish         hot lane: plain threads, bounded channels
//!            (no copy) (prepare,  (threshold,   │
//!                       engine,    deadline,    ├─► verdict   small, express, with recovery
//!                       detector)  ledger)      └─► heatmap   latest wins, sheds first
//! ```
//!
//! The libraries stand in `crates/`, each with its own walls: `andon_core` carries the words (its documentation is the glossary),
//! `andon_vision` learns and detects, `andon_gpu` does that on NVIDIA GPUs, `andon_line` is what becomes of a part, `andon_io` what is
//! read and driven, `andon_service` what people and machines may ask, `andon_sim` a conveyor in software. This package puts them together:
//! what the user writes ([`config`]), from there to a running line ([`assemble`]), and the commands ([`cli`]).

pub mod config;
pub mod logging;

pub mod assemble;

pub mod cli;
