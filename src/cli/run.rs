use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use clap::Args;
use ulid::Ulid;

use super::exit::{Exit, Failure};
use super::sinks::{JsonLines, LogStats};
use super::{camera, guard, output, plant, setup, sinks, wires};
use crate::capture::CameraState;
use crate::config::{self, Config, TriggerKind};
use crate::model::bundle::Bundle;
use crate::model::engine::EngineOptions;
use crate::publish::wire::Names;
use crate::publish::{Control, Sink};
use crate::runtime::{Active, CameraSpec, Line, LineControl, LineReport, LineSpec, MakeDetector, Status};
use crate::telemetry::Metrics;
use crate::types::Threshold;
use crate::web::{Health, Server};

/// `andon run`.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// The configuration; `config/andon.toml` in the repository explains every key.
    #[arg(short, long, value_name = "FILE", default_value = "andon.toml")]
    config: PathBuf,
    /// Sets one key over file and environment: --set cameras.top.deadline_ms=100
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Verdicts as JSON lines on standard output too, and the final figures as the last line. A reader that does not keep up
    /// loses lines, never the line its verdicts.
    #[arg(long)]
    json: bool,
}

impl Run {
    pub fn run(self, log: Option<&str>) -> Result<Exit, Failure> {
        let flags = self.set.iter().map(|pair| pair.split_once('=').map(|(k, v)| (k, v.to_owned())));
        let flags = flags.collect::<Option<Vec<_>>>().ok_or_else(|| {
            Failure::new(Exit::Usage, anyhow::anyhow!("--set takes KEY=VALUE, such as engine.threads=2"))
        })?;
        let loaded = config::load(Some(&self.config), std::env::vars(), &flags).map_err(Failure::config)?;
        let c = &loaded.config;
        let _log = setup::logging(log, &c.log_level, c.log_json)?;
        if c.cameras.is_empty() {
            let why = format!("{}: no cameras; add a table [cameras.NAME]", self.config.display());
            return Err(Failure::config(anyhow::anyhow!(why)));
        }
        let stop = setup::stop_flag()?;
        let cameras = prepare(c)?;
        let (lane_names, ejector_names) = wires::names(c);
        let names = Names {
            lanes: lane_names,
            ejectors: ejector_names,
            site: c.site.clone(),
            line: c.line.clone(),
            station: c.station.clone(),
            cameras: c.cameras.iter().map(|c| c.name.clone()).collect(),
            simulated: false,
            boot: Ulid::generate(),
            clock: Default::default(),
        };
        // Before the wires and so dropped after them.
        let _guard = guard::Guard::start(&c.parts);
        let lanes = wires::lanes(c)?;
        let each = cameras.iter().map(|p| (p.name.clone(), p.active.clone()));
        let status = Status::new(each, names.lanes.iter().cloned());
        let metrics = Metrics::new(&names.cameras);
        let _server = c.metrics.map(|a| Server::start(a, metrics.clone(), health(status.clone()))).transpose()?;
        let control: Arc<dyn Control> = Arc::new(LineControl {
            status: status.clone(),
            takes_triggers: c.parts.trigger == TriggerKind::Message,
            config_json: serde_json::to_string(&loaded.raw)?,
        });
        let bundles = cameras.iter().map(|p| p.bundle.clone()).collect();
        let mut sinks: Vec<Box<dyn Sink>> =
            sinks::zenoh(&c.zenoh, &names, control.clone(), bundles)?.into_iter().collect();
        let _forwarders = plant::start(c, &names, &control, &mut sinks)?;
        sinks.push(Box::new(LogStats::new(names.clone())));
        let stuck = Arc::new(AtomicBool::new(false));
        if self.json {
            sinks.push(Box::new(JsonLines::start(names.clone(), stuck.clone())?));
        }
        let mut specs = Vec::new();
        for (prepared, camera) in cameras.into_iter().zip(&c.cameras) {
            let named = |e| Failure::config(anyhow::anyhow!("camera `{}`: {e}", camera.name));
            let source = camera::configured(camera, &c.allow_elements).map_err(named)?;
            let Prepared { name, make_detector, active, .. } = prepared;
            specs.push(CameraSpec {
                name,
                source,
                make_detector,
                active,
                deadline: camera.deadline,
                presence: camera.presence,
            });
        }
        let line = Line::start(LineSpec { cameras: specs, lanes, sinks, metrics, status })?;
        tracing::info!(version = env!("CARGO_PKG_VERSION"), cameras = c.cameras.len(), "the line runs");
        let ended = line.wait(&stop);
        let report = line.finish()?;
        if !stuck.load(Relaxed) {
            tell(&report, self.json)?;
        }
        ended?;
        Ok(Exit::Ok)
    }
}

/// A camera whose detector is ready.
struct Prepared {
    name: String,
    bundle: Arc<Bundle>,
    make_detector: MakeDetector,
    active: Active,
}

fn prepare(c: &Config) -> Result<Vec<Prepared>, Failure> {
    let options = EngineOptions { choice: c.engine, threads: c.threads, ort_library: c.ort_library.clone() };
    let mut prepared = Vec::new();
    for camera in &c.cameras {
        let named = |e| Failure::from(anyhow::anyhow!("camera `{}`: {e}", camera.name));
        let bundle = setup::bundle(&camera.model).map_err(named)?;
        let ready = setup::ready(&bundle, &options, camera.frame_size).map_err(named)?;
        if let Some(why) = &ready.degraded {
            tracing::warn!(camera = camera.name, "degraded: rten instead of ONNX Runtime: {why}");
        }
        let threshold = camera
            .threshold
            .or(Threshold::new(bundle.manifest.threshold))
            .ok_or_else(|| named(anyhow::anyhow!("the model has no usable threshold")))?;
        use crate::model::Detector;
        let model = setup::tag(&bundle, ready.detector.engine_name());
        prepared.push(Prepared {
            name: camera.name.clone(),
            active: Active { threshold, model, degraded: ready.degraded.is_some() },
            make_detector: setup::make_detector(ready.detector, bundle.clone(), options.clone(), camera.frame_size),
            bundle,
        });
    }
    Ok(prepared)
}

/// Healthy while every camera gives frames (or has played to its end).
pub(super) fn health(status: Arc<Status>) -> Health {
    Arc::new(move || {
        let ill = |state| !matches!(state, CameraState::Running | CameraState::Ended);
        let reasons = status.cameras.iter().filter(|c| ill(c.state()));
        let reasons: Vec<String> = reasons.map(|c| format!("camera {} is {}", c.name, c.state().as_str())).collect();
        if reasons.is_empty() { Ok(()) } else { Err(reasons) }
    })
}

fn tell(report: &LineReport, json: bool) -> std::io::Result<()> {
    for (camera, counts, latency) in &report.cameras {
        if json {
            let summary = serde_json::json!({
                "schema": "andon.summary.v1", "camera": camera, "counts": counts,
                "adds_up": counts.adds_up(), "latency_us": latency,
            });
            output::json(&summary)?;
        } else {
            output::note(&format!(
                "{camera}: {} parts: {} PASS, {} REJECT, {} UNINSPECTED, {} ERROR; p50 {:.1} ms, p99 {:.1} ms",
                counts.offered,
                counts.pass,
                counts.reject,
                counts.uninspected,
                counts.error,
                latency.p50_us as f64 / 1000.0,
                latency.p99_us as f64 / 1000.0
            ));
        }
    }
    Ok(())
}
