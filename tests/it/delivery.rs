//! What peers refuse, redirect, cannot hold or break off: a web server of Python's and mosquitto, behind the library's own outbox.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use andon_core::{Accepted, Record, Sink};
use andon_core::{Delivery, Detail, EventKind, LineEvent, Mono, Seq, SinkState};
use andon_io::sinks::mqtt::{MqttForwarder, MqttSettings};
use andon_io::sinks::store::{Outbox, StoreOptions, StoreSink};
use andon_io::sinks::webhook::{WebhookForwarder, WebhookSettings};
use andon_io::sinks::wire::StationInfo;
use serde_json::{Value, json};

use crate::common::{Peer, free_port, signal, until};
use crate::plant::{Plant, count, listen, mosquitto_with};

/// A history with an outbox for `way`; events go in with numbers to know them by.
struct Station {
    dir: tempfile::TempDir,
    store: StoreSink,
    names: StationInfo,
    /// Records that were given to the store.
    sent: u64,
}

impl Station {
    fn new() -> Station {
        let dir = tempfile::tempdir().unwrap();
        let names = StationInfo {
            site: "s".into(),
            line: "l".into(),
            station: "st".into(),
            cameras: vec!["top".into()],
            // Events of the second lane are large: its name is in the key, and in the record where it has one.
            lanes: vec!["belt".into(), "x".repeat(3000)],
            ejectors: vec![Vec::new(), Vec::new()],
            simulated: true,
            boot: ulid::Ulid::generate(),
            ..StationInfo::default()
        };
        let options = StoreOptions { path: dir.path().join("h.db"), max_rows: 100_000, max_bytes: 1 << 30 };
        Station { store: StoreSink::start(options, names.clone()).unwrap(), dir, names, sent: 0 }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("h.db")
    }

    fn outbox(&self, way: &str) -> Outbox {
        Outbox::open(&self.path(), way, &["event".to_owned()], false, &self.names.delivery).unwrap()
    }

    fn event(&mut self, lane: u8, value: u64) {
        let notice = LineEvent::new(EventKind::MissedEjection, Mono::now()).with(Detail::Part(Seq(value)));
        assert_eq!(self.store.offer(&Record::Event(lane, notice)), Accepted::Taken);
        self.sent += 1;
    }

    /// Events of the first lane; they and all before them are in the file when this returns.
    fn events(&mut self, values: std::ops::Range<u64>) {
        values.for_each(|value| self.event(0, value));
        assert!(until(10, || self.rows() == self.sent));
    }

    fn rows(&self) -> u64 {
        rows(&self.path(), "select count(*) from record")[0][0].as_u64().unwrap()
    }

    /// Values, bytes and reasons of what was set aside.
    fn set_aside(&self) -> Vec<(u64, u64, String)> {
        let sql = "select json_extract(cast(r.json as text), '$.seq'), f.bytes, f.why from refused f join record r on r.id = f.record \
                   order by f.id";
        let number = |v: &Value| v.as_u64().unwrap();
        let row = |r: &Value| (number(&r[0]), number(&r[1]), r[2].as_str().unwrap().to_owned());
        rows(&self.path(), sql).iter().map(row).collect()
    }

    fn state(&self, way: &str) -> SinkState {
        state(&self.names.delivery, way)
    }
}

fn state(delivery: &Delivery, way: &str) -> SinkState {
    delivery.sinks().into_iter().find(|s| s.sink == way).unwrap()
}

