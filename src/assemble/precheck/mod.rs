//! What `run` refuses, found before anything is opened. `run` begins with it, and `config check` and `doctor -c` say the same.

mod files;
mod notes;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{cameras, lacks_feature};
use crate::config::{self, Camera, Config, ConfigError, Loaded};
use andon_core::Threshold;
use andon_io::NotBuilt;
use andon_io::fieldio::IoPoint;
use andon_io::sinks::SINKS;
use andon_vision::model::bundle::Bundle;
use andon_vision::model::engine::{EngineChoice, find_ort_library};

pub use notes::notes;

/// A configuration that `run` can begin with.
pub struct Checked {
    /// The configuration.
    pub loaded: Loaded,
    /// In the order of the cameras; none where the machine was not looked at.
    pub models: Vec<Arc<Bundle>>,
}

/// Loads a configuration and checks it against this machine: models, pipelines, folders, files, engines and what is built in. All that
/// is wrong is listed at once. With `elsewhere` the machine is not asked, because the file is for another one.
///
/// # Errors
/// [`ConfigError`].
pub fn load(file: Option<&Path>, flags: &[(&str, String)], elsewhere: bool) -> Result<Checked, ConfigError> {
    let mut models = Vec::new();
    let further = |c: &Config| {
        let mut wrong = absent(c);
        if c.cameras.is_empty() {
            wrong.push("cameras: none; add a table [cameras.NAME]".to_owned());
        }
        if !elsewhere {
            models = open_models(c, &mut wrong);
            wrong.extend(engine(c));
            files::check(c, &mut wrong);
        }
        wrong
    };
    let loaded = config::load_and(file, config::environment(), flags, further)?;
    Ok(Checked { loaded, models })
}

/// Opens every model once, and reads every pipeline without starting it.
fn open_models(c: &Config, wrong: &mut Vec<String>) -> Vec<Arc<Bundle>> {
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
        let faults = cameras::faults(camera, &c.allow_elements).into_iter();
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
        EngineChoice::Ort if lacks_feature(EngineChoice::Ort).is_none() => {
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
fn absent(c: &Config) -> Vec<String> {
    let mut lacking: Vec<(String, &'static str)> = Vec::new();
    let mut need = |built: bool, wanted: bool, key: &str, feature: &'static str| {
        if wanted && !built {
            lacking.push((key.to_owned(), feature));
        }
    };
    need(cfg!(feature = "gst"), !c.cameras.is_empty(), "cameras", "gst");
    if let Some(feature) = lacks_feature(c.engine.choice) {
        need(false, true, "engine.kind", feature);
    }
    need(cfg!(feature = "web"), c.metrics.is_some(), "metrics.enabled", "web");
    need(cfg!(feature = "page"), c.page_enabled, "page.enabled", "page");
    for sink in SINKS {
        let key = format!("{}.enabled", sink.table);
        need(sink.is_built, (sink.config)(&c.sinks).is_enabled(), &key, sink.feature);
    }
    for point in io_points(c) {
        let driver = point.address.driver();
        need(driver.is_built, true, &format!("{}: driver", point.name), driver.name);
    }
    lacking.into_iter().map(|(key, feature)| NotBuilt::new(key, feature).to_string()).collect()
}

/// Every input and output that is used, and the encoder.
pub fn io_points(c: &Config) -> impl Iterator<Item = &IoPoint> {
    let p = &c.parts;
    let ejectors = p.ejectors.iter().flat_map(|e| [Some(&e.output), e.confirm.as_ref()]);
    let others = [p.sensor.as_ref(), p.line_stop.as_ref(), p.heartbeat.as_ref(), p.encoder.as_ref().map(|e| &e.point)];
    ejectors.chain(others).flatten()
}
