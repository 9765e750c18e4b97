//! The integration tests, in one binary so that everything links once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "it/common.rs"]
mod common;
#[cfg(feature = "rten")]
#[path = "it/npy.rs"]
mod npy;
#[path = "it/capture.rs"]
mod capture;
#[cfg(feature = "rten")]
#[path = "it/model.rs"]
mod model;
#[cfg(feature = "rten")]
#[path = "it/methods.rs"]
mod methods;
#[cfg(feature = "rten")]
#[path = "it/kinds.rs"]
mod kinds;
#[path = "it/service.rs"]
mod service;
#[path = "it/zenoh.rs"]
mod zenoh;
#[path = "it/line.rs"]
mod line;
#[path = "it/pictures.rs"]
mod pictures;
#[cfg(all(feature = "page", feature = "rten", feature = "gst"))]
#[path = "it/line_models.rs"]
mod line_models;
#[cfg(all(feature = "page", feature = "rten", feature = "gst"))]
#[path = "it/page_pictures.rs"]
mod page_pictures;
#[cfg(feature = "rten")]
#[path = "it/cli.rs"]
mod cli;
#[cfg(feature = "rten")]
#[path = "it/config.rs"]
mod config;
#[cfg(feature = "rten")]
#[path = "it/distill.rs"]
mod distill;
#[cfg(feature = "rten")]
#[path = "it/eval.rs"]
mod eval;
#[cfg(feature = "rten")]
#[path = "it/fit.rs"]
mod fit;
#[cfg(feature = "rten")]
#[path = "it/fit_train.rs"]
mod fit_train;
#[cfg(feature = "rten")]
#[path = "it/import.rs"]
mod import;
#[cfg(feature = "rten")]
#[path = "it/import_odd.rs"]
mod import_odd;
#[cfg(feature = "rten")]
#[path = "it/conformance.rs"]
mod conformance;
#[cfg(feature = "modbus")]
#[path = "it/modbus.rs"]
mod modbus;
#[cfg(feature = "web")]
#[path = "it/web.rs"]
mod web;
#[cfg(all(feature = "page", feature = "rten", feature = "gst"))]
#[path = "it/browser.rs"]
mod browser;
#[cfg(feature = "modbus")]
#[path = "it/field.rs"]
mod field;
#[cfg(all(feature = "rten", feature = "gst", feature = "modbus", feature = "mqtt", feature = "webhook"))]
#[path = "it/plant.rs"]
mod plant;
#[cfg(all(feature = "rten", feature = "gst", feature = "modbus", feature = "mqtt", feature = "webhook"))]
#[path = "it/delivery.rs"]
mod delivery;
#[cfg(all(
    feature = "opcua",
    feature = "rten",
    feature = "gst",
    feature = "modbus",
    feature = "mqtt",
    feature = "webhook"
))]
#[path = "it/opcua.rs"]
mod opcua;
#[cfg(all(feature = "rten", feature = "gst", feature = "modbus", feature = "mqtt", feature = "webhook"))]
#[path = "it/parts.rs"]
mod parts;
#[cfg(all(feature = "rten", feature = "gst", feature = "modbus", feature = "mqtt", feature = "webhook"))]
#[path = "it/tls.rs"]
mod tls;
#[cfg(all(feature = "rten", feature = "gst", feature = "modbus", feature = "mqtt", feature = "webhook"))]
#[path = "it/faults.rs"]
mod faults;
#[cfg(feature = "rten")]
#[path = "it/plan.rs"]
mod plan;
#[cfg(feature = "cuda")]
#[path = "it/cuda.rs"]
mod cuda;
#[path = "it/repo.rs"]
mod repo;
#[cfg(all(feature = "tensorrt", feature = "rten"))]
#[path = "it/tensorrt.rs"]
mod tensorrt;
#[cfg(all(feature = "cuda", feature = "rten"))]
#[path = "it/stage.rs"]
mod stage;
#[cfg(all(feature = "cuda", feature = "rten"))]
#[path = "it/batch.rs"]
mod batch;
#[cfg(feature = "ort")]
#[path = "it/graph.rs"]
mod graph;
