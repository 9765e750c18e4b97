//! The integration tests, in one binary so that everything links once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "it/common.rs"]
mod common;
#[path = "it/npy.rs"]
mod npy;
#[path = "it/capture.rs"]
mod capture;
#[path = "it/model.rs"]
mod model;
#[path = "it/fit.rs"]
mod fit;
#[path = "it/sim.rs"]
mod sim;
#[path = "it/zenoh.rs"]
mod zenoh;
#[path = "it/line.rs"]
mod line;
#[path = "it/cli.rs"]
mod cli;
#[path = "it/repo.rs"]
mod repo;
