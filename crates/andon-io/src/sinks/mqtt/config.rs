//! The table `[mqtt]`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::endpoint::host_fault;
use crate::sinks::RecordKind;
use crate::sinks::config::{CheckContext, FileKind, SinkConfig, check_file, check_outbox};

/// Records to an MQTT broker.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "RawMqtt")]
pub struct MqttConfig {
    /// Whether anything is sent.
    pub enabled: bool,
    /// Host of the broker.
    pub host: String,
    /// Its port: 1883, or 8883 with TLS.
    pub port: u16,
    /// Client identifier; without it, `andon-<site>-<line>-<station>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// User.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// File with the password in its first line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// Certificate of the authority; with it, the connection is TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// The box's own certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// And its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// Kinds of records: verdict, part, eject, event.
    pub records: Vec<RecordKind>,
    /// Of verdicts and parts only those that did not pass.
    pub rejects_only: bool,
}

impl Default for MqttConfig {
    fn default() -> Self {
        MqttConfig {
            enabled: false,
            host: "127.0.0.1".into(),
            port: 1883,
            client_id: None,
            username: None,
            password_file: None,
            ca: None,
            certificate: None,
            key: None,
            records: vec![RecordKind::Verdict, RecordKind::Part, RecordKind::Eject, RecordKind::Event],
            rejects_only: false,
        }
    }
}

impl SinkConfig for MqttConfig {
    fn is_enabled(&self) -> bool {
        self.enabled
    }

    fn check(&self, context: &CheckContext<'_>, wrong: &mut Vec<String>) -> MqttConfig {
        if self.enabled {
            self.check_broker(wrong);
            check_outbox("mqtt", &self.records, context, wrong);
        }
        let [site, line, station] = context.names;
        let usual_id = || format!("andon-{site}-{line}-{station}");
        MqttConfig {
            client_id: Some(self.client_id.clone().unwrap_or_else(usual_id)),
            password_file: context.optional_path(&self.password_file),
            ca: context.optional_path(&self.ca),
            certificate: context.optional_path(&self.certificate),
            key: context.optional_path(&self.key),
            ..self.clone()
        }
    }

    fn check_machine(&self, wrong: &mut Vec<String>) {
        check_file("mqtt.password_file", self.password_file.as_deref(), FileKind::Secret, wrong);
        check_file("mqtt.ca", self.ca.as_deref(), FileKind::Pem, wrong);
        check_file("mqtt.certificate", self.certificate.as_deref(), FileKind::Pem, wrong);
        check_file("mqtt.key", self.key.as_deref(), FileKind::Pem, wrong);
    }

    fn describe(&self) -> String {
        format!("MQTT {}:{}", self.host, self.port)
    }
}

impl MqttConfig {
    fn check_broker(&self, wrong: &mut Vec<String>) {
        if let Some(why) = host_fault(&self.host) {
            let remedy = "give the name or the address alone, the port is mqtt.port";
            wrong.push(format!("mqtt.host: `{}`: {why}; {remedy}", self.host));
        }
        if self.port == 0 {
            wrong.push("mqtt.port: 0 is not a port from 1 to 65535".to_owned());
        }
        if self.certificate.is_some() != self.key.is_some() {
            wrong.push("mqtt.certificate, mqtt.key: one needs the other".to_owned());
        }
        if self.certificate.is_some() && self.ca.is_none() {
            wrong.push("mqtt.ca: missing; a certificate of the box needs TLS, and that the authority's".to_owned());
        }
        if self.username.is_some() != self.password_file.is_some() {
            wrong.push("mqtt.username, mqtt.password_file: one needs the other".to_owned());
        }
    }
}
