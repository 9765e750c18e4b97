//! Checks the ways out to the plant.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::endpoint::{host_fault, url_fault, zenoh_fault};
use super::raw::Raw;
use super::raw_plant::{RawMqtt, RawWebhook, RecordKind};
use andon_io::sinks::ZenohMode;

/// The ways out, checked; `None` where one is off.
#[derive(Clone, Debug)]
pub struct Plant {
    /// History: file, rows and bytes at most.
    pub store: Option<(PathBuf, u64, u64)>,
    /// Modbus server: where it listens, whether it may be written, and when an idle connection is closed.
    pub modbus: Option<(SocketAddr, bool, Duration)>,
    /// OPC UA server: where it listens.
    pub opcua: Option<SocketAddr>,
    /// MQTT, with paths taken from the file's folder and the client identifier filled in.
    pub mqtt: Option<RawMqtt>,
    /// Webhook, likewise.
    pub webhook: Option<RawWebhook>,
}

pub(super) fn check(raw: &Raw, base: &Path, wrong: &mut Vec<String>) -> Plant {
    let store = &raw.store;
    if store.enabled && (store.max_rows == 0 || store.max_mb == 0) {
        wrong.push("store.max_rows, store.max_mb: at least 1".to_owned());
    }
    for (key, on) in [("mqtt", raw.mqtt.enabled), ("webhook", raw.webhook.enabled)] {
        if on && !store.enabled {
            wrong
                .push(format!("{key}.enabled: needs store.enabled = true, where records wait while nobody takes them"));
        }
    }
    if !(1..=86_400).contains(&raw.modbus_server.idle_s) {
        wrong.push("modbus_server.idle_s: 1 to 86400 seconds".to_owned());
    }
    let mut listens = |key: &str, given: &str, port: u16, enabled: bool| match given.parse::<SocketAddr>() {
        Ok(address) => enabled.then_some(address),
        Err(_) => {
            wrong.push(format!("{key}.listen: `{given}` is not ADDRESS:PORT, such as 192.168.1.2:{port}"));
            None
        }
    };
    let modbus = listens("modbus_server", &raw.modbus_server.listen, 502, raw.modbus_server.enabled)
        .map(|address| (address, raw.modbus_server.allow_write, Duration::from_secs(raw.modbus_server.idle_s)));
    let opcua = listens("opcua", &raw.opcua.listen, 4840, raw.opcua.enabled);
    let file = |p: &Option<PathBuf>| p.as_ref().map(|p| base.join(p));
    let empty = |kinds: &[RecordKind], key: &str, wrong: &mut Vec<String>| {
        if kinds.is_empty() {
            wrong.push(format!("{key}.records: empty; there are verdict, part, eject, event"));
        }
    };
    let mqtt = raw.mqtt.enabled.then(|| {
        let m = &raw.mqtt;
        if let Some(why) = host_fault(&m.host) {
            wrong.push(format!(
                "mqtt.host: `{}`: {why}; give the name or the address alone, the port is mqtt.port",
                m.host
            ));
        }
        if m.port == 0 {
            wrong.push("mqtt.port: 0 is not a port from 1 to 65535".to_owned());
        }
        if m.certificate.is_some() != m.key.is_some() {
            wrong.push("mqtt.certificate, mqtt.key: one needs the other".to_owned());
        }
        if m.certificate.is_some() && m.ca.is_none() {
            wrong.push("mqtt.ca: missing; a certificate of the box needs TLS, and that the authority's".to_owned());
        }
        if m.username.is_some() != m.password_file.is_some() {
            wrong.push("mqtt.username, mqtt.password_file: one needs the other".to_owned());
        }
        empty(&m.records, "mqtt", wrong);
        let client_id =
            m.client_id.clone().or_else(|| Some(format!("andon-{}-{}-{}", raw.site, raw.line, raw.station)));
        RawMqtt {
            client_id,
            password_file: file(&m.password_file),
            ca: file(&m.ca),
            certificate: file(&m.certificate),
            key: file(&m.key),
            ..m.clone()
        }
    });
    let webhook = raw.webhook.enabled.then(|| {
        let w = &raw.webhook;
        if let Some(why) = url_fault(&w.url) {
            wrong.push(format!("webhook.url: `{}`: {why}; write http://HOST:PORT/PATH or https://HOST/PATH", w.url));
        }
        empty(&w.records, "webhook", wrong);
        RawWebhook { token_file: file(&w.token_file), ..w.clone() }
    });
    zenoh(raw, wrong);
    let bytes = store.max_mb.saturating_mul(1 << 20);
    Plant {
        store: store.enabled.then(|| (base.join(&store.path), store.max_rows, bytes)),
        modbus,
        opcua,
        mqtt,
        webhook,
    }
}

fn zenoh(raw: &Raw, wrong: &mut Vec<String>) {
    let z = &raw.zenoh;
    if !z.enabled {
        return;
    }
    for (key, endpoints) in [("zenoh.listen", &z.listen), ("zenoh.connect", &z.connect)] {
        for endpoint in endpoints {
            if let Some(why) = zenoh_fault(endpoint) {
                wrong.push(format!("{key}: `{endpoint}`: {why}"));
            }
        }
    }
    if z.mode == ZenohMode::Client && z.connect.is_empty() && z.config_file.is_none() {
        wrong.push(
            "zenoh.connect: empty; a client needs a router to connect to, such as tcp/192.168.1.10:7447".to_owned(),
        );
    }
    if z.tls.certificate.is_some() != z.tls.key.is_some() {
        wrong.push("zenoh.tls.certificate, zenoh.tls.key: one needs the other".to_owned());
    }
    // A file of Zenoh's own may bring the certificate.
    let secured = z.tls.certificate.is_some() || z.config_file.is_some();
    if !secured && z.listen.iter().any(|endpoint| endpoint.starts_with("tls/")) {
        wrong
            .push("zenoh.tls.certificate: missing; an endpoint that listens on tls/ needs one, and its key".to_owned());
    }
}
