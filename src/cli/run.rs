use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use clap::Args;
use ulid::Ulid;

use super::exit::{Exit, Failure};
use super::sinks::{JsonLines, LogStats};
use super::{camera, guard, output, plant, precheck, setup, sinks, wires};
use crate::assemble;
use crate::config::{self, Config, TriggerKind};
use andon_core::{Control, Sink};
use andon_core::{Delivery, Machine, Mono, Threshold};
use andon_io::Heat;
use andon_io::sinks::wire::Names;
use andon_line::runtime::{
    Active, CameraSpec, Line, LineControl, LineReport, LineSpec, MakeDetector, Replacement, Status,
};
use andon_line::telemetry::Metrics;
use andon_service::{Health, Server};
use andon_vision::model::bundle::Bundle;
#[cfg(feature = "tensorrt")]
use andon_vision::model::engine::EngineChoice;

/// A builder's step takes a second or two.
const BUILDER_STOPS: Duration = Duration::from_secs(10);

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
        let precheck::Checked { loaded, models } = precheck::load(Some(&self.config), &flags, false)?;
        let c = &loaded.config;
        let _log = setup::logging(log, &c.log_level, c.log_json)?;
        for note in precheck::notes(c, &models) {
            tracing::warn!("{note}");
        }
        let stop = setup::stop_flag()?;
        let cameras = prepare(c, models)?;
        let (lane_names, ejector_names) = wires::names(c);
        let mut names = Names {
            lanes: lane_names,
            ejectors: ejector_names,
            site: c.site.clone(),
            line: c.line.clone(),
            station: c.station.clone(),
            box_name: c.box_name.clone(),
            cameras: c.cameras.iter().map(|c| c.name.clone()).collect(),
            simulated: false,
            boot: Ulid::generate(),
            ..Names::default()
        };
        // Before the wires and so dropped after them.
        let _guard = guard::Guard::start(&c.parts);
        let lanes = wires::lanes(c)?;
        let only_names = |wires: Vec<(String, String)>| wires.into_iter().map(|(name, _)| name).collect();
        names.outputs = lanes.iter().map(|l| only_names(l.outputs())).collect();
        names.inputs = lanes.iter().map(|l| only_names(l.inputs())).collect();
        let each = cameras.iter().map(|p| (p.name.clone(), p.active.clone()));
        let status = Status::new(each, names.lanes.iter().cloned());
        let metrics = Metrics::new(&names.cameras);
        names.machine = metrics.machine.clone();
        let watched = status.clone();
        metrics.watch(move || watched.line_state());
        names.delivery = metrics.delivery.clone();
        watch_heat(names.machine.clone(), stop.clone())?;
        let _server = c
            .metrics
            .map(|a| Server::start(a, metrics.clone(), health(status.clone(), metrics.delivery.clone())))
            .transpose()?;
        let control: Arc<dyn Control> = Arc::new(LineControl {
            status: status.clone(),
            takes_triggers: c.parts.trigger == TriggerKind::Message,
            threshold_unsafe: c.cameras.iter().map(|c| c.threshold_unsafe).collect(),
            config_json: config::masked(&loaded.raw)?.to_string(),
        });
        let builder = build_engines(c, &cameras, &stop)?;
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
            let Prepared { name, make_detector, replacement, active, .. } = prepared;
            specs.push(CameraSpec {
                name,
                source,
                make_detector,
                replacement,
                active,
                deadline: camera.deadline,
                presence: camera.presence,
            });
        }
        let line = Line::start(LineSpec { cameras: specs, lanes, sinks, metrics, status })?;
        tracing::info!(version = env!("CARGO_PKG_VERSION"), cameras = c.cameras.len(), "the line runs");
        let ended = line.wait(&stop);
        let report = line.finish()?;
        leave(builder, &stop);
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
    /// Where the detector on the card comes from, once its engine is built.
    replacement: Option<Arc<Replacement>>,
    active: Active,
}

fn prepare(c: &Config, bundles: Vec<Arc<Bundle>>) -> Result<Vec<Prepared>, Failure> {
    let options = &c.engine;
    let mut shared = shared(c, &bundles)?;
    let mut prepared = Vec::new();
    for (n, (camera, bundle)) in c.cameras.iter().zip(bundles).enumerate() {
        let named = |why: String| Failure::from(anyhow::anyhow!("camera `{}`: {why}", camera.name));
        let ready = match shared.remove(&n) {
            Some(ready) => ready,
            None => assemble::open(&bundle, options, camera.frame_size).map_err(|e| named(e.to_string()))?,
        };
        if let Some(why) = &ready.degraded {
            tracing::warn!(camera = camera.name, "degraded: {why}");
        }
        let threshold = camera
            .threshold
            .or(Threshold::new(bundle.manifest.threshold))
            .ok_or_else(|| named("the model has no usable threshold".to_owned()))?;
        match precheck::camera_line(camera, &bundle, ready.detector.engine_name()) {
            (line, true) => tracing::warn!("{line}"),
            (line, false) => tracing::info!("{line}"),
        }
        let model = assemble::model_tag(&bundle, ready.detector.engine_name());
        prepared.push(Prepared {
            name: camera.name.clone(),
            active: Active { threshold, model, degraded: ready.degraded.is_some() },
            replacement: ready.build.then(Arc::default),
            make_detector: assemble::maker(ready, bundle.clone(), options.clone(), camera.frame_size),
            bundle,
        });
    }
    Ok(prepared)
}

