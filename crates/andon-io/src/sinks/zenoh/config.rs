//! The table `[zenoh]`.

use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::endpoint::zenoh_fault;
use crate::sinks::config::{CheckContext, FileKind, SinkConfig, check_file};

/// How the box takes part in Zenoh.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "ZenohOptions")]
pub struct ZenohConfig {
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

impl Default for ZenohConfig {
    fn default() -> Self {
        ZenohConfig {
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

impl SinkConfig for ZenohConfig {
    fn is_enabled(&self) -> bool {
        self.enabled
    }

    fn check(&self, context: &CheckContext<'_>, wrong: &mut Vec<String>) -> ZenohConfig {
        if self.enabled {
            self.check_endpoints(wrong);
            self.check_certificates(wrong);
        }
        let tls = TlsOptions {
            ca: context.optional_path(&self.tls.ca),
            certificate: context.optional_path(&self.tls.certificate),
            key: context.optional_path(&self.tls.key),
        };
        ZenohConfig { tls, config_file: context.optional_path(&self.config_file), ..self.clone() }
    }

    fn check_machine(&self, wrong: &mut Vec<String>) {
        let tls = &self.tls;
        check_file("zenoh.config_file", self.config_file.as_deref(), FileKind::Text, wrong);
        check_file("zenoh.tls.ca", tls.ca.as_deref(), FileKind::Pem, wrong);
        check_file("zenoh.tls.certificate", tls.certificate.as_deref(), FileKind::Pem, wrong);
        check_file("zenoh.tls.key", tls.key.as_deref(), FileKind::Pem, wrong);
    }

    fn listens(&self) -> Vec<(&'static str, SocketAddr)> {
        let address = |endpoint: &String| {
            let (_, rest) = endpoint.split_once('/').filter(|(protocol, _)| matches!(*protocol, "tcp" | "tls"))?;
            let address = rest.split(['?', '#']).next().unwrap_or_default().replace('*', "0.0.0.0");
            address.replace("localhost", "127.0.0.1").parse().ok()
        };
        self.listen.iter().filter_map(|endpoint| Some(("zenoh.listen", address(endpoint)?))).collect()
    }

    fn describe(&self) -> String {
        let mode = match self.mode {
            ZenohMode::Peer => String::new(),
            other => format!(" as {}", other.as_str()),
        };
        let endpoints: Vec<&str> = self.listen.iter().chain(&self.connect).map(String::as_str).collect();
        format!("Zenoh{mode} {}", endpoints.join(" "))
    }
}

impl ZenohConfig {
    fn check_endpoints(&self, wrong: &mut Vec<String>) {
        for (key, endpoints) in [("zenoh.listen", &self.listen), ("zenoh.connect", &self.connect)] {
            for endpoint in endpoints {
                if let Some(why) = zenoh_fault(endpoint) {
                    wrong.push(format!("{key}: `{endpoint}`: {why}"));
                }
            }
        }
        if self.mode == ZenohMode::Client && self.connect.is_empty() && self.config_file.is_none() {
            let why = "empty; a client needs a router to connect to, such as tcp/192.168.1.10:7447";
            wrong.push(format!("zenoh.connect: {why}"));
        }
    }

    fn check_certificates(&self, wrong: &mut Vec<String>) {
        if self.tls.certificate.is_some() != self.tls.key.is_some() {
            wrong.push("zenoh.tls.certificate, zenoh.tls.key: one needs the other".to_owned());
        }
        // A file of Zenoh's own may bring the certificate.
        let secured = self.tls.certificate.is_some() || self.config_file.is_some();
        if !secured && self.listen.iter().any(|endpoint| endpoint.starts_with("tls/")) {
            let why = "missing; an endpoint that listens on tls/ needs one, and its key";
            wrong.push(format!("zenoh.tls.certificate: {why}"));
        }
    }
}
