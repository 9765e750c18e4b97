use std::path::Path;

use super::*;
use andon_core::{Actor, CameraId, ChallengeSign, ControlError};

/// A line without cameras, which may not be changed.
struct NoControl;

impl Control for NoControl {
    fn threshold(&self, _: CameraId) -> f32 {
        0.0
    }

    fn set_threshold(&self, _: CameraId, _: f32, _: &Actor, _: &str) -> Result<(), ControlError> {
        Err(ControlError::NoSuchCamera)
    }

    fn trigger(&self, _: Option<u64>) -> Result<(), ControlError> {
        Err(ControlError::NoTriggers)
    }

    fn release(&self, _: &Actor) -> Result<(), ControlError> {
        Err(ControlError::NoTriggers)
    }

    fn challenge(&self, _: CameraId, _: ChallengeSign) -> Result<(), ControlError> {
        Ok(())
    }

    fn config_json(&self) -> String {
        "{}".to_owned()
    }
}

fn start(kind: &SinkKind, tables: &SinkTables) -> Result<Option<Box<dyn Sink>>, SinkError> {
    let control: Arc<dyn Control> = Arc::new(NoControl);
    let render = || -> Render { Box::new(|_, _| (0, 0, 0.0)) };
    let station = StationInfo::default();
    let context =
        SinkContext { station: &station, control: &control, takes_triggers: false, history: None, render: &render };
    kind.start(tables, &context)
}

fn checked(tables: &SinkTables) -> Vec<String> {
    let mut wrong = Vec::new();
    let context = CheckContext { base: Path::new("/etc/andon"), names: ["a", "b", "c"], keeps_history: true };
    tables.check(&context, &mut wrong);
    wrong
}

fn kind(table: &str) -> &'static SinkKind {
    SINKS.iter().find(|kind| kind.table == table).unwrap()
}

#[test]
fn a_sink_that_is_not_enabled_is_not_started_whether_it_was_compiled_in_or_not() {
    let mut tables = SinkTables::default();
    tables.zenoh.enabled = false;
    for kind in SINKS {
        assert!(start(kind, &tables).unwrap().is_none(), "{}", kind.table);
    }
}

#[test]
fn a_sink_that_was_not_compiled_in_is_refused_with_its_feature() {
    let mut tables = SinkTables::default();
    tables.modbus_server.enabled = true;
    tables.opcua.enabled = true;
    tables.store.enabled = true;
    tables.mqtt.enabled = true;
    tables.webhook.enabled = true;
    for kind in SINKS.iter().filter(|kind| !kind.is_built) {
        let Err(e) = start(kind, &tables) else { panic!("{} started", kind.table) };
        assert!(e.is_refusal(), "{e}");
        assert_eq!(e.to_string(), format!("{}: not in this build: needs --features {}", kind.table, kind.feature));
    }
}

#[test]
fn defaults_are_fine_and_each_fault_names_its_table() {
    let mut tables = SinkTables::default();
    assert_eq!(checked(&tables), Vec::<String>::new());
    tables.zenoh.listen = vec!["127.0.0.1:7447".to_owned()];
    tables.modbus_server.listen = "1502".to_owned();
    tables.opcua.listen = "here".to_owned();
    tables.store.enabled = true;
    tables.store.max_rows = 0;
    tables.mqtt.enabled = true;
    tables.mqtt.port = 0;
    tables.webhook.enabled = true;
    tables.webhook.url = "mes.plant".to_owned();
    let wrong = checked(&tables);
    for kind in SINKS {
        assert!(wrong.iter().any(|line| line.starts_with(&format!("{}.", kind.table))), "{}: {wrong:?}", kind.table);
    }
}

#[test]
fn paths_are_taken_from_the_folder_of_the_configuration_and_mqtt_has_a_name() {
    let mut tables = SinkTables::default();
    tables.zenoh.tls.ca = Some("ca.pem".into());
    tables.webhook.token_file = Some("/run/token".into());
    let context = CheckContext { base: Path::new("/etc/andon"), names: ["a", "b", "c"], keeps_history: false };
    let tables = tables.check(&context, &mut Vec::new());
    assert_eq!(tables.zenoh.tls.ca.as_deref(), Some(Path::new("/etc/andon/ca.pem")));
    assert_eq!(tables.store.path, Path::new("/etc/andon/andon.db"));
    assert_eq!(tables.webhook.token_file.as_deref(), Some(Path::new("/run/token")));
    assert_eq!(tables.mqtt.client_id.as_deref(), Some("andon-a-b-c"));
}

#[test]
fn what_a_sink_listens_on_is_known_before_it_starts() {
    let mut tables = SinkTables::default();
    tables.zenoh.listen = vec!["tcp/*:7447".to_owned(), "unixsock-stream//run/a".to_owned()];
    let listens = |table: &str| (kind(table).config)(&tables).listens();
    assert_eq!(listens("zenoh"), [("zenoh.listen", "0.0.0.0:7447".parse().unwrap())]);
    assert_eq!(listens("modbus_server"), [("modbus_server.listen", "127.0.0.1:1502".parse().unwrap())]);
    assert_eq!(listens("mqtt"), []);
}
