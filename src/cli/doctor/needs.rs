//! What a configuration needs around it: models, ports, devices.

use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use super::{Finding, State, finding};
use crate::assemble::{describe, precheck};
use crate::config::{Config, without_secrets};
use andon_io::sinks::SinkConfig;
use andon_vision::model::bundle::Bundle;

/// How long a device on the network may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn look(c: &Config, models: &[Arc<Bundle>]) -> Vec<Finding> {
    let mut found = Vec::new();
    for (camera, bundle) in c.cameras.iter().zip(models) {
        found.push(finding("model", State::Ok, describe::model_line(camera, bundle)));
    }
    for camera in &c.cameras {
        let usual = camera.pipeline == "v4l2" && !camera.vars.contains_key("DEVICE");
        let values = camera.vars.values().map(String::as_str).chain(usual.then_some("/dev/video0"));
        found.extend(values.filter_map(|value| source(&camera.name, value)));
    }
    found.extend(c.metrics.map(|address| port("metrics", "metrics.listen", address)));
    let (modbus, opcua) = (&c.sinks.modbus_server, &c.sinks.opcua);
    found.extend(modbus.listens().into_iter().filter(|_| modbus.enabled).map(|(key, at)| port("modbus", key, at)));
    found.extend(opcua.listens().into_iter().filter(|_| opcua.enabled).map(|(key, at)| port("opc ua", key, at)));
    let mut asked: Vec<&str> = Vec::new();
    for address in precheck::io_points(c).map(|point| point.address.get()) {
        let Some(host) = address.host().filter(|host| !asked.contains(host)) else { continue };
        asked.push(host);
        let device = address.device();
        found.push(match answers(host) {
            true => finding("device", State::Ok, format!("{device} takes connections")),
            false => finding("device", State::Missing, format!("{device} cannot be reached")),
        });
    }
    let mqtt = &c.sinks.mqtt;
    if mqtt.enabled {
        let address = format!("{}:{}", mqtt.host, mqtt.port);
        found.push(match answers(&address) {
            true => finding("mqtt", State::Ok, format!("{address} takes connections")),
            false => finding("mqtt", State::Missing, format!("{address} cannot be reached; records wait for it")),
        });
    }
    found
}

/// The device or address of a camera.
fn source(camera: &str, value: &str) -> Option<Finding> {
    if value.starts_with("/dev/") {
        let there = std::path::Path::new(value).exists();
        let (state, word) = if there { (State::Ok, "is there") } else { (State::Missing, "is not there") };
        return Some(finding("camera", state, format!("{camera}: {value} {word}")));
    }
    let rest = value.strip_prefix("rtsp://")?;
    let authority = rest.split(['/', '?']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let address = if host.rsplit_once(':').is_some_and(|(_, p)| p.parse::<u16>().is_ok()) {
        host.to_owned()
    } else {
        format!("{host}:554")
    };
    let (state, word) =
        if answers(&address) { (State::Ok, "takes connections") } else { (State::Missing, "cannot be reached") };
    Some(finding("camera", state, format!("{camera}: {} {word}", without_secrets(&address))))
}

fn answers(address: &str) -> bool {
    let first = address.to_socket_addrs().ok().and_then(|mut a| a.next());
    first.is_some_and(|a| TcpStream::connect_timeout(&a, PATIENCE).is_ok())
}

fn port(what: &'static str, key: &str, address: SocketAddr) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => finding(what, State::Ok, format!("{address} is free")),
        Err(e) => {
            finding(what, State::Missing, format!("{address}: {e}; andon may be running, or choose another {key}"))
        }
    }
}
