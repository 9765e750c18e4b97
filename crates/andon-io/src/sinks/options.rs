use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the box takes part in Zenoh.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ZenohOptions {
    /// Whether verdicts go out over Zenoh at all.
    pub enabled: bool,
    /// The box's part: peer, client of a router, or router.
    pub mode: ZenohMode,
    /// Where others may connect to this box.
    pub listen: Vec<String>,
    /// Whom this box connects to; tried for ever.
    pub connect: Vec<String>,
    /// Whether `ctl/...` keys may change anything.
    pub allow_control: bool,
    /// Certificates for endpoints that begin with `tls/`.
    pub tls: TlsOptions,
    /// A Zenoh configuration file (JSON5) that is taken first: access control, further transports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_file: Option<PathBuf>,
}

impl Default for ZenohOptions {
    fn default() -> Self {
        ZenohOptions {
            enabled: true,
            mode: ZenohMode::Peer,
            listen: vec!["tcp/127.0.0.1:7447".into()],
            connect: Vec::new(),
            allow_control: false,
            tls: TlsOptions::default(),
            config_file: None,
        }
    }
}

/// The box's part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ZenohMode {
    /// Connects and is connected to.
    #[default]
    Peer,
    /// Connects to a router alone.
    Client,
    /// Routes for others.
    Router,
}

impl ZenohMode {
    /// Zenoh's word.
    pub fn as_str(self) -> &'static str {
        match self {
            ZenohMode::Peer => "peer",
            ZenohMode::Client => "client",
            ZenohMode::Router => "router",
        }
    }
}

/// Certificates; with all three, both sides prove who they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TlsOptions {
    /// Certificate of the authority that signed the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// This box's certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// Its private key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
}
