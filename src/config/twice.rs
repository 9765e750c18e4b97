//! What is used twice: ports of this box, points and lines of the field.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use super::raw::Raw;
use super::raw_line::{EncoderKind, TriggerKind};
use andon_io::fieldio::{Driver, IoTable};
use andon_io::sinks::SINKS;

/// Names every port that two servers of this box want, and every wire that has two uses.
pub(super) fn check(raw: &Raw, base: &Path, wrong: &mut Vec<String>) {
    ports(raw, wrong);
    wires(raw, base, wrong);
    inputs(raw, wrong);
    cameras(raw, wrong);
}

/// Cameras that only one pipeline can open.
fn cameras(raw: &Raw, wrong: &mut Vec<String>) {
    let mut used: BTreeMap<(&str, String), &str> = BTreeMap::new();
    for (name, camera) in &raw.cameras {
        let (variable, usual) = match camera.pipeline.as_str() {
            "v4l2" => ("device", Some("/dev/video0")),
            "gige" => ("camera", None),
            _ => continue,
        };
        let given = camera.vars.iter().find(|(k, _)| k.eq_ignore_ascii_case(variable)).map(|(_, v)| v.as_str());
        let Some(device) = given.or(usual).map(str::to_owned) else { continue };
        if let Some(other) = used.insert((variable, device.clone()), name) {
            wrong.push(format!(
                "cameras.{name}.vars.{variable}: {device} is that of cameras.{other} already; give each camera its own"
            ));
        }
    }
}

fn ports(raw: &Raw, wrong: &mut Vec<String>) {
    let metrics = raw.metrics.listen.parse().ok().filter(|_| raw.metrics.enabled);
    let sinks = raw.sinks();
    let servers = SINKS.iter().map(|kind| (kind.config)(&sinks)).filter(|sink| sink.is_enabled());
    let servers = servers.flat_map(|sink| sink.listens());
    let mut seen: Vec<(&str, SocketAddr)> = Vec::new();
    for (key, address) in metrics.map(|address| ("metrics.listen", address)).into_iter().chain(servers) {
        if let Some((other, at)) = seen.iter().find(|(_, at)| collide(at, &address)) {
            wrong.push(format!("{key}: {address} is taken by {other} = {at}; give each a port of its own"));
        }
        seen.push((key, address));
    }
}

/// Port 0 takes any that is free.
fn collide(a: &SocketAddr, b: &SocketAddr) -> bool {
    let everywhere = |ip: IpAddr| ip.is_unspecified();
    a.port() != 0 && a.port() == b.port() && (a.ip() == b.ip() || everywhere(a.ip()) || everywhere(b.ip()))
}

/// One end of a wire on a device.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Point {
    Line(PathBuf, u32),
    Coil(String, u8, u16),
    Discrete(String, u8, u16),
}

impl std::fmt::Display for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Point::Line(chip, line) => write!(f, "line {line} of {}", chip.display()),
            Point::Coil(address, unit, point) => write!(f, "coil {point} of {address}, unit {unit},"),
            Point::Discrete(address, unit, point) => write!(f, "input {point} of {address}, unit {unit},"),
        }
    }
}

fn wires(raw: &Raw, base: &Path, wrong: &mut Vec<String>) {
    let chip = |chip: &Path| {
        let path = base.join(chip);
        path.canonicalize().unwrap_or(path)
    };
    let place = |w: &IoTable, output: bool| match w.driver {
        Driver::Gpio => Some(Point::Line(chip(w.chip.as_deref()?), w.line?)),
        Driver::Modbus if output => Some(Point::Coil(host(w.address.as_deref()?), w.unit, w.point?)),
        Driver::Modbus => Some(Point::Discrete(host(w.address.as_deref()?), w.unit, w.point?)),
        Driver::DryRun => None,
    };
    let outputs = raw.outputs.iter().map(|(name, w)| (format!("outputs.{name}"), place(w, true)));
    let inputs = raw.inputs.iter().map(|(name, w)| (format!("inputs.{name}"), place(w, false)));
    let channel = |line: Option<u32>| {
        let on = raw.belt.encoder == EncoderKind::Gpio;
        on.then(|| Some(Point::Line(chip(raw.belt.chip.as_deref()?), line?))).flatten()
    };
    let encoder =
        [("belt.line".to_owned(), channel(raw.belt.line)), ("belt.line_b".to_owned(), channel(raw.belt.line_b))];
    let mut used: BTreeMap<Point, String> = BTreeMap::new();
    for (key, place) in encoder.into_iter().chain(inputs).chain(outputs) {
        let Some(place) = place else { continue };
        if let Some(other) = used.get(&place) {
            wrong.push(format!("{key}: {place} is {other} already; a wire has one use"));
            continue;
        }
        used.insert(place, key);
    }
}

/// The same host in the same words.
fn host(address: &str) -> String {
    let lower = address.trim().to_lowercase();
    match lower.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => lower.parse::<SocketAddr>().map_or(lower, |a| a.to_string()),
    }
}

/// An input announces parts or sees them behind one ejector; outputs are checked where the ejectors are.
fn inputs(raw: &Raw, wrong: &mut Vec<String>) {
    let mut used: BTreeMap<&str, String> = BTreeMap::new();
    let sensor = sensor(raw).map(|n| (n.as_str(), "parts.sensor".to_owned()));
    let confirms =
        raw.ejectors.iter().filter_map(|(n, e)| Some((e.confirm.as_deref()?, format!("ejectors.{n}.confirm"))));
    for (input, key) in sensor.into_iter().chain(confirms) {
        if let Some(other) = used.insert(input, key.clone()) {
            wrong.push(format!("{key}: the input `{input}` is {other} already; a wire has one use"));
        }
    }
}

fn sensor(raw: &Raw) -> Option<&String> {
    raw.parts.sensor.as_ref().filter(|_| raw.parts.trigger == TriggerKind::Sensor)
}

/// Tables of inputs and outputs that nothing names: not wrong, and worth a word.
pub(super) fn unused(raw: &Raw) -> Vec<String> {
    let ejectors = raw.ejectors.values();
    let outputs: Vec<&String> =
        ejectors.map(|e| &e.output).chain(&raw.alarms.line_stop).chain(&raw.alarms.heartbeat).collect();
    let inputs: Vec<&String> = raw.ejectors.values().filter_map(|e| e.confirm.as_ref()).chain(sensor(raw)).collect();
    let idle = |table: &str, name: &String| format!("{table}.{name}: nothing uses it");
    let outputs = raw.outputs.keys().filter(|n| !outputs.contains(n)).map(|n| idle("outputs", n));
    outputs.chain(raw.inputs.keys().filter(|n| !inputs.contains(n)).map(|n| idle("inputs", n))).collect()
}
