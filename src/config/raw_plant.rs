use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// History and outbox.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawStore {
    /// Whether records are kept at all; needed for MQTT and webhooks.
    pub enabled: bool,
    /// The SQLite file; its folder has to exist.
    pub path: PathBuf,
    /// Records that are kept at most; the oldest go first.
    pub max_rows: u64,
    /// Megabytes at most.
    pub max_mb: u64,
}

impl Default for RawStore {
    fn default() -> Self {
        RawStore { enabled: false, path: "andon.db".into(), max_rows: 5_000_000, max_mb: 2000 }
    }
}

/// The Modbus TCP server for the PLC.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawModbusServer {
    /// Whether it listens.
    pub enabled: bool,
    /// Address and port; there is no password: the cell's network card only.
    pub listen: String,
    /// Whether the PLC may write: fetch results one by one, trigger, release the line.
    pub allow_write: bool,
    /// A connection without a request for so many seconds is closed.
    pub idle_s: u64,
}

impl Default for RawModbusServer {
    fn default() -> Self {
        RawModbusServer { enabled: false, listen: "127.0.0.1:1502".into(), allow_write: false, idle_s: 60 }
    }
}

/// The OPC UA server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawOpcUa {
    /// Whether it listens; needs a build with `--features opcua`.
    pub enabled: bool,
    /// Address and port; anonymous, read-only and without encryption: the cell's network card only.
    pub listen: String,
}

impl Default for RawOpcUa {
    fn default() -> Self {
        RawOpcUa { enabled: false, listen: "127.0.0.1:4840".into() }
    }
}

/// Records to an MQTT broker.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawMqtt {
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

impl Default for RawMqtt {
    fn default() -> Self {
        RawMqtt {
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

/// Records to a web server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawWebhook {
    /// Whether anything is sent.
    pub enabled: bool,
    /// Where to POST arrays of records.
    pub url: String,
    /// File with a token in its first line, sent as `Authorization: Bearer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// Kinds of records: verdict, part, eject, event.
    pub records: Vec<RecordKind>,
    /// Of verdicts and parts only those that did not pass.
    pub rejects_only: bool,
}

impl Default for RawWebhook {
    fn default() -> Self {
        let url = "http://127.0.0.1:8090/andon".into();
        RawWebhook { enabled: false, url, token_file: None, records: vec![RecordKind::Event], rejects_only: false }
    }
}

/// A kind of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RecordKind {
    /// A camera's verdict.
    Verdict,
    /// A part's outcome over all cameras.
    Part,
    /// What an ejector did.
    Eject,
    /// An oddity.
    Event,
}

impl RecordKind {
    /// The word in the configuration and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            RecordKind::Verdict => "verdict",
            RecordKind::Part => "part",
            RecordKind::Eject => "eject",
            RecordKind::Event => "event",
        }
    }
}
