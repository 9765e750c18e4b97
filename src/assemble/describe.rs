//! A configuration in words: what `config check` prints of one that is fine, and what `run` says of each camera.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::{Camera, Config, FrameSize, TriggerKind, without_secrets};
use andon_io::fieldio::IoPoint;
use andon_io::sinks::SINKS;
use andon_line::decide::Matching;
use andon_vision::model::bundle::Bundle;

/// What a configuration that is fine says, a line for each kind of thing.
pub fn summary(c: &Config, models: &[Arc<Bundle>]) -> Vec<String> {
    let mut lines: Vec<String> = c
        .cameras
        .iter()
        .enumerate()
        .map(|(n, camera)| {
            let model = models.get(n).map_or_else(
                || format!("model {} (not looked at)", camera.model.display()),
                |bundle| model_words(camera, bundle),
            );
            format!("{}: pipeline {}, {model}", camera.name, camera.pipeline)
        })
        .collect();
    lines.extend(parts(c));
    lines.extend(devices(c));
    lines.push(ways_out(c));
    lines.extend(pictures(c));
    lines.extend(super::precheck::notes(c, models).iter().map(|line| format!("note: {line}")));
    lines
}

/// `1 camera`, `2 cameras`.
pub fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// One camera at the start of the line, and whether its threshold is not the model's own.
pub fn camera_line(camera: &Camera, bundle: &Bundle, engine: &str) -> (String, bool) {
    let size = match (camera.frame_size, bundle.manifest.frame_size) {
        (FrameSize::AsTrained, Some([w, h])) => format!("{w}x{h}"),
        _ => "any size".to_owned(),
    };
    (format!("{}: {}, engine {engine}, {size}", camera.name, model_words(camera, bundle)), overridden(camera, bundle))
}

/// A camera with its model.
pub fn model_line(camera: &Camera, bundle: &Bundle) -> String {
    format!("{}: {}", camera.name, model_words(camera, bundle))
}

fn overridden(camera: &Camera, bundle: &Bundle) -> bool {
    camera.threshold.is_some_and(|t| t.get() != bundle.manifest.threshold)
}

fn model_words(camera: &Camera, bundle: &Bundle) -> String {
    let m = &bundle.manifest;
    let hash = bundle.blake3.get(..8).unwrap_or(&bundle.blake3);
    let day = m.created.get(..10).unwrap_or(&m.created);
    let own = m.threshold;
    let given = match camera.threshold.filter(|_| overridden(camera, bundle)) {
        Some(t) => format!(" (configuration: {:.2}, {:.0} %)", t.get(), t.get() / own * 100.0),
        None => String::new(),
    };
    format!("model {} {hash}, learned {day} from {} pictures, threshold {own:.2}{given}", m.name, m.training.images())
}

/// How parts are announced and found; nothing in free run without ejectors.
fn parts(c: &Config) -> Option<String> {
    let p = &c.parts;
    let announced = match (p.trigger, &p.sensor) {
        (TriggerKind::FreeRun, _) if p.ejectors.is_empty() => return None,
        (TriggerKind::FreeRun, _) => "every frame is a part".to_owned(),
        (TriggerKind::Sensor, Some(input)) => format!("parts are announced by the input {}", input.name),
        (TriggerKind::Sensor, None) => "parts are announced by an input".to_owned(),
        (TriggerKind::Message, _) => "parts are announced by messages".to_owned(),
    };
    let mm = |ticks: i64| ticks as f64 / p.ticks_per_mm.unwrap_or(1.0);
    let found = match p.matching {
        Matching::Free => String::new(),
        Matching::Window { from_ns, to_ns } => {
            format!(", their frames are taken {} to {} ms later", from_ns as f64 / 1e6, to_ns as f64 / 1e6)
        }
        Matching::Range { from, to } => {
            format!(", their frames are taken {:.0} to {:.0} mm behind it", mm(from), mm(to))
        }
        Matching::Id { .. } => ", their frames have the trigger's number".to_owned(),
    };
    let ejectors = p.ejectors.iter().map(|e| format!("; {} acts at {:.0} mm", e.name, mm(e.spec.distance)));
    Some(format!("{announced}{found}{}", ejectors.collect::<String>()))
}

/// What hangs on each device.
fn devices(c: &Config) -> Vec<String> {
    let p = &c.parts;
    let mut found: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    let mut add = |point: Option<&IoPoint>, kind: usize| {
        let Some(point) = point else { return };
        found.entry(point.address.get().device()).or_default()[kind] += 1;
    };
    add(p.encoder.as_ref().map(|e| &e.point), 0);
    add(p.sensor.as_ref(), 1);
    for e in &p.ejectors {
        add(e.confirm.as_ref(), 1);
        add(Some(&e.output), 2);
    }
    add(p.line_stop.as_ref(), 2);
    add(p.heartbeat.as_ref(), 2);
    let line = |(device, counts): (String, [usize; 3])| {
        let kinds = ["encoder", "input", "output"].into_iter().zip(counts).filter(|(_, n)| *n > 0);
        format!("{device}: {}", kinds.map(|(kind, n)| count(n, kind)).collect::<Vec<_>>().join(", "))
    };
    found.into_iter().map(line).collect()
}

/// Where records and figures go.
/// Which pictures are kept, if any are.
fn pictures(c: &Config) -> Option<String> {
    let p = &c.pictures;
    let passes = p.every_nth_pass;
    let kinds = [
        p.not_passed.then(|| "parts that did not pass".to_owned()),
        p.rules().near_miss.map(|share| format!("passes from {:.0} % of the threshold on", share * 100.0)),
        (passes > 0).then(|| format!("one in {passes} passes")),
    ];
    let kinds: Vec<String> = kinds.into_iter().flatten().collect();
    let days = if p.max_days > 0 { format!(" and {} days", p.max_days) } else { String::new() };
    let (what, folder) = (kinds.join(", "), p.path.display());
    p.enabled.then(|| format!("pictures of {what} in {folder}, at most {} GB{days}", p.max_gb))
}

fn ways_out(c: &Config) -> String {
    let sinks = SINKS.iter().map(|kind| (kind.config)(&c.sinks)).filter(|sink| sink.is_enabled());
    let mut ways: Vec<String> = sinks.map(|sink| without_secrets(&sink.describe())).collect();
    if let Some(address) = c.metrics {
        ways.insert(usize::from(c.sinks.zenoh.enabled), format!("metrics {address}"));
    }
    if ways.is_empty() {
        return "ways out: none but the log".to_owned();
    }
    format!("ways out: {}", ways.join("; "))
}