/// Cameras with the same model, by their places, if the configuration wants their frames judged together; each by itself if not.
#[cfg(feature = "tensorrt")]
fn groups(c: &Config, bundles: impl Iterator<Item = (usize, Arc<Bundle>)>) -> Vec<Vec<usize>> {
    let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
    for (n, bundle) in bundles {
        match groups.iter_mut().find(|(model, _)| !c.engine.card.max_wait.is_zero() && *model == bundle.blake3) {
            Some((_, places)) => places.push(n),
            None => groups.push((bundle.blake3.clone(), vec![n])),
        }
    }
    groups.into_iter().map(|(_, places)| places).collect()
}

/// What cameras judge their frames with, by their places, where they do so together.
#[cfg(feature = "tensorrt")]
fn shared(c: &Config, bundles: &[Arc<Bundle>]) -> Result<BTreeMap<usize, assemble::Opened>, Failure> {
    let mut shared = BTreeMap::new();
    if !matches!(c.engine.choice, EngineChoice::Auto | EngineChoice::TensorRt) {
        return Ok(shared);
    }
    for places in groups(c, bundles.iter().cloned().enumerate()).into_iter().filter(|g| g.len() > 1) {
        let sizes: Vec<_> = places.iter().map(|n| c.cameras[*n].frame_size).collect();
        let ready = crate::assemble::card_line::together(&bundles[places[0]], &sizes, &c.engine.card)?;
        shared.extend(places.into_iter().zip(ready.into_iter().flatten()));
    }
    Ok(shared)
}

#[cfg(not(feature = "tensorrt"))]
fn shared(_: &Config, _: &[Arc<Bundle>]) -> Result<BTreeMap<usize, assemble::Opened>, Failure> {
    Ok(BTreeMap::new())
}

/// Builds what cameras lack on the card, beside the line.
#[cfg(feature = "tensorrt")]
fn build_engines(
    c: &Config,
    cameras: &[Prepared],
    stop: &Arc<AtomicBool>,
) -> std::io::Result<Option<std::thread::JoinHandle<()>>> {
    use crate::assemble::card_line::{Wanted, build_beside};
    let lacking = cameras.iter().enumerate().filter(|(_, prepared)| prepared.replacement.is_some());
    let groups = groups(c, lacking.map(|(n, prepared)| (n, prepared.bundle.clone())));
    let camera = |n: usize| {
        let (prepared, camera) = (&cameras[n], &c.cameras[n]);
        Some((prepared.name.clone(), camera.frame_size, prepared.replacement.clone()?))
    };
    let wanted = |places: Vec<usize>| Wanted {
        bundle: cameras[places[0]].bundle.clone(),
        cameras: places.into_iter().filter_map(camera).collect(),
    };
    let wanted: Vec<_> = groups.into_iter().map(wanted).collect();
    if wanted.is_empty() {
        return Ok(None);
    }
    build_beside(wanted, c.engine.card.clone(), stop.clone()).map(Some)
}

#[cfg(not(feature = "tensorrt"))]
fn build_engines(
    _: &Config,
    _: &[Prepared],
    _: &Arc<AtomicBool>,
) -> std::io::Result<Option<std::thread::JoinHandle<()>>> {
    Ok(None)
}

/// Lets a builder leave the driver in good order: it stops at its next step, and keeps what it measured. Libraries that have no steps
/// (TensorRT 8) are left to the end of the process.
fn leave(builder: Option<std::thread::JoinHandle<()>>, stop: &AtomicBool) {
    let Some(builder) = builder else { return };
    stop.store(true, Relaxed);
    let end = Mono::now() + BUILDER_STOPS;
    while !builder.is_finished() && Mono::now() < end {
        std::thread::sleep(Duration::from_millis(20));
    }
    if !builder.is_finished() {
        tracing::warn!("the engine's build does not stop within {} s; leaving it", BUILDER_STOPS.as_secs());
    }
}

/// Reads temperatures and clocks once a second; files and the driver may take their time, so nobody waits for this.
fn watch_heat(machine: Machine, stop: Arc<AtomicBool>) -> std::io::Result<()> {
    let watch = move || {
        let mut heat = Heat::open();
        while !stop.load(Relaxed) {
            machine.set(heat.read());
            std::thread::sleep(Duration::from_secs(1));
        }
    };
    std::thread::Builder::new().name("heat".to_owned()).spawn(watch).map(drop)
}

/// Healthy while every camera gives frames (or has played to its end), and no fault of the line or behind it lasts.
pub(super) fn health(status: Arc<Status>, delivery: Delivery) -> Health {
    Arc::new(move || {
        let reasons: Vec<String> = status.troubles().into_iter().chain(delivery.troubles()).collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_behind_the_line_is_unhealthy_too() {
        let (status, delivery) = (Status::new([], ["belt".to_owned()]), Delivery::default());
        let health = health(status.clone(), delivery.clone());
        assert_eq!(health(), Ok(()));
        delivery.sink("store").set_fault(Some("the disk is full".to_owned()));
        status.lanes[0].stopped.store(true, Relaxed);
        let reasons = health().unwrap_err();
        assert!(
            reasons[0].starts_with("line_stop: lane belt") && reasons[1] == "store: the disk is full",
            "{reasons:?}"
        );
        delivery.sink("store").set_fault(None);
        status.lanes[0].stopped.store(false, Relaxed);
        assert_eq!(health(), Ok(()));
    }
}