/// Asked with Python's own SQLite.
fn rows(path: &Path, sql: &str) -> Vec<Value> {
    let code =
        "import json, sqlite3, sys\nprint(json.dumps(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchall()))";
    let output = Command::new("python3").args(["-c", code, path.to_str().unwrap(), sql]).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

fn hook(rule: Value) -> Option<(Peer, u16)> {
    let port = free_port();
    let mut hook = Peer::start("moody_hook.py", &[&port.to_string()])?;
    say(&mut hook, rule);
    Some((hook, port))
}

fn say(hook: &mut Peer, rule: Value) {
    hook.tell(rule.clone());
    assert!(hook.wait(|v| v["rule"] == rule));
}

fn forward(box_: &Station, port: u16) -> WebhookForwarder {
    let settings = WebhookSettings { url: format!("http://127.0.0.1:{port}/services/T0001/s3cr3t-t0ken"), token: None };
    WebhookForwarder::start(settings, box_.outbox("webhook")).unwrap()
}

/// Values of the arrays that were answered with success, in their order.
fn taken(hook: &Peer) -> Vec<u64> {
    let ok = hook.seen.iter().filter(|v| v["status"] == 204);
    ok.flat_map(|v| v["values"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap())).collect()
}

#[test]
fn one_record_that_a_web_server_refuses_is_set_aside_and_the_rest_arrives_once() {
    let Some((mut hook, port)) = hook(json!({"poison": [13, 57], "refusal": 422})) else { return };
    let mut b = Station::new();
    drop(b.outbox("webhook"));
    b.events(0..90);
    let _forwarder = forward(&b, port);
    assert!(until(20, || {
        hook.drain();
        taken(&hook).last() == Some(&89)
    }));
    let wanted: Vec<u64> = (0..90).filter(|n| ![13, 57].contains(n)).collect();
    assert_eq!(taken(&hook), wanted, "in order, none twice");
    let aside = b.set_aside();
    assert_eq!(aside.iter().map(|a| a.0).collect::<Vec<_>>(), [13, 57]);
    assert!(aside[0].2.contains("422"), "{aside:?}");
    let state = b.state("webhook");
    assert_eq!((state.taken, state.set_aside, state.fault), (88, 2, None));
    assert!(hook.seen.len() < 60, "batches are halved, not sent one by one: {}", hook.seen.len());
}

#[test]
fn a_web_server_that_takes_little_at_once_gets_small_batches_and_the_record_that_is_too_large_is_named() {
    let Some((mut hook, port)) = hook(json!({"most": 1500})) else { return };
    let mut b = Station::new();
    drop(b.outbox("webhook"));
    b.event(0, 0);
    b.event(1, 1);
    b.events(2..40);
    let _forwarder = forward(&b, port);
    assert!(until(20, || {
        hook.drain();
        taken(&hook).last() == Some(&39)
    }));
    let wanted: Vec<u64> = (0..40).filter(|n| *n != 1).collect();
    assert_eq!(taken(&hook), wanted);
    let aside = b.set_aside();
    assert!(aside.len() == 1 && aside[0].0 == 1 && aside[0].1 > 3000 && aside[0].2.contains("413"), "{aside:?}");
}

#[test]
fn redirects_pages_and_busy_servers_take_nothing_and_nothing_is_lost() {
    let Some((mut hook, port)) = hook(json!({"status": 302, "headers": {"Location": "/portal/login?token=1"}})) else {
        return;
    };
    let mut b = Station::new();
    let _forwarder = forward(&b, port);
    b.events(0..3);
    let fault = |b: &Station, word: &str| until(20, || b.state("webhook").fault.is_some_and(|f| f.contains(word)));
    assert!(fault(&b, "redirects to /portal/login (status 302)"), "{:?}", b.state("webhook"));
    for (rule, word) in [
        (
            json!({"status": 200, "headers": {"Content-Type": "text/html"}, "body": "<html>log in</html>"}),
            "page of HTML",
        ),
        (json!({"status": 200, "body": "<!DOCTYPE html><title>log in</title>"}), "page of HTML"),
        (json!({"status": 307, "headers": {"Location": "http://127.0.0.1:1/x"}}), "http://127.0.0.1:1/x"),
        (json!({"status": 304}), "304"),
        (json!({"status": 401}), "token_file"),
        (json!({"status": 404}), "webhook.url"),
        (json!({"status": 500}), "500"),
    ] {
        say(&mut hook, rule);
        assert!(fault(&b, word), "{word}: {:?}", b.state("webhook"));
    }
    let state = b.state("webhook");
    assert_eq!((state.taken, state.set_aside, state.waiting), (0, 0, Some(3)), "{state:?}");
    let fault = state.fault.unwrap();
    assert!(!fault.contains("s3cr3t") && fault.contains(&format!("http://127.0.0.1:{port}")), "{fault}");
    hook.drain();
    assert!(hook.seen.iter().all(|v| v["values"] != "GET"), "no redirect was followed");
    say(&mut hook, json!({}));
    assert!(until(40, || {
        hook.drain();
        taken(&hook) == [0, 1, 2]
    }));
    assert!(until(10, || b.state("webhook").fault.is_none()));
}

#[test]
fn a_busy_web_server_is_left_alone_as_long_as_it_asks() {
    let Some((mut hook, port)) = hook(json!({"status": 429, "headers": {"Retry-After": "3"}})) else { return };
    let mut b = Station::new();
    b.events(0..1);
    let _forwarder = forward(&b, port);
    b.events(1..3);
    assert!(hook.wait(|v| v["status"] == 429));
    let asked = Instant::now();
    say(&mut hook, json!({}));
    assert!(hook.wait(|v| v["status"] == 204));
    assert!(asked.elapsed() > Duration::from_millis(2500), "{:?}", asked.elapsed());
}

#[test]
fn a_web_server_that_refuses_everything_does_not_empty_the_outbox() {
    let Some((mut hook, port)) = hook(json!({"poison": "*"})) else { return };
    let mut b = Station::new();
    drop(b.outbox("webhook"));
    b.events(0..60);
    let _forwarder = forward(&b, port);
    assert!(until(20, || b.state("webhook").fault.is_some_and(|f| f.contains("refuses every record"))));
    std::thread::sleep(Duration::from_millis(500));
    assert!((16..20).contains(&b.state("webhook").set_aside), "{:?}", b.state("webhook"));
    say(&mut hook, json!({}));
    assert!(until(20, || {
        hook.drain();
        taken(&hook).last() == Some(&59)
    }));
    assert!(taken(&hook).len() >= 40, "{:?}", taken(&hook));
}

fn settings(b: &Station, port: u16) -> MqttSettings {
    MqttSettings {
        host: "127.0.0.1".into(),
        port,
        client_id: "andon-s-l-st".into(),
        login: None,
        ca: None,
        client: None,
        kinds: vec!["event".into()],
        rejects_only: false,
        status_topic: "andon/s/l/st/status".into(),
        boot: b.names.boot.to_string(),
    }
}

fn publish(b: &Station, port: u16) -> MqttForwarder {
    MqttForwarder::start(settings(b, port), b.outbox("mqtt"), b.names.delivery.clone()).unwrap()
}

fn values(listener: &Peer) -> Vec<u64> {
    listener.seen.iter().filter_map(|v| v["payload"]["seq"].as_u64()).collect()
}

#[test]
fn a_record_larger_than_the_broker_takes_is_set_aside_and_the_rest_arrives() {
    let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
    let Some(mut broker) = mosquitto_with(dir.path(), port, "max_packet_size 1500\n") else { return };
    let mut listener = listen(port, "reader");
    let mut b = Station::new();
    let _forwarder = publish(&b, port);
    assert!(listener.wait(|v| v["payload"]["online"] == true), "{:?}", listener.seen);
    b.events(0..20);
    b.event(1, 20);
    b.events(21..90);
    b.event(1, 90);
    b.event(1, 91);
    b.events(92..95);
    let started = Instant::now();
    assert!(listener.wait(|v| v["payload"]["seq"] == 94), "{:?}", b.state("mqtt"));
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    let mut got = values(&listener);
    let all = got.len();
    got.dedup();
    got.sort_unstable();
    got.dedup();
    assert_eq!(got, (0..95).filter(|n| ![20, 90, 91].contains(n)).collect::<Vec<u64>>());
    assert!(all < 2 * got.len(), "what was under way when the connection broke may come twice, no more: {all}");
    let aside = b.set_aside();
    assert_eq!(aside.iter().map(|a| a.0).collect::<Vec<_>>(), [20, 90, 91]);
    assert!(aside.iter().all(|a| a.1 > 3000 && a.2.contains("1500 bytes at most")), "{aside:?}");
    assert_eq!(b.state("mqtt").set_aside, 3);
    broker.kill().unwrap();
    broker.wait().unwrap();
}

/// MQTT 3.1.1 has no words for it: the broker ends the connection, and only trying tells with which record.
#[test]
fn a_record_that_breaks_the_connection_again_and_again_is_found_and_set_aside() {
    let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
    let Some(mut broker) = mosquitto_with(dir.path(), port, "max_packet_size 1500\n") else { return };
    let old = free_port();
    let Some(_old) = Peer::start("old_broker.py", &[&old.to_string(), &port.to_string()]) else { return };
    let mut listener = listen(port, "reader");
    let mut b = Station::new();
    drop(b.outbox("mqtt"));
    b.events(0..20);
    b.event(1, 20);
    b.events(21..40);
    let _forwarder = publish(&b, old);
    let started = Instant::now();
    assert!(listener.wait(|v| v["payload"]["seq"] == 39), "{:?}", b.state("mqtt"));
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    let mut got = values(&listener);
    got.sort_unstable();
    got.dedup();
    assert_eq!(got, (0..40).filter(|n| *n != 20).collect::<Vec<u64>>());
    let aside = b.set_aside();
    assert!(aside.len() == 1 && aside[0].0 == 20 && aside[0].2.contains("broke 3 times"), "{aside:?}");
    broker.kill().unwrap();
    broker.wait().unwrap();
}

#[test]
fn two_boxes_with_one_client_id_are_told_so_and_their_reconnects_become_rare() {
    let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
    let log = "log_dest file LOG\nlog_type all\n".replace("LOG", dir.path().join("log").to_str().unwrap());
    // Started by root, mosquitto would become a user who may not write the log.
    let Some(mut broker) = mosquitto_with(dir.path(), port, &format!("user root\n{log}")) else { return };
    let (first, second) = (Station::new(), Station::new());
    let connects = || {
        let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
        log.matches("as andon-s-l-st").count()
    };
    let _one = publish(&first, port);
    assert!(until(10, || connects() > 0));
    let _other = publish(&second, port);
    let named = |one: &Station, other: &Station| {
        until(20, || one.names.delivery.twins().iter().any(|who| who.contains(&other.names.boot.to_string())))
    };
    assert!(named(&first, &second) && named(&second, &first));
    assert!(first.names.delivery.troubles().iter().any(|t| t.contains("the same names")));
    let before = connects();
    std::thread::sleep(Duration::from_secs(6));
    assert!(connects() - before < 16, "{} connections in 6 s", connects() - before);
    broker.kill().unwrap();
    broker.wait().unwrap();
}

#[test]
fn a_run_whose_broker_takes_no_record_says_so_in_a_few_lines() {
    let port = free_port();
    let rest = format!("[store]\nenabled = true\n[mqtt]\nenabled = true\nport = {port}\nrecords = [\"verdict\"]\n");
    let plant = Plant::new("", &rest);
    let Some(mut broker) = mosquitto_with(plant.path(), port, "max_packet_size 700\n") else { return };
    let log = std::fs::File::create(plant.path().join("log")).unwrap();
    let mut run = Peer::spawn(plant.command().stderr(Stdio::from(log)));
    let db = plant.path().join("andon.db");
    let aside = || rows(&db, "select count(*), max(record) from refused")[0].clone();
    assert!(until(40, || {
        run.drain();
        count(&run.seen, "andon.verdict.v1") > 40 && aside()[0].as_u64() > Some(20)
    }));
    signal(run.id(), "TERM");
    assert_eq!(run.finish(Duration::from_secs(10)), Some(0));
    let log = std::fs::read_to_string(plant.path().join("log")).unwrap();
    let lines: Vec<&str> = log.lines().filter(|l| l.to_lowercase().contains("mqtt")).collect();
    assert!(lines.len() < 8, "{lines:#?}");
    assert!(lines.iter().any(|l| l.contains("700 bytes at most") && l.contains("set aside")), "{lines:#?}");
    broker.kill().unwrap();
    broker.wait().unwrap();
}
