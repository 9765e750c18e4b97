//! The broker, and the client's options for it.

use std::path::PathBuf;
use std::time::Duration;

use rumqttc::{LastWill, MqttOptions, QoS, TlsConfiguration, Transport};
use thiserror::Error;

use super::WINDOW;

/// Bytes in one packet at most, both ways.
pub(super) const PACKET: usize = 1 << 20;

/// Why nothing can be sent to a broker.
#[derive(Debug, Error)]
pub enum MqttError {
    /// A certificate or a key.
    #[error("mqtt: {}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why it cannot be read.
        source: std::io::Error,
    },
    /// No room for a thread.
    #[error(transparent)]
    System(#[from] std::io::Error),
}

/// The broker and what it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttSettings {
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Client identifier; unique at the broker.
    pub client_id: String,
    /// User and password.
    pub login: Option<(String, String)>,
    /// Certificate of the authority, for TLS.
    pub ca: Option<PathBuf>,
    /// The box's own certificate and key.
    pub client: Option<(PathBuf, PathBuf)>,
    /// Kinds of records: verdict, part, eject, event.
    pub kinds: Vec<String>,
    /// Of verdicts and parts only those that did not pass.
    pub rejects_only: bool,
    /// Topic of the retained birth and will.
    pub status_topic: String,
    /// This start of the program; tells this box's status from that of another with the same names.
    pub boot: String,
}

/// The options of one connection after another.
pub(super) fn options(s: &MqttSettings) -> Result<MqttOptions, MqttError> {
    let mut options = MqttOptions::new(&s.client_id, &s.host, s.port);
    options.set_keep_alive(Duration::from_secs(5));
    options.set_inflight(WINDOW as u16);
    options.set_max_packet_size(PACKET, PACKET);
    options.set_last_will(LastWill::new(&s.status_topic, s.status(false), QoS::AtLeastOnce, true));
    if let Some((user, password)) = &s.login {
        options.set_credentials(user, password);
    }
    if let Some(transport) = transport(s)? {
        options.set_transport(transport);
    }
    Ok(options)
}

/// TLS, if wanted.
pub(super) fn transport(s: &MqttSettings) -> Result<Option<Transport>, MqttError> {
    let Some(ca) = &s.ca else { return Ok(None) };
    // Fails only if there is one already, which then serves as well.
    drop(rustls::crypto::ring::default_provider().install_default());
    let read = |path: &PathBuf| std::fs::read(path).map_err(|source| MqttError::File { path: path.clone(), source });
    let client_auth = match &s.client {
        Some((certificate, key)) => Some((read(certificate)?, read(key)?)),
        None => None,
    };
    Ok(Some(Transport::Tls(TlsConfiguration::Simple { ca: read(ca)?, alpn: None, client_auth })))
}

impl MqttSettings {
    /// The payload of the birth and of the will.
    pub(super) fn status(&self, online: bool) -> String {
        format!(r#"{{"online":{online},"boot":"{}"}}"#, self.boot)
    }
}
