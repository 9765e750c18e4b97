//! The table `[page]`: the operator's page, who may reach it, and where its users are kept.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The operator's page.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawPage {
    /// Whether it is there. Without it, the audit of what is changed over Zenoh and Modbus is kept all the same.
    pub enabled: bool,
    /// Address and port; beyond loopback only with TLS, or with `insecure = true`.
    pub listen: String,
    /// The language of who has chosen none: `en` or `de`.
    pub language: PageLanguage,
    /// Users, sessions and audit: an SQLite file of its own, beside the configuration unless it says otherwise.
    pub database: PathBuf,
    /// Folder for what is taught on the page: pictures and models of new parts, a folder for each.
    pub taught: PathBuf,
    /// The certificate (PEM, with those that it was signed by): HTTPS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// Its private key (PEM).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// Allows the page beyond loopback without TLS: whoever listens on the network then reads passwords and takes sessions over.
    pub insecure: bool,
    /// Names by which browsers call this box, besides its addresses, its host name and `localhost`.
    pub names: Vec<String>,
    /// Side of the keys for alarms in millimetres on the panel: 20 suffice bare-handed and in gloves.
    pub key_mm: f64,
    /// Pixels an inch of the panel: 125 for 1280x800 on 12.1 inches, 150 on 10.1 inches.
    pub dpi: f64,
    /// Of the passes that were no near misses, one in so many waits for a review; a multiple of ten.
    pub review_every: u64,
    /// Known bad parts of a challenge, as the page offers it.
    pub challenge_parts: u32,
    /// A challenge has to be passed on each camera so many minutes after the start of each shift; 0 where nobody wants one.
    pub challenge_within_min: u32,
}

impl Default for RawPage {
    fn default() -> Self {
        RawPage {
            enabled: true,
            listen: "127.0.0.1:8090".into(),
            language: PageLanguage::En,
            database: "andon-page.db".into(),
            taught: "andon-taught".into(),
            certificate: None,
            key: None,
            insecure: false,
            names: Vec::new(),
            key_mm: 20.0,
            dpi: 125.0,
            review_every: 1000,
            challenge_parts: 3,
            challenge_within_min: 0,
        }
    }
}

/// A language of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PageLanguage {
    /// English.
    #[default]
    En,
    /// German.
    De,
}

/// The checked table.
#[derive(Clone, Debug, PartialEq)]
pub struct PageTable {
    /// Address and port.
    pub listen: SocketAddr,
    /// The language of who has chosen none.
    pub language: PageLanguage,
    /// Users, sessions and audit.
    pub database: PathBuf,
    /// Pictures and models of parts that are taught.
    pub taught: PathBuf,
    /// Certificate and private key; HTTP without.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Further names of the box.
    pub names: Vec<String>,
    /// Side of the keys for alarms, pixels.
    pub key_px: u32,
    /// Of the passes that were no near misses, one in so many waits for a review.
    pub review_every: u64,
    /// Known bad parts of a challenge.
    pub challenge_parts: u32,
    /// A challenge has to be passed so soon after the start of each shift, if at all.
    pub challenge_within: Option<Duration>,
}

impl RawPage {
    /// The table, wanted or not: `andon user` needs its file either way. Lists every fault.
    pub(super) fn check(&self, base: &Path, wrong: &mut Vec<String>) -> PageTable {
        let given = &self.listen;
        let listen = self.listen.parse::<SocketAddr>().unwrap_or_else(|_| {
            wrong.push(format!("page.listen: `{given}` is not ADDRESS:PORT, such as 127.0.0.1:8090"));
            SocketAddr::from(([127, 0, 0, 1], 0))
        });
        let tls = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Some((base.join(certificate), base.join(key))),
            (None, None) => None,
            (Some(_), None) => {
                wrong.push("page.key: missing; a certificate needs its private key".to_owned());
                None
            }
            (None, Some(_)) => {
                wrong.push("page.certificate: missing; a key alone makes no TLS".to_owned());
                None
            }
        };
        let any_tls = self.certificate.is_some() || self.key.is_some();
        if self.enabled && !listen.ip().is_loopback() && !any_tls && !self.insecure {
            wrong.push(format!(
                "page.listen: {listen} is reached from the network, and passwords would cross it unencrypted; set page.certificate and \
                 page.key, or listen on 127.0.0.1, or write page.insecure = true"
            ));
        }
        for name in &self.names {
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
            if name.is_empty() || !name.chars().all(fits) {
                wrong.push(format!("page.names: `{name}` is no host name, such as press-7.plant.example"));
            }
        }
        if !(5.0..=60.0).contains(&self.key_mm) {
            wrong.push(format!("page.key_mm: {} is not in 5..=60", self.key_mm));
        }
        if !(40.0..=800.0).contains(&self.dpi) {
            wrong.push(format!("page.dpi: {} is not in 40..=800", self.dpi));
        }
        if self.review_every == 0 || !self.review_every.is_multiple_of(10) {
            wrong.push(format!("page.review_every: {} is no multiple of ten, such as 1000", self.review_every));
        }
        if !(1..=50).contains(&self.challenge_parts) {
            wrong.push(format!("page.challenge_parts: {} is not in 1..=50", self.challenge_parts));
        }
        if self.challenge_within_min > 24 * 60 {
            wrong.push(format!("page.challenge_within_min: {} is more than a day", self.challenge_within_min));
        }
        if self.database.as_os_str().is_empty() {
            wrong.push("page.database: empty; name a file, such as andon-page.db".to_owned());
        }
        PageTable {
            listen,
            language: self.language,
            database: base.join(&self.database),
            taught: base.join(&self.taught),
            tls,
            names: self.names.clone(),
            key_px: (self.key_mm * self.dpi / 25.4).round() as u32,
            review_every: self.review_every,
            challenge_parts: self.challenge_parts,
            challenge_within: minutes(self.challenge_within_min),
        }
    }
}

fn minutes(n: u32) -> Option<Duration> {
    (n > 0).then(|| Duration::from_secs(60 * u64::from(n)))
}
