//! What `run` refuses, found before anything is opened. `run` begins with it, and `config check` and `doctor -c` say the same.

mod files;
mod notes;
mod summary;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::exit::Failure;
use super::{camera, units};
use crate::config::{self, Camera, Config, Loaded, Place, Wire};
use andon_core::Threshold;
use andon_vision::model::bundle::Bundle;
use andon_vision::model::engine::{EngineChoice, find_ort_library};

pub(super) use notes::notes;
pub(super) use summary::{camera_line, count, model_line, summary};

/// A configuration that `run` can begin with.
pub(super) struct Checked {
    pub loaded: Loaded,
    /// In the order of the cameras; none where the machine was not looked at.
    pub models: Vec<Arc<Bundle>>,
}

/// Loads a configuration and checks it against this machine: models, pipelines, folders, files, engines and what is built in. All that
/// is wrong is listed at once. With `elsewhere` the machine is not asked, because the file is for another one.
///
/// # Errors
/// A refused configuration, exit code 78.
pub(super) fn load(file: Option<&Path>, flags: &[(&str, String)], elsewhere: bool) -> Result<Checked, Failure> {
    let mut models = Vec::new();
    let further = |c: &Config| {
        let mut wrong = not_built(c);
        if c.cameras.is_empty() {
            wrong.push("cameras: none; add a table [cameras.NAME]".to_owned());
        }
        if !elsewhere {
            models = cameras(c, &mut wrong);
            wrong.extend(engine(c));
            files::check(c, &mut wrong);
        }
        wrong
    };
    let loaded = config::load_and(file, environment(), flags, further).map_err(Failure::config)?;
    Ok(Checked { loaded, models })
}

/// The environment as far as it is text; names and values that are not UTF-8 are shown with what can be read of them.
pub(super) fn environment() -> impl Iterator<Item = (String, String)> {
    let text = |t: std::ffi::OsString| t.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(name, value)| (text(name), text(value)))
}

/// Opens every model once, and reads every pipeline without starting it.
fn cameras(c: &Config, wrong: &mut Vec<String>) -> Vec<Arc<Bundle>> {
    let mut opened: BTreeMap<&PathBuf, Result<Arc<Bundle>, String>> = BTreeMap::new();
    let mut models = Vec::new();
    for camera in &c.cameras {
        let open = || Bundle::open(&camera.model).map(Arc::new).map_err(|e| e.to_string());
        match opened.entry(&camera.model).or_insert_with(open) {
            Ok(bundle) => {
                wrong.extend(threshold(camera, bundle).err());
                models.push(bundle.clone());
            }
            Err(why) => wrong.push(format!("cameras.{}.model: {why}", camera.name)),
        }
        let faults = camera::faults(camera, &c.allow_elements).into_iter();
        wrong.extend(faults.map(|why| format!("camera `{}`: {why}", camera.name)));
    }
    models
}

fn threshold(camera: &Camera, bundle: &Bundle) -> Result<(), String> {
    let name = &camera.name;
    let Some(own) = Threshold::new(bundle.manifest.threshold) else {
        let model = camera.model.display();
        return Err(format!("cameras.{name}.model: {model} has no usable threshold; learn it again with `andon fit`"));
    };
    match camera.threshold {
        Some(given) if !camera.threshold_unsafe => given.near(own).map_err(|why| {
            format!("cameras.{name}.threshold: {why}; cameras.{name}.threshold_unsafe = true allows it")
        }),
        _ => Ok(()),
    }
}

/// An engine that the configuration insists on has to be there.
fn engine(c: &Config) -> Option<String> {
    let explicit = c.engine.ort_library.as_deref();
    match c.engine.choice {
        EngineChoice::Ort if cfg!(feature = "ort") => {
            find_ort_library(explicit).err().map(|e| format!("engine.kind: {e}"))
        }
        EngineChoice::Auto => {
            let absent = explicit.filter(|path| !path.exists());
            absent.map(|path| format!("engine.ort_library: there is no {}", path.display()))
        }
        _ => None,
    }
}

/// What the configuration asks for and this build has not.
fn not_built(c: &Config) -> Vec<String> {
    let mut lacking: Vec<(String, &str)> = Vec::new();
    let mut need = |built: bool, wanted: bool, key: &str, feature: &'static str| {
        if wanted && !built {
            lacking.push((key.to_owned(), feature));
        }
    };
    let (plant, engine) = (&c.plant, c.engine.choice);
    need(cfg!(feature = "gst"), !c.cameras.is_empty(), "cameras", "gst");
    need(cfg!(feature = "tensorrt"), engine == EngineChoice::TensorRt, "engine.kind", "tensorrt");
    need(cfg!(feature = "ort"), engine == EngineChoice::Ort, "engine.kind", "ort");
    need(cfg!(feature = "rten"), engine == EngineChoice::Rten, "engine.kind", "rten");
    need(cfg!(feature = "zenoh"), c.zenoh.enabled, "zenoh.enabled", "zenoh");
    need(cfg!(feature = "web"), c.metrics.is_some(), "metrics.enabled", "web");
    need(cfg!(feature = "store"), plant.store.is_some(), "store.enabled", "store");
    need(cfg!(feature = "modbus"), plant.modbus.is_some(), "modbus_server.enabled", "modbus");
    need(cfg!(feature = "opcua"), plant.opcua.is_some(), "opcua.enabled", "opcua");
    need(cfg!(feature = "mqtt"), plant.mqtt.is_some(), "mqtt.enabled", "mqtt");
    need(cfg!(feature = "webhook"), plant.webhook.is_some(), "webhook.enabled", "webhook");
    for wire in wires(c) {
        let key = format!("{}: driver", wire.name);
        need(cfg!(feature = "gpio"), matches!(wire.place, Place::Gpio { .. }), &key, "gpio");
        need(cfg!(feature = "modbus"), matches!(wire.place, Place::Modbus { .. }), &key, "modbus");
    }
    lacking.into_iter().map(|(key, feature)| units::not_built(&key, feature)).collect()
}

/// Every wire that is used.
pub(super) fn wires(c: &Config) -> impl Iterator<Item = &Wire> {
    let p = &c.parts;
    let ejectors = p.ejectors.iter().flat_map(|e| [Some(&e.output), e.confirm.as_ref()]);
    let others = [p.sensor.as_ref(), p.line_stop.as_ref(), p.heartbeat.as_ref(), p.encoder.as_ref().map(|e| &e.wire)];
    ejectors.chain(others).flatten()
}
